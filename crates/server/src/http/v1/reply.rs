//! How verifications, limits and previews are written in replies.

use std::collections::BTreeMap;

use serde::Serialize;
use verifyd_core::clock::Timestamp;
use verifyd_core::store::{LimitStanding, VerificationStanding};
use verifyd_core::verification::{Delivery, Verification};
use verifyd_core::verifier::Checked;

use crate::http::format::rfc3339;

#[derive(Serialize)]
pub(super) struct DeliveryReply {
    id: String,
    at: String,
    sender: Option<String>,
    channel: &'static str,
    status: &'static str,
    segments: Option<u16>,
    message_id: Option<String>,
    price: Option<PriceReply>,
    error_code: Option<String>,
}

#[derive(Serialize)]
struct PriceReply {
    amount: String,
    currency: String,
    estimated: bool,
}

impl From<Delivery> for DeliveryReply {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            at: rfc3339(delivery.at),
            sender: delivery.sender,
            channel: delivery.channel.as_str(),
            status: delivery.status.as_str(),
            segments: (delivery.segments > 0).then_some(delivery.segments),
            message_id: delivery.message_id,
            price: delivery.price.map(|price| PriceReply {
                amount: price.amount,
                currency: price.currency,
                estimated: price.estimated,
            }),
            error_code: delivery.error_code,
        }
    }
}

#[derive(Serialize)]
struct RateLimitReply {
    limit: u32,
    remaining: u32,
    reset_at: String,
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

#[derive(Serialize)]
pub(super) struct VerificationReply {
    id: String,
    service: String,
    to: String,
    status: &'static str,
    channel: &'static str,
    created_at: String,
    expires_at: String,
    checks_remaining: u32,
    sends_remaining: u32,
    next_send_at: Option<String>,
    next_check_at: Option<String>,
    deliveries: Vec<DeliveryReply>,
    rate_limit: RateLimitReply,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_code: Option<String>,
}

impl From<Verification> for VerificationReply {
    fn from(verification: Verification) -> Self {
        let standing = verification.standing;
        Self {
            id: verification.id.to_string(),
            service: verification.service.to_string(),
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

#[derive(Serialize)]
pub(super) struct CheckReply {
    id: String,
    to: String,
    status: &'static str,
    valid: bool,
    checks_remaining: u32,
    next_check_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

impl From<Checked> for CheckReply {
    fn from(checked: Checked) -> Self {
        Self {
            id: checked.verification.id.to_string(),
            to: checked.verification.to.e164().to_owned(),
            status: checked.verification.status.as_str(),
            valid: checked.valid,
            checks_remaining: checked.verification.standing.checks_remaining,
            next_check_at: checked.verification.standing.next_check_at.map(rfc3339),
            proof: checked.proof.map(|proof| proof.expose().to_owned()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct LimitReply {
    name: &'static str,
    limit: u32,
    used: u32,
    remaining: u32,
    reset_at: String,
    window_seconds: u64,
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
