//! A whole server without a listener: configuration from text, requests straight into the router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use verifyd_core::clock::{Clock as _, Timestamp};
use verifyd_server::config::{Config, ConfigFile, Flags, Sources, read_file};
use verifyd_server::http::{App, MockPages, router};
use verifyd_server::mock::Mock;
use verifyd_server::wiring::Server;

use crate::document;

/// A number of these tests.
pub(crate) const PHONE: &str = "+14155552671";
/// No delay between sends.
pub(crate) const NO_DELAYS: &str = "[limits]\nresend_delays = []\n";
/// A guess that is well formed and, but once in a million runs, wrong; see [`TestApp::wrong`].
const SOME_GUESS: &str = "000000";

/// A server and what a test reaches of it from outside.
pub(crate) struct TestApp {
    router: Router,
    pub(crate) app: Arc<App>,
    pub(crate) mock: Mock,
    pub(crate) shutdown: CancellationToken,
    /// Held for its end: the store's directory goes with it.
    _dir: TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("cache-control"), "no-store", "{}", self.text);
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        assert_eq!(self.header("content-type"), kind, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The document of a problem with this status and code; what must hold of every one is looked at here.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let document = self.expect(status);
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status, "{document}");
        assert_eq!(document["type"], format!("urn:verifyd:error:{code}"), "{document}");
        assert!(document["title"].is_string() && document["detail"].is_string(), "{document}");
        let retry_after = document["retry_after_seconds"].as_u64();
        let waits = status == 429 || status == 503;
        assert_eq!(retry_after.is_some(), waits, "{document}");
        assert_eq!(self.header("retry-after"), retry_after.map(|s| s.to_string()).unwrap_or_default(), "{document}");
        assert_eq!(self.header("www-authenticate").is_empty(), status != 401, "{document}");
        document
    }
}

fn sources(file: &str, store: &str, dir: &TempDir) -> Sources {
    Sources {
        file: Some(ConfigFile { name: "verifyd.toml".to_owned(), text: file.to_owned() }),
        environment: [("VERIFYD_API_KEY".to_owned(), "dev".to_owned())].into(),
        flags: Flags {
            store: Some(store.to_owned()),
            data_dir: Some(dir.path().join("data").display().to_string()),
            ..Flags::default()
        },
        now: Timestamp::from_unix_ms(1_800_000_000_000),
        read_file,
    }
}

impl TestApp {
    /// `verifyd dev` with its defaults, on the memory store.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// `verifyd dev` with this file, on the memory store.
    pub(crate) async fn with(file: &str) -> Self {
        Self::on("memory", file).await
    }

    /// `verifyd dev` with this file and store.
    pub(crate) async fn on(store: &str, file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let loaded = Config::development(&sources(file, store, &dir));
        Self::assemble(loaded.unwrap_or_else(|errors| panic!("{errors}")).0, dir).await
    }

    /// `verifyd serve` with this file, which must switch mock mode on; the key `dev` is taken here, too.
    pub(crate) async fn serve(file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let loaded = Config::load(&sources(file, "memory", &dir));
        Self::assemble(loaded.unwrap_or_else(|errors| panic!("{errors}")).0, dir).await
    }

    async fn assemble(config: Config, dir: TempDir) -> Self {
        let shutdown = CancellationToken::new();
        let server = Server::assemble(config, shutdown.clone()).await.unwrap();
        server.start_chores();
        let mock = server.mock.clone().unwrap();
        let pages = MockPages { mock: mock.clone(), hosts: Vec::new(), tls: false, example_key: "dev".to_owned() };
        let router = router(&server.app, Some(pages));
        Self { router, app: Arc::clone(&server.app), mock, shutdown, _dir: dir }
    }

    /// The router, as a debugger sees it.
    pub(crate) fn shown(&self) -> String {
        format!("{:?}", self.router)
    }

    /// Sends exactly this.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, text };
        document::conforms(method, path, &answer);
        answer
    }

    /// Sends JSON, or no body, with `key`.
    pub(crate) async fn call_as(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {key}");
        let authorization = (header::AUTHORIZATION.as_str(), bearer.as_str());
        match body {
            Some(body) => {
                let headers = [authorization, ("content-type", "application/json")];
                self.raw(method, path, &headers, body.to_string()).await
            }
            None => self.raw(method, path, &[authorization], Body::empty()).await,
        }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call_as("dev", "POST", path, Some(&body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call_as("dev", "GET", path, None).await
    }

    /// A text body with the media type of JSON.
    pub(crate) async fn post_text(&self, path: &str, body: impl Into<Body>) -> Answer {
        let headers = [("authorization", "Bearer dev"), ("content-type", "application/json")];
        self.raw("POST", path, &headers, body).await
    }

    pub(crate) async fn start(&self, to: &str) -> Answer {
        self.post("/v1/verifications", json!({ "to": to })).await
    }

    /// Starts a verification that must be new.
    pub(crate) async fn started(&self, to: &str) -> Started {
        let body = self.start(to).await.expect(201);
        Started { id: text(&body["id"]), code: self.code_of(to), body }
    }

    /// The code that went to `to` last, out of the inbox.
    pub(crate) fn code_of(&self, to: &str) -> String {
        let messages = self.mock.inbox.messages(None);
        let last = messages.iter().rfind(|message| message.to.e164() == to);
        last.unwrap_or_else(|| panic!("no message to {to}")).code.expose().to_owned()
    }

    /// How many messages lie in the inbox.
    pub(crate) fn messages(&self) -> usize {
        self.mock.inbox.messages(None).len()
    }

    pub(crate) async fn check(&self, id: &str, code: &str) -> Answer {
        self.post(&format!("/v1/verifications/{id}/check"), json!({ "code": code })).await
    }

    /// `GET /v1/limits` of a number, by the name of the limit.
    pub(crate) async fn limit(&self, to: &str, name: &str) -> Value {
        let body = self.get(&format!("/v1/limits?to={}", to.replace('+', "%2B"))).await.expect(200);
        let limits = body["limits"].as_array().unwrap();
        limits.iter().find(|limit| limit["name"] == name).cloned().unwrap_or(Value::Null)
    }

    /// How many sends to `to` count.
    pub(crate) async fn sends_used(&self, to: &str) -> u64 {
        self.limit(to, "sends_per_phone").await["used"].as_u64().unwrap()
    }

    /// Moves the clock as an integrator would.
    pub(crate) async fn advance(&self, seconds: u64) {
        let headers = [("host", "127.0.0.1:8080"), ("content-type", "application/json")];
        let body = json!({ "seconds": seconds }).to_string();
        let answer = self.raw("POST", "/dev/clock/advance", &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// The instant at which the server is, in milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.mock.clock.now().unix_ms()
    }

    /// Moves the clock to `before` ahead of `instant_ms`.
    pub(crate) fn go_to(&self, instant_ms: u64, before: Duration) {
        let wait = instant_ms.saturating_sub(self.now_ms());
        self.mock.clock.advance(Duration::from_millis(wait).saturating_sub(before));
    }
}

/// A verification that was just started.
pub(crate) struct Started {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) body: Value,
}

impl Started {
    /// `/v1/verifications/{id}` and what follows.
    pub(crate) fn path(&self, verb: &str) -> String {
        format!("/v1/verifications/{}{verb}", self.id)
    }

    /// A guess of the right length that is not the code.
    pub(crate) fn wrong(&self) -> &'static str {
        wrong_for(&self.code)
    }
}

/// Six digits that are not `code`.
pub(crate) fn wrong_for(code: &str) -> &'static str {
    if code == SOME_GUESS { "111111" } else { SOME_GUESS }
}

/// The text in a reply.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// An instant of a reply, in milliseconds.
#[track_caller]
pub(crate) fn instant(value: &Value) -> u64 {
    let at: jiff::Timestamp = text(value).parse().unwrap();
    u64::try_from(at.as_millisecond()).unwrap()
}

/// `body` with what differs from run to run replaced: ids by their kind, instants by whole seconds since `base` (itself an
/// instant of a reply), codes by `(code)`, proofs by `(proof)`.
pub(crate) fn redacted(body: &Value, base: &Value) -> Value {
    let base = instant(base);
    redact(body, base)
}

fn redact(value: &Value, base: u64) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let value = match name.as_str() {
                    "test_code" => json!("(code)"),
                    "proof" => json!("(proof)"),
                    _ => redact(value, base),
                };
                (name.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| redact(item, base)).collect(),
        Value::String(text) => redact_text(text, base),
        other => other.clone(),
    }
}

fn redact_text(text: &str, base: u64) -> Value {
    let is_id = text.len() == 34 && text.get(2..).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_id {
        return json!(format!("{}…", text.get(..2).unwrap_or_default()));
    }
    let at = text.parse::<jiff::Timestamp>().ok().filter(|_| text.ends_with('Z') && text.len() == 24);
    match at.and_then(|at| u64::try_from(at.as_millisecond()).ok()) {
        Some(at) => json!(format!("T+{}", (at.saturating_sub(base) + 500) / 1_000)),
        None => json!(text),
    }
}
