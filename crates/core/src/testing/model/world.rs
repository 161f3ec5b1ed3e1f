//! The store and the oracle side by side: does each operation on both and compares the answers.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::compare::{Verdict, clock_went_back, counted, ms, same, same_why, seen_stand, seen_why, unexpected};
use super::op::{Guess, Op, Profile};
use super::oracle::{ClockWentBack, Life, Oracle, Stand, Why};
use super::oracle_limits::millis;
use crate::clock::Timestamp;
use crate::code::VerificationCode;
use crate::id::{DeliveryId, VerificationId};
use crate::limits::{LimitName, Rate};
use crate::sender::DeliveryStatus;
use crate::store::{
    AdmitOutcome, CancelOutcome, CheckOutcome, InfoOutcome, Loaded, QuotaCharge, Refusal, RequestDigest, Settlement,
    Store, StoreError,
};
use crate::testing::{Scene, StoreFactory, test_keys};

const SERVICES: u8 = 3;
const PHONES: u8 = 4;
/// Two IPv4 addresses and two IPv6 addresses of one /56.
const ADDRESSES: [&str; 4] = ["203.0.113.1", "203.0.113.2", "2001:db8:1:100::1", "2001:db8:1:101::1"];
/// The buckets of each address with the factor of each: written out, so that it is no copy of the rule.
const BUCKETS: [&[(usize, u32)]; 4] = [&[(0, 1)], &[(1, 1)], &[(2, 1), (4, 2), (5, 8)], &[(3, 1), (4, 2), (5, 8)]];
const BUCKET_COUNT: usize = 6;
const KEYS: [&[&str]; 3] = [&["test"], &["second", "test"], &["third", "second", "test"]];
/// How many told instants are remembered for [`Op::AdvanceToTold`].
const TOLD: usize = 16;

type Charges = Vec<(usize, Rate)>;

/// Both sides, and how the store's ids go with the oracle's indexes.
#[derive(Debug)]
pub(super) struct World {
    pub(super) scene: Scene,
    pub(super) oracle: Oracle,
    profile: Profile,
    keys: usize,
    ids: Vec<VerificationId>,
    deliveries: Vec<Vec<(DeliveryId, SmallVec<[QuotaCharge; 3]>)>>,
    told: Vec<u64>,
    /// Whether the store needs no sweep to drop what is due.
    forgets_at_once: bool,
    /// The last start, resend or guess, and how many there were.
    pub(super) last: Option<(Op, Option<RequestDigest>)>,
    pub(super) requests: u64,
}

impl World {
    pub(super) fn new(store: Arc<dyn Store>, seed: u64, retention: Duration, forgets_at_once: bool) -> Self {
        let profile = Profile::Documented;
        let mut scene = Scene::before(store, seed);
        scene.rules = profile.rules();
        let sizes = (usize::from(SERVICES), usize::from(PHONES), BUCKET_COUNT);
        Self {
            scene,
            oracle: Oracle::new(profile.rules(), millis(retention), sizes),
            profile,
            keys: 0,
            ids: Vec::new(),
            deliveries: Vec::new(),
            told: Vec::new(),
            forgets_at_once,
            last: None,
            requests: 0,
        }
    }

    /// Does one operation on both sides.
    pub(super) async fn step(&mut self, factory: &dyn StoreFactory, op: Op) -> Verdict {
        let Some(op) = self.request_of(op) else { return Ok(()) };
        if self.forgets_at_once {
            self.oracle.purge(self.now());
        }
        match op {
            // The request itself stands in its place.
            Op::Repeat => Ok(()),
            Op::Start { service, phone, address, code, purpose } => {
                self.start((service, phone), address, code, purpose).await
            }
            Op::Resend { back, address, stranger } => self.resend(back, address, stranger).await,
            Op::Check { back, guess, stranger } => self.check(back, guess, stranger).await,
            Op::CheckNumber { service, phone, guess } => self.check_number(service, phone, guess).await,
            Op::Settle { back, delivery, failed, refund } => self.settle(back, delivery, failed, refund).await,
            Op::Cancel { back, stranger } => self.cancel(back, stranger).await,
            Op::Load { back } => self.load(back).await,
            Op::Info { service, phone, address } => self.info(service, phone, address).await,
            Op::Forget { service, phone } => self.forget(service, phone).await,
            Op::Unlock { service, phone } => self.unlock(service, phone).await,
            Op::Purge => self.purge().await,
            Op::Restart => {
                // A store may drop at a restart what is due; dropped before, it cannot make a difference.
                self.purge().await?;
                self.scene.restart(factory).await;
                self.readiness().await
            }
            Op::AcceptClock => self.accept_clock().await,
            Op::Advance { .. } | Op::AdvanceToTold { .. } | Op::StepBack { .. } => self.move_clock(op).await,
            Op::Reload(profile) => {
                self.profile = profile;
                self.scene.rules = profile.rules();
                self.oracle.rules = profile.rules();
                Ok(())
            }
            Op::RotateKey => {
                self.keys = (self.keys + 1).min(KEYS.len() - 1);
                self.scene.keys = test_keys(KEYS[self.keys]);
                Ok(())
            }
        }
    }

    fn now(&self) -> u64 {
        ms(self.scene.now)
    }

    fn view(&self) -> u64 {
        self.now().max(self.oracle.latest)
    }

    async fn move_clock(&mut self, op: Op) -> Verdict {
        self.scene.now = match op {
            Op::Advance { ms } => self.scene.now + Duration::from_millis(ms),
            Op::StepBack { ms } => self.scene.now - Duration::from_millis(ms),
            Op::AdvanceToTold { back, before } => {
                let told = self.told.iter().rev().nth(back.into()).copied().unwrap_or(0);
                self.scene.now.max(Timestamp::from_unix_ms(told.saturating_sub(before.into())))
            }
            _ => self.scene.now,
        };
        self.readiness().await
    }

    async fn readiness(&self) -> Verdict {
        let ready = self.scene.store.ready(self.scene.now).await;
        let broken = self.oracle.fault || self.now() + 300_000 < self.oracle.latest;
        if broken { clock_went_back(ready) } else { ready.map_err(|error| format!("not ready: {error}")) }
    }

    fn tell(&mut self, at: Option<u64>) {
        let Some(at) = at.filter(|at| *at > self.now()) else { return };
        self.told.push(at);
        if self.told.len() > TOLD {
            self.told.remove(0);
        }
    }

    fn tell_stand(&mut self, stand: &Stand) {
        self.tell(Some(stand.expires_at));
        self.tell(stand.next_check_at);
        self.tell(stand.next_send_at);
    }

    fn tell_why(&mut self, why: &Why) {
        if let Why::MaxSends(at) | Why::MaxChecks(Some(at)) | Why::Limited(_, at) = why {
            self.tell(Some(*at));
        }
    }

    /// The verification `back` from the newest.
    fn pick(&self, back: u8) -> Option<usize> {
        self.ids.len().checked_sub(1 + usize::from(back))
    }

    fn act_as(&mut self, service: u8, phone: u8, address: Option<u8>) -> Charges {
        self.scene.service = Scene::service_named(service);
        self.scene.phone = Scene::phone_named(phone);
        let Some(address) = address.map(usize::from) else {
            self.scene.quotas.clear();
            return Vec::new();
        };
        let rate = self.profile.per_address();
        self.scene.quotas = Scene::charges(ADDRESSES[address], rate);
        let times = |factor: u32| Rate::new(rate.count() * factor, rate.window()).unwrap();
        BUCKETS[address].iter().map(|(bucket, factor)| (*bucket, times(*factor))).collect()
    }

    /// As the owner of a life, or as another tenant.
    fn act_for(&mut self, life: usize, stranger: bool, address: Option<u8>) -> Charges {
        let (service, phone) = (self.oracle.lives[life].service, self.oracle.lives[life].phone);
        self.act_as(if stranger { (service + 1) % SERVICES } else { service }, phone, address)
    }

    async fn start(
        &mut self,
        account: (u8, u8),
        address: Option<u8>,
        code: Option<u8>,
        purpose: Option<u8>,
    ) -> Verdict {
        let (service, phone) = account;
        let charges = self.act_as(service, phone, address);
        let code = code.map(|code| ["111111", "222222"][usize::from(code)]);
        self.scene.chosen = code.map(|code| VerificationCode::parse(code).unwrap());
        self.scene.purpose = purpose.map(|purpose| [purpose; 8]);
        let request = self.scene.start_request();
        (self.scene.chosen, self.scene.purpose) = (None, None);
        let delivery = request.delivery;
        let outcome = self.scene.store.admit(request, self.scene.now).await;
        let Ok(at) = self.oracle.observe(self.now()) else { return clock_went_back(outcome) };
        let lives = self.oracle.account(service, phone).lives.clone();
        let Some(outcome) = self.same_repeat(&lives, outcome, at)? else { return Ok(()) };
        let pending = self.oracle.newest(service, phone).map(|life| &self.oracle.lives[life]);
        let conflict = pending.filter(|life| life.over(at).is_none()).is_some_and(|life| {
            code.is_some_and(|code| code != life.code) || (purpose.is_some() && purpose != life.purpose)
        });
        let expected = match self.oracle.would_start(service, phone, &charges, at) {
            _ if conflict => Err(Why::Conflict),
            decided => decided,
        };
        let Some(admitted) = self.admitted(outcome, &expected, false)? else { return Ok(()) };
        same("created", &expected.as_ref().is_ok_and(Option::is_none), &admitted.created)?;
        let id = admitted.loaded.id;
        let life = if let Ok(Some(life)) = expected {
            life
        } else {
            self.ids.push(id);
            self.deliveries.push(Vec::new());
            self.oracle.begin(Life {
                service,
                phone,
                code: self.scene.code(id).expose().to_owned(),
                purpose,
                expires_at: at + millis(self.scene.ttl),
                end: None,
                checks: 0,
                last_check_at: 0,
                last_check_by: None,
                sends: Vec::new(),
                maybe_gone: false,
            })
        };
        self.sent(life, delivery, &charges, &admitted.loaded, at)
    }

    /// The admission, if both sides agree that it is one; `Ok(None)` if both refused for one reason.
    fn admitted<T>(
        &mut self,
        outcome: Result<AdmitOutcome, StoreError>,
        expected: &Result<T, Why>,
        maybe_gone: bool,
    ) -> Result<Option<Box<crate::store::Admitted>>, String>
    where
        T: std::fmt::Debug,
    {
        match (outcome, expected) {
            (Ok(AdmitOutcome::Admitted(admitted)), Ok(_)) => Ok(Some(admitted)),
            (Ok(AdmitOutcome::Refused { refusal: Refusal::NotFound, .. }), _) if maybe_gone => Ok(None),
            (Ok(AdmitOutcome::Refused { refusal, .. }), Err(why)) => {
                same_why(why, &seen_why(&refusal))?;
                self.tell_why(why);
                Ok(None)
            }
            (seen, expected) => unexpected(expected, &seen),
        }
    }

    fn sent(&mut self, life: usize, delivery: DeliveryId, charges: &Charges, seen: &Loaded, at: u64) -> Verdict {
        same("id", &self.ids[life], &seen.id)?;
        self.deliveries[life].push((delivery, self.scene.quotas.clone()));
        self.oracle.spend(life, charges, at);
        self.same_stand(life, seen, at)
    }

    pub(super) fn same_stand(&mut self, life: usize, seen: &Loaded, at: u64) -> Verdict {
        same("id", &self.ids[life], &seen.id)?;
        let expected = self.oracle.stand(life, at);
        same("standing", &expected, &seen_stand(seen))?;
        self.tell_stand(&expected);
        Ok(())
    }

    async fn resend(&mut self, back: u8, address: Option<u8>, stranger: bool) -> Verdict {
        let Some(life) = self.pick(back) else { return Ok(()) };
        let charges = self.act_for(life, stranger, address);
        let request = self.scene.resend_request(self.ids[life]);
        let delivery = request.delivery;
        let outcome = self.scene.store.admit(request, self.scene.now).await;
        let Ok(at) = self.oracle.observe(self.now()) else { return clock_went_back(outcome) };
        let own = (!stranger).then_some(life);
        let Some(outcome) = self.same_repeat(own.as_slice(), outcome, at)? else { return Ok(()) };
        let owner = &self.oracle.lives[life];
        let expected = match owner.over(at) {
            _ if stranger => Err(Why::NotFound),
            Some(why) => Err(why),
            None => self.oracle.would_send(owner.service, owner.phone, Some(life), &charges, at),
        };
        let maybe_gone = self.oracle.maybe_gone(life, at);
        match self.admitted(outcome, &expected, maybe_gone)? {
            Some(admitted) => self.sent(life, delivery, &charges, &admitted.loaded, at),
            None => Ok(()),
        }
    }

    fn code_of(&self, life: usize, guess: Guess) -> VerificationCode {
        let id = self.ids[life];
        match guess {
            Guess::Right => self.scene.code(id),
            Guess::Wrong => self.scene.code_plus(id, 1),
            Guess::WrongLength => VerificationCode::parse(&format!("{}7", self.scene.code(id).expose())).unwrap(),
        }
    }

    async fn check(&mut self, back: u8, guess: Guess, stranger: bool) -> Verdict {
        let Some(life) = self.pick(back) else { return Ok(()) };
        self.act_for(life, stranger, None);
        let request = self.scene.guess_by_id(self.ids[life], &self.code_of(life, guess));
        let outcome = self.scene.store.check(request, self.scene.now).await;
        let life = (!stranger).then_some(life);
        self.checked(outcome, life.as_slice(), life, guess)
    }

    async fn check_number(&mut self, service: u8, phone: u8, guess: Guess) -> Verdict {
        self.act_as(service, phone, None);
        let newest = self.oracle.newest(service, phone);
        let code = match newest {
            Some(life) => self.code_of(life, guess),
            None => VerificationCode::parse("000000").unwrap(),
        };
        let outcome = self.scene.store.check(self.scene.guess_by_number(&code), self.scene.now).await;
        let lives = self.oracle.account(service, phone).lives.clone();
        self.checked(outcome, &lives, newest, guess)
    }

    /// `lives` are those among which a repeated guess is looked for.
    fn checked(
        &mut self,
        outcome: Result<CheckOutcome, StoreError>,
        lives: &[usize],
        life: Option<usize>,
        guess: Guess,
    ) -> Verdict {
        let Ok(at) = self.oracle.observe(self.now()) else { return clock_went_back(outcome) };
        let Some(outcome) = self.same_answer(lives, outcome, at)? else { return Ok(()) };
        let expected = match life.map(|life| &self.oracle.lives[life]) {
            None => Err(Why::NotFound),
            Some(life) => match life.over(at) {
                Some(why) => Err(why),
                None if guess == Guess::WrongLength => Err(Why::WrongLength),
                None => self.oracle.would_check(life, at),
            },
        };
        let maybe_gone = life.is_some_and(|life| self.oracle.maybe_gone(life, at));
        match (outcome, expected, life) {
            (Ok(CheckOutcome::Refused { refusal: Refusal::NotFound, .. }), _, _) if maybe_gone => Ok(()),
            (Ok(CheckOutcome::Refused { refusal, .. }), Err(why), _) => {
                same_why(&why, &seen_why(&refusal))?;
                self.tell_why(&why);
                Ok(())
            }
            (Ok(CheckOutcome::Approved(loaded)), Ok(()), Some(life)) if guess == Guess::Right => {
                self.oracle.count_guess(life, true, at);
                self.same_stand(life, &loaded, at)
            }
            (Ok(CheckOutcome::Wrong(loaded)), Ok(()), Some(life)) if guess == Guess::Wrong => {
                self.oracle.count_guess(life, false, at);
                self.same_stand(life, &loaded, at)
            }
            (seen, expected, _) => unexpected(&(expected, guess), &seen),
        }
    }

    async fn settle(&mut self, back: u8, delivery: u8, failed: bool, refund: bool) -> Verdict {
        let Some(life) = self.pick(back) else { return Ok(()) };
        let sends = self.deliveries[life].len();
        let Some(send) = sends.checked_sub(1 + usize::from(delivery)) else { return Ok(()) };
        if self.oracle.maybe_gone(life, self.view()) {
            return Ok(());
        }
        self.act_for(life, false, None);
        let (id, quotas) = self.deliveries[life][send].clone();
        self.scene.quotas = quotas;
        let status = if failed { DeliveryStatus::Failed } else { DeliveryStatus::Sent };
        let request = self.scene.settle_request(self.ids[life], id, status, refund);
        let outcome = self.scene.store.settle(request, self.scene.now).await;
        let Ok(at) = self.oracle.observe(self.now()) else { return clock_went_back(outcome) };
        let record = &self.oracle.lives[life];
        let ignored = record.over(at) == Some(Why::NotFound) || record.sends[send].settled;
        match outcome {
            Ok(Settlement::Ignored) if ignored => Ok(()),
            Ok(Settlement::Settled(loaded)) if !ignored => {
                self.oracle.settle(life, send, failed, refund, at);
                self.same_stand(life, &loaded, at)
            }
            seen => unexpected(&if ignored { "ignored" } else { "settled" }, &seen),
        }
    }

    async fn cancel(&mut self, back: u8, stranger: bool) -> Verdict {
        let Some(life) = self.pick(back) else { return Ok(()) };
        self.act_for(life, stranger, None);
        let outcome = self.scene.store.cancel(self.scene.service, self.ids[life], self.scene.now).await;
        let Ok(at) = self.oracle.observe(self.now()) else { return clock_went_back(outcome) };
        let expected = if stranger { Some(Why::NotFound) } else { self.oracle.lives[life].over(at) };
        match (outcome, expected) {
            (Ok(CancelOutcome::Canceled(_)), None) => {
                self.oracle.lives[life].end = Some(super::oracle::End::Canceled);
                Ok(())
            }
            (Ok(CancelOutcome::Refused(Refusal::NotFound)), _) if self.oracle.maybe_gone(life, at) => Ok(()),
            (Ok(CancelOutcome::Refused(refusal)), Some(why)) => same_why(&why, &seen_why(&refusal)),
            (seen, expected) => unexpected(&expected, &seen),
        }
    }

    async fn load(&mut self, back: u8) -> Verdict {
        let Some(life) = self.pick(back) else { return Ok(()) };
        self.act_for(life, false, None);
        let at = self.view();
        let erased = self.oracle.lives[life].over(at) == Some(Why::NotFound);
        match self.scene.load(self.ids[life]).await {
            None if erased || self.oracle.maybe_gone(life, at) => Ok(()),
            Some(loaded) if !erased => self.same_stand(life, &loaded, at),
            seen => unexpected(&if erased { "nothing" } else { "a verification" }, &seen),
        }
    }

    async fn info(&mut self, service: u8, phone: u8, address: Option<u8>) -> Verdict {
        let charges = self.act_as(service, phone, address);
        let (info, at, rules) = (self.scene.info().await, self.view(), self.oracle.rules.clone());
        same("instant", &at, &ms(info.at))?;
        let (account, line) = (self.oracle.account(service, phone), self.oracle.line(phone));
        let mut expected = vec![
            (LimitName::SendsPerPhone, account.sends.counted(rules.sends_per_phone, at)),
            (LimitName::SendsPerPhoneAllServices, line.sends.counted(rules.sends_per_phone_all_services, at)),
            (LimitName::FailedChecksPerPhone, account.failures.counted(rules.failed_checks_per_phone, at)),
        ];
        for (bucket, rate) in &charges {
            expected.push((LimitName::SendsPerIp, self.oracle.buckets[*bucket].counted(*rate, at)));
        }
        let seen: Vec<_> = info.limits.iter().take(expected.len()).map(|l| (l.name, counted(&l.standing))).collect();
        same("limits", &expected, &seen)?;
        same("failures in a row", &account.row, &info.failed_checks_in_a_row)?;
        self.same_pending(service, phone, &charges, &info, at)
    }

    fn same_pending(&mut self, service: u8, phone: u8, charges: &Charges, info: &InfoOutcome, at: u64) -> Verdict {
        let would = self.oracle.would_start(service, phone, charges, at).is_ok();
        same("whether a send is allowed", &would, &info.send_allowed())?;
        let pending = self.oracle.newest(service, phone).filter(|life| self.oracle.lives[*life].over(at).is_none());
        match (pending, &info.pending) {
            (Some(life), Some(loaded)) => self.same_stand(life, loaded, at),
            (None, None) => Ok(()),
            (expected, seen) => unexpected(&expected, seen),
        }
    }

    async fn forget(&mut self, service: Option<u8>, phone: u8) -> Verdict {
        let scope = service.map(Scene::service_named);
        let outcome = self.scene.store.forget(scope, Scene::phone_named(phone), self.scene.now).await;
        let Ok(at) = self.oracle.observe(self.now()) else { return clock_went_back(outcome) };
        let expected = self.oracle.forget(service, phone, at);
        match outcome {
            Ok(seen) if expected.contains(&seen.verifications) => Ok(()),
            seen => unexpected(&expected, &seen),
        }
    }

    async fn unlock(&mut self, service: u8, phone: u8) -> Verdict {
        self.act_as(service, phone, None);
        let outcome = self.scene.store.unlock(self.scene.service, self.scene.phone, self.scene.now).await;
        if let Err(ClockWentBack) = self.oracle.observe(self.now()) {
            return clock_went_back(outcome);
        }
        let row = std::mem::take(&mut self.oracle.account_mut(service, phone).row);
        same("failures in a row", &Some(row), &outcome.ok())
    }

    async fn purge(&mut self) -> Verdict {
        self.scene.purge_all().await;
        self.oracle.purge(self.now());
        Ok(())
    }

    async fn accept_clock(&mut self) -> Verdict {
        if !self.oracle.fault && self.now() + 300_000 >= self.oracle.latest {
            return Ok(());
        }
        self.purge().await?;
        self.scene.store.accept_clock(self.scene.now).await.map_err(|error| error.to_string())?;
        self.oracle.accept_clock(self.now());
        self.readiness().await
    }
}
