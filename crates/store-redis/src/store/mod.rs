//! The store port over Redis: each verb is one script, which decides and writes in one step on the primary that owns the number.
//!
//! # What holds
//! - A verb is one round trip; a start with an address is one more, to all of the address's limits at once.
//! - Scripts decide; what is only shown is computed here, by the core's rules, from the records that a script returns.
//! - Time is the server's. A node's clock is never asked, so a node that is wrong by years changes nothing.
//!
//! # The clock
//! Each number has its own: no verb on it uses an earlier instant than one before it did. When the server's clock goes back by more
//! than five minutes, as after a promotion of a replica whose clock is off, what is pending for a number is void at its next use
//! and its counters count from then on, as `accept_clock` does it in a store for one process. So a wrong clock neither revives a
//! code nor freezes a limit, nobody has to accept anything, and [`StoreError::ClockWentBack`] is never answered:
//! there is no one clock that could be accepted for all of a cluster's primaries.

mod admit;
mod answer;
mod caution;
mod check;
mod decode;
mod encode;
mod import;
mod keys;
mod life;
mod quotas;
mod replies;
mod scripts;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::Value;
use verifyd_core::clock::{Timestamp, duration_ms};
use verifyd_core::id::{ServiceId, VerificationId};
use verifyd_core::keys::PhoneHash;
use verifyd_core::limits::SlidingLog;
use verifyd_core::random::{Random, RandomError};
use verifyd_core::store::judge::{self, Number};
use verifyd_core::store::{
    Admission, AdmitOutcome, BegunReply, CancelOutcome, CheckOutcome, CheckRequest, FinishReply, ForgetOutcome,
    InfoOutcome, InfoRequest, Loaded, PhoneService, ReplyRequest, Rules, SettleRequest, Settlement, Store, StoreError,
    VerificationRecord,
};

use self::answer::Seen;
use self::caution::cautious_rules;
pub use self::import::{Import, Imported};
use self::keys::Keys;
use self::scripts::Scripts;
use crate::link::{Link, Script};

/// Whose time counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeSource {
    /// That of the Redis server which owns the number.
    #[default]
    Server,
    /// That which callers of the verbs give: for tests alone, in which time passes as they say.
    Caller,
}

/// How a [`RedisStore`] works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisOptions {
    /// How long a verification stays readable after its life ended.
    pub retention: Duration,
    /// Whose time counts.
    pub time: TimeSource,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { retention: Duration::from_secs(3600), time: TimeSource::Server }
    }
}

/// The store of a fleet. Several of them over one Redis, in one process or in many, are one store.
pub struct RedisStore {
    link: Arc<Link>,
    keys: Keys,
    scripts: Scripts,
    options: RedisOptions,
    /// How far the development clock is ahead of the server's.
    ahead_ms: AtomicU64,
    /// Names this store among those that claim requests.
    claimer: [u8; 8],
}

impl RedisStore {
    /// A store over `link`.
    ///
    /// # Errors
    /// [`RandomError`] if there is no randomness to tell this store from others.
    pub fn new(link: Arc<Link>, options: RedisOptions, random: &dyn Random) -> Result<Self, RandomError> {
        let mut claimer = [0; 8];
        random.fill(&mut claimer)?;
        let keys = Keys::new(&link.settings().prefix);
        Ok(Self { link, keys, scripts: Scripts::new(), options, ahead_ms: AtomicU64::new(0), claimer })
    }

    /// Lets time be `ahead` of the server's: the development clock of mock mode, which only moves forward. A smaller span than
    /// before changes nothing. Every node of a fleet must be told the same.
    pub fn set_ahead(&self, ahead: Duration) {
        self.ahead_ms.fetch_max(duration_ms(ahead), Ordering::SeqCst);
    }

    /// The clock, as scripts take it.
    fn clock(&self, now: Timestamp) -> Vec<u8> {
        let (sign, ms) = match self.options.time {
            TimeSource::Server => ('+', self.ahead_ms.load(Ordering::SeqCst)),
            TimeSource::Caller => ('=', now.unix_ms()),
        };
        format!("{sign}{ms}").into_bytes()
    }

    /// Calls a script about a number and what belongs to it.
    async fn on_number(
        &self,
        script: &Script,
        keys: &[Vec<u8>],
        args: impl IntoIterator<Item = Vec<u8>>,
        now: Timestamp,
    ) -> Result<Value, StoreError> {
        let retention = encode::integer(duration_ms(self.options.retention));
        let args = [self.clock(now), retention].into_iter().chain(args).collect();
        self.link.call(script, keys, args).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("link", &self.link).field("options", &self.options).finish_non_exhaustive()
    }
}

/// A number as the rules look at it, and the rules as they count now.
struct View<'a> {
    all_services: &'a SlidingLog,
    service: PhoneService,
    rules: Rules,
    at: Timestamp,
}

impl<'a> View<'a> {
    fn new(seen: &'a Seen, service: ServiceId, rules: &Rules) -> Self {
        Self {
            all_services: &seen.number.sends,
            service: seen.number.service(service),
            rules: cautious_rules(rules, seen.since, seen.at),
            at: seen.at,
        }
    }

    fn number(&self) -> Number<'_> {
        Number { all_services: self.all_services, service: &self.service }
    }

    fn loaded(&self, id: VerificationId, record: VerificationRecord) -> Loaded {
        let standing = judge::standing(&record, self.number(), &self.rules, self.at);
        Loaded { at: self.at, id, record, standing }
    }
}

/// The rules that a script decided by and those of the core are one, or this is told.
const DISAGREE: StoreError = StoreError::Corrupt("a script refused what the rules allow");

#[async_trait]
impl Store for RedisStore {
    async fn admit(&self, admission: Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        self.admit_send(&admission, now).await
    }

    async fn check(&self, check: CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        self.check_guess(&check, now).await
    }

    async fn settle(&self, settle: SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        self.settle_send(&settle, now).await
    }

    async fn cancel(
        &self,
        service: ServiceId,
        id: VerificationId,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.cancel_verification(service, id, now).await
    }

    async fn load(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        self.load_verification(service, id, &rules, now).await
    }

    async fn info(&self, request: InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        self.info_of(&request, now).await
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError> {
        self.forget_number(service, &phone, now).await
    }

    async fn unlock(&self, service: ServiceId, phone: PhoneHash, now: Timestamp) -> Result<u32, StoreError> {
        self.unlock_number(service, &phone, now).await
    }

    async fn begin_reply(&self, request: ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        self.begin_request(&request, now).await
    }

    async fn finish_reply(&self, finish: FinishReply, now: Timestamp) -> Result<(), StoreError> {
        self.finish_request(&finish, now).await
    }

    async fn abandon_reply(&self, request: ReplyRequest) -> Result<(), StoreError> {
        self.abandon_request(&request).await
    }

    /// Redis drops by itself what is due: every key has a time to live.
    async fn purge(&self, _now: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }

    /// Nothing to accept: see the module's header.
    async fn accept_clock(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ready(&self, _now: Timestamp) -> Result<(), StoreError> {
        self.link.ready()
    }
}
