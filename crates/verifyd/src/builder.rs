//! From a brand and a sender to a [`Verifier`]: every part can be chosen, and what is not has a documented default.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use verifyd_core::clock::{Clock, SystemClock};
use verifyd_core::code::CodeLength;
use verifyd_core::keys::{KeyRing, KeyRingError, MasterKey};
use verifyd_core::limits::ParseRateError;
use verifyd_core::memory::MemoryStore;
use verifyd_core::message::{BrandError, Locale};
use verifyd_core::phone_number::{NumberPolicy, ParseRegionError};
use verifyd_core::proof::{ProofError, ProofIssuer, ProofSettings, ProofSubject};
use verifyd_core::random::{Random, SystemRandom};
use verifyd_core::routing::Senders;
use verifyd_core::sender::Sender;
use verifyd_core::service::{Limits, ParseServiceNameError, Service, ServiceError, ServiceSettings};
use verifyd_core::store::Store;
use verifyd_core::verifier::{self as flow, DEFAULT_SEND_DEADLINE, VerifierParts};

use crate::Verifier;
use crate::verifier::Shared;

/// The life of a verification unless said otherwise: NIST SP 800-63B asks for at most ten minutes.
const DEFAULT_TTL: Duration = Duration::from_secs(600);
/// The name of the service unless said otherwise.
const DEFAULT_SERVICE: &str = "default";

/// Why no verifier could be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The brand.
    #[error("brand: {0}")]
    Brand(#[from] BrandError),
    /// The region of national numbers.
    #[error("default_region: {0}")]
    Region(#[from] ParseRegionError),
    /// The name of the service.
    #[error(transparent)]
    Name(#[from] ParseServiceNameError),
    /// The settings of the service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A limit.
    #[error(transparent)]
    Rate(#[from] ParseRateError),
    /// A key for the memory store could not be made.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The keys of proofs or how long they hold.
    #[error("proofs: {0}")]
    Proofs(#[from] ProofError),
    /// Nobody to send.
    #[error("sender: missing; give at least one")]
    SenderMissing,
}

/// Changes the settings before they are validated.
type Change = Box<dyn FnOnce(&mut ServiceSettings) + Send>;

/// What a [`Verifier`] will be made of.
///
/// | part | unless said otherwise |
/// |---|---|
/// | store and keys | in memory, with a key that is made now: everything is gone when the process ends |
/// | clock, randomness | the system's |
/// | codes | 6 digits, valid for 10 minutes |
/// | limits | [`Limits::documented`]: 5 sends an hour and 10 a day per number, 5 guesses per verification, … |
/// | proofs | none; see [`VerifierBuilder::proofs`] |
/// | numbers | E.164 only; no premium, toll-free, pager or satellite numbers |
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use verifyd::testing::RecordingSender;
/// use verifyd::Verifier;
///
/// # let sender = Arc::new(RecordingSender::default());
/// let verifier = Verifier::builder("Acme")
///     .default_region("US")
///     .sender(sender)
///     .configure(|settings| {
///         settings.ttl = Duration::from_secs(300);
///         settings.limits.rules.sends_per_phone = "3/1h".parse().unwrap_or(settings.limits.rules.sends_per_phone);
///     })
///     .build()?;
/// assert_eq!(verifier.service().rules().sends_per_phone.count(), 3);
/// # Ok::<(), verifyd::BuildError>(())
/// ```
#[must_use = "nothing is built before `build`"]
pub struct VerifierBuilder {
    brand: String,
    default_region: Option<String>,
    changes: Vec<Change>,
    store: Option<(Arc<dyn Store>, Arc<KeyRing>)>,
    senders: Vec<Arc<dyn Sender>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    send_deadline: Duration,
    expose_codes: bool,
    proofs: Option<ProofSettings>,
}

impl std::fmt::Debug for VerifierBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { brand, default_region, senders, .. } = self;
        f.debug_struct("VerifierBuilder")
            .field("brand", brand)
            .field("default_region", default_region)
            .field("senders", senders)
            .finish_non_exhaustive()
    }
}

impl VerifierBuilder {
    pub(crate) fn new(brand: &str) -> Self {
        Self {
            brand: brand.to_owned(),
            default_region: None,
            changes: Vec::new(),
            store: None,
            senders: Vec::new(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            send_deadline: DEFAULT_SEND_DEADLINE,
            expose_codes: false,
            proofs: None,
        }
    }

    /// Takes numbers in the national form of `region`, such as `US`, too.
    pub fn default_region(mut self, region: &str) -> Self {
        self.default_region = Some(region.to_owned());
        self
    }

    /// Changes what else a service has: name, code length, time to live, limits, languages, which numbers it sends to.
    pub fn configure(mut self, change: impl FnOnce(&mut ServiceSettings) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Keeps verifications in `store`, under `keys`. The keys must stay the same as long as the store lives: with others every
    /// number counts anew and pending codes are lost. `verifyd::embedded::open` gives both.
    pub fn store(mut self, store: Arc<dyn Store>, keys: impl Into<Arc<KeyRing>>) -> Self {
        self.store = Some((store, keys.into()));
        self
    }

    /// Adds a sender. The first that covers a number sends to it.
    pub fn sender(mut self, sender: Arc<dyn Sender>) -> Self {
        self.senders.push(sender);
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes unpredictable bytes from `random`. Codes are made of them.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// How long a send may take altogether; 15 seconds unless said otherwise.
    pub fn send_deadline(mut self, deadline: Duration) -> Self {
        self.send_deadline = deadline;
        self
    }

    /// Shows the code in replies, as `test_code`, if its message stayed on this machine. Only for development.
    pub fn expose_codes(mut self, expose: bool) -> Self {
        self.expose_codes = expose;
        self
    }

    /// Signs a proof of every approval. None is signed unless this is called; the keys follow from those of the store, so with
    /// keys that end with the process the proofs do too.
    pub fn proofs(mut self, settings: ProofSettings) -> Self {
        self.proofs = Some(settings);
        self
    }

    #[cfg(feature = "senders")]
    pub(crate) fn has_sender(&self) -> bool {
        !self.senders.is_empty()
    }

    fn service(&mut self) -> Result<Service, BuildError> {
        let mut settings = ServiceSettings {
            name: DEFAULT_SERVICE.parse()?,
            brand: self.brand.parse()?,
            code_length: CodeLength::default(),
            ttl: DEFAULT_TTL,
            default_region: self.default_region.as_deref().map(str::parse).transpose()?,
            numbers: NumberPolicy::default(),
            limits: Limits::documented()?,
            custom_codes: false,
            locale: Locale::default(),
            do_not_share_warning: false,
            web_otp_host: None,
            proof_subject: ProofSubject::default(),
        };
        for change in std::mem::take(&mut self.changes) {
            change(&mut settings);
        }
        Ok(Service::new(settings)?)
    }

    /// The verifier.
    ///
    /// # Errors
    /// [`BuildError`] names the part that cannot work.
    pub fn build(mut self) -> Result<Verifier, BuildError> {
        let service = self.service()?;
        if self.senders.is_empty() {
            return Err(BuildError::SenderMissing);
        }
        let (store, keys) = if let Some(given) = self.store {
            given
        } else {
            let key = MasterKey::generate("process", self.random.as_ref())?;
            (Arc::new(MemoryStore::default()) as Arc<dyn Store>, Arc::new(KeyRing::new(&[key], None)?))
        };
        let proofs = match self.proofs {
            Some(settings) => Some(Arc::new(ProofIssuer::new(settings, &keys)?)),
            None => None,
        };
        let flow = flow::Verifier::new(VerifierParts {
            proofs,
            history: None,
            store: Arc::clone(&store),
            senders: Senders::new(self.senders),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            keys,
            send_deadline: self.send_deadline,
            expose_codes: self.expose_codes,
        });
        let shared = Shared {
            store,
            clock: self.clock,
            #[cfg(feature = "senders")]
            random: self.random,
            swept_at_ms: AtomicU64::new(0),
        };
        Ok(Verifier::of(flow, service, shared))
    }
}
