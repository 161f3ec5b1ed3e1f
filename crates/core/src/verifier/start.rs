//! Start and resend: everything that can be refused is refused before it costs, then one admission, then one send.

use std::sync::Arc;

use super::identity::{
    Identity, MAX_METADATA_ENTRIES, MAX_METADATA_KEY_BYTES, MAX_METADATA_VALUE_BYTES, MAX_NONCE_BYTES,
    MAX_PURPOSE_BYTES,
};
use super::send::Outgoing;
use super::to_the_end::ToTheEnd;
use super::{ResendRequest, StartRequest, Started, Verifier, VerifyError};
use crate::clock::Timestamp;
use crate::code::VerificationCode;
use crate::id::{DeliveryId, VerificationId};
use crate::keys::{PhoneHash, SealError, SealKind};
use crate::message::{Composed, Locale, compose};
use crate::phone_number::{PhoneNumber, Region};
use crate::random::{Drawn, Random, RandomError};
use crate::service::Service;
use crate::store::{Admission, AdmitOutcome, Loaded, NewVerification, SendTarget};

impl From<RandomError> for VerifyError {
    fn from(RandomError: RandomError) -> Self {
        Self::Internal("no random bytes")
    }
}

impl From<SealError> for VerifyError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Unreadable => Self::Internal("sealed data cannot be opened with the keys at hand"),
            SealError::NoRandomness => Self::Internal("no random bytes"),
        }
    }
}

impl Verifier {
    /// Starts a verification, or sends the code of the pending one again.
    ///
    /// # Errors
    /// [`VerifyError`]; its variants say what was spent.
    pub async fn start(&self, service: Arc<Service>, request: StartRequest) -> Result<Started, VerifyError> {
        let (tenant, channel) = (service.id(), request.channel);
        let number = number_for(&service, &request.to, request.region.as_deref())
            .inspect_err(|error| self.tell_refused(tenant, None, channel, error))?;
        validate(&service, &request)?;
        self.run(move |this| async move {
            let prepared = this.prepared(&service, number, request)?;
            this.admit_and_send(&service, prepared).await
        })
        .await
        .inspect_err(|error| self.tell_refused(tenant, Some(&number), channel, error))
    }

    /// Sends the code of a pending verification again.
    ///
    /// # Errors
    /// [`VerifyError`]; its variants say what was spent.
    pub async fn resend(
        &self,
        service: Arc<Service>,
        id: VerificationId,
        request: ResendRequest,
    ) -> Result<Started, VerifyError> {
        let (tenant, channel) = (service.id(), request.channel);
        self.run(move |this| async move {
            let admission = Admission {
                service: service.id(),
                target: SendTarget::Resend { id },
                purpose: None,
                delivery: DeliveryId::generate_at(this.parts.clock.now(), this.parts.random.as_ref())?,
                channel: request.channel,
                rules: service.rules().clone(),
                quotas: this.address_charges(&service, request.client_ip),
                request: request.request,
            };
            let prepared = Box::new(Prepared { admission, locale: request.locale, fresh: None });
            this.admit_and_send(&service, prepared).await
        })
        .await
        .inspect_err(|error| self.tell_refused(tenant, None, channel, error))
    }

    /// Runs `work` to its end, whether or not the caller waits for it.
    async fn run<F, Fut>(&self, work: F) -> Result<Started, VerifyError>
    where
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = Result<Started, VerifyError>> + Send + 'static,
    {
        let work = self.tasks.track_future(work(self.clone()));
        let ended = ToTheEnd::new(work).await;
        ended.unwrap_or(Err(VerifyError::Internal("a send ended in a panic")))
    }

    /// The hash under which the store knows `number`.
    pub(super) fn phone_hash(&self, number: &PhoneNumber) -> PhoneHash {
        self.parts.keys.phone_hash(number.limit_key().as_str())
    }

    /// Everything a start needs before it may cost anything.
    fn prepared(
        &self,
        service: &Arc<Service>,
        number: PhoneNumber,
        request: StartRequest,
    ) -> Result<Box<Prepared>, VerifyError> {
        let now = self.parts.clock.now();
        let random = Drawn::from(self.parts.random.as_ref())?;
        let code = self.code_for(service, &number, request.code.as_ref(), now, &random)?;
        let identity = Identity {
            to: number,
            app_hash: request.app_hash,
            purpose: request.purpose,
            nonce: request.nonce,
            metadata: request.metadata,
        };
        // Composed once before admission, so that a message that cannot be sent costs nothing.
        let composed = compose(&super::send::request_of(service, &identity, request.locale.as_ref()), &code)?;
        let phone = self.phone_hash(&number);
        let new = self.new_verification(service, &phone, &identity, &code, request.locale.as_ref(), &random)?;
        let chosen_code =
            request.code.as_ref().map(|code| self.parts.keys.guess_by_number(&service.id(), &phone, code));
        let admission = Admission {
            service: service.id(),
            target: SendTarget::Start { phone, new: Box::new(new), chosen_code },
            purpose: identity.purpose.as_deref().map(|purpose| self.purpose_digest(purpose)),
            delivery: DeliveryId::generate_at(now, &random)?,
            channel: request.channel,
            rules: service.rules().clone(),
            quotas: self.address_charges(service, request.client_ip),
            request: request.request,
        };
        let fresh = Some(Box::new(Fresh { identity, code, composed }));
        Ok(Box::new(Prepared { admission, locale: request.locale, fresh }))
    }

    fn purpose_digest(&self, purpose: &str) -> [u8; 8] {
        let hash = self.parts.keys.subject_hash("purpose", purpose.as_bytes());
        let mut digest = [0; 8];
        digest.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        digest
    }

    fn code_for(
        &self,
        service: &Service,
        number: &PhoneNumber,
        chosen: Option<&VerificationCode>,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<VerificationCode, VerifyError> {
        if let Some(code) = chosen {
            return Ok(code.clone());
        }
        let fixed = self.parts.senders.route(number, now).and_then(|route| route.sender.fixed_code(number));
        match fixed {
            Some(code) => Ok(code),
            None => Ok(VerificationCode::generate(service.settings().code_length, random)?),
        }
    }

    fn new_verification(
        &self,
        service: &Service,
        phone: &PhoneHash,
        identity: &Identity,
        code: &VerificationCode,
        locale: Option<&Locale>,
        random: &dyn Random,
    ) -> Result<NewVerification, VerifyError> {
        let keys = &self.parts.keys;
        let id = VerificationId::generate(phone, random)?;
        let packed = identity.to_bytes().ok_or(VerifyError::Internal("identity cannot be packed"))?;
        Ok(NewVerification {
            id,
            ttl: service.settings().ttl,
            number: keys.number_digest(&identity.to.identity_key()),
            key: keys.current_tag(),
            code_digits: code.len(),
            digest_by_id: keys.digest_by_id(&id, code),
            digest_by_number: keys.digest_by_number(&service.id(), phone, code),
            identity: keys.seal(SealKind::Identity, &id, packed, random)?,
            code: keys.seal(SealKind::Code, &id, code.expose().as_bytes().to_vec(), random)?,
            locale: locale.map(|locale| locale.as_str().to_owned()).unwrap_or_default(),
        })
    }

    /// One atomic admission, then the send.
    async fn admit_and_send(&self, service: &Arc<Service>, prepared: Box<Prepared>) -> Result<Started, VerifyError> {
        let Prepared { admission, locale, fresh } = *prepared;
        let quotas = admission.quotas.clone();
        let outcome = self.parts.store.admit(admission, self.parts.clock.now()).await?;
        let admitted = match outcome {
            AdmitOutcome::Admitted(admitted) => admitted,
            AdmitOutcome::Repeated(before) => {
                let identity = self.identity_of(&before.loaded)?;
                let verification = self.view(&before.loaded, identity, None);
                return Ok(Started { verification, created: before.created });
            }
            AdmitOutcome::Refused { at, refusal } => return Err(VerifyError::Refused { at, refusal }),
        };
        let opened = match fresh {
            Some(fresh) if admitted.created => Ok(fresh),
            _ => self.reopened(service, &admitted.loaded, locale.as_ref()).map(Box::new),
        };
        let created = admitted.created;
        let fresh = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.settle_unsent(service, admitted, quotas).await;
                return Err(error);
            }
        };
        let outgoing = Outgoing { service: Arc::clone(service), admitted, fresh, quotas };
        let verification = self.send(outgoing).await?;
        Ok(Started { verification, created })
    }

    /// What a pending verification sends again: to the number and with the code that it has, in the language asked for now or
    /// at its start.
    fn reopened(&self, service: &Service, loaded: &Loaded, locale: Option<&Locale>) -> Result<Fresh, VerifyError> {
        let (identity, code) = (self.identity_of(loaded)?, self.code_of(loaded)?);
        let kept = loaded.record.locale.parse().ok();
        let composed = compose(&super::send::request_of(service, &identity, locale.or(kept.as_ref())), &code)?;
        Ok(Fresh { identity, code, composed })
    }
}

/// An admission to ask for. Boxed, as everything large on this way (see [`Outgoing`]).
struct Prepared {
    admission: Admission,
    locale: Option<Locale>,
    /// What a verification that may be created has.
    fresh: Option<Box<Fresh>>,
}

/// What is sent, and to whom.
pub(super) struct Fresh {
    pub(super) identity: Identity,
    pub(super) code: VerificationCode,
    pub(super) composed: Composed,
}

/// Reads and judges a number for a service.
pub(super) fn number_for(service: &Service, to: &str, region: Option<&str>) -> Result<PhoneNumber, VerifyError> {
    let number = read_number(service, to, region)?;
    service.settings().numbers.check(&number)?;
    Ok(number)
}

/// Reads a number in `region`, else in the service's.
pub(super) fn read_number(service: &Service, to: &str, region: Option<&str>) -> Result<PhoneNumber, VerifyError> {
    let region = match region {
        Some(text) => Some(
            text.parse::<Region>()
                .map_err(|error| VerifyError::Field { field: "region", reason: error.to_string() })?,
        ),
        None => service.settings().default_region,
    };
    Ok(PhoneNumber::parse(to, region)?)
}

/// Everything about a request that can be wrong by itself.
pub(super) fn validate(service: &Service, request: &StartRequest) -> Result<(), VerifyError> {
    let field = |field, reason: &str| Err(VerifyError::Field { field, reason: reason.to_owned() });
    if request.code.is_some() && !service.settings().custom_codes {
        return Err(VerifyError::CustomCodeNotAllowed);
    }
    if request.purpose.as_deref().is_some_and(|text| text.is_empty() || text.len() > MAX_PURPOSE_BYTES) {
        return field("purpose", "has 1 to 64 bytes");
    }
    if request.nonce.as_deref().is_some_and(|text| text.is_empty() || text.len() > MAX_NONCE_BYTES) {
        return field("nonce", "has 1 to 128 bytes");
    }
    if request.metadata.len() > MAX_METADATA_ENTRIES {
        return field("metadata", "has at most 16 entries");
    }
    for (key, value) in &request.metadata {
        if key.is_empty() || key.len() > MAX_METADATA_KEY_BYTES || value.len() > MAX_METADATA_VALUE_BYTES {
            return field("metadata", "keys have 1 to 40 bytes, values at most 500");
        }
    }
    Ok(())
}
