//! The chores of the workspace: `cargo xtask test | ci | tidy | public-api | bench`.
//!
//! `test` runs everything a developer runs before a push, `ci` the checks that need no running program, `tidy` the
//! rules of the house that neither the compiler nor clippy knows, `bench` the figures that are promised. Called by people through the alias in
//! `.cargo/config.toml`, and by `.ci/run`. Nothing here is shipped.

mod bench;
mod ci;
mod node;
mod project;
mod public_api;
mod python;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What any chore may fail with: the text is for the person at the terminal.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[derive(Parser)]
#[command(about = "The chores of the workspace", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Builds everything, runs all Rust tests and the external suites, and sets up what those need if it is missing
    Test(test::Arguments),
    /// Checks form, lints, documentation, licences, the rules of the house and generated files
    Ci,
    /// Checks the rules of the house: arrows between rooms, sizes, headers, names, licences
    Tidy,
    /// Writes docs/public-api.txt, the interface of the library, from the sources
    PublicApi(public_api::Arguments),
    /// Measures the built program against what is promised of it
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Test(arguments) => test::run(&arguments),
        Chore::Ci => ci::run(),
        Chore::Tidy => tidy::run(),
        Chore::PublicApi(arguments) => public_api::run(&arguments),
        Chore::Bench(arguments) => bench::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
