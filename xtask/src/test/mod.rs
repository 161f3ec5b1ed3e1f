//! `cargo xtask test`: builds the workspace, runs the Rust tests and the documentation's examples, then the external suites.
//!
//! Everything is built once, in the dev profile with all features, and the same artefacts serve nextest, the examples in
//! the documentation and the external suites. Plain `cargo test` needs nothing of this.

mod redis;
mod suites;

use xshell::{Shell, cmd};

use crate::Result;
use crate::project;
use crate::steps::{Outcome, Steps};

/// The options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the Rust tests: no examples of the documentation, no external suites
    #[arg(long, conflicts_with = "only")]
    fast: bool,
    /// Only the external suite of this name
    #[arg(long, value_name = "SUITE")]
    only: Option<String>,
}

/// Runs what the options ask for; an error if anything failed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let shell = project::shell()?;
    let suites = suites::chosen(arguments.only.as_deref())?;
    let mut steps = Steps::default();
    if !steps.run("build", || build(&shell)) {
        return steps.finish();
    }
    if arguments.only.is_none() {
        steps.run("rust tests", || rust_tests(&shell));
    }
    if arguments.only.is_none() && !arguments.fast {
        steps.run("examples in documentation", || documentation(&shell));
    }
    let mut external = Steps::default();
    for suite in suites {
        let name = format!("external: {}", suite.name);
        if arguments.fast {
            external.skip(&name, "--fast");
        } else {
            external.run(&name, || suite.run(&shell));
        }
    }
    let (passed, failed, skipped) = external.count();
    let (inner, outer) = (steps.finish(), external.finish());
    println!("\nexternal: {passed} passed, {failed} failed, {skipped} skipped");
    inner.and(outer)
}

/// With the tests, so that features are unified once and what follows finds everything built.
fn build(shell: &Shell) -> Result<Outcome> {
    cmd!(shell, "cargo build --workspace --all-features --bins --tests --examples").run()?;
    Ok(Outcome::Passed)
}

fn rust_tests(shell: &Shell) -> Result<Outcome> {
    redis::provide(shell)?;
    let _need = shell.push_env(redis::NEED_REDIS, "1");
    if project::answers(shell, "cargo", &["nextest", "--version"]) {
        let profile = if std::env::var("CI").is_ok_and(|value| value == "true") { "ci" } else { "default" };
        cmd!(shell, "cargo nextest run --workspace --all-features --profile {profile}").run()?;
    } else {
        println!("cargo-nextest is not installed: `cargo test` does the same, slower");
        cmd!(shell, "cargo test --workspace --all-features --bins --lib --tests --examples --no-fail-fast").run()?;
    }
    Ok(Outcome::Passed)
}

fn documentation(shell: &Shell) -> Result<Outcome> {
    cmd!(shell, "cargo test --workspace --all-features --doc").run()?;
    Ok(Outcome::Passed)
}
