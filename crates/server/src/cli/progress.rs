//! A line on standard error that says that something long is still going on; only at a terminal, and gone when it is over.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What ends sooner needs no line.
const PATIENCE: Duration = Duration::from_millis(700);
const REFRESH: Duration = Duration::from_millis(200);
/// Back to the begin of the line, and the rest of it erased.
const ERASE: &str = "\r\u{1b}[K";

/// Shows its line until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How much is done; 0 is not shown.
    pub(super) count: Arc<AtomicU64>,
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Says `what` (and how many `things` of it are done) if people watch standard error and nobody is asked on it.
    pub(super) fn start(what: &'static str, things: &'static str) -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = channel::<()>();
        let counted = Arc::clone(&count);
        let show = move || {
            let began = Instant::now();
            let mut pause = PATIENCE;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = REFRESH;
                let line = line(what, things, counted.load(Ordering::Relaxed), began.elapsed());
                // A terminal that is gone needs no progress.
                drop(write!(io::stderr(), "{ERASE}{line}"));
            }
            if pause == REFRESH {
                drop(write!(io::stderr(), "{ERASE}"));
            }
        };
        let watched = io::stderr().is_terminal();
        let thread = watched.then(|| std::thread::Builder::new().name("progress".to_owned()).spawn(show));
        let running = thread.and_then(Result::ok).map(|thread| (stop, thread));
        Self { count, running }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // It ends at once; whether it panicked matters to nobody.
            drop(thread.join());
        }
    }
}

fn line(what: &str, things: &str, count: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match count {
        0 => format!("{what} … {seconds} s"),
        count => format!("{what} … {} {things}, {seconds} s", grouped(count)),
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_and_groups() {
        assert_eq!(line("waiting", "", 0, Duration::from_millis(2900)), "waiting … 2 s");
        assert_eq!(line("opening", "records", 1_234_567, Duration::from_secs(3)), "opening … 1,234,567 records, 3 s");
        assert_eq!([0, 999, 1_000, 100_000].map(grouped), ["0", "999", "1,000", "100,000"]);
    }
}
