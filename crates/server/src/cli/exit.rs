//! How a command ends: exit codes that scripts can use, what is written, and where.
//!
//! With `--json` standard output holds exactly one JSON document, whatever happens: the result, or `{"error": {…}}`. Without it,
//! results go to standard output and errors to standard error. Only what clap refuses is always told in its own words on
//! standard error, because nobody knows then whether `--json` was meant.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::style::{self, BAD};

/// The exit codes, one meaning each; `docs/cli.md` has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    Failed,
    Usage,
    WrongCode,
    Limited,
    Unavailable,
    Unauthorized,
    Over,
}

/// What `serve` adds, in the same table.
const OF_THE_SERVER: [(u8, &str); 2] = [
    (74, "`dev`, `serve`: a durable write failed for good; a restart finds out what is on disk."),
    (130, "Interrupted: Ctrl-C at a prompt, or a second signal to a server that was stopping."),
];

impl Exit {
    const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::WrongCode,
        Self::Limited,
        Self::Unavailable,
        Self::Unauthorized,
        Self::Over,
    ];

    /// The number.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::WrongCode => 3,
            Self::Limited => 4,
            Self::Unavailable => 5,
            Self::Unauthorized => 6,
            Self::Over => 7,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done. `check`: the code was right.",
            Self::Failed => "It was not done: refused for another reason than those below, or it failed here.",
            Self::Usage => "The command line is wrong; nothing was tried.",
            Self::WrongCode => "`check`: the code was wrong, and the guess counted.",
            Self::Limited => "Refused by a limit (429): the message says which and when to try again.",
            Self::Unavailable => {
                "The server cannot be reached, did not answer in time, or cannot do its work now (5xx)."
            }
            Self::Unauthorized => "The server does not know the API key, or the key lacks the scope.",
            Self::Over => {
                "There is nothing to do it to: unknown, expired, canceled or approved already (404, 409, 410)."
            }
        }
    }

    /// Every number with its meaning.
    pub(super) fn table() -> impl Iterator<Item = (u8, &'static str)> {
        Self::ALL.into_iter().map(|exit| (exit.number(), exit.meaning())).chain(OF_THE_SERVER)
    }
}

/// The exit codes, for the end of `--help`.
pub(super) fn help() -> String {
    let lines = Exit::table().map(|(number, meaning)| format!("  {number:3}  {}\n", meaning.replace('`', "")));
    format!("Exit codes:\n{}", lines.collect::<Vec<_>>().concat())
}

/// The exit code of an interrupted prompt, as shells have it for SIGINT.
pub(super) const INTERRUPTED: u8 = 130;

/// What a command has to say.
#[derive(Debug)]
pub(super) struct Answer {
    /// How it ended.
    pub(super) exit: Exit,
    /// For people; styled, ends with a line end unless it is empty.
    pub(super) text: String,
    /// The same for programs.
    pub(super) json: Value,
}

impl Answer {
    /// A command that did its work.
    pub(super) fn done(text: String, json: Value) -> Self {
        Self { exit: Exit::Done, text, json }
    }
}

/// Why a command did not do its work. None of its texts holds a secret.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// A stable word: a code of the API, or one of ours.
    pub(super) code: String,
    /// What happened, in a sentence.
    pub(super) message: String,
    /// What to do about it.
    pub(super) remedy: Option<String>,
    /// The problem document of the server.
    pub(super) problem: Option<Value>,
}

impl Failure {
    /// Something that did not work here.
    pub(super) fn new(exit: Exit, code: &str, message: impl std::fmt::Display) -> Self {
        Self { exit, code: code.to_owned(), message: message.to_string(), remedy: None, problem: None }
    }

    /// Something on this machine that did not work.
    pub(super) fn local(message: impl std::fmt::Display) -> Self {
        Self::new(Exit::Failed, "failed", message)
    }

    /// A wrong command line that clap cannot know to be wrong.
    pub(super) fn usage(message: impl std::fmt::Display) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// The same with what to do.
    #[must_use]
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message, "exit_code": self.exit.number() });
        if let Some(fields) = error.as_object_mut() {
            if let Some(remedy) = &self.remedy {
                fields.insert("remedy".to_owned(), json!(remedy));
            }
            if let Some(problem) = &self.problem {
                fields.insert("problem".to_owned(), problem.clone());
            }
        }
        json!({ "error": error })
    }

    fn to_text(&self) -> String {
        let mut text = format!("{}: {}\n", style::paint(BAD, "verifyd"), style::plain(&self.message));
        for line in self.remedy.iter().flat_map(|remedy| remedy.lines()) {
            text.push_str("  ");
            text.push_str(&style::plain(line));
            text.push('\n');
        }
        text
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What a command gives.
pub(super) type Outcome = Result<Answer, Failure>;

/// Writes what a command gave to where it belongs, and gives the exit code. A reader that went away is no failure.
pub(super) fn finish(outcome: &Outcome, json: bool) -> ExitCode {
    let (exit, written) = match outcome {
        Ok(answer) if json => (answer.exit, write_json(&answer.json)),
        Ok(answer) => (answer.exit, anstream::stdout().write_all(answer.text.as_bytes())),
        Err(failure) if json => (failure.exit, write_json(&failure.to_json())),
        Err(failure) => (failure.exit, anstream::stderr().write_all(failure.to_text().as_bytes())),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => super::failed(&error),
        _ => ExitCode::from(exit.number()),
    }
}

fn write_json(value: &Value) -> io::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, value)?;
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_distinct_and_each_has_a_meaning() {
        let table: Vec<_> = Exit::table().collect();
        let mut numbers: Vec<u8> = table.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 74, INTERRUPTED]);
        assert!(table.iter().all(|(_, meaning)| meaning.ends_with('.')));
    }

    #[test]
    fn a_failure_reads_the_same_in_both_forms() {
        let failure = Failure::usage("no\x1b[31m such thing").remedy("try another\nor none");
        assert_eq!(
            anstream::adapter::strip_str(&failure.to_text()).to_string(),
            "verifyd: no\u{fffd}[31m such thing\n  try another\n  or none\n"
        );
        assert_eq!(
            failure.to_json(),
            json!({"error": {
                "code": "usage", "message": "no\u{1b}[31m such thing", "exit_code": 2, "remedy": "try another\nor none"
            }})
        );
    }
}
