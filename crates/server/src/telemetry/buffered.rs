//! Lines on their way to standard error, several to a write: a write for each cost a tenth of a whole request.
//!
//! A line is written out after [`FLUSH_AFTER`] at the latest; a warning or an error at once, with all before it. What ends the
//! process in an orderly way flushes; `kill -9` can cost the last moment's lines of INFO and below.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others at most.
const FLUSH_AFTER: Duration = Duration::from_millis(20);
/// From this size on the one who logs writes out itself: a log that is not read slows the server down, and memory stays bounded.
const FULL_BYTES: usize = 64 * 1024;

/// Where lines collect.
pub(super) struct Buffered<O> {
    lines: Mutex<Vec<u8>>,
    filled: Condvar,
    /// Held while writing, so that lines stay in order.
    out: Mutex<O>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<O: Write + Send + 'static> Buffered<O> {
    /// Collects lines for `out`; a thread of its own sees that none waits for long.
    pub(super) fn start(out: O) -> io::Result<Arc<Self>> {
        let buffered = Arc::new(Self { lines: Mutex::default(), filled: Condvar::new(), out: Mutex::new(out) });
        let shared = Arc::clone(&buffered);
        thread::Builder::new().name("verifyd-log".to_owned()).spawn(move || shared.follow())?;
        Ok(buffered)
    }

    fn follow(&self) {
        loop {
            let mut lines = locked(&self.lines);
            while lines.is_empty() {
                lines = self.filled.wait(lines).unwrap_or_else(PoisonError::into_inner);
            }
            drop(lines);
            thread::sleep(FLUSH_AFTER);
            self.flush();
        }
    }

    /// Writes out everything so far.
    pub(super) fn flush(&self) {
        let mut out = locked(&self.out);
        let lines = std::mem::take(&mut *locked(&self.lines));
        // There is nobody to tell that a line could not be written.
        drop(out.write_all(&lines).and_then(|()| out.flush()));
    }

    fn add(&self, line: &[u8], urgent: bool) {
        let mut lines = locked(&self.lines);
        let was_empty = lines.is_empty();
        lines.extend_from_slice(line);
        let full = lines.len() >= FULL_BYTES;
        drop(lines);
        if urgent || full {
            self.flush();
        } else if was_empty {
            self.filled.notify_one();
        }
    }
}

/// Makes writers of single lines.
pub(super) struct Lines<O>(pub(super) Arc<Buffered<O>>);

/// Takes one line.
pub(super) struct Line<'a, O> {
    buffered: &'a Buffered<O>,
    urgent: bool,
}

impl<O: Write + Send + 'static> Write for Line<'_, O> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffered.add(bytes, self.urgent);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.buffered.flush();
        Ok(())
    }
}

impl<'a, O: Write + Send + 'static> MakeWriter<'a> for Lines<O> {
    type Writer = Line<'a, O>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { buffered: &self.0, urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        // Levels grow towards detail: WARN < INFO.
        Line { buffered: &self.0, urgent: *metadata.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            locked(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Without the thread that follows: what is written is then written by the caller.
    fn buffered() -> (Buffered<Out>, Out) {
        let out = Out::default();
        (Buffered { lines: Mutex::default(), filled: Condvar::new(), out: Mutex::new(out.clone()) }, out)
    }

    #[test]
    fn an_urgent_line_takes_those_before_it_along_in_order() {
        let (buffered, out) = buffered();
        buffered.add(b"one\n", false);
        assert!(locked(&out.0).is_empty());
        buffered.add(b"two\n", true);
        assert_eq!(&*locked(&out.0), b"one\ntwo\n");
        buffered.flush();
        assert_eq!(&*locked(&out.0), b"one\ntwo\n");
    }

    #[test]
    fn a_full_buffer_is_written_out_by_the_one_who_fills_it() {
        let (buffered, out) = buffered();
        buffered.add(&vec![b'x'; FULL_BYTES - 1], false);
        assert!(locked(&out.0).is_empty());
        buffered.add(b"\n", false);
        assert_eq!(locked(&out.0).len(), FULL_BYTES);
    }

    #[test]
    fn no_line_waits_for_ever() {
        let out = Out::default();
        let buffered = Buffered::start(out.clone()).unwrap();
        for round in 1..=3 {
            buffered.add(b"line\n", false);
            // Ten times what it may take, and more: the machine may be busy.
            for _ in 0..500 {
                if locked(&out.0).len() == 5 * round {
                    break;
                }
                thread::sleep(FLUSH_AFTER);
            }
            assert_eq!(locked(&out.0).len(), 5 * round);
        }
    }
}
