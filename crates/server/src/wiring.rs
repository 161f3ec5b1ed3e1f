//! From a configuration to a running server: the only place that names stores and senders.
//!
//! `stores` opens a store and what belongs to it, `fleet` the one that several nodes share, `migrate` moves from the one to the other, `examine` is what `verifyd doctor` asks.

pub mod examine;
mod fleet;
mod migrate;
mod stores;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use verifyd_core::clock::{Clock, DevelopmentClock, SystemClock};
use verifyd_core::history::{DEFAULT_QUEUE, History, Recorder};
use verifyd_core::keys::KeyRingError;
use verifyd_core::proof::{ProofError, ProofIssuer};
use verifyd_core::random::SystemRandom;
use verifyd_core::registry::SecretHash;
use verifyd_core::routing::Senders;
use verifyd_core::sender::Sender;
use verifyd_core::store::Store;
use verifyd_core::verifier::{Verifier, VerifierParts};
use verifyd_senders::inbox::InboxSender;
use verifyd_senders::test_numbers::TestNumbers;
use verifyd_senders::twilio::TwilioSender;
use verifyd_store_embedded::OpenError;
use verifyd_store_redis::link::TlsError;

pub use self::migrate::{Migration, migrate};
use self::stores::Opened;
pub use self::stores::{Backend, accept_clock, registry};
use crate::api_keys::{ApiKeys, Caller};
use crate::config::{ApiKey, Config, DEV_API_KEY, Environment, Sending};
use crate::http::{App, Examples, ForgetElsewhere};
use crate::metered::{MeteredSender, MeteredStore};
use crate::metrics::Metrics;
use crate::mock::Mock;
use crate::registry_view::RegistryView;

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
    /// The files for TLS to Redis.
    #[error(transparent)]
    RedisTls(#[from] TlsError),
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
    /// What lives behind the store, for its end.
    pub backend: Arc<Backend>,
    /// Who notes what happened, for its end.
    pub recorder: Arc<Recorder>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
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

/// Drops what is past its time from a history, for ever.
async fn sweep(history: Arc<dyn History>, clock: Arc<dyn Clock>) {
    let mut tick = tokio::time::interval(PURGE_HISTORY_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = history.purge(clock.now()).await {
            tracing::warn!(%error, "the history is not swept");
        }
    }
}

impl Server {
    /// Puts a server together; nothing listens yet.
    ///
    /// # Errors
    /// [`WiringError`] in words for the operator.
    pub async fn assemble(mut config: Config, shutdown: CancellationToken) -> Result<Self, WiringError> {
        let metrics = Arc::new(Metrics::default());
        let Opened { store, registry, history, keys, mock, backend } = stores::open(&config).await?;
        let clock: Arc<dyn Clock> = match &mock {
            Some(mock) => Arc::<DevelopmentClock>::clone(&mock.clock),
            None => Arc::new(SystemClock),
        };
        let senders = senders_of(&mut config, mock.as_ref(), &metrics)?;
        let registry = Arc::new(RegistryView::open(registry).await.map_err(part)?);
        let examples = examples_of(&config);
        let api_keys = Arc::new(ApiKeys::new(fixed_keys(&config.api_keys)));
        registry.attach(Arc::<ApiKeys>::clone(&api_keys));
        let store: Arc<dyn Store> = Arc::new(MeteredStore::new(store, Arc::clone(&metrics)));
        let services: BTreeMap<_, _> = std::mem::take(&mut config.services)
            .into_iter()
            .map(|(name, service)| (name.to_string(), Arc::new(service)))
            .collect();
        let proofs = config.proofs.take().map(|settings| ProofIssuer::new(settings, &keys)).transpose()?;
        let noted_at = Arc::clone(&clock);
        let recorder = Recorder::new(history, Arc::clone(&keys), Arc::new(SystemRandom), noted_at, DEFAULT_QUEUE);
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
            registry,
            metrics,
            recorder: Arc::clone(&recorder),
            shutdown,
            forget_elsewhere,
            examples,
        });
        Ok(Self { app, mock, backend: Arc::new(backend), recorder, store, clock })
    }

    /// Starts what runs beside the requests: the sweep of expired records, the watch over the registry.
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
        tokio::spawn(Arc::clone(&self.app.registry).watch());
        if let Backend::Fleet(member) = &*self.backend {
            tokio::spawn(Arc::clone(member).stay());
        }
        tokio::spawn(Arc::clone(&self.recorder).run());
        tokio::spawn(sweep(Arc::clone(self.recorder.history()), Arc::clone(&self.clock)));
    }
}
