//! Twilio's error codes and what to do next: the one table.
//!
//! The meanings are those of Twilio's error dictionary (`https://www.twilio.com/docs/api/errors`); the kinds are our
//! judgement. It holds what comes with an answer to a create, what comes later with a receipt, and the codes of Verify,
//! voice and `WhatsApp` that share the dictionary. Rules behind the column:
//!
//! - permanent for the number: `Rejected`, or `Unsupported` where a call would still reach it;
//! - configuration, billing, registration, or a request of ours that Twilio does not like: `Unavailable`, because
//!   another sender may well deliver it and the person's number is not at fault;
//! - 21408 and 21612 (country or route closed) and 21611 (hours of queue): `Unavailable` for the same reason;
//! - 21610 (the person texted STOP): `Rejected`, not `Unavailable`; going round a STOP through another sender is not ours to do;
//! - blocked as fraud: `SuspectedFraud`, which no sender may route round;
//! - ambiguous by Twilio's own word (20500, 20503, 30410): `Unknown`.
//!
//! Trap: 60202 is "max *check* attempts", 60203 "max *send* attempts". Much public code swaps them.

use std::time::Duration;

use verifyd_core::sender::SendErrorKind;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Twilio's number.
    pub code: u32,
    /// What to do next.
    pub kind: SendErrorKind,
    /// The meaning in our words, for the operator; no data of the request.
    pub meaning: &'static str,
}

const REJECTED: SendErrorKind = SendErrorKind::Rejected;
const FRAUD: SendErrorKind = SendErrorKind::SuspectedFraud;
const UNSUPPORTED: SendErrorKind = SendErrorKind::Unsupported;
const UNAVAILABLE: SendErrorKind = SendErrorKind::Unavailable;
const UNKNOWN: SendErrorKind = SendErrorKind::Unknown;
const THROTTLED: SendErrorKind = SendErrorKind::Throttled { retry_after: None };

const fn throttled_for(seconds: u64) -> SendErrorKind {
    SendErrorKind::Throttled { retry_after: Some(Duration::from_secs(seconds)) }
}

const fn row(code: u32, kind: SendErrorKind, meaning: &'static str) -> ErrorCode {
    ErrorCode { code, kind, meaning }
}

/// Every code we know, in ascending order.
pub const TABLE: &[ErrorCode] = &[
    row(14107, throttled_for(30), "more than 30 messages between two numbers within 30 s: a loop of ours"),
    // Account and request, any product.
    row(20003, UNAVAILABLE, "wrong credentials, or the account is suspended or closed"),
    row(20004, UNAVAILABLE, "the method is not allowed on this resource"),
    row(20005, UNAVAILABLE, "the account is not active: check its funds"),
    row(20008, UNAVAILABLE, "test credentials cannot use this resource"),
    row(20404, UNAVAILABLE, "no such account, messaging service or resource"),
    row(20422, UNAVAILABLE, "a parameter is invalid"),
    row(20429, THROTTLED, "too many concurrent requests; not processed"),
    row(20500, UNKNOWN, "internal error at Twilio; it may have been processed"),
    row(20503, UNKNOWN, "Twilio is unavailable; it may have been processed"),
    // Numbers and senders.
    row(21211, REJECTED, "the recipient's number is invalid"),
    row(21212, UNAVAILABLE, "the From number is invalid"),
    row(21214, REJECTED, "the recipient's number cannot be reached (voice)"),
    row(21215, UNAVAILABLE, "the account may not call this country (voice)"),
    row(21216, FRAUD, "the recipient's number is on Twilio's block list (voice)"),
    row(21217, REJECTED, "the recipient's number is invalid (voice)"),
    row(21219, UNAVAILABLE, "trial account: the recipient's number is not verified (voice)"),
    row(21265, REJECTED, "the recipient is a short code"),
    row(21266, UNAVAILABLE, "recipient and sender are the same number"),
    row(21267, UNAVAILABLE, "trial account: alphanumeric senders are not allowed"),
    row(21268, REJECTED, "the recipient is a premium-rate or information number"),
    row(21401, REJECTED, "the number is invalid"),
    row(21408, UNAVAILABLE, "the account may not message this country: check its geographic permissions"),
    row(21421, REJECTED, "the number is invalid"),
    row(21601, UNAVAILABLE, "the From number cannot send messages"),
    row(21602, UNAVAILABLE, "the request has no body"),
    row(21603, UNAVAILABLE, "the request has no sender"),
    row(21604, UNAVAILABLE, "the request has no recipient"),
    row(21605, UNAVAILABLE, "the body is longer than 160 characters"),
    row(21606, UNAVAILABLE, "the From number cannot send messages to this destination"),
    row(21608, UNAVAILABLE, "trial account or no approved compliance profile: the recipient is not verified"),
    row(21609, UNAVAILABLE, "the status callback is not a valid URL"),
    row(21610, REJECTED, "the recipient sent STOP to this sender; they can text START"),
    row(21611, UNAVAILABLE, "the sender's queue is full"),
    row(21612, UNAVAILABLE, "this sender cannot reach this recipient"),
    row(21614, UNSUPPORTED, "the recipient's number is not a mobile number"),
    row(21617, UNAVAILABLE, "the body is longer than 1600 characters"),
    row(21618, UNAVAILABLE, "the body is filtered by all carriers"),
    row(21619, UNAVAILABLE, "the request has no body"),
    row(21624, UNAVAILABLE, "the validity period is out of range"),
    row(21635, UNSUPPORTED, "the recipient's number is a landline"),
    row(21654, UNAVAILABLE, "the content template is missing"),
    row(21655, UNAVAILABLE, "the content template's id is invalid"),
    row(21656, UNAVAILABLE, "the content template's variables are invalid"),
    row(21657, UNAVAILABLE, "the sender id is invalid for this destination"),
    row(21659, UNAVAILABLE, "the From number is not Twilio's, or a short code of another country"),
    row(21660, UNAVAILABLE, "the From number belongs to another account"),
    row(21661, UNAVAILABLE, "the From number cannot send text messages"),
    row(21701, UNAVAILABLE, "the messaging service does not exist"),
    row(21703, UNAVAILABLE, "the messaging service has no usable sender for this destination"),
    row(21704, UNAVAILABLE, "the messaging service's pool is empty"),
    row(21705, UNAVAILABLE, "the messaging service's id is malformed"),
    row(25109, THROTTLED, "too many requests to Verify"),
    // Receipts: the message was taken and then failed.
    row(30001, UNAVAILABLE, "the sender's queue overflowed"),
    row(30002, UNAVAILABLE, "the account was suspended after queueing"),
    row(30003, UNAVAILABLE, "the handset is unreachable, off or cannot receive messages"),
    row(30004, REJECTED, "the message is blocked at the recipient's side"),
    row(30005, REJECTED, "the recipient's number is unknown or inactive"),
    row(30006, UNSUPPORTED, "a landline, or a carrier that cannot be reached"),
    row(30007, UNAVAILABLE, "filtered by Twilio or the carrier: check wording and sender"),
    row(30008, UNAVAILABLE, "not delivered for an unknown reason"),
    row(30010, UNAVAILABLE, "the price exceeds the maximum set"),
    row(30012, UNAVAILABLE, "the time to live is too small"),
    row(30013, UNAVAILABLE, "the time to live is too big"),
    row(30017, THROTTLED, "the carrier's network is congested"),
    row(30018, UNAVAILABLE, "the alphanumeric sender is not registered in this country"),
    row(30019, UNAVAILABLE, "the content is too big for the carrier"),
    row(30020, UNAVAILABLE, "internal failure at Twilio"),
    row(30021, UNAVAILABLE, "internal failure at Twilio"),
    row(30022, THROTTLED, "the carrier's rate limit for this campaign is reached"),
    row(30023, THROTTLED, "the carrier's daily cap is reached"),
    row(30024, UNAVAILABLE, "the numeric sender is not registered in this country"),
    row(30027, THROTTLED, "the carrier's daily cap for this brand is reached"),
    row(30032, UNAVAILABLE, "the toll-free sender is not verified"),
    row(30033, UNAVAILABLE, "the 10DLC campaign is suspended"),
    row(30034, UNAVAILABLE, "the sender is not registered to a 10DLC campaign"),
    row(30035, UNAVAILABLE, "the sender's 10DLC registration is still being configured"),
    row(30036, UNAVAILABLE, "the validity period elapsed in Twilio's queue"),
    row(30038, REJECTED, "the recipient is a virtual number that may not receive codes"),
    row(30040, UNAVAILABLE, "the sender's registration is blocked"),
    row(30041, UNAVAILABLE, "a generic sender id is blocked"),
    row(30042, UNAVAILABLE, "the sender id is blocked"),
    row(30045, UNAVAILABLE, "the validity period is out of range"),
    row(30410, UNKNOWN, "the carrier timed out; Twilio does not repeat it, to avoid duplicates"),
    row(30450, FRAUD, "blocked by SMS Pumping Protection for 15 to 30 minutes"),
    row(30453, FRAUD, "blocked by SMS Pumping Protection for a few hours"),
    row(30500, UNAVAILABLE, "internal failure at Twilio"),
    // Verify.
    row(60001, UNAVAILABLE, "Verify: authentication downstream failed"),
    row(60002, UNAVAILABLE, "Verify: the carrier timed out"),
    row(60004, UNAVAILABLE, "Verify: configuration downstream is wrong"),
    row(60005, UNAVAILABLE, "Verify: error at the carrier"),
    row(60008, UNSUPPORTED, "Verify: the carrier is not supported"),
    // The message text decides between our request and the person's number, see `find`.
    row(60200, UNAVAILABLE, "Verify: a parameter is invalid"),
    row(60201, UNAVAILABLE, "Verify: the template's translation is not approved"),
    // Both end with the verification, at most ten minutes after its creation.
    row(60202, throttled_for(600), "Verify: max check attempts reached"),
    row(60203, throttled_for(600), "Verify: max send attempts reached"),
    row(60204, UNAVAILABLE, "Verify: the service does not support this"),
    row(60205, UNSUPPORTED, "Verify: text messages to landlines are not supported"),
    row(60206, UNAVAILABLE, "Verify: amount and payee are missing"),
    row(60207, UNAVAILABLE, "Verify: too many rate limits in the service"),
    row(60208, UNAVAILABLE, "Verify: a rate limit of this name exists"),
    row(60209, UNAVAILABLE, "Verify: bad characters in a rate limit's name"),
    row(60210, UNAVAILABLE, "Verify: too many buckets in the rate limit"),
    row(60211, UNAVAILABLE, "Verify: a bucket with this interval exists"),
    row(60212, THROTTLED, "Verify: too many concurrent starts for this number"),
    row(60213, UNAVAILABLE, "Verify: a messaging configuration for this country exists"),
    row(60214, UNAVAILABLE, "Verify: calls cannot carry payment details"),
    row(60217, UNAVAILABLE, "Verify: the email channel has no mailer"),
    row(60220, UNAVAILABLE, "Verify: this country needs vetting"),
    row(60221, UNAVAILABLE, "Verify: neither recipient nor verification given"),
    row(60223, UNAVAILABLE, "Verify: the channel is disabled on the service"),
    row(60224, UNAVAILABLE, "Verify: template misuse"),
    row(60226, UNAVAILABLE, "Verify: the service's friendly name needs vetting"),
    row(60227, UNAVAILABLE, "Verify: template misuse"),
    row(60228, UNAVAILABLE, "Verify: template misuse"),
    row(60229, UNAVAILABLE, "Verify: template misuse"),
    row(60238, UNAVAILABLE, "Verify: creation blocked, the account is under review or the country embargoed"),
    row(60331, UNAVAILABLE, "Verify: template misuse"),
    row(60408, UNAVAILABLE, "Verify: locale misuse"),
    row(60410, FRAUD, "Verify: Fraud Guard blocks the prefix for 12 hours"),
    row(60411, UNAVAILABLE, "Verify: the number is on the safe list already"),
    row(60413, FRAUD, "Verify: blocked by device intelligence"),
    row(60602, UNAVAILABLE, "Verify: app hash misuse"),
    row(60605, FRAUD, "Verify: the country is blocked by geographic permissions"),
    row(60735, UNAVAILABLE, "Verify: the verification belongs to another integration"),
    // WhatsApp.
    row(63001, UNAVAILABLE, "WhatsApp: the channel's credentials are wrong"),
    row(63002, UNAVAILABLE, "WhatsApp: the channel's sender is wrong"),
    row(63003, UNSUPPORTED, "WhatsApp: the recipient is not there"),
    row(63007, UNAVAILABLE, "WhatsApp: no channel with this sender"),
    row(63008, UNAVAILABLE, "WhatsApp: the channel is misconfigured"),
    row(63009, UNAVAILABLE, "WhatsApp: error at the channel's provider"),
    row(63010, UNAVAILABLE, "WhatsApp: internal failure at Twilio"),
    row(63012, UNAVAILABLE, "WhatsApp: internal error at the channel's provider"),
    row(63013, UNSUPPORTED, "WhatsApp: the message violates the channel's policy"),
    row(63014, UNSUPPORTED, "WhatsApp: blocked by the recipient"),
    row(63015, UNAVAILABLE, "WhatsApp: the recipient has not joined the sandbox"),
    row(63016, UNAVAILABLE, "WhatsApp: outside the 24-hour window without a template"),
    row(63017, THROTTLED, "WhatsApp: the channel's rate limit is reached"),
    row(63018, THROTTLED, "WhatsApp: the sender's rate limit is reached"),
    row(63024, UNSUPPORTED, "WhatsApp: the recipient is invalid"),
    row(63026, UNSUPPORTED, "WhatsApp: blocked as spam"),
    row(63027, UNAVAILABLE, "WhatsApp: the template does not exist in this language"),
    row(63028, UNAVAILABLE, "WhatsApp: the template's parameters do not fit"),
    row(63032, UNSUPPORTED, "WhatsApp: the recipient is part of an experiment and cannot receive it"),
    row(63033, UNSUPPORTED, "WhatsApp: blocked by the recipient"),
    row(63038, THROTTLED, "WhatsApp: the account's daily limit is reached"),
    row(63040, UNAVAILABLE, "WhatsApp: the template was rejected"),
    row(63041, UNAVAILABLE, "WhatsApp: the template is paused"),
    row(63042, UNAVAILABLE, "WhatsApp: the template is disabled"),
    row(63051, UNAVAILABLE, "WhatsApp: the business account is locked"),
    row(90007, UNAVAILABLE, "the validity period is out of range"),
    row(90010, UNAVAILABLE, "the account is not active"),
];

/// Verify's wording when 60200 is about the recipient.
const INVALID_TO: &str = "Invalid parameter `To`";

/// The table's line for `code`; `message` is Twilio's text, looked at only where the code alone does not decide.
#[must_use]
pub fn find(code: u32, message: Option<&str>) -> Option<ErrorCode> {
    let line = TABLE.iter().find(|line| line.code == code).copied()?;
    if code == 60200 && message.is_some_and(|text| text.starts_with(INVALID_TO)) {
        return Some(row(code, REJECTED, "Verify: the recipient's number is invalid"));
    }
    Some(line)
}

/// What an HTTP status alone says, for answers without a code, or with one that is not in the table.
///
/// An unknown 4xx is `Unavailable`, not `Rejected`: Twilio splits new codes off old ones, and telling people that
/// their good number is bad is worse than one useless try of the next sender. A redirect is followed by nobody; 301, 307
/// and 308 say that the request was not processed here, any other may be the answer to a processed one.
#[must_use]
pub fn kind_of_status(status: u16) -> SendErrorKind {
    match status {
        408 => UNKNOWN,
        429 => THROTTLED,
        301 | 307 | 308 | 400..=499 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
