//! Moves everything of an embedded store to Redis: what `verifyd migrate` does. Nothing of the source is changed.
//!
//! The source is opened as a server opens it, so no server can run on it meanwhile; the target must hold nothing, or what an earlier
//! run of the same migration left there. A mark in Redis says which migration has begun and whether it is done, so it can be begun anew
//! after it broke off, and a second one from elsewhere is refused. Records go over one number (with its verifications), quota or reply at
//! a time; each is compared in the end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use verifyd_core::clock::{Clock as _, SystemClock, Timestamp};
use verifyd_core::keys::KeyRing;
use verifyd_core::registry::{Change, Registry, Written};
use verifyd_core::store::state::{ExportCounts, Exported};
use verifyd_store_embedded::{EmbeddedStore, FileRegistry};
use verifyd_store_redis::fleet::{Fleet, index_fingerprint};
use verifyd_store_redis::{Import, Imported, RedisRegistry, RedisStore};

use super::fleet::{examine, link_to, store_over};
use super::stores::{CENTURY, development_offset, keys_of, redis_settings};
use super::{WiringError, part};
use crate::config::Config;

/// Records on their way at once: enough for a network of milliseconds, and no flood for a Redis that others use.
const AT_ONCE: usize = 64;

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// What the source holds.
    pub found: ExportCounts,
    /// What became of it in this run.
    pub moved: Imported,
    /// Entries of the registry: API keys, services and the like.
    pub registry: usize,
    /// Whether an earlier run had begun it.
    pub resumed: bool,
    /// Whether an earlier run had ended it: nothing was done then.
    pub done_before: bool,
}

/// A source, a target, and what both must agree on.
struct Move {
    source: EmbeddedStore,
    store: Arc<RedisStore>,
    fleet: Fleet,
    keys: KeyRing,
    found: ExportCounts,
}

/// Moves the embedded store in the data directory to the Redis of the configuration. `count` counts records, each twice: when it is
/// moved and when it is compared.
///
/// # Errors
/// [`WiringError`] in words for the operator; what was moved until then stays, and the next run goes on.
pub async fn migrate(config: &Config, count: &AtomicU64) -> Result<Migration, WiringError> {
    let settings = redis_settings(config)?;
    if !EmbeddedStore::folder_in(&config.data_dir).exists() {
        return Err(part(format!("there is no embedded store in {}", config.data_dir.display())));
    }
    let source = EmbeddedStore::open(&config.data_dir, config.store.options)?;
    let keys = keys_of(config, &source).await?;
    let link = link_to(settings)?;
    examine(&link).await?;
    let found = source.export_counts();
    let store = store_over(config, &link)?;
    let registry = RedisRegistry::new(Arc::clone(&link));
    let moving = Move { source, store, fleet: Fleet::new(link), keys, found };
    let migrated = moving.run(config, &registry, count).await;
    moving.source.close().await;
    migrated
}

impl Move {
    /// What tells this migration from others: the source as it stands. A source that was served meanwhile is another.
    fn name(&self) -> String {
        let ExportCounts { phones, verifications, quotas, replies } = self.found;
        let latest = self.source.latest().unix_ms();
        format!("{}-{latest}-{phones}-{verifications}-{quotas}-{replies}", index_fingerprint(&self.keys))
    }

    async fn run(&self, config: &Config, registry: &dyn Registry, count: &AtomicU64) -> Result<Migration, WiringError> {
        let name = self.name();
        let (begun, done) = (format!("begun {name}"), format!("done {name}"));
        let mark = self.fleet.migration().await.map_err(part)?;
        if mark.as_deref() == Some(done.as_str()) {
            return Ok(Migration { found: self.found, done_before: true, ..Migration::default() });
        }
        let resumed = mark.as_deref() == Some(begun.as_str());
        if !resumed {
            self.refuse_unless_empty(mark.as_deref(), registry).await?;
        }
        self.refuse_if_served().await?;
        self.fleet.set_migration(&begun).await.map_err(part)?;
        self.take_seat().await?;
        let moved_entries = copy_registry(&config.data_dir, registry).await?;
        self.move_clock(config).await?;
        let moved = self.all(Import::Write, count).await?;
        if moved.other > 0 {
            return Err(part(
                "Redis holds records of these numbers that are not those of this store: was it served in between? Empty it and begin anew",
            ));
        }
        let compared = self.all(Import::Compare, count).await?;
        if compared.other + compared.missing > 0 {
            return Err(part(format!(
                "{} records are not in Redis as they should be; run the migration again",
                compared.other + compared.missing
            )));
        }
        self.fleet.set_migration(&done).await.map_err(part)?;
        Ok(Migration { found: self.found, moved, registry: moved_entries, resumed, done_before: false })
    }

    async fn refuse_unless_empty(&self, mark: Option<&str>, registry: &dyn Registry) -> Result<(), WiringError> {
        const REMEDY: &str = "choose another redis.prefix, or empty it first";
        if mark.is_some() {
            return Err(part(format!("another migration was made to this Redis before; {REMEDY}")));
        }
        let report = self.fleet.report(Timestamp::EPOCH).await.map_err(part)?;
        if report.index.is_some() || !registry.snapshot().await.map_err(part)?.entries.is_empty() {
            return Err(part(format!("this Redis holds a fleet's data already; {REMEDY}")));
        }
        Ok(())
    }

    async fn refuse_if_served(&self) -> Result<(), WiringError> {
        let now = self.fleet.time().await.map_err(part)?;
        let report = self.fleet.report(now).await.map_err(part)?;
        match report.nodes.into_keys().next() {
            Some(node) => Err(part(format!("the node {node} serves this Redis; stop it first"))),
            None => Ok(()),
        }
    }

    /// Leaves in Redis what a first node would: the index key, and that data of the first key are there.
    async fn take_seat(&self) -> Result<(), WiringError> {
        const SEAT: &str = "migration";
        self.fleet.join(SEAT, &self.keys).await.map_err(part)?;
        self.fleet.leave(SEAT).await.map_err(part)
    }

    /// The clock of mock mode goes along, or what was done in its future would lie ahead.
    async fn move_clock(&self, config: &Config) -> Result<(), WiringError> {
        let (ahead, there) = (development_offset(config)?, self.fleet.clock_offset().await.map_err(part)?);
        if ahead > there {
            self.fleet.advance_clock(ahead.saturating_sub(there), CENTURY).await.map_err(part)?;
        }
        self.store.set_ahead(ahead.max(there));
        let (source, now) = (self.source.latest(), SystemClock.now() + ahead.max(there));
        if source > now {
            tracing::warn!(
                ahead_ms = duration_of(source, now),
                "the store has seen a later time than the clock says now"
            );
        }
        Ok(())
    }

    async fn all(&self, what: Import, count: &AtomicU64) -> Result<Imported, WiringError> {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let latest = self.source.latest();
        let mut sum = Imported::default();
        for shard in 0..=u8::MAX {
            let mut running = JoinSet::new();
            for exported in self.source.export(shard).map_err(part)? {
                let permit = Arc::clone(&permits).acquire_owned().await.map_err(part)?;
                let store = Arc::clone(&self.store);
                running.spawn(async move {
                    let _until_done = permit;
                    store.import(what, &exported, latest).await.map(|imported| (imported, records_in(&exported)))
                });
            }
            while let Some(done) = running.join_next().await {
                let (imported, records) = done.map_err(part)?.map_err(part)?;
                sum += imported;
                count.fetch_add(records, Ordering::Relaxed);
            }
        }
        Ok(sum)
    }
}

fn duration_of(later: Timestamp, earlier: Timestamp) -> u64 {
    verifyd_core::clock::duration_ms(later.since(earlier))
}

fn records_in(exported: &Exported) -> u64 {
    match exported {
        Exported::Phone(phone) => 1 + phone.verifications.len() as u64,
        Exported::Quota(_) | Exported::Reply(_) => 1,
    }
}

/// Copies what is not there yet, and returns how many entries there are.
async fn copy_registry(data_dir: &Path, target: &dyn Registry) -> Result<usize, WiringError> {
    let source = FileRegistry::new(data_dir).snapshot().await.map_err(part)?;
    for (name, entry) in &source.entries {
        let change = Change::create(name.clone(), entry.document.clone());
        if let Written::Conflict { name, .. } = target.write(vec![change]).await.map_err(part)? {
            let there = target.snapshot().await.map_err(part)?;
            if there.get(&name).is_none_or(|found| found.document != entry.document) {
                return Err(part(format!("the registry in Redis holds another {name}; empty it and begin anew")));
            }
        }
    }
    Ok(source.entries.len())
}
