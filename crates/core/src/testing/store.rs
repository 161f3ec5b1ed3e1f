//! A store that breaks when told to, around one that works.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::PhoneHash;
use crate::store::{
    Admission, AdmitOutcome, BegunReply, CancelOutcome, CheckOutcome, CheckRequest, FinishReply, ForgetOutcome,
    InfoOutcome, InfoRequest, Loaded, ReplyRequest, Rules, SettleRequest, Settlement, Store, StoreError,
};

/// A verb of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Verb {
    Admit,
    Check,
    Settle,
    Cancel,
    Load,
    Info,
    Forget,
    Unlock,
    BeginReply,
    FinishReply,
    AbandonReply,
    Purge,
    AcceptClock,
    Ready,
}

/// When a verb fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before anything happened.
    Before,
    /// After it happened: the caller does not learn of it.
    After,
}

#[derive(Debug, Default)]
struct Faults {
    pending: Vec<(Verb, Moment)>,
    calls: Vec<Verb>,
}

/// Fails chosen verbs with [`StoreError::Unavailable`]; passes all others on.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Mutex<Faults>,
}

impl FaultyStore {
    /// What failing verbs tell callers to wait.
    pub const RETRY_AFTER: Duration = Duration::from_secs(7);

    /// `inner`, which fails nothing until told to.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, faults: Mutex::default() }
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next call of `verb` fail at `moment`; calls queue up.
    pub fn fail_next(&self, verb: Verb, moment: Moment) {
        self.faults().pending.push((verb, moment));
    }

    /// How often `verb` was called.
    #[must_use]
    pub fn calls(&self, verb: Verb) -> usize {
        self.faults().calls.iter().filter(|called| **called == verb).count()
    }

    fn called(&self, verb: Verb) -> Option<Moment> {
        let mut faults = self.faults();
        faults.calls.push(verb);
        let index = faults.pending.iter().position(|(faulty, _)| *faulty == verb)?;
        Some(faults.pending.remove(index).1)
    }

    async fn pass<T>(
        &self,
        verb: Verb,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let failure = || StoreError::Unavailable { reason: "scripted".to_owned(), retry_after: Self::RETRY_AFTER };
        match self.called(verb) {
            None => work.await,
            Some(Moment::Before) => Err(failure()),
            Some(Moment::After) => work.await.and(Err(failure())),
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn admit(&self, admission: Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        self.pass(Verb::Admit, self.inner.admit(admission, now)).await
    }

    async fn check(&self, check: CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        self.pass(Verb::Check, self.inner.check(check, now)).await
    }

    async fn settle(&self, settle: SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        self.pass(Verb::Settle, self.inner.settle(settle, now)).await
    }

    async fn cancel(
        &self,
        service: ServiceId,
        id: VerificationId,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.pass(Verb::Cancel, self.inner.cancel(service, id, now)).await
    }

    async fn load(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        self.pass(Verb::Load, self.inner.load(service, id, rules, now)).await
    }

    async fn info(&self, request: InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        self.pass(Verb::Info, self.inner.info(request, now)).await
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError> {
        self.pass(Verb::Forget, self.inner.forget(service, phone, now)).await
    }

    async fn unlock(&self, service: ServiceId, phone: PhoneHash, now: Timestamp) -> Result<u32, StoreError> {
        self.pass(Verb::Unlock, self.inner.unlock(service, phone, now)).await
    }

    async fn begin_reply(&self, request: ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        self.pass(Verb::BeginReply, self.inner.begin_reply(request, now)).await
    }

    async fn finish_reply(&self, finish: FinishReply, now: Timestamp) -> Result<(), StoreError> {
        self.pass(Verb::FinishReply, self.inner.finish_reply(finish, now)).await
    }

    async fn abandon_reply(&self, request: ReplyRequest) -> Result<(), StoreError> {
        self.pass(Verb::AbandonReply, self.inner.abandon_reply(request)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.pass(Verb::Purge, self.inner.purge(now)).await
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<(), StoreError> {
        self.pass(Verb::AcceptClock, self.inner.accept_clock(now)).await
    }

    async fn ready(&self, now: Timestamp) -> Result<(), StoreError> {
        self.pass(Verb::Ready, self.inner.ready(now)).await
    }
}
