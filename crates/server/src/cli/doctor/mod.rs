//! `verifyd doctor`: looks at everything that a server needs, and says what to mend.
//!
//! It decides nothing: what is absent stays absent, and a store that a running server holds is asked about through the server. A store
//! that nobody holds is opened as a start would open it: a torn end of its journal is cut off, files of finished work are cleared
//! away. Each examination gives lines of three levels; one problem is enough for exit code 1. `--accept-clock` is what only an
//! operator may decide.

mod clock;
mod files;
mod host;
mod neighbour;
mod provider;
mod redis;
mod store;

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use verifyd_core::clock::{Clock, SystemClock};

use super::ConfigFlags;
use super::exit::{Answer, Exit, Failure, Outcome, chain, finish};
use super::style::{self, BAD, CARE, FAINT, GOOD, counted, paint};
use crate::config::{Config, ConfigErrors, Note, NoteLevel, StoreKind};
use crate::http::rfc3339;
use crate::wiring;

/// `verifyd doctor`
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Accept the present time although the store has seen a later one: what was pending is void. The server must be stopped.
    #[arg(long)]
    accept_clock: bool,
    /// Do not ask the provider about the account.
    #[arg(long)]
    offline: bool,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Fine,
    Warning,
    Problem,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    const fn style(self) -> anstyle::Style {
        match self {
            Self::Fine => GOOD,
            Self::Warning => CARE,
            Self::Problem => BAD,
        }
    }
}

/// One line of the report.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    level: Level,
    message: String,
    remedy: Option<String>,
}

/// The lines so far.
#[derive(Debug, Default)]
struct Report(Vec<Finding>);

impl Report {
    fn fine(&mut self, check: &'static str, message: impl std::fmt::Display) {
        self.0.push(Finding { check, level: Level::Fine, message: message.to_string(), remedy: None });
    }

    fn warn(&mut self, check: &'static str, message: impl std::fmt::Display, remedy: impl Into<String>) {
        let (message, remedy) = (message.to_string(), Some(remedy.into()));
        self.0.push(Finding { check, level: Level::Warning, message, remedy });
    }

    fn problem(&mut self, check: &'static str, message: impl std::fmt::Display, remedy: impl Into<String>) {
        let (message, remedy) = (message.to_string(), Some(remedy.into()));
        self.0.push(Finding { check, level: Level::Problem, message, remedy });
    }

    fn count(&self, level: Level) -> u64 {
        self.0.iter().map(|finding| u64::from(finding.level == level)).sum()
    }

    fn answer(&self) -> Answer {
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        let exit = if problems > 0 { Exit::Failed } else { Exit::Done };
        let checks: Vec<Value> = self.0.iter().map(Finding::to_json).collect();
        let json = json!({ "ok": problems == 0, "problems": problems, "warnings": warnings, "checks": checks });
        let mut text: String = self.0.iter().map(Finding::to_text).collect();
        let (style, verdict) = match (problems, warnings) {
            (0, 0) => (GOOD, "all is well".to_owned()),
            (0, warnings) => (CARE, counted(warnings, "warning")),
            (problems, 0) => (BAD, counted(problems, "problem")),
            (problems, warnings) => {
                (BAD, format!("{}, {}", counted(problems, "problem"), counted(warnings, "warning")))
            }
        };
        text.extend(["\n", &paint(style, verdict), "\n"]);
        Answer { exit, text, json }
    }
}

impl Finding {
    fn to_json(&self) -> Value {
        json!({ "check": self.check, "level": self.level.as_str(), "message": self.message, "remedy": self.remedy })
    }

    fn to_text(&self) -> String {
        let level = paint(self.level.style(), format_args!("{:7}", self.level.as_str()));
        let mut text = format!("{level}  {:13}  {}\n", self.check, style::plain(&self.message));
        for line in self.remedy.iter().flat_map(|remedy| remedy.lines()) {
            text.extend([" ".repeat(24), paint(FAINT, style::plain(line)), "\n".to_owned()]);
        }
        text
    }
}

/// Runs the command to its exit code.
pub(super) fn run(args: DoctorArgs) -> ExitCode {
    let json = args.json;
    let outcome = if args.accept_clock { accept_clock(args.flags) } else { examine(args.flags, args.offline, json) };
    finish(&outcome, json)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::local)
}

fn examine(flags: ConfigFlags, offline: bool, quiet: bool) -> Outcome {
    let mut report = Report::default();
    let sources = match flags.sources() {
        Ok(sources) => sources,
        Err(errors) => {
            refused(&mut report, &errors);
            return Ok(report.answer());
        }
    };
    let loaded = Config::load(&sources);
    let serving = match &loaded {
        Ok((_, notes)) => {
            noted(&mut report, notes);
            true
        }
        Err(errors) => {
            refused(&mut report, errors);
            false
        }
    };
    // The data can be looked at even if there is no way to send.
    if let Ok((config, _)) = loaded.or_else(|_refused| Config::for_data(&sources)) {
        runtime()?.block_on(examine_all(&mut report, &config, serving && !offline, quiet));
    }
    Ok(report.answer())
}

async fn examine_all(report: &mut Report, config: &Config, ask_provider: bool, quiet: bool) {
    let neighbour = neighbour::find(report, config).await;
    host::listener(report, config);
    files::tls(report, config);
    host::descriptors(report, config);
    match config.store.kind {
        StoreKind::Redis => redis::examine(report, config).await,
        StoreKind::Memory => report.fine("store", "in memory: nothing is kept over a restart"),
        StoreKind::Embedded => {
            let directory = files::data_directory(report, config);
            files::master_keys(report, config);
            files::disk(report, config);
            store::examine(report, config, directory, &neighbour, quiet).await;
        }
    }
    clock::now(report, SystemClock.now());
    store::api_keys(report, config).await;
    if ask_provider {
        provider::examine(report, config).await;
    }
}

fn refused(report: &mut Report, errors: &ConfigErrors) {
    for error in errors.errors() {
        report.problem("configuration", error, "a server does not start so; docs/configuration.md lists every key");
    }
}

fn noted(report: &mut Report, notes: &[Note]) {
    let warnings = notes.iter().filter(|note| note.level == NoteLevel::Warning);
    let before = report.0.len();
    for note in warnings {
        report.warn("configuration", note, "see docs/configuration.md");
    }
    if report.0.len() == before {
        report.fine("configuration", "valid");
    }
}

/// Accepts the present time for a store that has seen a later one.
fn accept_clock(flags: ConfigFlags) -> Outcome {
    let (config, _notes) = flags.sources().and_then(|sources| Config::for_data(&sources)).map_err(Failure::local)?;
    crate::telemetry::init(&config.log);
    let accepted = runtime()?.block_on(wiring::accept_clock(&config));
    let now = accepted.map_err(|error| Failure::local(chain(&error)))?;
    let at = rfc3339(now);
    tracing::warn!(audit = "accept_clock", at = at.as_str(), "the clock was accepted");
    let text = format!("The time {at} is accepted. Verifications that were pending are void; limits count from now.\n");
    Ok(Answer::done(text, json!({ "accepted": at })))
}
