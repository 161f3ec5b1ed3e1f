//! What `verifyd doctor` asks of concrete stores and senders. Nothing is decided here, nothing is sent, and no file is made that a
//! start would not find.

use std::path::Path;
use std::sync::Arc;

use verifyd_core::clock::{Clock, DevelopmentClock, SystemClock, Timestamp};
use verifyd_core::keys::KeyRing;
use verifyd_core::random::SystemRandom;
use verifyd_core::registry::{ApiKeyRecord, RegistryError, api_key};
use verifyd_core::store::{Store, StoreError};
use verifyd_senders::twilio::TwilioSender;
pub use verifyd_senders::twilio::{AccountError, AccountReport, AccountStatus, SenderStanding};
pub use verifyd_store_embedded::OpenError;
use verifyd_store_embedded::{EmbeddedStore, FileRegistry, SCHEMA};
use verifyd_store_redis::fleet::Fleet;
use verifyd_store_redis::link::Severity;

use super::fleet::link_to;
use super::stores::{development_offset, keys_of, master_keys, redis_settings};
use super::{WiringError, part};
use crate::config::{Config, Sending, StoreKind};

/// What an embedded store is like.
#[derive(Debug)]
pub struct StoreReport {
    /// The version of its keys and values.
    pub schema: u32,
    /// How many records it holds.
    pub records: usize,
    /// Bytes of its files.
    pub bytes: u64,
    /// The latest instant that it decided at.
    pub latest: Timestamp,
    /// What the clock of the rules says, the development clock's offset included.
    pub now: Timestamp,
    /// Whether it can decide now.
    pub ready: Result<(), StoreError>,
}

/// Whether a data directory holds a store.
#[must_use]
pub fn has_store(data_dir: &Path) -> bool {
    EmbeddedStore::folder_in(data_dir).exists()
}

/// Opens the embedded store as a start does, holds its keys against it, and closes it. `on_record` is called for every record.
///
/// # Errors
/// [`WiringError`], as a start would give it; [`OpenError::InUse`] in it while a server runs.
pub async fn store(config: &Config, on_record: &mut (dyn FnMut() + Send)) -> Result<StoreReport, WiringError> {
    let store = EmbeddedStore::open_watched(&config.data_dir, config.store.options, &mut || on_record())?;
    // A store that has no index key yet would be given one.
    let keys = match store.index_key() {
        Some(_) => keys_of(config, &store).await.map(|_ring| ()),
        None => Ok(()),
    };
    let now = development_offset(config).map(|offset| DevelopmentClock::new(SystemClock, offset).now());
    let stats = store.stats();
    let (records, latest) = (store.records(), store.latest());
    let ready = match &now {
        Ok(now) => store.ready(*now).await,
        Err(_) => Ok(()),
    };
    store.close().await;
    keys?;
    let bytes = stats.journal_bytes + stats.checkpoint_bytes;
    Ok(StoreReport { schema: SCHEMA, records, bytes, latest, now: now?, ready })
}

/// What a fleet's Redis is like.
#[derive(Debug)]
pub struct FleetReport {
    /// Where it is, without user and password.
    pub place: String,
    /// What is wrong with it, and whether a server refuses to start for it.
    pub findings: Vec<(bool, String)>,
    /// The nodes that are there.
    pub nodes: Vec<String>,
    /// Whether a node with the keys given may join; the sentence says why not.
    pub fits: Result<(), String>,
    /// What its clock says, and ours at that moment.
    pub clocks: (Timestamp, Timestamp),
}

/// Looks at a fleet's Redis as a start does; nothing is written.
///
/// # Errors
/// [`WiringError`] if it cannot be reached, or the keys make no ring.
pub async fn fleet(config: &Config) -> Result<FleetReport, WiringError> {
    let settings = redis_settings(config)?;
    let place = settings.target.shown();
    let link = link_to(settings)?;
    let findings = link.examine().await.map_err(part)?;
    let findings = findings.iter().map(|found| (found.severity == Severity::Refuse, found.to_string())).collect();
    let fleet = Fleet::new(link);
    let clocks = (fleet.time().await.map_err(part)?, SystemClock.now());
    let report = fleet.report(clocks.0).await.map_err(part)?;
    let index = report.index.as_ref().map(|(name, _)| name.as_str());
    let fits = match KeyRing::new(&master_keys(&config.keys)?, index) {
        Ok(ring) => report.fits(&ring).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    Ok(FleetReport { place, findings, nodes: report.nodes.into_keys().collect(), fits, clocks })
}

/// The API keys of a data directory or a fleet; none if it keeps none yet.
///
/// # Errors
/// [`RegistryError`] if they are damaged or cannot be read.
pub async fn api_keys(config: &Config) -> Result<Vec<ApiKeyRecord>, RegistryError> {
    match config.store.kind {
        StoreKind::Memory => Ok(Vec::new()),
        StoreKind::Embedded => api_key::list(&FileRegistry::new(&config.data_dir)).await,
        StoreKind::Redis => {
            let registry = super::registry(config).map_err(|error| RegistryError::Unavailable(error.to_string()))?;
            api_key::list(&*registry).await
        }
    }
}

/// Asks the provider about its account; `None` if messages go to no provider.
///
/// # Errors
/// [`WiringError`] if the client cannot be set up.
pub async fn account(config: &Config) -> Result<Option<Result<AccountReport, AccountError>>, WiringError> {
    match &config.sending {
        Sending::Inbox(_) => Ok(None),
        Sending::Twilio(twilio) => {
            let sender = TwilioSender::new(twilio.as_ref().clone(), Arc::new(SystemRandom)).map_err(part)?;
            Ok(Some(sender.examine(SystemClock.now()).await))
        }
    }
}
