//! The inbox through its router: the JSON, the page, the clock, the scripts and the walls around them.

mod dev;
mod messages;
mod page;
mod walls;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use verifyd_core::clock::{DevelopmentClock, SystemClock, Timestamp};
use verifyd_core::code::VerificationCode;
use verifyd_core::id::{DeliveryId, VerificationId};
use verifyd_core::message::{MessageText, segments};
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::sender::{Channel, Message, SendError, Sender as _};
use verifyd_senders::inbox::{Inbox, InboxSender};

use super::{InboxParts, routes};
use crate::mock::LocalMover;

/// A router of its own with everything behind it at hand.
struct TestInbox {
    router: Router,
    inbox: Arc<Inbox>,
    clock: Arc<DevelopmentClock>,
    /// Every offset that was to be kept.
    kept: Arc<Mutex<Vec<Duration>>>,
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestInbox {
    fn new() -> Self {
        Self::with_offset_of(Duration::ZERO, false)
    }

    fn with_offset_of(offset: Duration, disk_full: bool) -> Self {
        let inbox = Arc::new(Inbox::new());
        let clock = Arc::new(DevelopmentClock::new(SystemClock, offset));
        let kept = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&kept);
        let router = routes(InboxParts {
            inbox: Arc::clone(&inbox),
            clock: Arc::clone(&clock),
            mover: Arc::new(LocalMover::new(
                Arc::clone(&clock),
                Box::new(move |offset| {
                    seen.lock().unwrap().push(offset);
                    if disk_full { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                }),
            )),
            default_region: Some("US".parse().unwrap()),
            hosts: vec!["verify.example.com".to_owned()],
            tls: false,
            example_key: "dev".to_owned(),
        });
        Self { router, inbox, clock, kept }
    }

    /// Sends a message as the verifier would.
    async fn deliver(&self, to: &str, delivery: u8, text: &str, service: &str) -> Result<(), SendError> {
        let message = Message {
            delivery_id: DeliveryId::from_bytes([delivery; 16]),
            verification_id: VerificationId::from_bytes([7; 16]),
            service: service.to_owned(),
            to: PhoneNumber::parse_e164(to).unwrap(),
            channel: Channel::Sms,
            segments: segments::count(text),
            text: MessageText::new(text.to_owned()),
            code: VerificationCode::parse("042137").unwrap(),
            at: Timestamp::from_unix_ms(1_700_000_000_123),
            validity: Duration::from_secs(600),
            deadline: Duration::from_secs(10),
        };
        InboxSender::new(Arc::clone(&self.inbox)).with_delay(Duration::ZERO).send(&message).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(header::HOST, "127.0.0.1:8080");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], "").await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.call(Method::POST, path, &[("content-type", "application/json")], body).await
    }

    async fn submit(&self, path: &str, form: &str) -> Answer {
        self.call(Method::POST, path, &[("content-type", "application/x-www-form-urlencoded")], form).await
    }
}
