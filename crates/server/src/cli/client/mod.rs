//! Commands that talk to a running server over its API: `start`, `check`, `show`, `resend`, `cancel`, `limits`, `preview`,
//! `forget`, `unlock`, `deliveries`, `stats`.
//!
//! They decide nothing: what the server answers is shown, and becomes the exit code. Keys and codes come from files, the
//! environment, standard input or a prompt, never from the command line. Numbers are shown as the server gives them back to the
//! person who typed them; nothing is logged.

mod history;
pub(super) mod key;
mod numbers;
mod problem;
pub(super) mod server;
mod verification;

use clap::Args;
use serde_json::Value;

use super::exit::{Answer, Exit, Failure, INTERRUPTED, Outcome, finish};
use super::progress::Progress;
use super::prompt::PromptError;
use super::style::{self, CARE};
pub(super) use history::{DeliveriesArgs, StatsArgs};
pub(super) use numbers::{ForgetArgs, LimitsArgs, PreviewArgs, UnlockArgs};
use server::{Call, Server, ServerFlags};
pub(super) use verification::{CancelArgs, CheckArgs, ResendArgs, ShowArgs, StartArgs};

/// What every command of this room takes.
#[derive(Debug, Clone, Args)]
pub(super) struct ClientFlags {
    #[command(flatten)]
    server: ServerFlags,
    /// Write JSON: the server's reply, or an object `error`.
    #[arg(long)]
    json: bool,
}

/// A command of this room.
pub(super) trait ClientCommand {
    /// Where the server is and how to answer.
    fn flags(&self) -> &ClientFlags;

    /// What to ask, secrets asked for on the way.
    ///
    /// # Errors
    /// [`Failure`] if there is nothing to ask with.
    fn call(&self) -> Result<Call, Failure>;

    /// How a command ends whose call was answered.
    fn exit(&self, _reply: &Value) -> Exit {
        Exit::Done
    }

    /// The reply for people.
    fn text(&self, reply: &Value) -> String;
}

/// Runs a command of this room to its exit code.
pub(super) fn run(command: &dyn ClientCommand) -> std::process::ExitCode {
    let json = command.flags().json;
    let outcome = outcome(command);
    match &outcome {
        Err(failure) if failure.code == INTERRUPTED_CODE => std::process::ExitCode::from(INTERRUPTED),
        outcome => finish(outcome, json),
    }
}

fn outcome(command: &dyn ClientCommand) -> Outcome {
    let server = Server::of(&command.flags().server)?;
    let call = command.call()?;
    if let Some(warning) = server.warning() {
        super::say(&format!("{}: {warning}\n", style::paint(CARE, "warning")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::local)?;
    let waiting = Progress::start("waiting for the server", "");
    let reply = runtime.block_on(server.ask(call));
    drop(waiting);
    let reply = reply?;
    Ok(Answer { exit: command.exit(&reply), text: command.text(&reply), json: reply })
}

/// The code of a failure that is Ctrl-C at a prompt: nobody needs to be told.
const INTERRUPTED_CODE: &str = "interrupted";

/// The failure of a prompt, or of an input in its place.
fn prompt_failure(error: &PromptError, what: &str) -> Failure {
    match error {
        PromptError::Interrupted => Failure::new(Exit::Failed, INTERRUPTED_CODE, error),
        error => Failure::usage(format_args!("{what}: {error}")),
    }
}

/// A key for repeating a call without doing it twice, as it may stand in a header.
fn idempotency_key(text: &str) -> Result<String, &'static str> {
    let fits = crate::http::is_idempotency_key(text);
    if fits { Ok(text.to_owned()) } else { Err("expected 1 to 255 visible ASCII characters, without spaces") }
}

/// A field of a reply as text, made harmless; empty if it is not there.
fn text_of(reply: &Value, field: &str) -> String {
    match reply.get(field) {
        Some(Value::String(text)) => style::plain(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => style::plain(&other.to_string()),
    }
}

/// A field of a reply as a count.
fn count_of(reply: &Value, field: &str) -> u64 {
    reply.get(field).and_then(Value::as_u64).unwrap_or_default()
}

/// Adds the fields that were given to a body.
fn put(body: &mut serde_json::Map<String, Value>, fields: &[(&str, Option<&str>)]) {
    for (name, value) in fields {
        if let Some(value) = value {
            body.insert((*name).to_owned(), Value::from(*value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_the_server_would_refuse_is_refused_here() {
        let long = "x".repeat(256);
        for bad in ["", "a b", " ", "käse", "a\t", &long] {
            assert!(idempotency_key(bad).is_err(), "{bad:?}");
        }
        for good in ["!", "~", "0d0ee6f2-61a1-4d7c-9d43-3c1e0f3c9a11", &long[1..]] {
            assert_eq!(idempotency_key(good).as_deref(), Ok(good));
        }
    }
}
