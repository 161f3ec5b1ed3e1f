//! The log, `[log]`.

use tracing_subscriber::EnvFilter;

use super::Environment;
use super::reader::Reader;
use crate::telemetry::LogFormat;

/// The log.
#[derive(Debug)]
pub struct LogConfig {
    /// What is logged: a filter that `EnvFilter` takes.
    pub filter: String,
    /// How.
    pub format: LogFormat,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<LogConfig> {
    let filter = reader.parsed_by("log.filter", |text| {
        EnvFilter::try_new(text).map(|_filter| text.to_owned()).map_err(
            |_source| "expected a level (error, warn, info, debug, trace) or a filter such as info,verifyd=debug",
        )
    });
    let words = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format = if reader.is_given("log.format") {
        reader.word("log.format", &words)
    } else {
        Some(match reader.environment {
            Environment::Production => LogFormat::Json,
            Environment::Development => LogFormat::Human,
        })
    };
    Some(LogConfig { filter: filter?, format: format? })
}
