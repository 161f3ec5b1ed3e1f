//! One send of an admitted delivery: compose, hand over, record the outcome.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::identity::Identity;
use super::start::Fresh;
use super::{Verifier, VerifyError};
use crate::code::VerificationCode;
use crate::keys::SealKind;
use crate::message::{Locale, Request};
use crate::routing::Route;
use crate::sender::{DeliveryStatus, Message, Receipt, SendError, SendErrorKind};
use crate::service::Service;
use crate::store::{Admitted, DeliveryRecord, Loaded, QuotaCharge, SettleRequest, Settlement};
use crate::verification::{Verification, VerificationStatus};

/// When a caller may try again after a sender failed without saying when.
const SENDER_RETRY_AFTER: Duration = Duration::from_secs(5);
/// Pauses before each further try to record an outcome.
const SETTLE_RETRIES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// How much longer than its deadline a sender is waited for before its answer counts as unknown.
const DEADLINE_GRACE: Duration = Duration::from_secs(2);

/// An admitted delivery and what it takes to send it. What is large is boxed: a future holds what it was given twice, once
/// as given and once where it is used, and the next one in again.
pub(super) struct Outgoing {
    pub(super) service: Arc<Service>,
    pub(super) admitted: Box<Admitted>,
    pub(super) fresh: Box<Fresh>,
    pub(super) quotas: SmallVec<[QuotaCharge; 3]>,
}

/// How the message of a service is composed for a person.
pub(super) fn request_of<'a>(service: &'a Service, identity: &'a Identity, locale: Option<&'a Locale>) -> Request<'a> {
    let settings = service.settings();
    Request {
        brand: &settings.brand,
        locale,
        default_locale: Some(&settings.locale),
        warning: settings.do_not_share_warning,
        origin: settings.web_otp_host.as_ref(),
        embedded: None,
        app_hash: identity.app_hash.as_ref(),
    }
}

impl Verifier {
    pub(super) fn identity_of(&self, loaded: &Loaded) -> Result<Identity, VerifyError> {
        let record = &loaded.record;
        let plain = self.parts.keys.open(SealKind::Identity, record.key, &loaded.id, &record.identity)?;
        Identity::from_bytes(&plain).ok_or(VerifyError::Internal("an identity cannot be read"))
    }

    pub(super) fn code_of(&self, loaded: &Loaded) -> Result<VerificationCode, VerifyError> {
        let secret = loaded.record.secret.as_ref().ok_or(VerifyError::Internal("a pending code is missing"))?;
        let plain = self.parts.keys.open(SealKind::Code, loaded.record.key, &loaded.id, &secret.sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_source| VerifyError::Internal("a code cannot be read"))?;
        Ok(VerificationCode::parse(text)?)
    }

    /// Sends, records what came of it, and answers with the verification or with why nothing left.
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Verification, VerifyError> {
        let Some(route) = self.parts.senders.route(&outgoing.fresh.identity.to, outgoing.admitted.loaded.at) else {
            self.settle_unsent(&outgoing.service, outgoing.admitted, outgoing.quotas).await;
            return Err(VerifyError::SenderUnavailable {
                retry_after: SENDER_RETRY_AFTER,
                provider_code: None,
                sender: None,
            });
        };
        let result = self.hand_over(&outgoing, &route).await;
        self.conclude(outgoing, &route, result).await
    }

    async fn hand_over(&self, outgoing: &Outgoing, route: &Route) -> Result<Receipt, SendError> {
        let (loaded, Fresh { identity, code, composed }) = (&outgoing.admitted.loaded, &*outgoing.fresh);
        let Some(delivery) = loaded.record.deliveries.last() else {
            return Err(SendError::new(SendErrorKind::Unavailable, "an admission without a delivery"));
        };
        let message = Message {
            delivery_id: delivery.id,
            verification_id: loaded.id,
            service: outgoing.service.settings().name.to_string(),
            to: identity.to,
            channel: delivery.channel,
            text: composed.text.clone(),
            code: code.clone(),
            segments: composed.segments,
            at: loaded.at,
            validity: loaded.record.expires_at.since(loaded.at),
            deadline: self.parts.send_deadline,
        };
        // A sender that outlives its deadline may have sent.
        let limit = self.parts.send_deadline + DEADLINE_GRACE;
        match tokio::time::timeout(limit, route.sender.send(&message)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(SendError::new(SendErrorKind::Unknown, "no answer within the deadline")),
        }
    }

    async fn conclude(
        &self,
        outgoing: Outgoing,
        route: &Route,
        result: Result<Receipt, SendError>,
    ) -> Result<Verification, VerifyError> {
        if let Err(error) = &result {
            log_send_error(&outgoing, route, error);
        }
        let Outgoing { service, admitted, fresh, quotas } = outgoing;
        let own_segments = fresh.composed.segments.count;
        let mut settle = Box::new(settle_request(&service, &admitted.loaded, quotas, route.sender.name()));
        settle.segments = own_segments;
        let failure = match result {
            Ok(receipt) => {
                settle.status = receipt.status;
                settle.message_id = receipt.message_id;
                settle.segments = receipt.segments.filter(|count| *count > 0).unwrap_or(own_segments);
                settle.price = receipt.price;
                None
            }
            Err(error) => {
                settle.error_code.clone_from(&error.provider_code);
                settle.refund = error.kind.refunds();
                settle.status = match error.kind {
                    SendErrorKind::Unknown => DeliveryStatus::Unknown,
                    _ => DeliveryStatus::Failed,
                };
                Some(error).filter(|error| error.kind != SendErrorKind::Unknown)
            }
        };
        let delivery = settle.delivery;
        let (loaded, kept) = self.settled(admitted, settle).await;
        self.tell_sent(&loaded, delivery, fresh.identity.to, kept);
        match failure {
            Some(error) => Err(refusal_of(error, route.sender.name())),
            None => Ok(self.view(&loaded, fresh.identity, Some((&fresh.code, route)))),
        }
    }

    /// Records an outcome. A store that fails here changes nothing about what was sent, so the reply is made from what is known.
    /// The second value is false if the store does not know the delivery any more.
    async fn settled(&self, admitted: Box<Admitted>, settle: Box<SettleRequest>) -> (Box<Loaded>, bool) {
        match self.parts.store.settle((*settle).clone(), self.parts.clock.now()).await {
            Ok(Settlement::Settled(loaded)) => (loaded, true),
            Ok(Settlement::Ignored) => (patched(admitted, &settle), false),
            Err(error) => {
                tracing::error!(verification = %settle.id, delivery = %settle.delivery, %error, "the outcome of a send is not recorded yet");
                let loaded = patched(admitted, &settle);
                self.settle_later(settle);
                (loaded, true)
            }
        }
    }

    /// Tries again to record an outcome, in a task of its own that a drain waits for: a refund or a provider's message id that
    /// is lost cannot be had again. Settling is idempotent.
    fn settle_later(&self, settle: Box<SettleRequest>) {
        let this = self.clone();
        self.tasks.spawn(async move {
            for wait in SETTLE_RETRIES {
                tokio::time::sleep(wait).await;
                if this.parts.store.settle((*settle).clone(), this.parts.clock.now()).await.is_ok() {
                    tracing::info!(verification = %settle.id, delivery = %settle.delivery, "the outcome of a send is recorded after all");
                    return;
                }
            }
            tracing::error!(verification = %settle.id, delivery = %settle.delivery, "the outcome of a send is not recorded; its charge stands");
        });
    }

    /// Gives back what was admitted where no sender was ever asked.
    pub(super) async fn settle_unsent(
        &self,
        service: &Service,
        admitted: Box<Admitted>,
        quotas: SmallVec<[QuotaCharge; 3]>,
    ) {
        let mut settle = Box::new(settle_request(service, &admitted.loaded, quotas, "none"));
        settle.status = DeliveryStatus::Failed;
        settle.refund = true;
        self.settled(admitted, settle).await;
    }

    /// A verification for its owner. `sent` is the code and the route of a message that this very call sent.
    pub(super) fn view(
        &self,
        loaded: &Loaded,
        identity: Identity,
        sent: Option<(&VerificationCode, &Route)>,
    ) -> Verification {
        let test_code = sent
            .filter(|(_, route)| self.parts.expose_codes && route.sender.stays_here())
            .map(|(code, _)| code.clone());
        Verification {
            id: loaded.id,
            service: loaded.record.service,
            to: identity.to,
            status: VerificationStatus::of(loaded),
            channel: loaded.record.deliveries.last().map(|delivery| delivery.channel).unwrap_or_default(),
            created_at: loaded.record.created_at,
            expires_at: loaded.record.expires_at,
            standing: loaded.standing,
            deliveries: Verification::deliveries_of(loaded),
            purpose: identity.purpose,
            nonce: identity.nonce,
            metadata: identity.metadata,
            test_code,
        }
    }
}

fn settle_request(
    service: &Service,
    loaded: &Loaded,
    quotas: SmallVec<[QuotaCharge; 3]>,
    sender: &'static str,
) -> SettleRequest {
    let delivery = loaded.record.deliveries.last().map(|delivery| delivery.id);
    SettleRequest {
        service: service.id(),
        id: loaded.id,
        delivery: delivery.unwrap_or(crate::id::DeliveryId::from_bytes([0; 16])),
        sender,
        status: DeliveryStatus::Unknown,
        message_id: None,
        segments: 0,
        price: None,
        error_code: None,
        refund: false,
        quotas,
        rules: service.rules().clone(),
    }
}

/// The admitted verification with what is known of its last delivery.
fn patched(admitted: Box<Admitted>, settle: &SettleRequest) -> Box<Loaded> {
    let mut loaded = Box::new(admitted.loaded);
    if let Some(delivery) = loaded.record.deliveries.last_mut() {
        *delivery = DeliveryRecord {
            status: settle.status,
            sender: settle.sender.into(),
            message_id: settle.message_id.as_deref().map(Into::into),
            segments: settle.segments,
            price: settle.price.clone().map(Box::new),
            error_code: settle.error_code.as_deref().map(Into::into),
            ..delivery.clone()
        };
    }
    loaded
}

fn log_send_error(outgoing: &Outgoing, route: &Route, error: &SendError) {
    tracing::warn!(
        verification = %outgoing.admitted.loaded.id,
        to = %outgoing.fresh.identity.to,
        sender = route.sender.name(),
        kind = error.kind.as_str(),
        provider_code = error.provider_code.as_deref().unwrap_or(""),
        provider_request = error.request_id.as_deref().unwrap_or(""),
        detail = error.detail,
        "a message was not certainly taken"
    );
}

fn refusal_of(error: SendError, sender: &'static str) -> VerifyError {
    let provider_code = error.provider_code;
    match error.kind {
        SendErrorKind::Rejected | SendErrorKind::SuspectedFraud | SendErrorKind::Unsupported => {
            VerifyError::Undeliverable { kind: error.kind, provider_code, sender }
        }
        SendErrorKind::Throttled { retry_after } => VerifyError::SenderUnavailable {
            retry_after: retry_after.unwrap_or(SENDER_RETRY_AFTER),
            provider_code,
            sender: Some(sender),
        },
        SendErrorKind::Unavailable | SendErrorKind::Unknown => {
            VerifyError::SenderUnavailable { retry_after: SENDER_RETRY_AFTER, provider_code, sender: Some(sender) }
        }
    }
}
