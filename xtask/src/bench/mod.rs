//! `cargo xtask bench`: figures of the built program, in the release profile, over real sockets.
//!
//! Generator and baseline are measured against and must be as fast as they can be: the chore builds itself and `verifyd` in
//! the release profile and hands over to that.

mod baseline;
mod client;
mod commit;
mod contestants;
mod figures;
mod fleet;
mod hanging;
mod load;
mod machine;
mod provider;
mod ratio;
mod redis_server;
mod restart;
mod scripts;
mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use xshell::{Shell, cmd};

use crate::Result;
use crate::project;
use figures::{Table, Verdict};

/// What to measure, and how patiently.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// All parts, if none is named
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    pace: Pace,
}

#[derive(clap::Args)]
struct Pace {
    /// How long one slice of a round takes
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How many rounds
    #[arg(long, global = true, default_value_t = 7)]
    rounds: usize,
    /// Print figures, marked as noisy, whatever else the machine does; they prove nothing, and no target fails
    #[arg(long, global = true)]
    allow_noise: bool,
}

impl Pace {
    fn span(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn mark(&self) -> &'static str {
        if self.allow_noise { " (NOISY: taken on a machine that may have been busy)" } else { "" }
    }
}

#[derive(clap::Subcommand)]
enum Part {
    /// What a round trip costs, as a multiple of what a bare axum server costs
    Ratio {
        /// Only the contestants whose names contain one of these, beside the baseline
        #[arg(long)]
        only: Vec<String>,
    },
    /// What a round trip costs with Redis, beside a bare axum server and bare scripts
    Fleet,
    /// What parsing, composing, admission and check cost without HTTP and disk
    Micro,
    /// What ten thousand sends that hang at a provider do to checks
    Hanging,
    /// How soon a server answers again after `kill -9` with many verifications pending, and the memory of each
    Restart(restart::Arguments),
    /// The bare server of `ratio`
    #[command(hide = true)]
    Baseline(baseline::Arguments),
    /// The driver of bare scripts of `fleet`
    #[command(hide = true)]
    Scripts(scripts::Arguments),
    /// The provider of `hanging`
    #[command(hide = true)]
    Provider,
}

/// What is measured, and where there is room.
struct Subject {
    shell: Shell,
    verifyd: PathBuf,
    /// This program, as built for the bench.
    xtask: PathBuf,
    scratch: PathBuf,
}

impl Subject {
    /// An empty directory, without the logs that lay beside it.
    fn fresh_scratch(&self, name: &str) -> Result<PathBuf> {
        let directory = self.scratch.join(name);
        self.shell.remove_path(&directory)?;
        self.shell.remove_path(directory.with_extension("log"))?;
        self.shell.create_dir(&directory)?;
        Ok(directory)
    }

    fn remove(&self, directory: &Path) -> Result<()> {
        Ok(self.shell.remove_path(directory)?)
    }
}

/// Builds the program and measures.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.part {
        Some(Part::Baseline(arguments)) => return baseline::run(arguments),
        Some(Part::Scripts(arguments)) => return scripts::run(arguments),
        Some(Part::Provider) => return provider::run(),
        _ => {}
    }
    let shell = project::shell()?;
    let subject = release(shell)?;
    if cfg!(debug_assertions) {
        return hand_over(&subject);
    }
    let verdicts = match &arguments.part {
        Some(Part::Ratio { only }) => ratio::run(&subject, &arguments.pace, only)?,
        Some(Part::Restart(restart)) => restart::run(&subject, restart)?,
        Some(Part::Hanging) => hanging::run(&subject, &arguments.pace)?,
        Some(Part::Micro) => micro(&subject)?,
        Some(Part::Fleet) => fleet::run(&subject, &arguments.pace)?,
        Some(Part::Baseline(_) | Part::Scripts(_) | Part::Provider) | None => everything(&subject, &arguments.pace)?,
    };
    judge(&verdicts, &arguments.pace)
}

fn everything(subject: &Subject, pace: &Pace) -> Result<Vec<Verdict>> {
    let mut verdicts = ratio::run(subject, pace, &[])?;
    verdicts.extend(fleet::run(subject, pace)?);
    verdicts.extend(hanging::run(subject, pace)?);
    verdicts.extend(micro(subject)?);
    verdicts.extend(restart::run(subject, &restart::Arguments::default())?);
    Ok(verdicts)
}

/// Nothing is promised of these: they say where the time of a round trip goes.
fn micro(subject: &Subject) -> Result<Vec<Verdict>> {
    println!();
    let shell = &subject.shell;
    cmd!(shell, "cargo bench --quiet --package verifyd-core --bench micro -- --output-format bencher").quiet().run()?;
    Ok(Vec::new())
}

fn release(shell: Shell) -> Result<Subject> {
    cmd!(shell, "cargo build --quiet --release --package verifyd-server --package xtask").quiet().run()?;
    let metadata = project::metadata(&shell)?;
    let programs = metadata.target_directory.join("release").into_std_path_buf();
    let scratch = project::scratch(&metadata, "");
    Ok(Subject { shell, verifyd: programs.join("verifyd"), xtask: programs.join("xtask"), scratch })
}

/// The same command again, in the release profile.
fn hand_over(subject: &Subject) -> Result<()> {
    let status = std::process::Command::new(&subject.xtask).args(std::env::args_os().skip(1)).status()?;
    if status.success() { Ok(()) } else { Err("the bench failed".into()) }
}

/// Prints target and verdict of each; an error if one is missed.
fn judge(verdicts: &[Verdict], pace: &Pace) -> Result<()> {
    let mut table = Table::new(&["promised", "figure", "target", "verdict"]);
    for verdict in verdicts {
        let word = if verdict.holds() { "holds" } else { "MISSED" };
        let figures = [verdict.figure, verdict.target].map(|figure| format!("{figure:.2}"));
        let [figure, target] = figures;
        table.line(vec![verdict.what.clone(), figure, format!("<= {target}"), word.to_owned()]);
    }
    if verdicts.is_empty() {
        return Ok(());
    }
    println!();
    table.print();
    let missed = verdicts.iter().filter(|verdict| !verdict.holds()).count();
    match missed {
        0 => Ok(()),
        _ if pace.allow_noise => {
            println!("{missed} missed on a machine that may have been busy: no verdict");
            Ok(())
        }
        _ => Err(format!("{missed} of {} targets missed", verdicts.len()).into()),
    }
}
