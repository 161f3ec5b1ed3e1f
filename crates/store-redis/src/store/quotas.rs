//! Limits by address. Each lies in a slot of its own, so they are charged before the number is asked, all in one wave and always in
//! the order in which the request names them; what was charged for an attempt that is refused is given back by the attempt's id.
//!
//! Between the two, others see the charge: one of them can be refused for an attempt that is refused itself. An error on the way
//! leaves the charge, which is the safe side.

use futures_util::future::join_all;
use redis::Value;
use verifyd_core::clock::{Timestamp, duration_ms};
use verifyd_core::id::DeliveryId;
use verifyd_core::limits::gcra::{self, Tat};
use verifyd_core::limits::{Rate, Standing};
use verifyd_core::store::{QuotaCharge, Refusal, StoreError};

use super::answer::Answer;
use super::caution::cautious;
use super::{RedisStore, encode};

/// What is done to a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Charge,
    GiveBack,
    Look,
}

impl Act {
    const fn word(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::GiveBack => "give back",
            Self::Look => "look",
        }
    }
}

/// A quota after it was acted on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    charged: bool,
    at: Timestamp,
    /// As it counts under caution.
    rate: Rate,
    tat: Tat,
}

impl Quota {
    /// The state by which a send is judged: as it was before this attempt charged it.
    pub(super) fn before(&self) -> Tat {
        if !self.charged {
            return self.tat;
        }
        Tat::from_unix_us(self.tat.unix_us().saturating_sub(gcra::interval_us(self.rate)))
    }

    fn standing(&self) -> Standing {
        gcra::peek(self.tat, self.rate, self.at)
    }
}

/// The quotas of an attempt.
#[derive(Debug, Default)]
pub(super) struct Quotas(Vec<Quota>);

impl Quotas {
    pub(super) fn any_denied(&self) -> bool {
        self.0.iter().any(|quota| !quota.charged)
    }

    pub(super) fn before(&self) -> Vec<Tat> {
        self.0.iter().map(Quota::before).collect()
    }

    /// The charges as they count under caution.
    pub(super) fn charges(&self, charges: &[QuotaCharge]) -> Vec<QuotaCharge> {
        let cautious = |(charge, quota): (&QuotaCharge, &Quota)| QuotaCharge { rate: quota.rate, ..charge.clone() };
        charges.iter().zip(&self.0).map(cautious).collect()
    }

    /// The refusal of the quota that denied for longest, by its own slot's clock.
    pub(super) fn refusal(&self, charges: &[QuotaCharge]) -> Option<Refusal> {
        let denied = charges.iter().zip(&self.0).filter(|(_, quota)| !quota.charged);
        let (charge, quota) = denied.max_by_key(|(_, quota)| quota.standing().retry_at)?;
        Some(Refusal::RateLimited { name: charge.name, standing: quota.standing(), window: quota.rate.window() })
    }
}

impl RedisStore {
    /// Charges every quota for `attempt`, or as many as allow it: then the caller gives them back.
    pub(super) async fn charge(
        &self,
        charges: &[QuotaCharge],
        attempt: DeliveryId,
        now: Timestamp,
    ) -> Result<Quotas, StoreError> {
        self.wave(Act::Charge, charges, Some(attempt), now).await
    }

    /// How the quotas stand.
    pub(super) async fn look_at(&self, charges: &[QuotaCharge], now: Timestamp) -> Result<Quotas, StoreError> {
        self.wave(Act::Look, charges, None, now).await
    }

    /// Gives back what was charged for `attempt`, at most once. What cannot be given back stays charged.
    pub(super) async fn give_back(&self, charges: &[QuotaCharge], attempt: DeliveryId, now: Timestamp) {
        if let Err(error) = self.wave(Act::GiveBack, charges, Some(attempt), now).await {
            tracing::debug!(%error, "a limit by address keeps a charge that was to be given back");
        }
    }

    async fn wave(
        &self,
        act: Act,
        charges: &[QuotaCharge],
        attempt: Option<DeliveryId>,
        now: Timestamp,
    ) -> Result<Quotas, StoreError> {
        let attempt = attempt.and_then(|id| id.as_bytes().first_chunk::<8>().copied()).unwrap_or_default();
        let calls = charges.iter().map(async |charge| {
            let args = vec![
                self.clock(now),
                act.word().into(),
                encode::integer(duration_ms(charge.rate.window())),
                encode::integer(charge.rate.count()),
                attempt.to_vec(),
            ];
            let value = self.link.call(&self.scripts.quota, &[self.keys.quota(&charge.key)], args).await?;
            read(value, charge.rate)
        });
        join_all(calls).await.into_iter().collect::<Result<_, _>>().map(Quotas)
    }
}

fn read(value: Value, rate: Rate) -> Result<Quota, StoreError> {
    let mut answer = Answer::of(value)?;
    let (charged, at) = (answer.integer()? == 1, answer.instant()?);
    let rate = cautious(rate, answer.instant()?, at);
    Ok(Quota { charged, at, rate, tat: Tat::from_unix_us(answer.integer()?) })
}
