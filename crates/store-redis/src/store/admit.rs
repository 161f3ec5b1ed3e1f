//! A send: the limits by address in one wave, then everything of the number in one script.

use smallvec::SmallVec;
use verifyd_core::clock::{Timestamp, duration_ms};
use verifyd_core::sender::Channel;
use verifyd_core::store::judge;
use verifyd_core::store::{Admission, AdmitOutcome, Admitted, Refusal, SendTarget, StoreError};

use super::answer::{STRANGE, Seen, What};
use super::quotas::Quotas;
use super::{DISAGREE, RedisStore, View, encode};

impl RedisStore {
    pub(super) async fn admit_send(&self, admission: &Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        let quotas = match admission.quotas.as_slice() {
            [] => Quotas::default(),
            charges => self.charge(charges, admission.delivery, now).await?,
        };
        let (keys, args) = self.admit_call(admission, quotas.any_denied());
        let value = self.on_number(&self.scripts.admit, &keys, args, now).await?;
        let outcome = outcome(admission, &quotas, Seen::of(value)?)?;
        if !matches!(outcome, AdmitOutcome::Admitted(_)) && !admission.quotas.is_empty() {
            self.give_back(&admission.quotas, admission.delivery, now).await;
        }
        Ok(outcome)
    }

    /// The keys and arguments of `admit.lua`.
    fn admit_call(&self, admission: &Admission, address_denies: bool) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let kind = match &admission.target {
            SendTarget::Start { .. } => "start",
            SendTarget::Resend { .. } => "resend",
        };
        let mut args = vec![
            kind.into(),
            admission.service.as_bytes().to_vec(),
            encode::rules(&admission.rules),
            encode::delays(&admission.rules.resend_delays),
            admission.delivery.as_bytes().to_vec(),
            encode::position(&Channel::ALL, &admission.channel),
            encode::digest(admission.request.map(|request| *request.as_bytes())),
            encode::digest(admission.purpose),
            encode::integer(address_denies),
        ];
        let (phone, new, chosen_code) = match &admission.target {
            SendTarget::Resend { id } => return (vec![self.keys.verification(id)], args),
            SendTarget::Start { phone, new, chosen_code } => (phone, new, chosen_code),
        };
        let chosen = chosen_code.as_ref().map(|digests| [b"+".as_slice(), &encode::digests(digests)].concat());
        args.extend([
            phone.as_bytes().to_vec(),
            new.number.to_vec(),
            chosen.unwrap_or_default(),
            new.id.as_bytes().to_vec(),
            encode::integer(duration_ms(new.ttl)),
            encode::integer(new.code_digits),
            new.key.as_bytes().to_vec(),
            encode::secret(new),
            new.identity.as_bytes().to_vec(),
            new.locale.as_bytes().to_vec(),
        ]);
        (vec![self.keys.number(phone), self.keys.verification(&new.id)], args)
    }
}

fn outcome(admission: &Admission, quotas: &Quotas, mut seen: Seen) -> Result<AdmitOutcome, StoreError> {
    let (at, what) = (seen.at, seen.what);
    let refused = |refusal| Ok(AdmitOutcome::Refused { at, refusal });
    match what {
        What::Absent => return refused(Refusal::NotFound),
        What::Refused => return refused(refusal(admission, quotas, &seen)?),
        What::Done | What::Repeated => {}
        What::Right | What::Wrong => return Err(STRANGE),
    }
    let (id, record) = seen.verification.take().ok_or(STRANGE)?;
    let loaded = View::new(&seen, admission.service, &admission.rules).loaded(id, record);
    let admitted = Box::new(Admitted { loaded, created: seen.more == 1 });
    Ok(if what == What::Done { AdmitOutcome::Admitted(admitted) } else { AdmitOutcome::Repeated(admitted) })
}

/// Why the script refused.
fn refusal(admission: &Admission, quotas: &Quotas, seen: &Seen) -> Result<Refusal, StoreError> {
    let found = seen.verification.as_ref().map(|(_, record)| record);
    let current = match (&admission.target, found) {
        (SendTarget::Resend { .. }, Some(record)) => match judge::refuse_unless_pending(record, seen.at) {
            Ok(()) => Some(record),
            Err(refusal) => return Ok(refusal),
        },
        (SendTarget::Start { .. }, Some(newest)) => match judge::takes_start(newest, seen.at) {
            Ok(takes) => takes.then_some(newest),
            Err(refusal) => return Ok(refusal),
        },
        (_, None) => None,
    };
    let view = View::new(seen, admission.service, &admission.rules);
    let cautious = Admission {
        rules: view.rules.clone(),
        quotas: SmallVec::from_vec(quotas.charges(&admission.quotas)),
        ..admission.clone()
    };
    match judge::send(&cautious, view.number(), current, &quotas.before(), seen.at) {
        Err(refusal) => Ok(refusal),
        // An address that denied in its own slot a moment ago can be free by the clock of this one.
        Ok(()) => quotas.refusal(&admission.quotas).ok_or(DISAGREE),
    }
}
