//! Nothing that is logged at any level, and no error or configuration that is printed, holds a number, a code or a secret.
//!
//! A binary of its own: the subscriber is the process's, so that what libraries log through the `log` crate and from
//! their own tasks is caught as well.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "twilio/support.rs"]
mod support;

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{CODE, hurried, sender};
use tracing_subscriber::fmt::MakeWriter;
use verifyd_core::sender::{Message, Sender as _};
use verifyd_senders::twilio::fake::{FakeTwilio, Fault};
use verifyd_senders::twilio::{TwilioSender, TwilioSettings};

/// Everything logged, as text.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn faults() -> Vec<Option<Fault>> {
    let error = |status, code| Some(Fault::Error { status, code });
    vec![
        None,
        error(400, 21211),
        error(400, 29_999),
        error(401, 20003),
        error(500, 20500),
        Some(Fault::Throttle { retry_after: None }),
        Some(Fault::Throttle { retry_after: Some("60".into()) }),
        Some(Fault::FailsAtOnce { code: 30005 }),
        Some(Fault::Answer { status: 201, body: format!("{{\"sid\":\"{}\"", support::NUMBER) }),
        Some(Fault::Answer {
            status: 400,
            body: format!("{{\"code\":14155550123,\"message\":\"{}\"}}", support::TEXT),
        }),
        Some(Fault::Hang),
        Some(Fault::HangInBody),
        Some(Fault::Drip { pause: Duration::from_millis(20) }),
        Some(Fault::Garbage),
        Some(Fault::Html),
        Some(Fault::HugeBody),
        Some(Fault::CloseInBody),
        Some(Fault::CloseBeforeAnswer),
        Some(Fault::Redirect { status: 307, location: format!("/?to={}", support::NUMBER) }),
    ]
}

/// Sends once and writes down whatever of sender and outcome can be printed.
async fn send(sender: &TwilioSender, message: &Message, printed: &mut String) {
    write!(printed, "{sender:?} {sender:#?} {message:?}").unwrap();
    match sender.send(message).await {
        Ok(receipt) => write!(printed, "{receipt:?}").unwrap(),
        Err(error) => {
            write!(printed, "{error} {error:?} {error:#?}").unwrap();
            let mut beneath = std::error::Error::source(&error);
            while let Some(error) = beneath {
                write!(printed, "{error} {error:?}").unwrap();
                beneath = error.source();
            }
        }
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_or_printed() {
    // Made before anything is captured: reading a number is not the sender's work, and the library that does it logs.
    let message = hurried();
    let captured = Captured::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .with_ansi(false)
        .init();
    let mut printed = String::new();
    let twilio = FakeTwilio::start().await.unwrap();
    let account = twilio.account().clone();
    let with_key = TwilioSettings {
        api_key_sid: Some(account.api_key_sid.clone()),
        api_key_secret: Some(account.api_key_secret.as_str().into()),
        ..twilio.settings()
    };
    for settings in [twilio.settings(), with_key.clone()] {
        write!(printed, "{settings:?}").unwrap();
        let sender = sender(settings);
        for fault in faults() {
            if let Some(fault) = fault {
                twilio.fault_next(fault);
            }
            send(&sender, &message, &mut printed).await;
        }
    }
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for base_url in [format!("http://{closed}"), format!("https://{}", twilio.address())] {
        send(&sender(TwilioSettings { base_url, ..with_key.clone() }), &message, &mut printed).await;
    }
    assert!(twilio.requests().iter().any(|request| request.body.contains("4155550123")), "the canaries did travel");

    let logged = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    for expected in
        ["message taken", "message not taken", "TRACE", "RQ0000", "SM0000", "21211", "hyper", "delivery=VL0707"]
    {
        assert!(logged.contains(expected), "{expected} is not in the log:\n{logged}");
    }
    let authorization = |request: &verifyd_senders::twilio::fake::RecordedRequest| {
        request.header("authorization").unwrap().trim_start_matches("Basic ").to_owned()
    };
    let mut secrets: Vec<String> = twilio.requests().iter().map(authorization).collect();
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 2, "token and key");
    secrets.extend([account.auth_token, account.api_key_secret]);
    // The number but its last four digits, in any spelling; the code; a word of the text.
    secrets.extend(["415555".into(), "4155550".into(), CODE.into(), "Zanzibar".into()]);
    for secret in &secrets {
        for (where_to, text) in [("log", &logged), ("print", &printed)] {
            let found = text.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(found, None, "{secret} is in the {where_to}");
        }
    }
}
