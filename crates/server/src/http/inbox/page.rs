//! The page: rendered here, kept fresh by a small script of our own, and whole without it (forms, and a refresh now and then).

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use verifyd_core::clock::Clock as _;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_senders::inbox::{self, InboxMessage, MAGIC_NUMBERS, MAX_MESSAGES, Outcome};

use super::error::InboxError;
use super::{Pages, SharedPages, dev, input, origin};
use crate::http::format::rfc3339;
use crate::http::problem::Problem;

/// The most messages on the page; the JSON has all.
const SHOWN: usize = 100;

/// What changes while somebody looks.
struct Live {
    revision: u64,
    /// Only messages to this number.
    filter: Option<PhoneNumber>,
    /// The newest first.
    rows: Vec<Row>,
    /// How many there are, shown or not.
    total: usize,
    scripts: Vec<ScriptRow>,
    /// The line that starts a verification.
    curl: String,
}

impl Live {
    fn of(pages: &Pages, filter: Option<PhoneNumber>, curl: String) -> Self {
        let inbox = &pages.parts.inbox;
        // Read first: a message that comes in between is drawn once more, never missed.
        let revision = inbox.revision();
        let messages = inbox.messages(filter.as_ref());
        let total = messages.len();
        let rows = messages.into_iter().rev().take(SHOWN).map(Row).collect();
        let scripts = inbox.scripts().into_iter().map(ScriptRow).collect();
        Self { revision, filter, rows, total, scripts, curl }
    }

    fn status(&self) -> String {
        match (self.total, self.rows.len()) {
            (0, _) => "No messages".to_owned(),
            (1, _) => "1 message".to_owned(),
            (total, shown) if shown < total => format!("{total} messages, the newest {shown} shown"),
            (total, _) => format!("{total} messages"),
        }
    }

    /// The number that messages are filtered by, or nothing.
    fn filtered(&self) -> &str {
        self.filter.as_ref().map_or("", PhoneNumber::e164)
    }
}

/// A message on the page.
struct Row(Arc<InboxMessage>);

impl Row {
    fn sent_at(&self) -> String {
        rfc3339(self.0.sent_at).to_string()
    }

    fn filter_link(&self) -> String {
        filter_link(Some(&self.0.to))
    }

    fn segments(&self) -> String {
        match self.0.segments.count {
            1 => "1 segment".to_owned(),
            count => format!("{count} segments"),
        }
    }

    fn sender() -> &'static str {
        inbox::NAME
    }
}

/// A script on the page.
struct ScriptRow(inbox::Script);

impl ScriptRow {
    fn times(&self) -> String {
        match self.0.times.map(std::num::NonZeroU32::get) {
            None => "every send".to_owned(),
            Some(1) => "the next send".to_owned(),
            Some(times) => format!("the next {times} sends"),
        }
    }
}

#[derive(Template)]
#[template(path = "inbox/live.html")]
struct LiveTemplate {
    live: Live,
}

#[derive(Template)]
#[template(path = "inbox/page.html")]
struct PageTemplate {
    live: Live,
    /// Why the last form was refused.
    error: Option<String>,
    now: String,
    offset_seconds: u64,
    outcomes: &'static [Outcome],
    magic: &'static [(&'static str, Outcome)],
    kept: usize,
}

/// The page for one number, or for all.
fn filter_link(to: Option<&PhoneNumber>) -> String {
    to.map_or_else(
        || "/inbox".to_owned(),
        |to| format!("/inbox?to={}", utf8_percent_encode(to.e164(), NON_ALPHANUMERIC)),
    )
}

/// The command of the empty inbox, with the address that this very request came to.
fn curl(pages: &Pages, uri: &Uri, headers: &HeaderMap) -> String {
    let authority = origin::authority(uri, headers).ok().flatten();
    let host = authority.as_ref().map_or("127.0.0.1", Authority::host);
    let port = authority.as_ref().and_then(Authority::port_u16).map(|port| format!(":{port}"));
    let scheme = if pages.parts.tls { "https" } else { "http" };
    format!(
        "curl {scheme}://{host}{}/v1/verifications \\\n  -H \"Authorization: Bearer {}\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{{\"to\": \"+14155552671\"}}'",
        port.unwrap_or_default(),
        pages.parts.example_key,
    )
}

fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn whole_page(pages: &Pages, live: Live, status: StatusCode, error: Option<String>) -> Response {
    let clock = &pages.parts.clock;
    let template = PageTemplate {
        live,
        error,
        now: rfc3339(clock.now()).to_string(),
        offset_seconds: clock.offset().as_secs(),
        outcomes: &Outcome::ALL,
        magic: &MAGIC_NUMBERS,
        kept: MAX_MESSAGES,
    };
    html(status, &template)
}

/// `GET /inbox?to=`.
pub(super) async fn show(
    State(pages): SharedPages,
    uri: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let curl = curl(&pages, &uri, &headers);
    match input::number_in_query(query.as_deref(), pages.parts.default_region) {
        Ok(filter) => whole_page(&pages, Live::of(&pages, filter, curl), StatusCode::OK, None),
        Err(error) => refused(&pages, curl, error),
    }
}

/// `GET /inbox/fragment?seen=&to=`: what changes, or 204 if nothing did since the revision `seen`.
pub(super) async fn fragment(
    State(pages): SharedPages,
    uri: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, InboxError> {
    let seen = input::field(query.as_deref().unwrap_or_default().as_bytes(), "seen");
    let filter = input::number_in_query(query.as_deref(), pages.parts.default_region)?;
    if seen.is_some_and(|seen| seen == pages.parts.inbox.revision().to_string()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let live = Live::of(&pages, filter, curl(&pages, &uri, &headers));
    Ok(html(StatusCode::OK, &LiveTemplate { live }))
}

/// The page again, with why a form was refused.
fn refused(pages: &Pages, curl: String, error: InboxError) -> Response {
    let sentence = error.to_string();
    let status = error.into_response().status();
    whole_page(pages, Live::of(pages, None, curl), status, Some(sentence))
}

/// Back to the page, which is then fetched with GET.
fn back() -> Response {
    Redirect::to("/inbox").into_response()
}

/// `POST /inbox/clear`: the button.
pub(super) async fn clear(State(pages): SharedPages) -> Response {
    pages.parts.inbox.clear();
    back()
}

/// `POST /inbox/outcomes`: the form.
pub(super) async fn set_outcome(
    State(pages): SharedPages,
    uri: Uri,
    headers: HeaderMap,
    body: input::Body,
) -> Response {
    let result = input::form(&headers, body).and_then(|form| dev::script(&pages, &outcome_of(&form)?));
    match result {
        Ok(_) => back(),
        Err(error) => refused(&pages, curl(&pages, &uri, &headers), error),
    }
}

fn outcome_of(form: &[u8]) -> Result<dev::SetOutcome, InboxError> {
    let text = |name| input::field(form, name).unwrap_or_default();
    let times = match text("times").trim() {
        "" => None,
        times => Some(times.parse().map_err(|_source| InboxError::field("times", "expected a whole number"))?),
    };
    Ok(dev::SetOutcome { to: text("to"), outcome: text("outcome"), times })
}

/// `POST /inbox/outcomes/clear`: the buttons beside the scripts.
pub(super) async fn clear_outcomes(
    State(pages): SharedPages,
    uri: Uri,
    headers: HeaderMap,
    body: input::Body,
) -> Response {
    let to = input::form(&headers, body)
        .and_then(|form| input::number_in_query(std::str::from_utf8(&form).ok(), pages.parts.default_region));
    match to {
        Ok(to) => {
            pages.parts.inbox.clear_scripts(to.as_ref());
            back()
        }
        Err(error) => refused(&pages, curl(&pages, &uri, &headers), error),
    }
}

/// `POST /inbox/clock`: the buttons that move the clock.
pub(super) async fn advance_clock(
    State(pages): SharedPages,
    uri: Uri,
    headers: HeaderMap,
    body: input::Body,
) -> Response {
    let seconds = input::form(&headers, body).map(|form| input::field(&form, "seconds"));
    let seconds = seconds.map(|seconds| seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(0));
    let moved = match seconds {
        Ok(seconds) => dev::move_clock(Arc::clone(&pages), seconds).await,
        Err(error) => Err(error),
    };
    match moved {
        Ok(_) => back(),
        Err(error) => refused(&pages, curl(&pages, &uri, &headers), error),
    }
}

/// `GET /inbox/assets/…`.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (media_type, content): (&str, &'static [u8]) = match name.as_str() {
        "inbox.css" => ("text/css; charset=utf-8", include_bytes!("assets/inbox.css")),
        "inbox.js" => ("text/javascript; charset=utf-8", include_bytes!("assets/inbox.js")),
        "icon.svg" => ("image/svg+xml", include_bytes!("assets/icon.svg")),
        _ => return Err(Problem::not_found("no such file")),
    };
    Ok(([(header::CONTENT_TYPE, media_type)], content).into_response())
}
