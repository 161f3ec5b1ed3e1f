//! Everything that can go wrong after the request arrived: the kind is honest, and it never arrives twice.

use std::time::{Duration, Instant};

use verifyd_core::message::MessageText;
use verifyd_core::sender::{DeliveryStatus, Message, SendErrorKind, Sender as _};
use verifyd_senders::twilio::TwilioSettings;
use verifyd_senders::twilio::fake::{FakeTwilio, Fault};

use crate::support::{hurried, message, sender};

fn error(status: u16, code: u32) -> Fault {
    Fault::Error { status, code }
}

fn answer(status: u16, body: &str) -> Fault {
    Fault::Answer { status, body: body.to_owned() }
}

#[tokio::test]
async fn every_fault_has_its_kind_and_one_request() {
    use SendErrorKind::{Rejected, SuspectedFraud, Unavailable, Unknown, Unsupported};
    let elsewhere = |status| Fault::Redirect { status, location: "/2010-04-01/elsewhere".to_owned() };
    for (fault, kind, code) in [
        (Fault::Hang, Unknown, None),
        (Fault::HangInBody, Unknown, None),
        (Fault::Drip { pause: Duration::from_millis(20) }, Unknown, None),
        (Fault::Garbage, Unknown, None),
        (Fault::Html, Unknown, None),
        (Fault::CloseInBody, Unknown, None),
        (Fault::CloseBeforeAnswer, Unknown, None),
        (error(500, 20500), Unknown, Some("20500")),
        (error(503, 20503), Unknown, Some("20503")),
        (answer(502, "<html>Bad Gateway</html>"), Unknown, None),
        (answer(504, ""), Unknown, None),
        (answer(201, "{}"), Unknown, None),
        (answer(200, "[]"), Unknown, None),
        (answer(400, "no JSON"), Unavailable, None),
        (error(400, 29_999), Unavailable, Some("29999")),
        (error(400, 21211), Rejected, Some("21211")),
        (error(400, 21635), Unsupported, Some("21635")),
        (error(401, 20003), Unavailable, Some("20003")),
        (error(403, 60410), SuspectedFraud, Some("60410")),
        (Fault::FailsAtOnce { code: 30450 }, SuspectedFraud, Some("30450")),
        (Fault::FailsAtOnce { code: 30005 }, Rejected, Some("30005")),
        (elsewhere(302), Unknown, None),
        (elsewhere(307), Unavailable, None),
    ] {
        let twilio = FakeTwilio::start().await.unwrap();
        twilio.fault_next(fault.clone());
        let failure = sender(twilio.settings()).send(&hurried()).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{fault:?}: {failure:?}");
        assert_eq!(failure.provider_code.as_deref(), code, "{fault:?}");
        assert_eq!(twilio.requests().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn errors_with_an_answer_carry_twilios_request_id() {
    let twilio = FakeTwilio::start().await.unwrap();
    for fault in [error(500, 20500), error(400, 21211), Fault::Garbage, Fault::FailsAtOnce { code: 30005 }] {
        twilio.fault_next(fault);
        let failure = sender(twilio.settings()).send(&message()).await.unwrap_err();
        assert_eq!(failure.request_id, Some(format!("RQ{:032x}", twilio.requests().len())));
    }
}

#[tokio::test]
async fn a_huge_body_is_not_read_to_its_end() {
    let twilio = FakeTwilio::start().await.unwrap();
    twilio.fault_next(Fault::HugeBody);
    let failure = sender(twilio.settings()).send(&message()).await.unwrap_err();
    assert_eq!(failure.kind, SendErrorKind::Unknown);
    twilio.all_connections_closed().await;
    // A gigabyte was announced; what the kernel buffers on the way is a few megabytes.
    assert!(twilio.body_bytes() < 64 << 20, "{}", twilio.body_bytes());
    assert_eq!(twilio.requests().len(), 1);
}

#[tokio::test]
async fn silence_after_the_connection_was_accepted_is_unknown() {
    let twilio = FakeTwilio::start().await.unwrap();
    twilio.fall_silent();
    let start = Instant::now();
    let failure = sender(twilio.settings()).send(&hurried()).await.unwrap_err();
    assert_eq!(failure.kind, SendErrorKind::Unknown);
    assert_eq!(twilio.connections(), 1);
    assert!(start.elapsed() < Duration::from_secs(4), "ten times the deadline");
}

#[tokio::test]
async fn the_configured_timeout_ends_a_message_with_more_time() {
    let twilio = FakeTwilio::start().await.unwrap();
    twilio.fault_next(Fault::Hang);
    let timeout = Duration::from_millis(300);
    let settings = TwilioSettings { timeout, connect_timeout: timeout, ..twilio.settings() };
    let start = Instant::now();
    let failure = sender(settings).send(&message()).await.unwrap_err();
    assert_eq!(failure.kind, SendErrorKind::Unknown);
    assert!(start.elapsed() < 10 * timeout);
}

#[tokio::test]
async fn a_kept_connection_that_closes_instead_of_answering_is_unknown() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sender = sender(twilio.settings());
    assert_eq!(sender.send(&message()).await.unwrap().status, DeliveryStatus::Queued);
    twilio.fault_next(Fault::CloseBeforeAnswer);
    let failure = sender.send(&message()).await.unwrap_err();
    assert_eq!(failure.kind, SendErrorKind::Unknown);
    assert_eq!((twilio.requests().len(), twilio.connections()), (2, 1));
    assert!(sender.send(&message()).await.is_ok(), "the next message gets a connection of its own");
    assert_eq!((twilio.requests().len(), twilio.connections()), (3, 2));
}

#[tokio::test]
async fn a_connection_that_closed_between_two_messages_costs_at_most_an_unknown() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sender = sender(twilio.settings());
    for _ in 0..20 {
        let before = twilio.requests().len();
        twilio.fault_next(Fault::CloseAfterAnswer);
        sender.send(&message()).await.unwrap();
        // Whether the client sees the close before or after it writes is a race; what it says must fit what arrived.
        let arrived = |n: usize| twilio.requests().len() - before == n;
        match sender.send(&message()).await {
            Ok(_) => assert!(arrived(2)),
            Err(failure) => assert!(arrived(1) && failure.kind == SendErrorKind::Unknown, "{failure:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_many_arrives_twice() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sender = std::sync::Arc::new(sender(twilio.settings()));
    let total = 200;
    for _ in 0..total / 4 {
        twilio.fault_next(Fault::CloseBeforeAnswer);
        twilio.fault_next(Fault::CloseInBody);
        twilio.fault_next(error(503, 20503));
        twilio.fault_next(Fault::CloseAfterAnswer);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..total {
        let sender = std::sync::Arc::clone(&sender);
        let text = MessageText::new(format!("message {n}"));
        tasks.spawn(async move { (n, sender.send(&Message { text, ..message() }).await) });
    }
    let outcomes = tasks.join_all().await;
    let mut arrived: Vec<_> = twilio.requests().iter().filter_map(|request| request.parameter("Body")).collect();
    arrived.sort();
    let all = arrived.len();
    arrived.dedup();
    assert_eq!(arrived.len(), all, "some arrived twice");
    for (n, outcome) in outcomes {
        match outcome {
            Ok(_) => assert!(arrived.contains(&format!("message {n}"))),
            Err(failure) => assert_eq!(failure.kind, SendErrorKind::Unknown, "the fake is there and refuses nobody"),
        }
    }
}

#[tokio::test]
async fn no_connection_is_unavailable() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let twilio = FakeTwilio::start().await.unwrap();
    for base_url in [format!("http://{closed}"), "https://verifyd-test.invalid".to_owned()] {
        let settings = TwilioSettings { base_url, ..twilio.settings() };
        let failure = sender(settings).send(&message()).await.unwrap_err();
        assert_eq!(failure.kind, SendErrorKind::Unavailable, "{failure:?}");
        assert!(failure.kind.refunds() && failure.source.is_some());
    }
}
