//! `cargo xtask bench`: figures of the built program, in the release profile, over real sockets.

mod client;
mod restart;
mod server;

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::Result;
use crate::project;

/// What to measure.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// How soon a server answers again after `kill -9` with many verifications pending
    Restart(restart::Arguments),
}

/// Builds the program and measures.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    let shell = project::shell()?;
    let binary = release(&shell)?;
    match bench {
        Bench::Restart(arguments) => restart::run(&shell, &binary, arguments),
    }
}

fn release(shell: &Shell) -> Result<PathBuf> {
    cmd!(shell, "cargo build --release --bin verifyd").run()?;
    let metadata = project::metadata(shell)?;
    Ok(metadata.target_directory.join("release").join("verifyd").into_std_path_buf())
}
