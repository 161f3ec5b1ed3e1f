//! `verifyd migrate`: moves everything of an embedded store to Redis, while no server runs.

use std::process::ExitCode;

use serde_json::json;

use super::ConfigFlags;
use super::exit::{Answer, Failure, Outcome, chain, finish};
use super::progress::{Progress, grouped};
use super::style::{GOOD, fields, paint};
use crate::config::{Config, StoreKind};
use crate::wiring::{self, Migration};

/// `verifyd migrate`
#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command to its exit code.
pub(super) fn run(args: MigrateArgs) -> ExitCode {
    let json = args.json;
    finish(&outcome(args.flags, json), json)
}

fn outcome(flags: ConfigFlags, quiet: bool) -> Outcome {
    let (config, _notes) = flags.sources().and_then(|sources| Config::for_data(&sources)).map_err(Failure::local)?;
    if config.store.kind != StoreKind::Redis {
        let problem = "store.url must name the Redis to move to; the embedded store is the one in data_dir";
        return Err(Failure::local(problem).remedy("docs/FLEET.md shows every step"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::local)?;
    let progress = if quiet { Progress::default() } else { Progress::start("moving and comparing", "records") };
    let migrated = runtime.block_on(wiring::migrate(&config, &progress.count));
    drop(progress);
    let migration = migrated.map_err(|error| Failure::local(chain(&error)))?;
    Ok(Answer::done(text(&migration), shown(&migration)))
}

fn shown(migration: &Migration) -> serde_json::Value {
    let Migration { found, moved, registry, resumed, done_before } = migration;
    json!({
        "numbers": found.phones,
        "verifications": found.verifications,
        "quotas": found.quotas,
        "replies": found.replies,
        "registry_entries": registry,
        "written": moved.written,
        "already_there": moved.same,
        "over": moved.over,
        "resumed": resumed,
        "done_before": done_before,
    })
}

fn text(migration: &Migration) -> String {
    if migration.done_before {
        return "This store was moved before; nothing was done. Start the nodes of the fleet.\n".to_owned();
    }
    let Migration { found, moved, registry, resumed, .. } = migration;
    let lines = fields(&[
        ("numbers", grouped(found.phones)),
        ("verifications", grouped(found.verifications)),
        ("other limits", grouped(found.quotas)),
        ("kept replies", grouped(found.replies)),
        ("registry", grouped(*registry as u64)),
        ("written", grouped(moved.written)),
        ("already there", grouped(moved.same)),
        ("over meanwhile", grouped(moved.over)),
    ]);
    let head = if *resumed { "moved (what an earlier run began)" } else { "moved" };
    format!(
        "{}\n{lines}\nEverything was compared. Start the nodes of the fleet; do not start a server on the old directory again.\n",
        paint(GOOD, head)
    )
}
