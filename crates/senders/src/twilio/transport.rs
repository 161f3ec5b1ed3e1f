//! The HTTP client: one request, at most one answer, and the certain knowledge whether anything was sent.
//!
//! Nothing here or beneath repeats a request that a connection took up:
//! - the client's own retry policy is off, and redirects are not followed;
//! - HTTP/1.1 only: one request a connection, no refused streams, and a fault harms one message;
//! - the connection pool hands a request to another connection only if an idle one turns out closed before it took the
//!   request up (hyper-util, `retry_canceled_requests`); [`TakenUp`] watches the same border.

use std::fmt;
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use tokio::time::{Instant, timeout_at};
use verifyd_core::clock::Timestamp;

use super::config::TwilioConfig;
use super::request::{MarkedBody, TakenUp};
use crate::secret::Secret;

/// The most of an answer's body that is read; a real one has about 1 KiB.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;
/// The longest `Retry-After` that is believed.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Shorter than the idle timeout of usual load balancers (60 s), so that few requests meet a closing connection.
const POOL_IDLE: Duration = Duration::from_secs(20);
const POOL_IDLE_CONNECTIONS: usize = 64;
const MAX_REQUEST_ID_BYTES: usize = 64;

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("twilio: cannot set up the HTTP client; are the system's root certificates installed?")]
pub struct TwilioClientError {
    #[source]
    source: reqwest::Error,
}

/// An answer's body as far as it could be read.
pub(super) enum AnswerBody {
    Whole(Vec<u8>),
    /// More than [`MAX_BODY_BYTES`].
    TooLarge,
    /// The connection broke or the deadline passed on the way.
    Broken,
}

/// An answer: its status line certainly came.
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Twilio-Request-Id`.
    pub(super) request_id: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: AnswerBody,
}

/// Why there is no answer. Sources name hosts and system errors, never the form.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// No connection took the request up: nothing was sent.
    #[error("no connection")]
    NotSent(#[source] Cause),
    /// It may have been processed.
    #[error("no answer")]
    Ambiguous(#[source] Cause),
}

/// What ended the request.
#[derive(Debug)]
pub(super) enum Cause {
    Deadline,
    Client(reqwest::Error),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("the deadline passed"),
            Self::Client(error) if error.is_connect() => f.write_str("connecting failed"),
            Self::Client(_) => f.write_str("the connection broke"),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Deadline => None,
            Self::Client(error) => Some(error),
        }
    }
}

/// The client with the account's address and credentials.
pub(super) struct Transport {
    client: reqwest::Client,
    url: url::Url,
    user: String,
    password: Secret,
}

impl Transport {
    pub(super) fn new(config: &TwilioConfig) -> Result<Self, TwilioClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("verifyd/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            // Plain http is left only for loopback, see `TwilioConfig`.
            .https_only(config.messages_url.scheme() == "https")
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_CONNECTIONS);
        if !config.root_certificates.is_empty() {
            builder = builder.tls_certs_merge(config.root_certificates.iter().cloned());
        }
        let client = builder.build().map_err(|source| TwilioClientError { source })?;
        let (user, password) = (config.user.clone(), config.password.clone());
        Ok(Self { client, url: config.messages_url.clone(), user, password })
    }

    /// Posts `form` once. `now` is the clock's reading for a `Retry-After` that is a date.
    pub(super) async fn post(&self, form: &str, now: Timestamp, deadline: Instant) -> Result<Answer, NoAnswer> {
        let taken_up = TakenUp::default();
        let request = self
            .client
            .post(self.url.clone())
            .basic_auth(&self.user, Some(self.password.expose()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(reqwest::Body::wrap(MarkedBody::new(form, taken_up.clone())));
        let cause = match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => return Ok(answer(response, now, deadline).await),
            Ok(Err(error)) => Cause::Client(error.without_url()),
            Err(_elapsed) => Cause::Deadline,
        };
        Err(if taken_up.get() { NoAnswer::Ambiguous(cause) } else { NoAnswer::NotSent(cause) })
    }

    /// Reads `url` of the same account once.
    pub(super) async fn get(&self, url: url::Url, now: Timestamp, deadline: Instant) -> Result<Answer, NoAnswer> {
        let request = self.client.get(url).basic_auth(&self.user, Some(self.password.expose()));
        match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => Ok(answer(response, now, deadline).await),
            Ok(Err(error)) => Err(NoAnswer::Ambiguous(Cause::Client(error.without_url()))),
            Err(_elapsed) => Err(NoAnswer::Ambiguous(Cause::Deadline)),
        }
    }
}

async fn answer(response: reqwest::Response, now: Timestamp, deadline: Instant) -> Answer {
    Answer {
        status: response.status().as_u16(),
        request_id: request_id(response.headers()),
        retry_after: retry_after(response.headers(), now),
        body: read(response, deadline).await,
    }
}

async fn read(mut response: reqwest::Response, deadline: Instant) -> AnswerBody {
    let mut body = Vec::new();
    loop {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > MAX_BODY_BYTES => return AnswerBody::TooLarge,
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => return AnswerBody::Whole(body),
            Ok(Err(_)) | Err(_) => return AnswerBody::Broken,
        }
    }
}

/// Kept only in Twilio's own form, `RQ` and hex digits: it goes into logs, and the other side chose it.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("twilio-request-id")?.to_str().ok()?;
    let rest = id.strip_prefix("RQ")?;
    let plain = rest.len() <= MAX_REQUEST_ID_BYTES && rest.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| id.to_owned())
}

/// Seconds or an HTTP date (RFC 9110 §10.2.3); Twilio documents neither form. Anything else counts as absent.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wish = if text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a u64 holds still mean "long".
        Duration::from_secs(if text.is_empty() { return None } else { text.parse().unwrap_or(u64::MAX) })
    } else {
        let at = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
        Timestamp::from_unix_ms(u64::try_from(at.as_millisecond()).ok()?).since(now)
    };
    Some(wish.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(reqwest::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now = Timestamp::from_unix_ms(1_700_000_000_000);
        for (text, seconds) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("86401", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("Tue, 14 Nov 2023 22:13:30 GMT", Some(10)),
            ("Tue, 14 Nov 2023 22:13:20 GMT", Some(0)),
            ("Tue, 14 Nov 2023 22:13:10 GMT", Some(0)),
            ("Thu, 14 Nov 2097 22:13:10 GMT", Some(86_400)),
            ("Mon, 14 Nov 2023 22:13:30 GMT", Some(10)),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            let read = retry_after(&headers("retry-after", text), now);
            assert_eq!(read, seconds.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn request_ids_are_kept_only_in_twilios_form() {
        let long = format!("RQ{}", "a".repeat(65));
        for (text, kept) in [
            ("RQ0123456789abcdef", true),
            ("+14155550123", false),
            ("14155550123", false),
            ("RQ x", false),
            (&long, false),
        ] {
            assert_eq!(request_id(&headers("twilio-request-id", text)).is_some(), kept, "{text}");
        }
    }
}
