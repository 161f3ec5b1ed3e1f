//! What the fake answers when nothing is broken: Twilio's checks, codes, texts and shapes for one create.
//!
//! Sources: the OpenAPI document of Messages for shapes, the pages of the error dictionary for texts, the page on test
//! credentials for the magic numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use verifyd_core::clock::{Clock as _, SystemClock};
use verifyd_core::message::segments;

use super::FakeAccount;
use super::account;
use super::http::{RecordedRequest, Response};

/// The longest body Twilio takes, in characters.
const MAX_BODY_CHARS: usize = 1600;
const MAX_VALIDITY_S: u32 = 36_000;

/// A refusal: HTTP status, Twilio's code and text.
type Refusal = (u16, u32, String);

/// Answers `request`, the `serial`th that arrived.
pub(super) fn answer(account: &FakeAccount, request: &RecordedRequest, serial: usize) -> Response {
    let caller = authenticate(account, request);
    if let Ok(user) = &caller
        && let Some(read) = account::answer(account, request, *user == account.api_key_sid)
    {
        return read;
    }
    let outcome = caller
        .and_then(|_user| route(account, request))
        .and_then(|()| active(account))
        .and_then(|()| create(account, request));
    match outcome {
        Ok(()) => Response::json(201, &created(account, request, serial)),
        Err((401, code, message)) => {
            let mut body = error_body(401, code, &message);
            if message.ends_with("No credentials provided")
                && let Some(fields) = body.as_object_mut()
            {
                fields.insert("detail".into(), "Your AccountSid or AuthToken was incorrect.".into());
            }
            Response::json(401, &body).with_header("WWW-Authenticate", "Basic realm=\"Twilio API\"".into())
        }
        Err((status, code, message)) => Response::json(status, &error_body(status, code, &message)),
    }
}

/// Twilio's error JSON.
pub(super) fn error_body(status: u16, code: u32, message: &str) -> Value {
    json!({"code": code, "message": message, "more_info": format!("https://www.twilio.com/docs/errors/{code}"), "status": status})
}

/// The user name of the caller, if the password is right.
fn authenticate(account: &FakeAccount, request: &RecordedRequest) -> Result<String, Refusal> {
    let unauthorized = |message: &str| Err((401, 20003, message.to_owned()));
    let Some(encoded) = request.header("authorization").and_then(|value| value.strip_prefix("Basic ")) else {
        return unauthorized("Authentication Error - No credentials provided");
    };
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    match decoded.split_once(':') {
        Some((user, password)) if user == account.account_sid || user == account.api_key_sid => {
            let right = if user == account.account_sid { &account.auth_token } else { &account.api_key_secret };
            if password == right { Ok(user.to_owned()) } else { unauthorized("Authenticate") }
        }
        Some(_) | None => unauthorized("Authentication Error - invalid username"),
    }
}

fn active(account: &FakeAccount) -> Result<(), Refusal> {
    if account.status == "active" {
        return Ok(());
    }
    Err((403, 20005, "Account is not active".to_owned()))
}

fn route(account: &FakeAccount, request: &RecordedRequest) -> Result<(), Refusal> {
    let known = format!("/2010-04-01/Accounts/{}/Messages.json", account.account_sid);
    if request.target != known {
        return Err((404, 20404, format!("The requested resource {} was not found", request.target)));
    }
    if request.method != "POST" {
        return Err((405, 20004, "Method not allowed".to_owned()));
    }
    Ok(())
}

fn create(account: &FakeAccount, request: &RecordedRequest) -> Result<(), Refusal> {
    let given = |name: &str| request.parameter(name).filter(|value| !value.is_empty());
    let bad = |code: u32, message: String| Err((400, code, message));
    let Some(to) = given("To") else { return bad(21604, "A 'To' phone number is required.".into()) };
    let (from, service) = (given("From"), given("MessagingServiceSid"));
    if from.is_none() && service.is_none() {
        return bad(21603, "A 'From' phone number is required.".into());
    }
    let Some(body) = given("Body") else {
        return bad(21619, "A text message body or media urls must be specified.".into());
    };
    if body.chars().count() > MAX_BODY_CHARS {
        return bad(21617, "The concatenated message body exceeds the 1600 character limit.".into());
    }
    if let Some(service) = &service
        && !(service.len() == 34 && service.starts_with("MG"))
    {
        return bad(21705, format!("The Messaging Service Sid {service} is invalid"));
    }
    if let Some(callback) = given("StatusCallback")
        && url::Url::parse(&callback).ok().and_then(|url| url.host_str().map(|host| host.contains('_'))) != Some(false)
    {
        return bad(21609, format!("The StatusCallback URL {callback} is not a valid URL."));
    }
    if let Some(validity) = given("ValidityPeriod")
        && !validity.parse::<u32>().is_ok_and(|seconds| (1..=MAX_VALIDITY_S).contains(&seconds))
    {
        return bad(21624, "Invalid validity period value".into());
    }
    from.map_or(Ok(()), |from| check_from(account, &from, &to))?;
    check_to(&to)
}

/// Magic senders; of the others only the account's own and alphanumeric ones pass.
fn check_from(account: &FakeAccount, from: &str, to: &str) -> Result<(), Refusal> {
    let (code, message) = match from {
        "+15005550001" => (
            21212,
            format!("The 'From' number {from} is not a valid phone number, shortcode, or alphanumeric sender ID."),
        ),
        "+15005550008" => {
            (21611, format!("This From number {from} has exceeded the maximum number of queued messages"))
        }
        "+15005550006" => return Ok(()),
        _ if account.own_numbers.iter().any(|own| own == from) => return Ok(()),
        _ if !from.starts_with('+') && from.bytes().any(|b| b.is_ascii_alphabetic()) => return Ok(()),
        _ => (
            21606,
            format!(
                "The 'From' phone number provided ({from}) is not a valid message-capable Twilio phone number for this destination/account ({to})"
            ),
        ),
    };
    Err((400, code, message))
}

/// Magic recipients; others need only look like E.164.
fn check_to(to: &str) -> Result<(), Refusal> {
    let (code, message) = match to {
        "+15005550001" => (21211, format!("The 'To' number {to} is not a valid phone number.")),
        "+15005550002" => (
            21612,
            format!("The 'To' phone number: {to}, is not currently reachable using the 'From' phone number via SMS."),
        ),
        "+15005550003" => (
            21408,
            format!(
                "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}."
            ),
        ),
        "+15005550004" => (21610, "Attempt to send to unsubscribed recipient".to_owned()),
        "+15005550009" => (21614, format!("'To' number: {to}, is not a valid mobile number")),
        _ if is_e164(to) => return Ok(()),
        _ => (21211, format!("Invalid 'To' Phone Number: {to}")),
    };
    Err((400, code, message))
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// A message just created: numbers as strings, dates as RFC 2822, and a messaging service leaves sender and count open.
fn created(account: &FakeAccount, request: &RecordedRequest, serial: usize) -> Value {
    let service = request.parameter("MessagingServiceSid");
    let body = request.parameter("Body").unwrap_or_default();
    let now = rfc2822_now();
    let sid = format!("SM{serial:032x}");
    let uri = format!("/2010-04-01/Accounts/{}/Messages/{sid}", account.account_sid);
    let count = if service.is_some() { 0 } else { segments::count(&body).count };
    json!({
        "body": body,
        "num_segments": count.to_string(),
        "direction": "outbound-api",
        "from": request.parameter("From"),
        "date_updated": now,
        "price": null,
        "error_message": null,
        "uri": format!("{uri}.json"),
        "account_sid": account.account_sid,
        "num_media": "0",
        "to": request.parameter("To"),
        "date_created": now,
        "status": if service.is_some() { "accepted" } else { "queued" },
        "sid": sid,
        "date_sent": null,
        "messaging_service_sid": service,
        "error_code": null,
        "price_unit": "USD",
        "api_version": "2010-04-01",
        "subresource_uris": {"media": format!("{uri}/Media.json")},
    })
}

fn rfc2822_now() -> String {
    let now_ms = i64::try_from(SystemClock.now().unix_ms()).unwrap_or(0);
    let now = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(TimeZone::UTC);
    rfc2822::to_string(&now).unwrap_or_default()
}
