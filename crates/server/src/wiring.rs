//! From a configuration to a running server: the only place that names stores and senders.

pub mod examine;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use verifyd_core::clock::{Clock, DevelopmentClock, SystemClock, Timestamp};
use verifyd_core::history::{DEFAULT_QUEUE, History, MemoryHistory, Recorder};
use verifyd_core::keys::{KeyRing, KeyRingError, MasterKey};
use verifyd_core::memory::MemoryStore;
use verifyd_core::proof::{ProofError, ProofIssuer};
use verifyd_core::random::SystemRandom;
use verifyd_core::registry::{Registry, SecretHash};
use verifyd_core::routing::Senders;
use verifyd_core::sender::Sender;
use verifyd_core::store::Store;
use verifyd_core::verifier::{Verifier, VerifierParts};
use verifyd_senders::inbox::{Inbox, InboxSender};
use verifyd_senders::test_numbers::TestNumbers;
use verifyd_senders::twilio::TwilioSender;
use verifyd_store_embedded::{EmbeddedHistory, EmbeddedStore, FileRegistry, OpenError};

use crate::api_keys::{ApiKeys, Caller};
use crate::config::{ApiKey, Config, DEV_API_KEY, Environment, KeySource, Sending, StoreKind};
use crate::data_dir;
use crate::http::{App, Examples, ForgetElsewhere};
use crate::key_file;
use crate::metered::{MeteredSender, MeteredStore};
use crate::metrics::Metrics;
use crate::mock::Mock;

/// The offset of the development clock, beside the embedded store it belongs to.
const CLOCK_OFFSET_FILE: &str = "dev-clock";
/// One of 256 shards is swept each time: the whole store about twice a minute.
const PURGE_EVERY: Duration = Duration::from_millis(100);
/// What is past its retention is not shown; when it goes is no matter of seconds.
const PURGE_HISTORY_EVERY: Duration = Duration::from_secs(60);

/// A server that cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// The data directory or a file in it.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The issuer of proofs.
    #[error(transparent)]
    Proofs(#[from] ProofError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Anything else, in the words of the part that refuses.
    #[error("{0}")]
    Part(String),
}

fn part(error: impl fmt::Display) -> WiringError {
    WiringError::Part(error.to_string())
}

/// A server put together.
#[derive(Debug)]
pub struct Server {
    /// What handlers use.
    pub app: Arc<App>,
    /// Mock mode, if it is on.
    pub mock: Option<Mock>,
    /// The embedded store, for its end.
    pub embedded: Option<Arc<EmbeddedStore>>,
    /// Who notes what happened, for its end.
    pub recorder: Arc<Recorder>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

fn offset_file(config: &Config) -> Option<PathBuf> {
    let kept = match config.store.kind {
        StoreKind::Memory => false,
        StoreKind::Embedded => matches!(config.sending, Sending::Inbox(_)),
    };
    kept.then(|| config.data_dir.join(CLOCK_OFFSET_FILE))
}

/// How far the clock of a store in mock mode was moved forward.
fn development_offset(config: &Config) -> Result<Duration, WiringError> {
    match offset_file(config) {
        Some(path) => data_dir::kept_offset(&path).map_err(|source| WiringError::File { path, source }),
        None => Ok(Duration::ZERO),
    }
}

fn mock_of(config: &Config) -> Result<Option<Mock>, WiringError> {
    if !matches!(config.sending, Sending::Inbox(_)) {
        return Ok(None);
    }
    let clock = Arc::new(DevelopmentClock::new(SystemClock, development_offset(config)?));
    Ok(Some(Mock { inbox: Arc::new(Inbox::new()), clock, offset_file: offset_file(config) }))
}

/// Drops what the inbox holds of a forgotten number, in every form that the number's line was written to.
fn forget_in_inbox(mock: &Mock) -> ForgetElsewhere {
    let inbox = Arc::clone(&mock.inbox);
    ForgetElsewhere::new(move |number| {
        let line = number.limit_key();
        let written = inbox.messages(None).into_iter().map(|message| message.to);
        let scripted = inbox.scripts().into_iter().map(|script| script.to);
        let forms: BTreeSet<_> = written.chain(scripted).filter(|to| to.limit_key() == line).collect();
        for to in &forms {
            inbox.forget(to);
        }
    })
}

fn senders_of(config: &mut Config, mock: Option<&Mock>, metrics: &Arc<Metrics>) -> Result<Senders, WiringError> {
    let mut senders: Vec<Arc<dyn Sender>> = Vec::new();
    let test_numbers = std::mem::take(&mut config.test_numbers);
    if !test_numbers.is_empty() {
        // Beside a real sender a fixed code for somebody's number is a back door, whatever the environment is called.
        let real = mock.is_none() || config.environment == Environment::Production;
        let list = if real { TestNumbers::for_production(test_numbers) } else { TestNumbers::new(test_numbers) };
        senders.push(Arc::new(list.map_err(part)?));
    }
    match (mock, &config.sending) {
        (Some(mock), _) => senders.push(Arc::new(InboxSender::new(Arc::clone(&mock.inbox)))),
        (None, Sending::Twilio(twilio)) => {
            let sender = TwilioSender::new(twilio.as_ref().clone(), Arc::new(SystemRandom)).map_err(part)?;
            senders.push(Arc::new(sender));
        }
        (None, Sending::Inbox(_)) => return Err(part("the inbox needs mock mode")),
    }
    let metered = |sender| Arc::new(MeteredSender::new(sender, Arc::clone(metrics))) as Arc<dyn Sender>;
    Ok(Senders::new(senders.into_iter().map(metered).collect()))
}

fn master_keys(source: &KeySource) -> Result<Vec<MasterKey>, WiringError> {
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

fn make_data_dir(config: &Config) -> Result<(), WiringError> {
    data_dir::create(&config.data_dir).map_err(|source| WiringError::File { path: config.data_dir.clone(), source })
}

/// The store, and the keys that fit it: a store remembers which key its hashes of numbers were made with.
async fn store_and_keys(config: &Config) -> Result<(Arc<dyn Store>, Option<Arc<EmbeddedStore>>, KeyRing), WiringError> {
    match config.store.kind {
        StoreKind::Memory => {
            let store = Arc::new(MemoryStore::new(config.store.options));
            Ok((store, None, KeyRing::new(&master_keys(&config.keys)?, None)?))
        }
        StoreKind::Embedded => {
            make_data_dir(config)?;
            let store = Arc::new(EmbeddedStore::open(&config.data_dir, config.store.options)?);
            let ring = keys_of(config, &store).await?;
            Ok((Arc::<EmbeddedStore>::clone(&store), Some(store), ring))
        }
    }
}

/// The keys that fit an embedded store; a new store learns which key its hashes are made with.
async fn keys_of(config: &Config, store: &EmbeddedStore) -> Result<KeyRing, WiringError> {
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

/// The history beside the store.
fn history_of(config: &Config) -> Result<Arc<dyn History>, WiringError> {
    Ok(match config.store.kind {
        StoreKind::Memory => Arc::new(MemoryHistory::new(config.history)),
        StoreKind::Embedded => Arc::new(EmbeddedHistory::open(&config.data_dir, config.history).map_err(part)?),
    })
}

fn fixed_keys(keys: &[ApiKey]) -> Vec<(SecretHash, Caller)> {
    keys.iter().map(|key| (key.secret, Caller::new(&key.name, key.service.as_ref(), &key.scopes))).collect()
}

fn examples_of(config: &Config) -> Examples {
    let dev = SecretHash::of(DEV_API_KEY);
    let known = config.api_keys.iter().any(|key| key.secret == dev);
    Examples {
        public_url: config.public_url.as_ref().map(ToString::to_string),
        tls: config.tls.is_some(),
        api_key: if known { DEV_API_KEY } else { "$VERIFYD_API_KEY" },
    }
}

/// The registry of a data directory, for commands that work beside a running server. The directory is made if it is absent.
///
/// # Errors
/// [`WiringError`] if the store keeps no registry or the directory cannot be made.
pub fn registry(config: &Config) -> Result<Arc<dyn Registry>, WiringError> {
    match config.store.kind {
        StoreKind::Memory => {
            Err(part("the memory store keeps no keys; put them into the configuration (api_keys) or VERIFYD_API_KEY"))
        }
        StoreKind::Embedded => {
            make_data_dir(config)?;
            Ok(Arc::new(FileRegistry::new(&config.data_dir)))
        }
    }
}

/// Accepts the present time for a store that has seen a later one, and returns it. The server must be stopped.
///
/// # Errors
/// [`WiringError`] if the store remembers no time, is in use, or cannot be written.
pub async fn accept_clock(config: &Config) -> Result<Timestamp, WiringError> {
    let store = match config.store.kind {
        StoreKind::Memory => return Err(part("only the embedded store remembers a time")),
        StoreKind::Embedded => EmbeddedStore::open(&config.data_dir, config.store.options)?,
    };
    let now = DevelopmentClock::new(SystemClock, development_offset(config)?).now();
    store.accept_clock(now).await.map_err(part)?;
    store.close().await;
    Ok(now)
}

impl Server {
    /// Puts a server together; nothing listens yet.
    ///
    /// # Errors
    /// [`WiringError`] in words for the operator.
    pub async fn assemble(mut config: Config, shutdown: CancellationToken) -> Result<Self, WiringError> {
        let metrics = Arc::new(Metrics::default());
        let (store, embedded, keys) = store_and_keys(&config).await?;
        let mock = mock_of(&config)?;
        let clock: Arc<dyn Clock> = match &mock {
            Some(mock) => Arc::<DevelopmentClock>::clone(&mock.clock),
            None => Arc::new(SystemClock),
        };
        let senders = senders_of(&mut config, mock.as_ref(), &metrics)?;
        let registry: Option<Arc<dyn Registry>> =
            embedded.is_some().then(|| Arc::new(FileRegistry::new(&config.data_dir)) as Arc<dyn Registry>);
        let examples = examples_of(&config);
        let api_keys = Arc::new(ApiKeys::new(fixed_keys(&config.api_keys), registry));
        api_keys.refresh().await.map_err(part)?;
        let store: Arc<dyn Store> = Arc::new(MeteredStore::new(store, Arc::clone(&metrics)));
        let services: BTreeMap<_, _> = std::mem::take(&mut config.services)
            .into_iter()
            .map(|(name, service)| (name.to_string(), Arc::new(service)))
            .collect();
        let proofs = config.proofs.take().map(|settings| ProofIssuer::new(settings, &keys)).transpose()?;
        let keys = Arc::new(keys);
        let (history, noting) = (history_of(&config)?, Arc::clone(&clock));
        let recorder = Recorder::new(history, Arc::clone(&keys), Arc::new(SystemRandom), noting, DEFAULT_QUEUE);
        let recorder = Arc::new(recorder);
        let verifier = Verifier::new(VerifierParts {
            store: Arc::clone(&store),
            senders,
            clock: Arc::clone(&clock),
            random: Arc::new(SystemRandom),
            keys,
            proofs: proofs.map(Arc::new),
            history: Some(Arc::clone(&recorder)),
            send_deadline: config.send_deadline,
            expose_codes: config.expose_codes && mock.is_some(),
        });
        let forget_elsewhere = mock.as_ref().map(forget_in_inbox);
        let app = Arc::new(App {
            verifier,
            services,
            api_keys,
            metrics,
            recorder: Arc::clone(&recorder),
            shutdown,
            forget_elsewhere,
            examples,
        });
        Ok(Self { app, mock, embedded, recorder, store, clock })
    }

    /// Starts what runs beside the requests: the sweep of expired records, the watch over API keys.
    pub fn start_chores(&self) {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(PURGE_EVERY);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                tick.tick().await;
                if let Err(error) = store.purge(clock.now()).await {
                    tracing::error!(%error, "expired records are not swept");
                }
            }
        });
        tokio::spawn(Arc::clone(&self.app.api_keys).follow());
        tokio::spawn(Arc::clone(&self.recorder).run());
        let (history, clock) = (Arc::clone(self.recorder.history()), Arc::clone(&self.clock));
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(PURGE_HISTORY_EVERY);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                if let Err(error) = history.purge(clock.now()).await {
                    tracing::warn!(%error, "the history is not swept");
                }
            }
        });
    }
}
