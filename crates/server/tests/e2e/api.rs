//! Calls to a running server, and their answers.

use std::time::Instant;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::program::{API_KEY, GLANCE, PATIENCE, Running};

/// A caller of one server, with one key.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    client: Client,
    base: String,
    key: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body as it came.
    pub(crate) text: String,
    /// The body as JSON; null if it is none.
    pub(crate) json: Value,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// Whether it is one that was given before.
    pub(crate) replayed: bool,
}

impl Answer {
    /// Holds the answer to a status and gives its JSON.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json
    }

    /// Holds the answer to a problem with this status and code.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.json["code"].as_str()), (status, Some(code)), "{}", self.text);
        self.json
    }

    /// Whether it is a problem with this code.
    pub(crate) fn is_problem(&self, code: &str) -> bool {
        self.status >= 400 && self.json["code"] == code
    }
}

impl Api {
    /// A caller with the key of `serve`.
    pub(crate) fn of(server: &Running) -> Self {
        Self::with_key(server, API_KEY)
    }

    /// A caller with this key.
    pub(crate) fn with_key(server: &Running, key: &str) -> Self {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { client, base: server.base().to_owned(), key: key.to_owned() }
    }

    /// The same caller over a connection of its own that carries many requests at once.
    pub(crate) fn multiplexed(&self) -> Self {
        let client = Client::builder().no_proxy().timeout(PATIENCE).http2_prior_knowledge().build().unwrap();
        Self { client, ..self.clone() }
    }

    /// A request with the key and, if it is not null, a JSON body; `Err` if no answer came.
    pub(crate) async fn try_call(&self, method: Method, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = self.client.request(method, format!("{}{path}", self.base));
        self.send(request, body).await
    }

    /// A POST that can be repeated; `Err` if no answer came.
    pub(crate) async fn keyed(&self, key: &str, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("{}{path}", self.base)).header("idempotency-key", key);
        self.send(request, body).await
    }

    async fn send(&self, request: RequestBuilder, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = request.bearer_auth(&self.key);
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/json").body(body.to_string()),
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        let replayed = response.headers().contains_key("idempotent-replayed");
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, text, json, retry_after, replayed })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_call(Method::GET, path, &Value::Null).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_call(Method::POST, path, &body).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.try_call(Method::DELETE, path, &Value::Null).await.unwrap()
    }

    /// Starts a verification of `to`.
    pub(crate) async fn start(&self, to: &str) -> Answer {
        self.post("/v1/verifications", json!({ "to": to })).await
    }

    /// Checks a code by number.
    pub(crate) async fn check(&self, to: &str, code: &str) -> Answer {
        self.post("/v1/verifications/check", json!({ "to": to, "code": code })).await
    }

    /// A verification.
    pub(crate) async fn load(&self, id: &str) -> Answer {
        self.get(&format!("/v1/verifications/{id}")).await
    }

    /// The standing of one limit of a number.
    pub(crate) async fn used(&self, to: &str, limit: &str) -> u64 {
        let report = self.get(&format!("/v1/limits?to={to}")).await.expect(200);
        let found = report["limits"].as_array().unwrap().iter().find(|standing| standing["name"] == limit);
        found.unwrap_or_else(|| panic!("no {limit} in {report}"))["used"].as_u64().unwrap()
    }

    /// The messages to a number that are in the inbox.
    pub(crate) async fn messages(&self, to: &str) -> Vec<Value> {
        let messages = self.get(&format!("/inbox/messages?to={}", to.replace('+', "%2B"))).await.expect(200);
        messages.as_array().unwrap().clone()
    }
}

/// Waits until `ready` says so.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut ready: impl FnMut() -> F) {
    let began = Instant::now();
    while !ready().await {
        assert!(began.elapsed() < PATIENCE, "it never came: {what}");
        tokio::time::sleep(GLANCE).await;
    }
}

/// Another code than `code`, of the same length: the `n`th after it.
pub(crate) fn wrong(code: &str, n: u64) -> String {
    let modulus = 10_u64.pow(u32::try_from(code.len()).unwrap());
    format!("{:0width$}", (code.parse::<u64>().unwrap() + n) % modulus, width = code.len())
}
