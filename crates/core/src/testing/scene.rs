//! A store with somebody in front of it: builds the requests that a verifier would build, without numbers and messages.
//!
//! The contract suite and the model both act through a [`Scene`]: its public fields say who acts, when and under which
//! rules, and its verbs hand that to the store.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use smallvec::SmallVec;

use super::{FakeClock, SeededRandom, test_keys};
use crate::clock::Timestamp;
use crate::code::{CodeLength, VerificationCode};
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::keys::{KeyRing, PhoneHash, SealKind};
use crate::limits::{LimitName, Rate, networks_of};
use crate::sender::{Channel, DeliveryStatus};
use crate::service::Limits;
use crate::store::state::StateOptions;
use crate::store::{
    Admission, AdmitOutcome, Admitted, CancelOutcome, CheckOutcome, CheckRequest, GuessTarget, InfoOutcome,
    InfoRequest, Loaded, NewVerification, QuotaCharge, QuotaKey, Refusal, RequestDigest, Rules, SendTarget,
    SettleRequest, Settlement, Store, StoreError,
};

/// Makes the stores that the contract suite and the model test.
#[async_trait]
pub trait StoreFactory: Send + Sync {
    /// An empty store with these bounds.
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store>;

    /// The same store after its process ended and began again. The argument is the only handle to it. A store that is not
    /// durable returns it as it is.
    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store>;

    /// An empty store with the default bounds.
    async fn fresh(&self) -> Arc<dyn Store> {
        self.fresh_with(StateOptions::default()).await
    }
}

/// Who acts on a store, when, and under which rules.
#[derive(Debug)]
pub struct Scene {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What the clock says.
    pub now: Timestamp,
    /// The tenant.
    pub service: ServiceId,
    /// The number.
    pub phone: PhoneHash,
    /// The rules: the documented ones, but without waiting times between sends.
    pub rules: Rules,
    /// Charges by address; see [`from_address`](Self::from_address).
    pub quotas: SmallVec<[QuotaCharge; 3]>,
    /// Life of new verifications.
    pub ttl: Duration,
    /// Digits of new codes.
    pub code_length: CodeLength,
    /// A code of the caller's own.
    pub chosen: Option<VerificationCode>,
    /// Digest of a purpose.
    pub purpose: Option<[u8; 8]>,
    /// What tells the request from others, if it may come twice.
    pub request: Option<RequestDigest>,
    /// The keys.
    pub keys: Arc<KeyRing>,
    random: SeededRandom,
    codes: Mutex<HashMap<VerificationId, VerificationCode>>,
}

impl Scene {
    /// Phone 0 and service 0 before an empty store.
    pub async fn new(factory: &dyn StoreFactory) -> Self {
        Self::before(factory.fresh().await, 1)
    }

    /// Phone 0 and service 0 before `store`; ids and codes follow from `seed`.
    ///
    /// # Panics
    /// Never: the documented limits are within bounds.
    #[must_use]
    pub fn before(store: Arc<dyn Store>, seed: u64) -> Self {
        let mut rules = Limits::documented().unwrap().rules;
        rules.resend_delays = Arc::from([]);
        Self {
            store,
            now: FakeClock::BEGINNING,
            service: Self::service_named(0),
            phone: Self::phone_named(0),
            rules,
            quotas: SmallVec::new(),
            ttl: Duration::from_secs(600),
            code_length: CodeLength::default(),
            chosen: None,
            purpose: None,
            request: None,
            keys: test_keys(&["test"]),
            random: SeededRandom::new(seed),
            codes: Mutex::default(),
        }
    }

    /// The digest of the one number of a line.
    fn number_of(phone: PhoneHash) -> [u8; 8] {
        let mut digest = [0; 8];
        digest.iter_mut().zip(phone.as_bytes()).for_each(|(to, from)| *to = *from);
        digest
    }

    /// A number by its index.
    #[must_use]
    pub fn phone_named(index: u8) -> PhoneHash {
        let mut bytes = [0x50; 16];
        bytes[0] = index;
        bytes[15] = index.wrapping_mul(0x1d);
        PhoneHash::from_bytes(bytes)
    }

    /// A tenant by its index.
    #[must_use]
    pub fn service_named(index: u8) -> ServiceId {
        ServiceId::from_bytes([0xa0 ^ index; 16])
    }

    /// The charges of an address under `rate`, as the verifier makes them.
    ///
    /// # Panics
    /// If `address` is none.
    #[must_use]
    pub fn charges(address: &str, rate: Rate) -> SmallVec<[QuotaCharge; 3]> {
        let address: IpAddr = address.parse().unwrap();
        let keys = test_keys(&["test"]);
        let charge = |network: &crate::limits::Network| QuotaCharge {
            name: LimitName::SendsPerIp,
            key: QuotaKey::from_bytes(keys.subject_hash("sends_per_ip", &network.key_bytes())),
            rate: rate.times(network.factor),
        };
        networks_of(address).iter().map(charge).collect()
    }

    /// From here on sends are charged to `address` as well, at most `rate`.
    pub fn from_address(&mut self, address: &str, rate: &str) {
        self.quotas = Self::charges(address, rate.parse().unwrap());
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// Moves the clock forward by milliseconds.
    pub fn advance_ms(&mut self, ms: u64) {
        self.advance(Duration::from_millis(ms));
    }

    /// Ends the store's process and begins it again.
    pub async fn restart(&mut self, factory: &dyn StoreFactory) {
        let gone: Arc<dyn Store> = Arc::new(crate::memory::MemoryStore::default());
        let store = std::mem::replace(&mut self.store, gone);
        self.store = factory.reopen(store).await;
    }

    /// A start as the fields say.
    ///
    /// # Panics
    /// Never with the fixtures' keys and randomness.
    pub fn start_request(&self) -> Admission {
        let (keys, random) = (&self.keys, &self.random);
        let code = match &self.chosen {
            Some(code) => code.clone(),
            None => VerificationCode::generate(self.code_length, random).unwrap(),
        };
        let id = VerificationId::generate(&self.phone, random).unwrap();
        let chosen_code = self.chosen.as_ref().map(|code| keys.guess_by_number(&self.service, &self.phone, code));
        let new = NewVerification {
            id,
            ttl: self.ttl,
            number: Self::number_of(self.phone),
            key: keys.current_tag(),
            code_digits: code.len(),
            digest_by_id: keys.digest_by_id(&id, &code),
            digest_by_number: keys.digest_by_number(&self.service, &self.phone, &code),
            identity: keys.seal(SealKind::Identity, &id, b"identity".to_vec(), random).unwrap(),
            code: keys.seal(SealKind::Code, &id, code.expose().as_bytes().to_vec(), random).unwrap(),
            locale: String::new(),
        };
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).insert(id, code);
        self.admission(SendTarget::Start { phone: self.phone, new: Box::new(new), chosen_code })
    }

    /// A resend of `id`.
    pub fn resend_request(&self, id: VerificationId) -> Admission {
        self.admission(SendTarget::Resend { id })
    }

    fn admission(&self, target: SendTarget) -> Admission {
        Admission {
            service: self.service,
            target,
            purpose: self.purpose,
            delivery: DeliveryId::generate(&self.random).unwrap(),
            channel: Channel::Sms,
            rules: self.rules.clone(),
            quotas: self.quotas.clone(),
            request: self.request,
        }
    }

    /// Starts, or says why not.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn start(&self) -> Result<Admitted, Refusal> {
        admitted(self.store.admit(self.start_request(), self.now).await.unwrap())
    }

    /// Resends, or says why not.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn resend(&self, id: VerificationId) -> Result<Admitted, Refusal> {
        admitted(self.store.admit(self.resend_request(id), self.now).await.unwrap())
    }

    /// Starts a verification where nothing speaks against it, and returns its id.
    ///
    /// # Panics
    /// If it is refused or the store fails.
    pub async fn started(&self) -> VerificationId {
        self.start().await.unwrap().loaded.id
    }

    /// Starts the next verification as a request that does not repeat another.
    ///
    /// # Panics
    /// If it is refused or the store fails.
    pub async fn started_anew(&mut self) -> VerificationId {
        let request = self.request.take();
        let id = self.started().await;
        self.request = request;
        id
    }

    /// The code of a verification.
    ///
    /// # Panics
    /// If this scene did not start it.
    pub fn code(&self, id: VerificationId) -> VerificationCode {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)[&id].clone()
    }

    /// A code `offset` above the right one: wrong unless `offset` is a multiple of a million.
    ///
    /// # Panics
    /// If this scene did not start it.
    pub fn code_plus(&self, id: VerificationId, offset: u64) -> VerificationCode {
        let right = self.code(id);
        let digits = usize::from(right.len());
        let number: u64 = right.expose().parse().unwrap();
        let bound = 10_u64.pow(u32::from(right.len()));
        VerificationCode::parse(&format!("{:0digits$}", (number + offset) % bound)).unwrap()
    }

    /// A guess by id.
    #[must_use]
    pub fn guess_by_id(&self, id: VerificationId, code: &VerificationCode) -> CheckRequest {
        self.guess(GuessTarget::Id(id), code, self.keys.guess_by_id(&id, code))
    }

    /// A guess by the number of the scene.
    #[must_use]
    pub fn guess_by_number(&self, code: &VerificationCode) -> CheckRequest {
        let digests = self.keys.guess_by_number(&self.service, &self.phone, code);
        self.guess(GuessTarget::Number { phone: self.phone, number: Self::number_of(self.phone) }, code, digests)
    }

    fn guess(
        &self,
        target: GuessTarget,
        code: &VerificationCode,
        digests: Vec<crate::keys::TaggedDigest>,
    ) -> CheckRequest {
        let (digits, rules) = (code.len(), self.rules.clone());
        CheckRequest { service: self.service, target, digits, digests, rules, request: self.request }
    }

    /// Guesses by id.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn check(&self, id: VerificationId, code: &VerificationCode) -> CheckOutcome {
        self.store.check(self.guess_by_id(id, code), self.now).await.unwrap()
    }

    /// Guesses by number.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn check_number(&self, code: &VerificationCode) -> CheckOutcome {
        self.store.check(self.guess_by_number(code), self.now).await.unwrap()
    }

    /// Guesses wrong, which must be counted, and returns the guesses left.
    ///
    /// # Panics
    /// If the guess is not compared, or right.
    pub async fn wrong(&self, id: VerificationId) -> u32 {
        let outcome = self.check(id, &self.code_plus(id, 1)).await;
        let CheckOutcome::Wrong(loaded) = outcome else { panic!("a wrong guess was answered with {outcome:?}") };
        loaded.standing.checks_remaining
    }

    /// The outcome of `delivery`, as the fields say.
    #[must_use]
    pub fn settle_request(
        &self,
        id: VerificationId,
        delivery: DeliveryId,
        status: DeliveryStatus,
        refund: bool,
    ) -> SettleRequest {
        SettleRequest {
            service: self.service,
            id,
            delivery,
            sender: "test",
            status,
            message_id: Some("MSG0001".to_owned()),
            segments: 1,
            price: None,
            error_code: None,
            refund,
            quotas: self.quotas.clone(),
            rules: self.rules.clone(),
        }
    }

    /// Records that the last delivery of `admitted` did not leave, and gives limits back.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn refund(&self, admitted: &Admitted) -> Settlement {
        self.settle(admitted, DeliveryStatus::Failed, true).await
    }

    /// Records the outcome of the last delivery of `admitted`.
    ///
    /// # Panics
    /// If the store fails or there is no delivery.
    pub async fn settle(&self, admitted: &Admitted, status: DeliveryStatus, refund: bool) -> Settlement {
        let delivery = admitted.loaded.record.deliveries.last().unwrap().id;
        let request = self.settle_request(admitted.loaded.id, delivery, status, refund);
        self.store.settle(request, self.now).await.unwrap()
    }

    /// Cancels.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn cancel(&self, id: VerificationId) -> CancelOutcome {
        self.store.cancel(self.service, id, self.now).await.unwrap()
    }

    /// Cancels what must be pending.
    ///
    /// # Panics
    /// If it is not.
    pub async fn canceled(&self, id: VerificationId) {
        let outcome = self.cancel(id).await;
        assert!(matches!(outcome, CancelOutcome::Canceled(_)), "{outcome:?}");
    }

    /// Loads.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn load(&self, id: VerificationId) -> Option<Loaded> {
        self.store.load(self.service, id, self.rules.clone(), self.now).await.unwrap()
    }

    /// The request for the limits of the number and address.
    #[must_use]
    pub fn info_request(&self) -> InfoRequest {
        InfoRequest { service: self.service, phone: self.phone, rules: self.rules.clone(), quotas: self.quotas.clone() }
    }

    /// The limits of the number and address.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn info(&self) -> InfoOutcome {
        self.store.info(self.info_request(), self.now).await.unwrap()
    }

    /// How many are taken of a limit.
    ///
    /// # Panics
    /// If the limit does not apply.
    pub async fn used(&self, name: LimitName) -> u32 {
        self.info().await.limits.iter().find(|limit| limit.name == name).unwrap().standing.used
    }

    /// Everything an owner can see of the number, as text to compare.
    pub async fn snapshot(&self) -> String {
        format!("{:#?}", self.info().await)
    }

    /// Drops everything that is due, as the background work of a store does bit by bit.
    ///
    /// # Panics
    /// If the store fails.
    pub async fn purge_all(&self) -> usize {
        let mut gone = 0;
        for _ in 0..256 {
            gone += self.store.purge(self.now).await.unwrap();
        }
        gone
    }

    /// Whether the store refuses to decide because the clock went back.
    pub async fn clock_refused(&self) -> bool {
        matches!(self.store.admit(self.start_request(), self.now).await, Err(StoreError::ClockWentBack))
    }
}

fn admitted(outcome: AdmitOutcome) -> Result<Admitted, Refusal> {
    match outcome {
        AdmitOutcome::Admitted(admitted) => Ok(*admitted),
        AdmitOutcome::Refused { refusal, .. } => Err(refusal),
        AdmitOutcome::Repeated(before) => panic!("a fresh request was taken for a repeated one: {before:?}"),
    }
}
