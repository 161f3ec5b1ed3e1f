//! What an answer means: lenient about its shape, strict about what it promises.
//!
//! Everything in Twilio's JSON may be null, numbers come as strings and strings as numbers. A 2xx that cannot be read, or
//! that names neither a message nor a status, is `Unknown`: something was done, nobody knows what. Nothing of the
//! answer's own text gets out of here: Twilio's messages repeat the number, and a broken server may repeat the whole form.

use serde_json::{Map, Value};
use verifyd_core::sender::{DeliveryStatus, Price, Receipt, SendError, SendErrorKind};

use super::errors;
use super::transport::{Answer, AnswerBody};

/// More than any id of a message has, in bytes.
const MAX_MESSAGE_ID_BYTES: usize = 64;
/// More than any amount has, in bytes.
const MAX_AMOUNT_BYTES: usize = 24;

/// Reads an answer.
pub(super) fn judge(answer: Answer) -> Result<Receipt, SendError> {
    let outcome = match answer.status {
        200..=299 => taken(&answer),
        // Whatever code comes with a 5xx: the request was written, so it may have been processed.
        500.. => Err(with_code(SendErrorKind::Unknown, code_of(&fields(&answer.body)), answer.status)),
        _ => Err(refused(&answer)),
    };
    outcome.map_err(|error| SendError { request_id: answer.request_id, ..error })
}

/// A 2xx: a receipt, unless the message failed on the spot or the body cannot be read.
fn taken(answer: &Answer) -> Result<Receipt, SendError> {
    let unreadable = |detail| Err(SendError::new(SendErrorKind::Unknown, detail));
    match &answer.body {
        AnswerBody::Whole(_) => {}
        AnswerBody::TooLarge => return unreadable("the answer was too large to read; the message may have been sent"),
        AnswerBody::Broken => return unreadable("the answer broke off; the message may have been sent"),
    }
    let fields = fields(&answer.body);
    let message_id = message_id(&fields);
    let status = fields.get("status").and_then(Value::as_str).map(Standing::of);
    match (status, &message_id) {
        (Some(Standing::NotSent), _) => Err(failed_at_once(&fields)),
        (None | Some(Standing::Unheard), None) => {
            unreadable("the answer was not one of Twilio's; the message may have been sent")
        }
        (status, _) => {
            let status = match status {
                Some(Standing::On(status)) => status,
                // It has an id, so it was taken; a word we do not know yet says no more than that.
                _ => DeliveryStatus::Accepted,
            };
            Ok(Receipt { message_id, status, segments: segments(&fields), price: price(&fields) })
        }
    }
}

/// What a status word says of a message just created.
#[derive(Clone, Copy)]
enum Standing {
    On(DeliveryStatus),
    NotSent,
    Unheard,
}

impl Standing {
    fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "accepted" | "scheduled" => Self::On(DeliveryStatus::Accepted),
            "queued" | "sending" => Self::On(DeliveryStatus::Queued),
            "sent" | "partially_delivered" => Self::On(DeliveryStatus::Sent),
            "delivered" | "read" => Self::On(DeliveryStatus::Delivered),
            // It left and was billed: the charge stands.
            "undelivered" => Self::On(DeliveryStatus::Undelivered),
            "failed" | "canceled" => Self::NotSent,
            _ => Self::Unheard,
        }
    }
}

/// A created message that failed already: its `error_code` says why.
fn failed_at_once(fields: &Map<String, Value>) -> SendError {
    let code = number(fields.get("error_code"));
    let text = fields.get("error_message").and_then(Value::as_str);
    match code.and_then(|code| errors::find(code, text)) {
        Some(line) => SendError { provider_code: code_text(code), ..SendError::new(line.kind, line.meaning) },
        // Failed by Twilio's own word, so it did not arrive; another sender may try.
        None => SendError {
            provider_code: code_text(code),
            ..SendError::new(SendErrorKind::Unavailable, "the message failed at once, for a reason not in our table")
        },
    }
}

/// Below 500 and not 2xx: refused, by its code if it has one that we know.
fn refused(answer: &Answer) -> SendError {
    let fields = fields(&answer.body);
    let code = code_of(&fields);
    let text = fields.get("message").and_then(Value::as_str);
    let kind = match code.and_then(|code| errors::find(code, text)) {
        Some(line) => line.kind,
        None => errors::kind_of_status(answer.status),
    };
    let kind = match kind {
        SendErrorKind::Throttled { retry_after } => {
            SendErrorKind::Throttled { retry_after: answer.retry_after.or(retry_after) }
        }
        kind => kind,
    };
    with_code(kind, code, answer.status)
}

/// An error of this kind in our words: the table's for a known code, else the bare status.
fn with_code(kind: SendErrorKind, code: Option<u32>, status: u16) -> SendError {
    let detail = match code.and_then(|code| errors::find(code, None)) {
        Some(line) => line.meaning.to_owned(),
        None => format!("Twilio answered {status} without a code that we know"),
    };
    SendError { provider_code: code_text(code), ..SendError::new(kind, detail) }
}

/// The object in the body; empty if there is none, so that every field counts as null.
pub(super) fn fields(body: &AnswerBody) -> Map<String, Value> {
    match body {
        AnswerBody::Whole(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
        AnswerBody::TooLarge | AnswerBody::Broken => Map::new(),
    }
}

pub(super) fn code_of(fields: &Map<String, Value>) -> Option<u32> {
    number(fields.get("code"))
}

/// Our rendering of the number, not the answer's text.
fn code_text(code: Option<u32>) -> Option<String> {
    code.map(|code| code.to_string())
}

/// A small whole number, written as a number or as a string. Error codes have five digits: longer ones are no codes, and
/// might be a phone number.
fn number(value: Option<&Value>) -> Option<u32> {
    let number = match value? {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) if text.len() <= 6 => text.parse().ok()?,
        _ => return None,
    };
    u32::try_from(number).ok().filter(|number| *number <= 999_999)
}

fn message_id(fields: &Map<String, Value>) -> Option<String> {
    let sid = fields.get("sid")?.as_str()?;
    let plain = (1..=MAX_MESSAGE_ID_BYTES).contains(&sid.len())
        && sid.starts_with(|c: char| c.is_ascii_alphabetic())
        && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    plain.then(|| sid.to_owned())
}

/// `"0"` means not counted yet (always so with a messaging service).
fn segments(fields: &Map<String, Value>) -> Option<u16> {
    number(fields.get("num_segments")).and_then(|count| u16::try_from(count).ok()).filter(|count| *count > 0)
}

/// Twilio writes what it charges as a negative amount, and writes it only after sending.
fn price(fields: &Map<String, Value>) -> Option<Price> {
    let amount = match fields.get("price")? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let amount = amount.trim_start_matches('-');
    let plain = (1..=MAX_AMOUNT_BYTES).contains(&amount.len())
        && amount.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && amount.parse::<f64>().is_ok();
    let currency = fields.get("price_unit")?.as_str()?;
    let known = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_alphabetic());
    (plain && known).then(|| Price {
        amount: amount.to_owned(),
        currency: currency.to_ascii_uppercase(),
        estimated: false,
    })
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
