//! Check, and everything that sends nothing: load, cancel, limits, preview, forget, unlock.

use std::net::IpAddr;

use super::identity::Identity;
use super::send::request_of;
use super::start::{number_for, validate};
use super::{CheckTarget, Checked, StartRequest, Verifier, VerifyError};
use crate::code::VerificationCode;
use crate::id::VerificationId;
use crate::message::{Composed, preview};
use crate::phone_number::PhoneNumber;
use crate::routing::Route;
use crate::service::Service;
use crate::store::{
    CancelOutcome, CheckOutcome, CheckRequest, GuessTarget, InfoOutcome, InfoRequest, Refusal, RequestDigest,
};
use crate::verification::Verification;

/// How the limits of a number stand.
#[derive(Clone, Debug)]
pub struct LimitsReport {
    /// The number.
    pub number: PhoneNumber,
    /// The limits.
    pub info: InfoOutcome,
}

/// What a start would do; nothing is spent.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The number.
    pub number: PhoneNumber,
    /// The message, with zeros in the place of the code.
    pub message: Composed,
    /// Who would send it and why; `None` if nobody can.
    pub route: Option<Route>,
    /// How its limits stand.
    pub info: InfoOutcome,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Forgotten {
    /// The number, for what lies outside the store.
    pub number: PhoneNumber,
    /// How many verifications were erased.
    pub verifications: usize,
}

impl Verifier {
    /// Counts and compares a guess. A malformed one is refused and costs nothing.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing was counted unless it is [`VerifyError::Store`].
    pub async fn check(&self, service: &Service, target: CheckTarget, guess: &str) -> Result<Checked, VerifyError> {
        self.check_once(service, target, guess, None).await
    }

    /// Like [`check`](Self::check), for a request that may come twice: as long as no other guess was compared since, the second
    /// counts nothing and is answered as the first was.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing was counted unless it is [`VerifyError::Store`].
    pub async fn check_once(
        &self,
        service: &Service,
        target: CheckTarget,
        guess: &str,
        request: Option<RequestDigest>,
    ) -> Result<Checked, VerifyError> {
        let code = VerificationCode::parse(guess)?;
        let keys = &self.parts.keys;
        let (target, digests) = match target {
            CheckTarget::Id(id) => (GuessTarget::Id(id), keys.guess_by_id(&id, &code)),
            CheckTarget::Number { to, region } => {
                let number = number_for(service, &to, region.as_deref())?;
                let phone = self.phone_hash(&number);
                let target = GuessTarget::Number { phone, number: keys.number_digest(&number.identity_key()) };
                (target, keys.guess_by_number(&service.id(), &phone, &code))
            }
        };
        let (digits, rules) = (code.len(), service.rules().clone());
        let check = CheckRequest { service: service.id(), target, digits, digests, rules, request };
        let (loaded, valid) = match self.parts.store.check(check, self.parts.clock.now()).await? {
            CheckOutcome::Approved(loaded) => (loaded, true),
            CheckOutcome::Wrong(loaded) => (loaded, false),
            CheckOutcome::Refused { refusal: Refusal::WrongLength { digits }, .. } => {
                return Err(VerifyError::CodeDigits { digits });
            }
            CheckOutcome::Refused { at, refusal } => return Err(VerifyError::Refused { at, refusal }),
        };
        let identity = self.identity_of(&loaded)?;
        if valid {
            self.tell_approved(&loaded, &identity.to);
        }
        let verification = self.view(&loaded, identity, None);
        let proof = if valid { self.prove(service, &verification, loaded.record.status)? } else { None };
        Ok(Checked { verification, valid, proof })
    }

    /// One verification of the service.
    ///
    /// # Errors
    /// [`VerifyError::Refused`] with [`Refusal::NotFound`], or the store's failure.
    pub async fn load(&self, service: &Service, id: VerificationId) -> Result<Verification, VerifyError> {
        let now = self.parts.clock.now();
        let loaded = self.parts.store.load(service.id(), id, service.rules().clone(), now).await?;
        let loaded = loaded.ok_or(VerifyError::Refused { at: now, refusal: Refusal::NotFound })?;
        let identity = self.identity_of(&loaded)?;
        Ok(self.view(&loaded, identity, None))
    }

    /// Ends a pending verification.
    ///
    /// # Errors
    /// [`VerifyError::Refused`] if it is not pending, or the store's failure.
    pub async fn cancel(&self, service: &Service, id: VerificationId) -> Result<Verification, VerifyError> {
        let now = self.parts.clock.now();
        match self.parts.store.cancel(service.id(), id, now).await? {
            CancelOutcome::Canceled(_) => self.load(service, id).await,
            CancelOutcome::Refused(refusal) => Err(VerifyError::Refused { at: now, refusal }),
        }
    }

    /// How the limits of a number (and address) stand.
    ///
    /// # Errors
    /// [`VerifyError`] for a bad number or the store's failure.
    pub async fn limits(
        &self,
        service: &Service,
        to: &str,
        region: Option<&str>,
        client_ip: Option<IpAddr>,
    ) -> Result<LimitsReport, VerifyError> {
        let number = number_for(service, to, region)?;
        let info = self.info(service, &number, client_ip).await?;
        Ok(LimitsReport { number, info })
    }

    async fn info(
        &self,
        service: &Service,
        number: &PhoneNumber,
        client_ip: Option<IpAddr>,
    ) -> Result<InfoOutcome, VerifyError> {
        let request = InfoRequest {
            service: service.id(),
            phone: self.phone_hash(number),
            rules: service.rules().clone(),
            quotas: self.address_charges(service, client_ip),
        };
        Ok(self.parts.store.info(request, self.parts.clock.now()).await?)
    }

    /// What a start would do.
    ///
    /// # Errors
    /// Those of a start that come before anything is spent.
    pub async fn preview(&self, service: &Service, request: StartRequest) -> Result<Preview, VerifyError> {
        let number = number_for(service, &request.to, request.region.as_deref())?;
        validate(service, &request)?;
        let info = self.info(service, &number, request.client_ip).await?;
        let route = self.parts.senders.route(&number, info.at);
        let fixed = route.as_ref().and_then(|route| route.sender.fixed_code(&number));
        let length = match request.code.as_ref().or(fixed.as_ref()) {
            Some(code) => code.length(),
            None => service.settings().code_length,
        };
        let identity = Identity {
            to: number,
            app_hash: request.app_hash,
            purpose: None,
            nonce: None,
            metadata: std::collections::BTreeMap::new(),
        };
        let message = preview(&request_of(service, &identity, request.locale.as_ref()), length)?;
        Ok(Preview { number, message, route, info })
    }

    /// Erases what is kept of a number, for one service or for all; counters by keyed hash stay.
    ///
    /// # Errors
    /// [`VerifyError`] for a number that is none, or the store's failure.
    pub async fn forget(&self, service: &Service, all_services: bool, to: &str) -> Result<Forgotten, VerifyError> {
        let number = PhoneNumber::parse(to, service.settings().default_region)?;
        let scope = (!all_services).then(|| service.id());
        let phone = self.phone_hash(&number);
        let outcome = self.parts.store.forget(scope, phone, self.parts.clock.now()).await?;
        self.forget_history(scope, phone).await?;
        Ok(Forgotten { number, verifications: outcome.verifications })
    }

    /// Lifts the lock after many failures in a row for a number and service; returns how many they were.
    ///
    /// # Errors
    /// [`VerifyError`] for a number that is none, or the store's failure.
    pub async fn unlock(&self, service: &Service, to: &str) -> Result<u32, VerifyError> {
        let number = PhoneNumber::parse(to, service.settings().default_region)?;
        let before = self.parts.store.unlock(service.id(), self.phone_hash(&number), self.parts.clock.now()).await?;
        tracing::info!(audit = "unlock", service = %service.settings().name, to = %number, failures = before, "failures in a row reset");
        Ok(before)
    }

    /// Whether the store can decide now.
    ///
    /// # Errors
    /// [`VerifyError::Store`] says why not.
    pub async fn ready(&self) -> Result<(), VerifyError> {
        Ok(self.parts.store.ready(self.parts.clock.now()).await?)
    }
}
