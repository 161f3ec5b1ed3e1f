//! The verifier as an application uses it: core's flow, bound to one service, with the sweep of what has expired.
//!
//! Nothing is decided here: every method passes on to [`verifyd_core::verifier::Verifier`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use verifyd_core::clock::Clock;
use verifyd_core::id::VerificationId;
#[cfg(feature = "senders")]
use verifyd_core::random::Random;
use verifyd_core::service::Service;
use verifyd_core::store::Store;
use verifyd_core::verification::Verification;
use verifyd_core::verifier::{
    self as flow, CheckTarget, Checked, Forgotten, LimitsReport, Preview, ResendRequest, StartRequest, Started,
    VerifyError,
};

use crate::VerifierBuilder;

/// A sweep takes one of a store's 256 shards: under load the whole store about twice a minute.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// Runs verifications for one service. Cheap to clone; clones share everything.
///
/// Methods that send must be called within a tokio runtime. A start runs to its end in a task of its own, whether or not the
/// caller waits for it; call [`Verifier::drain`] before the runtime ends.
///
/// ```
/// # use std::sync::Arc;
/// use verifyd::{StartRequest, Verifier, VerifyError};
/// # use verifyd::testing::RecordingSender;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sender = Arc::new(RecordingSender::default());
/// let verifier = Verifier::builder("Acme").sender(sender.clone()).build()?;
/// let started = verifier.start(StartRequest::new("+14155552671")).await?;
/// let wrong = verifier.check(started.verification.id, "000000").await?;
/// # let wrong = if wrong.valid { return Ok(()) } else { wrong };
/// assert_eq!((wrong.valid, wrong.verification.standing.checks_remaining), (false, 4));
/// // A malformed guess is refused and costs nothing.
/// assert!(matches!(verifier.check(started.verification.id, "12a").await, Err(VerifyError::CodeFormat(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    flow: flow::Verifier,
    service: Arc<Service>,
    shared: Arc<Shared>,
}

/// What the handles on several services have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    #[cfg(feature = "senders")]
    pub(crate) random: Arc<dyn Random>,
    pub(crate) swept_at_ms: AtomicU64,
}

impl Verifier {
    /// Begins a verifier that signs its messages with `brand`.
    pub fn builder(brand: &str) -> VerifierBuilder {
        VerifierBuilder::new(brand)
    }

    pub(crate) fn of(flow: flow::Verifier, service: Service, shared: Shared) -> Self {
        Self { flow, service: Arc::new(service), shared: Arc::new(shared) }
    }

    #[cfg(feature = "senders")]
    pub(crate) fn clock(&self) -> &dyn Clock {
        self.shared.clock.as_ref()
    }

    #[cfg(feature = "senders")]
    pub(crate) fn random(&self) -> &dyn Random {
        self.shared.random.as_ref()
    }

    /// The service whose limits and texts apply.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The same store and senders for another service: its own limits, and nothing of this one's verifications.
    #[must_use]
    pub fn for_service(&self, service: Service) -> Self {
        Self { service: Arc::new(service), ..self.clone() }
    }

    /// Starts a verification, or sends the code of the pending one again.
    ///
    /// # Errors
    /// [`VerifyError`]; its variants say what was spent.
    pub async fn start(&self, request: StartRequest) -> Result<Started, VerifyError> {
        self.sweep_sometimes().await;
        self.flow.start(Arc::clone(&self.service), request).await
    }

    /// Sends the code of a pending verification again.
    ///
    /// # Errors
    /// [`VerifyError`]; its variants say what was spent.
    pub async fn resend(&self, id: VerificationId, request: ResendRequest) -> Result<Started, VerifyError> {
        self.flow.resend(Arc::clone(&self.service), id, request).await
    }

    /// Counts and compares a guess, by the verification's id or by number. A malformed guess is refused and costs nothing.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing was counted unless it is [`VerifyError::Store`].
    pub async fn check(&self, target: impl Into<CheckTarget>, guess: &str) -> Result<Checked, VerifyError> {
        self.flow.check(&self.service, target.into(), guess).await
    }

    /// One verification.
    ///
    /// # Errors
    /// [`VerifyError`] if there is none of this id and service, or the store's failure.
    pub async fn load(&self, id: VerificationId) -> Result<Verification, VerifyError> {
        self.flow.load(&self.service, id).await
    }

    /// Ends a pending verification.
    ///
    /// # Errors
    /// [`VerifyError`] if it is not pending, or the store's failure.
    pub async fn cancel(&self, id: VerificationId) -> Result<Verification, VerifyError> {
        self.flow.cancel(&self.service, id).await
    }

    /// How the limits of a number (and of a person's address) stand; nothing is spent.
    ///
    /// # Errors
    /// [`VerifyError`] for a bad number or the store's failure.
    pub async fn limits(
        &self,
        to: &str,
        region: Option<&str>,
        client_ip: Option<IpAddr>,
    ) -> Result<LimitsReport, VerifyError> {
        self.flow.limits(&self.service, to, region, client_ip).await
    }

    /// What a start would do; nothing is spent.
    ///
    /// # Errors
    /// Those of a start that come before anything is spent.
    pub async fn preview(&self, request: StartRequest) -> Result<Preview, VerifyError> {
        self.flow.preview(&self.service, request).await
    }

    /// Erases what is kept of a number for this service; counters by keyed hash stay until their windows end.
    ///
    /// # Errors
    /// [`VerifyError`] for a number that is none, or the store's failure.
    pub async fn forget(&self, to: &str) -> Result<Forgotten, VerifyError> {
        self.flow.forget(&self.service, false, to).await
    }

    /// Lifts the lock after many failures in a row for a number; returns how many they were.
    ///
    /// # Errors
    /// [`VerifyError`] for a number that is none, or the store's failure.
    pub async fn unlock(&self, to: &str) -> Result<u32, VerifyError> {
        self.flow.unlock(&self.service, to).await
    }

    /// The public keys of [proofs](VerifierBuilder::proofs) as a JWK Set in JSON, to be served where verifiers look; `None` if
    /// none are signed. It changes with time: ask for it each time it is served.
    ///
    /// # Errors
    /// [`VerifyError::Internal`] if the cryptographic library refuses a key.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use verifyd::testing::RecordingSender;
    /// use verifyd::Verifier;
    /// use verifyd::proof::{DEFAULT_PROOF_TTL, ProofSettings};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sender = Arc::new(RecordingSender::default());
    /// let verifier = Verifier::builder("Acme")
    ///     .sender(sender.clone())
    ///     .proofs(ProofSettings { issuer: "https://acme.example".parse()?, ttl: DEFAULT_PROOF_TTL })
    ///     .build()?;
    /// let started = verifier.start(verifyd::StartRequest::new("+14155552671")).await?;
    /// # let code = sender.last().unwrap().code.expose().to_owned();
    /// let checked = verifier.check(started.verification.id, &code).await?;
    /// assert!(checked.proof.is_some());
    /// assert!(verifier.proof_keys()?.is_some_and(|keys| keys.contains("Ed25519")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn proof_keys(&self) -> Result<Option<Arc<str>>, VerifyError> {
        self.flow.proof_keys()
    }

    /// Whether the store can decide now.
    ///
    /// # Errors
    /// [`VerifyError::Store`] says why not.
    pub async fn ready(&self) -> Result<(), VerifyError> {
        self.flow.ready().await
    }

    /// Waits until every send that was admitted has its outcome recorded.
    pub async fn drain(&self) {
        self.flow.drain().await;
    }

    /// Drops some of what has expired and returns how many records went. Starts do this by themselves, at most every tenth of
    /// a second; call it on a timer only if numbers must be gone soon after the traffic ends.
    ///
    /// # Errors
    /// [`VerifyError::Store`].
    pub async fn sweep(&self) -> Result<usize, VerifyError> {
        Ok(self.shared.store.purge(self.shared.clock.now()).await?)
    }

    async fn sweep_sometimes(&self) {
        let now_ms = self.shared.clock.now().unix_ms();
        let swept_at_ms = self.shared.swept_at_ms.load(Ordering::Relaxed);
        // The difference in either direction: after a step back of the clock the sweep must go on.
        if u128::from(now_ms.abs_diff(swept_at_ms)) < SWEEP_EVERY.as_millis() {
            return;
        }
        let mine = self.shared.swept_at_ms.compare_exchange(swept_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_ok() {
            // A store that cannot sweep refuses the start that follows as well, and that is where its failure is told.
            drop(self.sweep().await);
        }
    }
}
