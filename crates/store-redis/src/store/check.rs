//! A guess: one script that counts, compares and approves.

use verifyd_core::clock::Timestamp;
use verifyd_core::store::judge;
use verifyd_core::store::{CheckOutcome, CheckRequest, GuessTarget, Refusal, StoreError};

use super::answer::{STRANGE, Seen, What};
use super::{DISAGREE, RedisStore, View, encode};

impl RedisStore {
    pub(super) async fn check_guess(&self, check: &CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        let (kind, key, number) = match &check.target {
            GuessTarget::Id(id) => ("id", self.keys.verification(id), Vec::new()),
            GuessTarget::Number { phone, number } => ("number", self.keys.number(phone), number.to_vec()),
        };
        let args = [
            kind.into(),
            check.service.as_bytes().to_vec(),
            encode::rules(&check.rules),
            encode::delays(&check.rules.check_delays),
            encode::integer(check.digits),
            encode::digests(&check.digests),
            encode::digest(check.request.map(|request| *request.as_bytes())),
            number,
        ];
        let value = self.on_number(&self.scripts.check, &[key], args, now).await?;
        outcome(check, Seen::of(value)?)
    }
}

fn outcome(check: &CheckRequest, mut seen: Seen) -> Result<CheckOutcome, StoreError> {
    let (at, what) = (seen.at, seen.what);
    if what == What::Absent {
        return Ok(CheckOutcome::Refused { at, refusal: Refusal::NotFound });
    }
    let (id, record) = seen.verification.take().ok_or(STRANGE)?;
    let view = View::new(&seen, check.service, &check.rules);
    match what {
        What::Right => Ok(CheckOutcome::Approved(Box::new(view.loaded(id, record)))),
        What::Wrong => Ok(CheckOutcome::Wrong(Box::new(view.loaded(id, record)))),
        What::Refused => {
            let cautious = CheckRequest { rules: view.rules.clone(), ..check.clone() };
            let refusal = judge::check(&cautious, &record, &view.service, at).err().ok_or(DISAGREE)?;
            Ok(CheckOutcome::Refused { at, refusal })
        }
        What::Done | What::Repeated | What::Absent => Err(STRANGE),
    }
}
