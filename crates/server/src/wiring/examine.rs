//! What `verifyd doctor` asks of concrete stores and senders. Nothing is decided here, nothing is sent, and no file is made that a
//! start would not find.

use std::path::Path;
use std::sync::Arc;

use verifyd_core::clock::{Clock, DevelopmentClock, SystemClock, Timestamp};
use verifyd_core::random::SystemRandom;
use verifyd_core::registry::{ApiKeyRecord, RegistryError, api_key};
use verifyd_core::store::{Store, StoreError};
use verifyd_senders::twilio::TwilioSender;
pub use verifyd_senders::twilio::{AccountError, AccountReport, AccountStatus, SenderStanding};
pub use verifyd_store_embedded::OpenError;
use verifyd_store_embedded::{EmbeddedStore, FileRegistry, SCHEMA};

use super::stores::{development_offset, keys_of};
use super::{WiringError, part};
use crate::config::{Config, Sending};

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

/// The API keys of a data directory; none if it keeps none yet.
///
/// # Errors
/// [`RegistryError`] if the file is damaged or cannot be read.
pub async fn api_keys(data_dir: &Path) -> Result<Vec<ApiKeyRecord>, RegistryError> {
    api_key::list(&FileRegistry::new(data_dir)).await
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
