//! How verifications, limits and previews are written in replies.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use verifyd_core::clock::Timestamp;
use verifyd_core::sender::Price;
use verifyd_core::store::{LimitStanding, VerificationStanding};
use verifyd_core::verification::{Delivery, Verification};
use verifyd_core::verifier::Checked;

use crate::http::format::{IdText, InstantText, id_text, rfc3339};
use crate::http::openapi::schema;

/// One send of the code.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryReply {
    #[schema(schema_with = schema::delivery_id)]
    id: IdText,
    /// When it was admitted.
    #[schema(value_type = String, format = DateTime)]
    at: InstantText,
    /// Who sent it; null while nobody has answered.
    #[schema(required)]
    sender: Option<String>,
    #[schema(schema_with = schema::channel_used)]
    channel: &'static str,
    #[schema(schema_with = schema::delivery_status)]
    status: &'static str,
    /// How many messages the provider counts; null while unknown.
    #[schema(required)]
    segments: Option<u16>,
    /// The provider's id of the message.
    #[schema(required)]
    message_id: Option<String>,
    /// What it cost, if the provider told.
    #[schema(required)]
    price: Option<PriceReply>,
    /// The provider's error code.
    #[schema(required)]
    error_code: Option<String>,
}

/// A price, as the provider tells it.
#[derive(Serialize, ToSchema)]
pub(super) struct PriceReply {
    /// A decimal number.
    amount: String,
    /// ISO 4217.
    currency: String,
    /// Whether the provider may still change it.
    estimated: bool,
}

impl From<Price> for PriceReply {
    fn from(Price { amount, currency, estimated }: Price) -> Self {
        Self { amount, currency, estimated }
    }
}

impl From<Delivery> for DeliveryReply {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: id_text(delivery.id),
            at: rfc3339(delivery.at),
            sender: delivery.sender,
            channel: delivery.channel.as_str(),
            status: delivery.status.as_str(),
            segments: (delivery.segments > 0).then_some(delivery.segments),
            message_id: delivery.message_id,
            price: delivery.price.map(Into::into),
            error_code: delivery.error_code,
        }
    }
}

/// The messages to this number.
#[derive(Serialize, ToSchema)]
struct RateLimitReply {
    /// The most per window.
    limit: u32,
    /// How many are left.
    remaining: u32,
    /// When all of them are there again.
    #[schema(value_type = String, format = DateTime)]
    reset_at: InstantText,
    /// The window.
    window_seconds: u64,
}

impl From<VerificationStanding> for RateLimitReply {
    fn from(standing: VerificationStanding) -> Self {
        Self {
            limit: standing.sends_per_phone.limit,
            remaining: standing.sends_per_phone.remaining,
            reset_at: rfc3339(standing.sends_per_phone.reset_at),
            window_seconds: standing.window.as_secs(),
        }
    }
}

/// A verification.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "VE00112233445566778899aabbccddeeff", "service": "VA00112233445566778899aabbccddeeff", "to": "+14155552671",
    "status": "pending", "channel": "sms", "created_at": "2026-11-22T17:44:35.123Z", "expires_at": "2026-11-22T17:54:35.123Z",
    "checks_remaining": 5, "sends_remaining": 4, "next_send_at": "2026-11-22T17:45:05.123Z", "next_check_at": "2026-11-22T17:44:35.123Z",
    "deliveries": [{
        "id": "VL00112233445566778899aabbccddeeff", "at": "2026-11-22T17:44:35.123Z", "sender": "twilio", "channel": "sms",
        "status": "queued", "segments": 1, "message_id": "SM00112233445566778899aabbccddeeff", "price": null, "error_code": null
    }],
    "rate_limit": { "limit": 5, "remaining": 4, "reset_at": "2026-11-23T17:44:35.123Z", "window_seconds": 86400 }
})))]
pub(super) struct VerificationReply {
    #[schema(schema_with = schema::verification_id)]
    id: IdText,
    #[schema(schema_with = schema::service_id)]
    service: IdText,
    #[schema(schema_with = schema::e164)]
    to: String,
    #[schema(schema_with = schema::status)]
    status: &'static str,
    #[schema(schema_with = schema::channel_used)]
    channel: &'static str,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    created_at: InstantText,
    /// When its life ends; a resend does not extend it.
    #[schema(value_type = String, format = DateTime)]
    expires_at: InstantText,
    /// How many guesses are left: the smaller of the verification's and the number's.
    checks_remaining: u32,
    /// How many messages are left.
    sends_remaining: u32,
    /// When every limit of the number allows the next message; null if none will be.
    #[schema(value_type = Option<String>, required, format = DateTime)]
    next_send_at: Option<InstantText>,
    /// When the next guess is allowed; null if none will be.
    #[schema(value_type = Option<String>, required, format = DateTime)]
    next_check_at: Option<InstantText>,
    /// The messages, oldest first.
    deliveries: Vec<DeliveryReply>,
    /// The messages to this number.
    rate_limit: RateLimitReply,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What you said that it is for.
    purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Your nonce.
    nonce: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    /// Your data.
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The code: in mock mode only, with `expose_codes`.
    test_code: Option<String>,
}

impl From<Verification> for VerificationReply {
    fn from(verification: Verification) -> Self {
        let standing = verification.standing;
        Self {
            id: id_text(verification.id),
            service: id_text(verification.service),
            to: verification.to.e164().to_owned(),
            status: verification.status.as_str(),
            channel: verification.channel.as_str(),
            created_at: rfc3339(verification.created_at),
            expires_at: rfc3339(verification.expires_at),
            checks_remaining: standing.checks_remaining,
            sends_remaining: standing.sends_remaining,
            next_send_at: standing.next_send_at.map(rfc3339),
            next_check_at: standing.next_check_at.map(rfc3339),
            deliveries: verification.deliveries.into_iter().map(Into::into).collect(),
            rate_limit: standing.into(),
            purpose: verification.purpose,
            nonce: verification.nonce,
            metadata: verification.metadata,
            test_code: verification.test_code.map(|code| code.expose().to_owned()),
        }
    }
}

/// What became of a guess.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "VE00112233445566778899aabbccddeeff", "to": "+14155552671", "status": "approved", "valid": true,
    "checks_remaining": 4, "next_check_at": null
})))]
pub(super) struct CheckReply {
    #[schema(schema_with = schema::verification_id)]
    id: IdText,
    #[schema(schema_with = schema::e164)]
    to: String,
    #[schema(schema_with = schema::status)]
    status: &'static str,
    /// Whether this guess was right.
    valid: bool,
    /// How many guesses are left: the smaller of the verification's and the number's.
    checks_remaining: u32,
    /// When the next guess is allowed; null if none will be.
    #[schema(value_type = Option<String>, required, format = DateTime)]
    next_check_at: Option<InstantText>,
    /// The signed proof (a JWT): only in the reply that approves, and only where proofs are switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    proof: Option<String>,
}

impl From<Checked> for CheckReply {
    fn from(checked: Checked) -> Self {
        Self {
            id: id_text(checked.verification.id),
            to: checked.verification.to.e164().to_owned(),
            status: checked.verification.status.as_str(),
            valid: checked.valid,
            checks_remaining: checked.verification.standing.checks_remaining,
            next_check_at: checked.verification.standing.next_check_at.map(rfc3339),
            proof: checked.proof.map(|proof| proof.expose().to_owned()),
        }
    }
}

/// How one limit stands.
#[derive(Serialize, ToSchema)]
pub(super) struct LimitReply {
    #[schema(schema_with = schema::limit_name)]
    name: &'static str,
    /// The most per window.
    limit: u32,
    /// How many count now.
    used: u32,
    /// How many are left.
    remaining: u32,
    /// When the whole limit is there again.
    #[schema(value_type = String, format = DateTime)]
    reset_at: InstantText,
    /// The window.
    window_seconds: u64,
    /// Whole seconds until one more is allowed; 0 if it is now.
    retry_after_seconds: u64,
}

impl LimitReply {
    pub(super) fn new(limit: &LimitStanding, at: Timestamp) -> Self {
        let wait = limit.standing.retry_at.since(at);
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            name: limit.name.as_str(),
            limit: limit.standing.limit,
            used: limit.standing.used,
            remaining: limit.standing.remaining,
            reset_at: rfc3339(limit.standing.reset_at),
            window_seconds: limit.window.as_secs(),
            retry_after_seconds: if limit.standing.allowed() && limit.standing.retry_at <= at { 0 } else { seconds },
        }
    }
}
