//! The store and the API keys beside it.

use std::sync::atomic::Ordering;

use verifyd_core::store::StoreError;

use super::files::Directory;
use super::neighbour::Neighbour;
use super::{Report, clock};
use crate::cli::exit::chain;
use crate::cli::progress::{Progress, grouped};
use crate::cli::style::{bytes, counted};
use crate::config::{Config, StoreKind};
use crate::wiring::WiringError;
use crate::wiring::examine::{self, OpenError, StoreReport};

const CHECK: &str = "store";
/// Nine tenths of the cap.
const NEARLY_FULL: (usize, usize) = (9, 10);

/// Opens the store as a start does; one that a server holds is told by the server.
pub(super) async fn examine(
    report: &mut Report,
    config: &Config,
    directory: Directory,
    neighbour: &Neighbour,
    quiet: bool,
) {
    if directory == Directory::Absent || (directory == Directory::Usable && !examine::has_store(&config.data_dir)) {
        return report.fine(CHECK, "not there yet; the first start makes it");
    }
    if directory == Directory::Untouchable {
        return report.warn(CHECK, "not looked at, because of its directory", "see the line of the directory");
    }
    let progress = if quiet { Progress::default() } else { Progress::start("opening the store", "records") };
    let count = std::sync::Arc::clone(&progress.count);
    let found = examine::store(config, &mut || {
        count.fetch_add(1, Ordering::Relaxed);
    })
    .await;
    drop(progress);
    match found {
        Ok(store) => told(report, config, &store),
        Err(WiringError::Store(OpenError::InUse { .. })) => in_use(report, neighbour),
        Err(error) => {
            report.problem(
                CHECK,
                chain(&error),
                "a server does not start so; docs/operations.md tells about files and backup",
            );
        }
    }
}

fn told(report: &mut Report, config: &Config, store: &StoreReport) {
    let max = config.store.options.max_records;
    let (records, size) = (grouped(store.records as u64), bytes(store.bytes));
    let message = format!("{records} of {} records, {size}, format {}", grouped(max as u64), store.schema);
    let (parts, of) = NEARLY_FULL;
    match &store.ready {
        Err(StoreError::Full { .. }) => {
            let remedy = "raise store.max_records if there is memory; new numbers are refused meanwhile";
            report.problem(CHECK, format_args!("full: {message}"), remedy);
        }
        // The line of the clock tells it.
        Ok(()) | Err(StoreError::ClockWentBack) if store.records < max / of * parts => report.fine(CHECK, message),
        Ok(()) | Err(StoreError::ClockWentBack) => {
            report.warn(CHECK, format_args!("nearly full: {message}"), "raise store.max_records if there is memory");
        }
        Err(error) => report.problem(CHECK, error, "see docs/operations.md"),
    }
    clock::against_store(report, store);
}

fn in_use(report: &mut Report, neighbour: &Neighbour) {
    match neighbour {
        Neighbour::Ready => report.fine(CHECK, "in use by the running server, which is ready"),
        Neighbour::NotReady(reason) if reason == StoreError::ClockWentBack.code() => report.problem(
            "clock",
            "the running server's store has seen a later time than the clock says now",
            "mend the clock; if the present time is the right one, stop the server and run verifyd doctor --accept-clock",
        ),
        Neighbour::NotReady(reason) => {
            report.problem(CHECK, format_args!("the running server is not ready: {reason}"), "see the log of the server");
        }
        Neighbour::Nobody | Neighbour::Other => report.warn(
            CHECK,
            "in use by another process, which does not answer on `listen`",
            "stop it to have the store looked at, or run doctor with the configuration of that server",
        ),
    }
}

/// Whether anybody may call.
pub(super) async fn api_keys(report: &mut Report, config: &Config) {
    const CHECK: &str = "API keys";
    let mut live = config.api_keys.len() as u64;
    match examine::api_keys(config).await {
        Ok(keys) => live += keys.iter().map(|key| u64::from(key.revoked_at.is_none())).sum::<u64>(),
        Err(error) => {
            let remedy = match config.store.kind {
                StoreKind::Redis => "see the line of redis, and docs/FLEET.md",
                _ => "restore registry.json from your backup, or remove it and make keys anew",
            };
            return report.problem(CHECK, error, remedy);
        }
    }
    match live {
        0 => report.warn(CHECK, "there is none, so nobody can call", "verifyd keys create makes one"),
        live => report.fine(CHECK, counted(live, "live key")),
    }
}
