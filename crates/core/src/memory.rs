//! The in-memory store: the reference implementation. Everything is gone when the process ends.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::PhoneHash;
use crate::store::state::{State, StateOptions};
use crate::store::{
    Admission, AdmitOutcome, BegunReply, CancelOutcome, CheckOutcome, CheckRequest, FinishReply, ForgetOutcome,
    InfoOutcome, InfoRequest, Loaded, ReplyRequest, Rules, SettleRequest, Settlement, Store, StoreError,
};

/// A store that lives in memory alone.
#[derive(Debug)]
pub struct MemoryStore {
    // A std mutex: every verb is a few microseconds and never waits for anything.
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(options: StateOptions) -> Self {
        Self { state: Mutex::new(State::new(options)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A verb that panicked has left whole records: each is replaced in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a verb that changes records; what changed is nobody's business here, unless it failed half way.
    fn change<T>(&self, verb: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut state = self.state();
        let outcome = verb(&mut state);
        let writes = state.take_writes();
        if outcome.is_err() {
            state.undo(writes);
        }
        outcome
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(StateOptions::default())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn admit(&self, admission: Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        self.change(|state| state.admit(&admission, now))
    }

    async fn check(&self, check: CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        self.change(|state| state.check(&check, now))
    }

    async fn settle(&self, settle: SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        self.change(|state| state.settle(&settle, now))
    }

    async fn cancel(
        &self,
        service: ServiceId,
        id: VerificationId,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.change(|state| state.cancel(service, &id, now))
    }

    async fn load(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        self.state().load(service, &id, &rules, now)
    }

    async fn info(&self, request: InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        self.state().info(&request, now)
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError> {
        self.change(|state| state.forget(service, &phone, now))
    }

    async fn unlock(&self, service: ServiceId, phone: PhoneHash, now: Timestamp) -> Result<u32, StoreError> {
        self.change(|state| state.unlock(service, &phone, now))
    }

    async fn begin_reply(&self, request: ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        self.change(|state| state.begin_reply(&request, now))
    }

    async fn finish_reply(&self, finish: FinishReply, now: Timestamp) -> Result<(), StoreError> {
        self.change(|state| state.finish_reply(&finish, now))
    }

    async fn abandon_reply(&self, request: ReplyRequest) -> Result<(), StoreError> {
        self.state().abandon_reply(&request);
        Ok(())
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.state().purge(now))
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<(), StoreError> {
        self.change(|state| state.accept_clock(now))
    }

    async fn ready(&self, now: Timestamp) -> Result<(), StoreError> {
        self.state().ready(now)
    }
}
