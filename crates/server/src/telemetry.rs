//! Logs: one filter, one format, and one wall.
//!
//! The wall: whatever the filter says, code that is not ours logs nothing below INFO. Libraries log what passes through them
//! (the number parser whole numbers, HTTP libraries headers and bodies), and no level may show a number, a code or a secret.

mod buffered;
mod lines;

use std::io::{self, IsTerminal};
use std::sync::{Arc, OnceLock};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry};

use self::buffered::Buffered;
use self::lines::Lines;
use crate::config::LogConfig;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

fn behind_the_wall(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().starts_with("verifyd");
    // Levels grow towards detail: INFO < DEBUG.
    ours || *metadata.level() <= Level::INFO
}

/// The subscriber that writes to `writer`.
pub fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    ansi: bool,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Filters of the whole subscriber, not of a layer: an event that is off then costs one load.
    let registry = Registry::default().with(filter).with(FilterFn::new(behind_the_wall));
    Box::new(registry.with(Lines { format, ansi, writer }))
}

/// What has been logged and not written out yet.
static BUFFERED: OnceLock<Arc<Buffered<io::Stderr>>> = OnceLock::new();

/// Sends logs to standard error from here on: line by line to a terminal, else several to a write. A second call has no effect.
pub fn init(log: &LogConfig) {
    let filter = EnvFilter::new(&log.filter);
    let terminal = io::stderr().is_terminal();
    let buffered = if terminal { None } else { Buffered::start(io::stderr()).ok() };
    let subscriber = match buffered {
        Some(buffered) => {
            let buffered = BUFFERED.get_or_init(|| buffered);
            flush_on_panic();
            subscriber(filter, log.format, false, buffered::Lines(Arc::clone(buffered)))
        }
        None => subscriber(filter, log.format, terminal, io::stderr),
    };
    // Records of the `log` crate are not bridged: our own code does not use it, and that of others passes numbers on.
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// Writes out what has been logged: whoever ends the process calls it.
pub fn flush() {
    if let Some(buffered) = BUFFERED.get() {
        buffered.flush();
    }
}

/// Ends the process at once, with its log complete.
pub fn exit(code: i32) -> ! {
    flush();
    std::process::exit(code)
}

/// So that a panic's own words come after what was logged before it.
fn flush_on_panic() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        flush();
        told(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn foreign_detail_stays_behind_the_wall() {
        for format in [LogFormat::Human, LogFormat::Json] {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = subscriber(EnvFilter::new("trace"), format, false, move || writer.clone());
            tracing::subscriber::with_default(subscriber, || {
                tracing::trace!(target: "rlibphonenumber", "secret-1");
                tracing::debug!(target: "hyper::proto", "secret-2");
                tracing::info!(target: "hyper::proto", "shown-1");
                tracing::trace!(target: "verifyd_core::x", "shown-2");
            });
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            assert!(text.contains("shown-1") && text.contains("shown-2") && !text.contains("secret"), "{text}");
        }
    }

    fn written(format: LogFormat, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(
            subscriber(EnvFilter::new("info"), format, false, move || writer.clone()),
            log,
        );
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_value_forges_a_line() {
        let log =
            || tracing::warn!(a = "x\n\x1b[31m\"", b = %"two words", c = ?Some(1), d = 1.5, e = -2, f = true, "m\ne");
        let human = written(LogFormat::Human, log);
        let (_, rest) = human.split_once("  WARN verifyd_server::telemetry::tests: ").unwrap();
        assert_eq!(rest, "m\\ne a=\"x\\n\\u{1b}[31m\\\"\" b=\"two words\" c=Some(1) d=1.5 e=-2 f=true\n");
        let json = written(LogFormat::Json, log);
        assert_eq!(json.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["a"], "x\n\u{1b}[31m\"");
        assert_eq!((&value["message"], &value["level"]), (&"m\ne".into(), &"WARN".into()));
        assert_eq!((value["d"].as_f64(), value["e"].as_i64(), value["f"].as_bool()), (Some(1.5), Some(-2), Some(true)));
    }
}
