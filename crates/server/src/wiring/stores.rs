//! Opens the store, the registry and the keys that fit them: the one place that a new store is added to, beside its settings in the
//! configuration and its examination in `verifyd doctor`.

use std::fmt;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use verifyd_core::clock::{Clock, DevelopmentClock, SystemClock, Timestamp};
use verifyd_core::history::{History, MemoryHistory};
use verifyd_core::keys::{KeyRing, MasterKey};
use verifyd_core::memory::MemoryStore;
use verifyd_core::random::SystemRandom;
use verifyd_core::registry::{MemoryRegistry, Registry};
use verifyd_core::store::Store;
use verifyd_senders::inbox::Inbox;
use verifyd_store_embedded::{EmbeddedHistory, EmbeddedStore, FileRegistry};

use super::fleet::{self, Member};
use super::{WiringError, part};
use crate::config::{Config, KeySource, LinkSettings, Sending, StoreKind};
use crate::data_dir;
use crate::key_file;
use crate::mock::{LocalMover, Mock, MoveClock};

/// The offset of the development clock, beside the embedded store it belongs to.
const CLOCK_OFFSET_FILE: &str = "dev-clock";

/// As far as a development clock is ever ahead; the page that moves it keeps to the same.
pub(super) const CENTURY: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// What lives behind a store for as long as the server does.
#[derive(Debug)]
pub enum Backend {
    /// Nothing.
    Memory,
    /// The journal.
    Embedded(Arc<EmbeddedStore>),
    /// The membership in a fleet.
    Fleet(Arc<Member>),
}

impl Backend {
    /// Returns once the store can never work again in this process, with the reason.
    pub async fn fatal(&self) -> Arc<str> {
        match self {
            Self::Embedded(store) => store.fatal().await,
            Self::Memory | Self::Fleet(_) => pending().await,
        }
    }

    /// Ends what is open, after the last request.
    pub async fn close(&self) {
        match self {
            Self::Memory => {}
            Self::Embedded(store) => store.close().await,
            Self::Fleet(member) => member.leave().await,
        }
    }
}

/// A store and what belongs to it.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) registry: Arc<dyn Registry>,
    pub(super) history: Arc<dyn History>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) mock: Option<Mock>,
    pub(super) backend: Backend,
}

/// Opens what the configuration names.
pub(super) async fn open(config: &Config) -> Result<Opened, WiringError> {
    match config.store.kind {
        StoreKind::Memory => {
            let clock = development_clock(Duration::ZERO);
            let mover = LocalMover::new(Arc::clone(&clock), Box::new(|_offset| Ok(())));
            Ok(Opened {
                store: Arc::new(MemoryStore::new(config.store.options)),
                registry: Arc::new(MemoryRegistry::default()),
                history: Arc::new(MemoryHistory::new(config.history)),
                keys: Arc::new(KeyRing::new(&master_keys(&config.keys)?, None)?),
                mock: mock(config, clock, Arc::new(mover)),
                backend: Backend::Memory,
            })
        }
        StoreKind::Embedded => open_embedded(config).await,
        StoreKind::Redis => fleet::open(config, redis_settings(config)?).await,
    }
}

async fn open_embedded(config: &Config) -> Result<Opened, WiringError> {
    make_data_dir(config)?;
    let store = Arc::new(EmbeddedStore::open(&config.data_dir, config.store.options)?);
    let keys = Arc::new(keys_of(config, &store).await?);
    let clock = development_clock(development_offset(config)?);
    let path = offset_file(config);
    let mover = LocalMover::new(Arc::clone(&clock), Box::new(move |offset| data_dir::keep_offset(&path, offset)));
    Ok(Opened {
        store: Arc::<EmbeddedStore>::clone(&store),
        registry: Arc::new(FileRegistry::new(&config.data_dir)),
        history: Arc::new(EmbeddedHistory::open(&config.data_dir, config.history).map_err(part)?),
        keys,
        mock: mock(config, clock, Arc::new(mover)),
        backend: Backend::Embedded(store),
    })
}

pub(super) fn redis_settings(config: &Config) -> Result<LinkSettings, WiringError> {
    config.redis.clone().ok_or_else(|| part("store.url names no Redis"))
}

pub(super) fn development_clock(offset: Duration) -> Arc<DevelopmentClock> {
    Arc::new(DevelopmentClock::new(SystemClock, offset))
}

/// What mock mode adds, if it is on.
pub(super) fn mock(config: &Config, clock: Arc<DevelopmentClock>, mover: Arc<dyn MoveClock>) -> Option<Mock> {
    let is_mock = matches!(config.sending, Sending::Inbox(_));
    is_mock.then(|| Mock { inbox: Arc::new(Inbox::new()), clock, mover })
}

fn offset_file(config: &Config) -> PathBuf {
    config.data_dir.join(CLOCK_OFFSET_FILE)
}

/// How far the clock of an embedded store was moved forward in mock mode.
pub(super) fn development_offset(config: &Config) -> Result<Duration, WiringError> {
    if !matches!(config.sending, Sending::Inbox(_)) {
        return Ok(Duration::ZERO);
    }
    let path = offset_file(config);
    data_dir::kept_offset(&path).map_err(|source| WiringError::File { path, source })
}

pub(super) fn master_keys(source: &KeySource) -> Result<Vec<MasterKey>, WiringError> {
    match source {
        KeySource::Given(keys) => {
            // Master keys are not Clone on purpose; a ring is built from the list once.
            keys.iter().map(|key| MasterKey::new(key.name(), *key.expose()).map_err(Into::into)).collect()
        }
        KeySource::DataDirectory(dir) => {
            let file = key_file::load_or_create(dir, &SystemRandom).map_err(part)?;
            if file.created {
                tracing::info!(path = %file.path.display(), "a master key was made; back it up apart from the store");
            }
            Ok(file.keys)
        }
        KeySource::Process => Ok(vec![MasterKey::generate("process", &SystemRandom)?]),
    }
}

pub(super) fn make_data_dir(config: &Config) -> Result<(), WiringError> {
    data_dir::create(&config.data_dir).map_err(|source| WiringError::File { path: config.data_dir.clone(), source })
}

/// The keys that fit an embedded store; a new store learns which key its hashes are made with.
pub(super) async fn keys_of(config: &Config, store: &EmbeddedStore) -> Result<KeyRing, WiringError> {
    if let (Some(index), KeySource::DataDirectory(dir)) = (store.index_key(), &config.keys)
        && !dir.join(key_file::KEY_FILE).exists()
    {
        // A fresh key would open nothing of what is there, and would count every number anew.
        let path = dir.join(key_file::KEY_FILE);
        return Err(part(format!(
            "{} is missing, and the store beside it was made with its key {:?}: restore the file from your backup",
            path.display(),
            index.name
        )));
    }
    let keys = master_keys(&config.keys)?;
    let index = store.index_key();
    let ring = KeyRing::new(&keys, index.as_ref().map(|index| index.name.as_str()))?;
    if let Some(index) = index {
        if ring.index_fingerprint() != index.fingerprint {
            return Err(part(format!(
                "key {:?} is not the one this store's index of numbers was made with; give the old key under its id",
                index.name
            )));
        }
    } else {
        store.set_index_key(ring.index_name(), ring.index_fingerprint()).await.map_err(part)?;
    }
    Ok(ring)
}

/// The registry of a data directory or a Redis, for commands that work beside a running server. The directory is made if it is absent.
///
/// # Errors
/// [`WiringError`] if the store keeps no registry or the directory cannot be made.
pub fn registry(config: &Config) -> Result<Arc<dyn Registry>, WiringError> {
    match config.store.kind {
        StoreKind::Memory => Err(part(
            "the memory store keeps its keys within the server; put them into the configuration (api_keys) or VERIFYD_API_KEY",
        )),
        StoreKind::Embedded => {
            make_data_dir(config)?;
            Ok(Arc::new(FileRegistry::new(&config.data_dir)))
        }
        StoreKind::Redis => fleet::registry(redis_settings(config)?),
    }
}

/// Accepts the present time for a store that has seen a later one, and returns it. The server must be stopped.
///
/// # Errors
/// [`WiringError`] if the store remembers no time, is in use, or cannot be written.
pub async fn accept_clock(config: &Config) -> Result<Timestamp, WiringError> {
    let store = match config.store.kind {
        StoreKind::Memory => return Err(part("the memory store remembers no time over a restart")),
        StoreKind::Embedded => EmbeddedStore::open(&config.data_dir, config.store.options)?,
        StoreKind::Redis => {
            return Err(part(
                "Redis goes by its own clock: a step back voids what was pending by itself, and nothing has to be accepted",
            ));
        }
    };
    let now = DevelopmentClock::new(SystemClock, development_offset(config)?).now();
    store.accept_clock(now).await.map_err(part)?;
    store.close().await;
    Ok(now)
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("backend", &self.backend).finish_non_exhaustive()
    }
}
