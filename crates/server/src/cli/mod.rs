//! The command line: `dev`, `serve`, `parse`, `keys`, `config`, `openapi`, `doctor`.
//!
//! No secret is ever a flag: everybody on a machine can read the command lines of all processes.

pub mod config;
mod doctor;
mod keys;
pub mod parse;
mod serve;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use verifyd_core::clock::{Clock, SystemClock};
use verifyd_core::phone_number::Region;

use crate::config::{Config, ConfigErrors, Flags, Note, Sources, process_environment};
use crate::http::document_json;

/// Proves that a person holds a phone number.
#[derive(Debug, Parser)]
#[command(name = "verifyd", version, about, long_about = None, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command that reads the configuration.
#[derive(Debug, Clone, Default, Args)]
struct ConfigFlags {
    /// The configuration file [env: `VERIFYD_CONFIG`; default: ./verifyd.toml if it exists].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Directory of the embedded store.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// `embedded` or `memory`.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// What is logged, such as `info` or `verifyd=debug`.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// `human` or `json`.
    #[arg(long, value_name = "FORMAT")]
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
    /// Read phone numbers from standard input, one a line, and write what they are as JSON lines.
    Parse {
        /// Region of numbers in national form; a line may name its own after a tab.
        #[arg(long)]
        region: Option<String>,
    },
    /// API keys of the data directory.
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
    /// Mend what only an operator may; the server must be stopped.
    Doctor {
        #[command(flatten)]
        flags: ConfigFlags,
        /// Accept the present time although the store has seen a later one: what was pending is void.
        #[arg(long, required = true)]
        accept_clock: bool,
    },
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
    // With standard error closed there is nobody left to tell.
    drop(writeln!(io::stderr(), "verifyd: {error}"));
    ExitCode::from(FAILED)
}

fn print_notes(notes: &[Note]) {
    // With standard error closed there is nobody left to tell.
    drop(config::write_notes(notes, &mut io::stderr().lock()));
}

fn parse_numbers(region: Option<&str>) -> ExitCode {
    if let Some(text) = region
        && let Err(error) = text.parse::<Region>()
    {
        return failed(&format_args!("--region: {error}"));
    }
    let output = BufWriter::new(io::stdout().lock());
    match parse::run(region, io::stdin().lock(), output) {
        Ok(()) => ExitCode::SUCCESS,
        // `verifyd parse | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn configuration(command: &ConfigCommand, flags: ConfigFlags) -> ExitCode {
    let loaded = flags.sources().and_then(|sources| Config::load(&sources));
    let streams = config::Streams { output: &mut io::stdout().lock(), errors: &mut io::stderr().lock() };
    let written = match command {
        ConfigCommand::Check { json } => config::check(&loaded, *json, streams),
        ConfigCommand::Print { json } => config::print(&loaded, *json, streams),
    };
    written.map_or(ExitCode::from(FAILED), ExitCode::from)
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
        Command::Parse { region } => parse_numbers(region.as_deref()),
        Command::Keys { command, flags } => keys::run(command, flags),
        Command::Config { command, flags } => configuration(&command, flags),
        Command::Openapi => openapi(),
        Command::Doctor { flags, accept_clock: _ } => doctor::accept_clock(flags),
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
