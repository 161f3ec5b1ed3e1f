//! The command line, one file a command or a group of them.
//!
//! No secret is ever a flag or an argument: everybody on a machine can read the command lines of all processes. Commands give what
//! they have to say as a value, and [`exit`](self) writes it: for people, or as one JSON document with `--json`.
//!
//! # Add a command in three steps
//!
//! 1. A variant of `Command` with its arguments in a type of its own (`#[derive(Args)]`), a file for it, a line in [`main`].
//! 2. If it talks to a server, implement `client::ClientCommand` and nothing else.
//! 3. `VERIFYD_WRITE_DOCS=1 cargo test -p verifyd-server --lib the_command_line_page` writes `docs/cli.md` anew.

mod client;
mod completions;
pub mod config;
mod doctor;
mod exit;
mod keys;
mod migrate;
pub mod parse;
mod progress;
mod prompt;
#[cfg(test)]
mod reference;
mod serve;
mod style;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use verifyd_core::clock::{Clock, SystemClock};

use crate::config::{Config, ConfigErrors, Flags, Note, Sources, process_environment};
use crate::http::document_json;

/// Proves that a person holds a phone number.
#[derive(Debug, Parser)]
#[command(name = "verifyd", version, about, long_about = None, arg_required_else_help = true, after_help = exit::help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command that reads the configuration.
#[derive(Debug, Clone, Default, Args)]
struct ConfigFlags {
    /// The configuration file [env: `VERIFYD_CONFIG`; default: ./verifyd.toml if it exists].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Directory of the embedded store.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// `embedded`, `memory` or the URL of a Redis, without a password.
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// What is logged, such as `info` or `verifyd=debug`.
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// `human` or `json`.
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl ConfigFlags {
    fn into_flags(self, i_expose_codes: bool) -> Flags {
        Flags {
            config: self.config,
            listen: self.listen,
            data_dir: self.data_dir,
            store: self.store,
            log: self.log,
            log_format: self.log_format,
            i_expose_codes,
        }
    }

    fn sources(self) -> Result<Sources, ConfigErrors> {
        sources(self.into_flags(false))
    }
}

fn sources(flags: Flags) -> Result<Sources, ConfigErrors> {
    Sources::gather(flags, process_environment(), SystemClock.now())
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve for development: messages go to an inbox page, codes are shown, the API key is `dev`.
    Dev {
        #[command(flatten)]
        flags: ConfigFlags,
        /// Listen where other machines can reach it, although codes are shown there.
        #[arg(long)]
        i_expose_codes: bool,
    },
    /// Serve.
    Serve {
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Send a code to a number: start a verification, or send once more if one is pending.
    Start(client::StartArgs),
    /// Check a code; it is asked for, or read from standard input.
    Check(client::CheckArgs),
    /// Show a verification.
    Show(client::ShowArgs),
    /// Send the code of a pending verification once more.
    Resend(client::ResendArgs),
    /// End a pending verification.
    Cancel(client::CancelArgs),
    /// Show how the limits of a number stand; nothing is spent.
    Limits(client::LimitsArgs),
    /// Show what a start would do: text, route, limits; nothing is sent or spent.
    Preview(client::PreviewArgs),
    /// Erase what is kept about a number.
    Forget(client::ForgetArgs),
    /// Let a number be checked again after a hundred wrong guesses in a row.
    Unlock(client::UnlockArgs),
    /// List what was sent, newest first.
    Deliveries(client::DeliveriesArgs),
    /// Count what was sent, what was approved, and what it cost.
    Stats(client::StatsArgs),
    /// Say what phone numbers are.
    Parse(parse::ParseArgs),
    /// API keys of the data directory, or of the fleet.
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Check or print the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Print the `OpenAPI` document of the HTTP API.
    Openapi,
    /// Move everything of the embedded store in `data_dir` to the Redis of `store.url`, while no server runs.
    Migrate(migrate::MigrateArgs),
    /// Look at everything a server needs, and say what to mend.
    Doctor(doctor::DoctorArgs),
    /// Print a script that completes commands in a shell.
    Completions(completions::CompletionsArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is valid, and everything worth knowing.
    Check {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the configuration in force, secrets masked.
    Print {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The exit code of a command that could not do its work.
pub(crate) const FAILED: u8 = 1;

/// Prints an error and gives the exit code for it.
fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    say(&format!("{}: {error}\n", style::paint(style::BAD, "verifyd")));
    ExitCode::from(FAILED)
}

/// Writes to standard error.
fn say(text: &str) {
    // With standard error closed there is nobody left to tell.
    drop(anstream::stderr().write_all(text.as_bytes()));
}

fn print_notes(notes: &[Note]) {
    // With standard error closed there is nobody left to tell.
    drop(config::write_notes(notes, &mut io::stderr().lock()));
}

fn configuration(command: &ConfigCommand, flags: ConfigFlags) -> ExitCode {
    let loaded = flags.sources().and_then(|sources| Config::load(&sources));
    let streams = config::Streams { output: &mut io::stdout().lock(), errors: &mut io::stderr().lock() };
    let written = match command {
        ConfigCommand::Check { json } => config::check(&loaded, *json, streams),
        ConfigCommand::Print { json } => config::print(&loaded, *json, streams),
    };
    match written {
        Ok(code) => ExitCode::from(code),
        // `verifyd config print | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(u8::from(loaded.is_err())),
        Err(error) => failed(&error),
    }
}

fn openapi() -> ExitCode {
    let document = match document_json() {
        Ok(document) => document,
        Err(error) => return failed(&error),
    };
    match writeln!(io::stdout(), "{document}") {
        Ok(()) => ExitCode::SUCCESS,
        // `verifyd openapi | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Dev { flags, i_expose_codes } => serve::dev(flags.into_flags(i_expose_codes)),
        Command::Serve { flags } => serve::serve(flags.into_flags(false)),
        Command::Start(args) => client::run(&args),
        Command::Check(args) => client::run(&args),
        Command::Show(args) => client::run(&args),
        Command::Resend(args) => client::run(&args),
        Command::Cancel(args) => client::run(&args),
        Command::Limits(args) => client::run(&args),
        Command::Preview(args) => client::run(&args),
        Command::Forget(args) => client::run(&args),
        Command::Unlock(args) => client::run(&args),
        Command::Deliveries(args) => client::run(&args),
        Command::Stats(args) => client::run(&args),
        Command::Parse(args) => parse::command(&args),
        Command::Keys { command, flags } => keys::run(command, flags),
        Command::Config { command, flags } => configuration(&command, flags),
        Command::Openapi => openapi(),
        Command::Migrate(args) => migrate::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Completions(args) => completions::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
