//! 429: waited for within the deadline, then handed on with the provider's wish.

use std::time::{Duration, Instant};

use verifyd_core::sender::{Message, SendErrorKind, Sender as _};
use verifyd_senders::twilio::fake::{FakeTwilio, Fault};

use crate::support::{message, sender};

fn throttle(retry_after: Option<&str>) -> Fault {
    Fault::Throttle { retry_after: retry_after.map(str::to_owned) }
}

fn throttled(retry_after: Option<u64>) -> SendErrorKind {
    SendErrorKind::Throttled { retry_after: retry_after.map(Duration::from_secs) }
}

#[tokio::test]
async fn a_short_throttle_is_waited_out() {
    for retry_after in [None, Some("0"), Some("1")] {
        let twilio = FakeTwilio::start().await.unwrap();
        twilio.fault_next(throttle(retry_after));
        twilio.fault_next(throttle(retry_after));
        let start = Instant::now();
        assert!(sender(twilio.settings()).send(&message()).await.is_ok());
        assert_eq!(twilio.requests().len(), 3);
        let wish = retry_after.and_then(|text| text.parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
        assert!(start.elapsed() >= 2 * wish, "not earlier than asked");
    }
}

#[tokio::test]
async fn a_throttle_that_does_not_end_is_given_up_after_five_tries() {
    let twilio = FakeTwilio::start().await.unwrap();
    for _ in 0..9 {
        twilio.fault_next(throttle(None));
    }
    let failure = sender(twilio.settings()).send(&message()).await.unwrap_err();
    assert_eq!((failure.kind, failure.provider_code.as_deref()), (throttled(None), Some("20429")));
    assert_eq!(twilio.requests().len(), 5);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    for (retry_after, seconds) in [
        ("60", 60),
        // A minute after the message's instant, 2023-11-14T22:13:20Z; the time spent so far is taken off.
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Wed, 14 Nov 2040 22:14:20 GMT", 86_400),
    ] {
        let twilio = FakeTwilio::start().await.unwrap();
        twilio.fault_next(throttle(Some(retry_after)));
        let start = Instant::now();
        let failure = sender(twilio.settings()).send(&message()).await.unwrap_err();
        assert!(start.elapsed() < message().deadline);
        assert_eq!(twilio.requests().len(), 1);
        let SendErrorKind::Throttled { retry_after: Some(wait) } = failure.kind else { panic!("{failure:?}") };
        let asked = Duration::from_secs(seconds);
        assert!(wait <= asked && wait + Duration::from_secs(30) > asked, "{retry_after}: {wait:?}");
    }
}

#[tokio::test]
async fn the_deadline_holds_over_several_waits() {
    let twilio = FakeTwilio::start().await.unwrap();
    for _ in 0..9 {
        twilio.fault_next(throttle(None));
    }
    // 90 to 110 ms fit; the next wait of at least 180 ms does not.
    let hurried = Message { deadline: Duration::from_millis(250), ..message() };
    let failure = sender(twilio.settings()).send(&hurried).await.unwrap_err();
    assert!(matches!(
        failure.kind,
        SendErrorKind::Throttled { .. } | SendErrorKind::Unavailable | SendErrorKind::Unknown
    ));
    assert!(twilio.requests().len() <= 2);
}

#[tokio::test]
async fn limits_of_the_verification_itself_are_not_waited_for() {
    for code in [60202, 60203] {
        let twilio = FakeTwilio::start().await.unwrap();
        twilio.fault_next(Fault::Error { status: 429, code });
        let failure = sender(twilio.settings()).send(&message()).await.unwrap_err();
        assert_eq!(failure.kind, throttled(Some(600)));
        assert_eq!(twilio.requests().len(), 1);
    }
}
