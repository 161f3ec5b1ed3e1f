//! The oracle: what the design says every operation must answer, written naively and without the store's code.
//!
//! Time is milliseconds. Nothing is ever dropped but what the design says must be gone; a life that is past its retention
//! may be gone or not, and then both answers are right.

use super::oracle_limits::{Bucket, Counted, Taken, millis};
use crate::limits::{LimitName, Rate};
use crate::store::{RequestDigest, Rules};

const CLAMPED_MS: u64 = 300_000;
pub(super) const DAY_MS: u64 = 86_400_000;
const MOST_DELIVERIES: usize = 32;
const MOST_LIVES_OF_AN_ACCOUNT: usize = 16;

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Approved,
    Canceled,
    Exhausted,
    Failed,
    Erased,
}

/// One send of a life.
#[derive(Clone, Debug)]
pub(super) struct Send {
    pub(super) at: u64,
    pub(super) settled: bool,
    pub(super) failed: bool,
    pub(super) refunded: bool,
    pub(super) charges: Vec<(usize, Rate)>,
    pub(super) request: Option<RequestDigest>,
}

/// A verification.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) service: u8,
    pub(super) phone: u8,
    pub(super) code: String,
    pub(super) purpose: Option<u8>,
    pub(super) expires_at: u64,
    pub(super) end: Option<End>,
    pub(super) checks: u32,
    pub(super) last_check_at: u64,
    pub(super) last_check_by: Option<RequestDigest>,
    pub(super) sends: Vec<Send>,
    pub(super) maybe_gone: bool,
}

/// A number as one service knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) sends: Taken,
    pub(super) failures: Taken,
    pub(super) row: u32,
    pub(super) last_failure_at: u64,
    pub(super) lives: Vec<usize>,
}

/// A number.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) sends: Taken,
    kept_until: u64,
    forgotten_until: u64,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    NotFound,
    AlreadyApproved,
    Canceled,
    Expired,
    Failed,
    Conflict,
    WrongLength,
    MaxChecks(Option<u64>),
    MaxSends(u64),
    /// Any of these names is a right one: they deny equally long.
    Limited(Vec<LimitName>, u64),
}

/// How a life stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) at: u64,
    pub(super) status: &'static str,
    pub(super) expires_at: u64,
    pub(super) deliveries: usize,
    pub(super) checks_remaining: u32,
    pub(super) sends_remaining: u32,
    pub(super) next_send_at: Option<u64>,
    pub(super) next_check_at: Option<u64>,
    pub(super) sends_per_phone: Counted,
}

/// Everything that is.
#[derive(Debug)]
pub(super) struct Oracle {
    pub(super) latest: u64,
    pub(super) fault: bool,
    pub(super) rules: Rules,
    pub(super) lives: Vec<Life>,
    accounts: Vec<Vec<Account>>,
    lines: Vec<Line>,
    pub(super) buckets: Vec<Bucket>,
    retention_ms: u64,
    /// The request that is under way, if it can be repeated.
    pub(super) request: Option<RequestDigest>,
}

/// The clock went back too far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockWentBack;

impl Life {
    fn sends_used(&self) -> usize {
        self.sends.iter().filter(|send| !send.refunded).count()
    }

    fn sends_left(&self, rules: &Rules) -> usize {
        let limit = rules.sends_per_verification as usize;
        limit.saturating_sub(self.sends_used()).min(MOST_DELIVERIES - self.sends.len())
    }

    /// What speaks against doing anything with it at `at`.
    pub(super) fn over(&self, at: u64) -> Option<Why> {
        match self.end {
            Some(End::Approved) => Some(Why::AlreadyApproved),
            Some(End::Canceled) => Some(Why::Canceled),
            Some(End::Failed) => Some(Why::Failed),
            Some(End::Erased) => Some(Why::NotFound),
            Some(End::Exhausted) | None if at >= self.expires_at => Some(Why::Expired),
            Some(End::Exhausted) => Some(Why::MaxChecks(Some(self.expires_at))),
            None => None,
        }
    }

    fn status(&self, at: u64) -> &'static str {
        match self.over(at) {
            None => "pending",
            Some(Why::AlreadyApproved) => "approved",
            Some(Why::Canceled) => "canceled",
            Some(Why::Failed) => "failed",
            Some(Why::Expired) => "expired",
            Some(_) => "max_attempts_reached",
        }
    }
}

/// When a waiting time after the `used`-th use, at `last`, ends.
fn delayed_until(delays: &[std::time::Duration], used: usize, last: u64) -> u64 {
    if used == 0 || delays.is_empty() {
        return 0;
    }
    last + millis(delays[(used - 1).min(delays.len() - 1)])
}

impl Oracle {
    pub(super) fn new(rules: Rules, retention_ms: u64, sizes: (usize, usize, usize)) -> Self {
        let (services, phones, buckets) = sizes;
        Self {
            latest: 0,
            fault: false,
            rules,
            lives: Vec::new(),
            accounts: vec![vec![Account::default(); phones]; services],
            lines: vec![Line::default(); phones],
            buckets: vec![Bucket::default(); buckets],
            retention_ms,
            request: None,
        }
    }

    pub(super) fn account(&self, service: u8, phone: u8) -> &Account {
        &self.accounts[usize::from(service)][usize::from(phone)]
    }

    pub(super) fn account_mut(&mut self, service: u8, phone: u8) -> &mut Account {
        &mut self.accounts[usize::from(service)][usize::from(phone)]
    }

    pub(super) fn line(&self, phone: u8) -> &Line {
        &self.lines[usize::from(phone)]
    }

    /// The instant of an operation that decides.
    pub(super) fn observe(&mut self, now: u64) -> Result<u64, ClockWentBack> {
        self.fault |= now + CLAMPED_MS < self.latest;
        if self.fault {
            return Err(ClockWentBack);
        }
        self.latest = self.latest.max(now);
        Ok(self.latest)
    }

    /// Whether the store may have dropped it by `at`.
    pub(super) fn maybe_gone(&self, life: usize, at: u64) -> bool {
        let life = &self.lives[life];
        life.maybe_gone || at >= life.expires_at + self.retention_ms
    }

    /// The newest life of an account that still is one.
    pub(super) fn newest(&self, service: u8, phone: u8) -> Option<usize> {
        let newest = *self.account(service, phone).lives.last()?;
        (self.lives[newest].end != Some(End::Erased)).then_some(newest)
    }

    /// What a start at `at` would do: send again for a life, begin one, or be refused.
    pub(super) fn would_start(
        &self,
        service: u8,
        phone: u8,
        charges: &[(usize, Rate)],
        at: u64,
    ) -> Result<Option<usize>, Why> {
        let current = match self.newest(service, phone) {
            Some(newest) => match self.lives[newest].over(at) {
                None => Some(newest),
                Some(why @ Why::MaxChecks(_)) => return Err(why),
                Some(_) => None,
            },
            None => None,
        };
        self.would_send(service, phone, current, charges, at)?;
        Ok(current)
    }

    /// Whether a send for a pending life (or a new one) is allowed at `at`.
    pub(super) fn would_send(
        &self,
        service: u8,
        phone: u8,
        life: Option<usize>,
        charges: &[(usize, Rate)],
        at: u64,
    ) -> Result<(), Why> {
        let (rules, account) = (&self.rules, self.account(service, phone));
        let life = life.map(|index| &self.lives[index]);
        if let Some(life) = life.filter(|life| life.checks >= rules.checks_per_verification) {
            return Err(Why::MaxChecks(Some(life.expires_at)));
        }
        self.number_has_guesses(account, at)?;
        let mut waits = vec![
            (LimitName::SendsPerPhone, account.sends.allows_at(rules.sends_per_phone, at)),
            (LimitName::SendsPerPhoneAllServices, {
                self.line(phone).sends.allows_at(rules.sends_per_phone_all_services, at)
            }),
        ];
        if let Some(life) = life {
            // The waiting time is between sends of one verification: at the latest it ends with it.
            waits.push((LimitName::ResendDelay, self.resend_at(life).min(life.expires_at)));
        }
        for (bucket, rate) in charges {
            waits.push((LimitName::SendsPerIp, self.buckets[*bucket].counted(*rate, at).retry_at));
        }
        let longest = waits.iter().map(|(_, until)| *until).max().unwrap();
        if let Some(life) = life.filter(|life| life.sends_left(rules) == 0) {
            return Err(Why::MaxSends(life.expires_at.max(longest)));
        }
        if longest > at {
            let names = waits.iter().filter(|(_, until)| *until == longest).map(|(name, _)| *name).collect();
            return Err(Why::Limited(names, longest));
        }
        Ok(())
    }

    fn resend_at(&self, life: &Life) -> u64 {
        let last = life.sends.iter().filter(|send| !send.refunded).map(|send| send.at).max().unwrap_or(0);
        delayed_until(&self.rules.resend_delays, life.sends_used(), last)
    }

    fn number_has_guesses(&self, account: &Account, at: u64) -> Result<(), Why> {
        if account.row >= self.rules.failed_checks_in_a_row {
            return Err(Why::MaxChecks(None));
        }
        let until = account.failures.allows_at(self.rules.failed_checks_per_phone, at);
        if until > at { Err(Why::MaxChecks(Some(until))) } else { Ok(()) }
    }

    /// Whether a guess of the right length would be compared at `at`.
    pub(super) fn would_check(&self, life: &Life, at: u64) -> Result<(), Why> {
        if let Some(why) = life.over(at) {
            return Err(why);
        }
        if life.checks >= self.rules.checks_per_verification {
            return Err(Why::MaxChecks(Some(life.expires_at)));
        }
        self.number_has_guesses(self.account(life.service, life.phone), at)?;
        let until = delayed_until(&self.rules.check_delays, life.checks as usize, life.last_check_at);
        if until > at { Err(Why::Limited(vec![LimitName::CheckDelay], until)) } else { Ok(()) }
    }

    /// How a life stands at `at`; the next send and check are found by trying.
    pub(super) fn stand(&self, index: usize, at: u64) -> Stand {
        let (life, rules) = (&self.lives[index], &self.rules);
        let account = self.account(life.service, life.phone);
        let pending = life.over(at).is_none();
        let lives_on = pending || matches!(life.over(at), Some(Why::MaxChecks(_)));
        let guesses_of_number = u64::from(rules.failed_checks_in_a_row.saturating_sub(account.row))
            .min(account.failures.counted(rules.failed_checks_per_phone, at).remaining);
        let own_guesses = rules.checks_per_verification.saturating_sub(life.checks);
        let number = |value: u64| u32::try_from(value).unwrap();
        Stand {
            at,
            status: life.status(at),
            expires_at: life.expires_at,
            deliveries: life.sends.len(),
            checks_remaining: if pending { own_guesses.min(number(guesses_of_number)) } else { 0 },
            sends_remaining: if pending { number(life.sends_left(rules) as u64) } else { 0 },
            next_send_at: lives_on.then(|| self.first_send_at(life, at)).flatten(),
            next_check_at: pending.then(|| self.first_check_at(life, at)).flatten(),
            sends_per_phone: account.sends.counted(rules.sends_per_phone, at),
        }
    }

    fn first_send_at(&self, life: &Life, at: u64) -> Option<u64> {
        let (rules, account) = (&self.rules, self.account(life.service, life.phone));
        let works = |t: &u64| self.would_start(life.service, life.phone, &[], *t).is_ok();
        if works(&at) {
            return Some(at);
        }
        let mut tries: Vec<u64> = account.sends.changes(rules.sends_per_phone, at).collect();
        tries.extend(self.line(life.phone).sends.changes(rules.sends_per_phone_all_services, at));
        tries.extend(account.failures.changes(rules.failed_checks_per_phone, at));
        tries.extend([self.resend_at(life), life.expires_at].into_iter().filter(|t| *t > at));
        tries.sort_unstable();
        tries.into_iter().find(works)
    }

    fn first_check_at(&self, life: &Life, at: u64) -> Option<u64> {
        let works = |t: &u64| self.would_check(life, *t).is_ok();
        let account = self.account(life.service, life.phone);
        let mut tries: Vec<u64> = account.failures.changes(self.rules.failed_checks_per_phone, at).collect();
        let delayed = delayed_until(&self.rules.check_delays, life.checks as usize, life.last_check_at);
        tries.extend([at, delayed.max(at)]);
        tries.sort_unstable();
        tries.into_iter().find(works)
    }

    /// Spends a send that [`would_send`](Self::would_send) allowed.
    pub(super) fn spend(&mut self, life: usize, charges: &[(usize, Rate)], at: u64) {
        let rules = self.rules.clone();
        for (bucket, rate) in charges {
            self.buckets[*bucket].take(*rate, at);
        }
        let (service, phone) = (self.lives[life].service, self.lives[life].phone);
        self.account_mut(service, phone).sends.take(rules.sends_per_phone, at);
        let kept_for_reading = self.lives[life].expires_at + self.retention_ms;
        let window = millis(rules.sends_per_phone.window().max(rules.sends_per_phone_all_services.window()));
        let number = &mut self.lines[usize::from(phone)];
        number.sends.take(rules.sends_per_phone_all_services, at);
        number.kept_until = number.kept_until.max(at + window).max(kept_for_reading);
        let (charges, request) = (charges.to_vec(), self.request);
        self.lives[life].sends.push(Send { at, settled: false, failed: false, refunded: false, charges, request });
    }

    /// Begins a life; the seventeenth of an account erases the first.
    pub(super) fn begin(&mut self, life: Life) -> usize {
        let index = self.lives.len();
        let account = self.account_mut(life.service, life.phone);
        account.lives.push(index);
        let erased = (account.lives.len() > MOST_LIVES_OF_AN_ACCOUNT).then(|| account.lives.remove(0));
        self.lives.push(life);
        if let Some(erased) = erased {
            self.lives[erased].end = Some(End::Erased);
        }
        index
    }

    /// Counts a guess that [`would_check`](Self::would_check) allowed.
    pub(super) fn count_guess(&mut self, life: usize, right: bool, at: u64) {
        let rules = self.rules.clone();
        let (service, phone) = (self.lives[life].service, self.lives[life].phone);
        self.lives[life].checks += 1;
        self.lives[life].last_check_at = at;
        self.lives[life].last_check_by = self.request;
        let account = self.account_mut(service, phone);
        if right {
            account.row = 0;
            self.lives[life].end = Some(End::Approved);
            return;
        }
        account.row += 1;
        account.last_failure_at = at;
        account.failures.take(rules.failed_checks_per_phone, at);
        let number = &mut self.lines[usize::from(phone)];
        number.kept_until = number.kept_until.max(at + millis(rules.failed_checks_per_phone.window()));
        if self.lives[life].checks >= rules.checks_per_verification {
            self.lives[life].end = Some(End::Exhausted);
        }
    }

    /// Records the outcome of a send that was not recorded before.
    pub(super) fn settle(&mut self, life: usize, send: usize, failed: bool, refund: bool, at: u64) {
        let (service, phone) = (self.lives[life].service, self.lives[life].phone);
        let record = &mut self.lives[life].sends[send];
        (record.settled, record.failed, record.refunded) = (true, failed, refund);
        record.request = record.request.filter(|_| !failed);
        let (taken_at, charges) = (record.at, record.charges.clone());
        if refund {
            self.account_mut(service, phone).sends.give_back(taken_at);
            self.lines[usize::from(phone)].sends.give_back(taken_at);
            for (bucket, rate) in charges {
                self.buckets[bucket].give_back(rate, taken_at.min(at), at);
            }
        }
        let life = &mut self.lives[life];
        if life.end.is_none() && life.sends.iter().all(|send| send.settled && send.failed) {
            life.end = Some(End::Failed);
        }
    }

    /// Forgets, and says how many lives there were at least and at most: those past their retention may be gone already.
    pub(super) fn forget(&mut self, service: Option<u8>, phone: u8, at: u64) -> std::ops::RangeInclusive<usize> {
        let (mut least, mut most) = (0, 0);
        self.lines[usize::from(phone)].forgotten_until = at + DAY_MS;
        for index in 0..self.accounts.len() {
            if service.is_some_and(|service| usize::from(service) != index) {
                continue;
            }
            for life in std::mem::take(&mut self.accounts[index][usize::from(phone)].lives) {
                most += 1;
                least += usize::from(!self.maybe_gone(life, at));
                self.lives[life].end = Some(End::Erased);
            }
        }
        least..=most
    }

    /// Drops the counters of lines that nothing needs any more; they are gone, so time does not go back behind it. A clock
    /// that is not trusted drops nothing more.
    pub(super) fn purge(&mut self, now: u64) {
        if !self.fault {
            self.latest = self.latest.max(now);
        }
        let at = self.latest;
        for phone in 0..self.lines.len() {
            let rows = self.accounts.iter().map(|account| &account[phone]).filter(|account| account.row > 0);
            let kept_ms = |row| if row < 10 { 30 * DAY_MS } else { 366 * DAY_MS };
            let rows_until = rows.map(|account| account.last_failure_at + kept_ms(account.row)).max().unwrap_or(0);
            if self.lines[phone].kept_until.max(self.lines[phone].forgotten_until).max(rows_until) <= at {
                self.lines[phone] = Line::default();
                for accounts in &mut self.accounts {
                    accounts[phone] = Account::default();
                }
            }
        }
    }

    /// Accepts `now`, after a purge: what was pending is void, counters from the abandoned future count from `now` on.
    pub(super) fn accept_clock(&mut self, now: u64) {
        let latest = self.latest;
        self.purge(latest);
        for life in 0..self.lives.len() {
            self.lives[life].maybe_gone = self.maybe_gone(life, latest);
            self.lives[life].expires_at = self.lives[life].expires_at.min(now);
        }
        for phone in 0..self.lines.len() {
            self.clamp_line(phone, now);
        }
        for bucket in &mut self.buckets {
            bucket.accept_clock(latest, now);
        }
        (self.latest, self.fault) = (now, false);
    }

    fn clamp_line(&mut self, phone: usize, now: u64) {
        let line = &mut self.lines[phone];
        line.forgotten_until = line.forgotten_until.min(now + DAY_MS);
        let mut logs = vec![&mut line.sends];
        let mut failures = Vec::new();
        for account in self.accounts.iter_mut().map(|accounts| &mut accounts[phone]) {
            logs.extend([&mut account.sends, &mut account.failures]);
            failures.push(&mut account.last_failure_at);
        }
        let latest = logs.iter().flat_map(|log| log.0.iter()).chain(failures.iter().map(|at| &**at)).copied().max();
        if let Some(latest) = latest.filter(|latest| *latest > now) {
            line.kept_until = now + line.kept_until.saturating_sub(latest);
        }
        logs.into_iter().flat_map(|log| log.0.iter_mut()).chain(failures).for_each(|at| *at = (*at).min(now));
    }
}
