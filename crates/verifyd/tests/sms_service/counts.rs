//! Messages are counted exactly, under concurrency, over refunds and as the window slides.

use std::sync::Arc;
use std::time::Duration;

use verifyd::clock::Clock;
use verifyd::sender::{DeliveryStatus, SendErrorKind};
use verifyd::testing::Outcome;
use verifyd::{SmsError, SmsService, SmsSettings, embedded};

use super::{NUMBER, Scene, parts, scene};

const HOUR: Duration = Duration::from_secs(3600);

/// A thousand sends at once to one number in several spellings; how many were admitted and how many refused for the limit.
async fn stampede(sms: &SmsService, code: impl Fn(usize) -> String) -> (usize, usize) {
    let spellings = ["+14155550123", "(415) 555-0123", "415-555-0123", "+1 415 555 0123"];
    let tasks: Vec<_> = (0..1_000)
        .map(|i| {
            let (sms, code, phone) = (sms.clone(), code(i), spellings[i % spellings.len()]);
            tokio::spawn(async move { sms.send_verification_code(phone, &code).await })
        })
        .collect();
    let (mut sent, mut limited) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => sent += 1,
            Err(SmsError::RateLimited(_)) => limited += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    (sent, limited)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_parallel_sends_of_one_code_send_exactly_five() {
    let Scene { sms, sender, .. } = scene();
    assert_eq!(stampede(&sms, |_| "123456".to_owned()).await, (5, 995));
    assert_eq!(sender.count(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_parallel_sends_of_different_codes_send_exactly_five_each_its_own() {
    let Scene { sms, sender, .. } = scene();
    assert_eq!(stampede(&sms, |i| format!("{i:06}")).await, (5, 995));
    let mut codes: Vec<String> = sender.messages().iter().map(|message| message.code.expose().to_owned()).collect();
    assert!(sender.messages().iter().all(|message| message.text.expose().contains(message.code.expose())));
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_durable_store_counts_as_exactly_and_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(verifyd::testing::FakeClock::default());
    let open = || async {
        let key = verifyd::testing::test_master_key("k");
        let (store, keys) = embedded::open(dir.path(), &[key], verifyd::store::StateOptions::default()).await.unwrap();
        let sender = Arc::new(verifyd::testing::RecordingSender::default());
        let parts = parts(&clock).store(Arc::<embedded::EmbeddedStore>::clone(&store), keys).sender(sender);
        (SmsService::over(SmsSettings::default(), parts).unwrap(), store)
    };
    let (sms, store) = open().await;
    assert_eq!(stampede(&sms, |i| format!("{i:06}")).await, (5, 995));
    sms.drain().await;
    store.close().await;
    drop((sms, store));
    let (sms, store) = open().await;
    assert!(sms.is_rate_limited(NUMBER).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn the_sixth_in_an_hour_is_told_when_and_works_then() {
    let Scene { sms, clock, sender } = scene();
    let began = clock.now();
    for minute in 0..5_u32 {
        assert!(!sms.is_rate_limited(NUMBER).await.unwrap());
        let sent = sms.send_verification_code(NUMBER, "123456").await.unwrap();
        assert_eq!((sent.rate_limit.used, sent.rate_limit.remaining), (minute + 1, 4 - minute));
        assert_eq!(sent.expires_at, clock.now() + Duration::from_secs(600));
        clock.advance(Duration::from_secs(60));
    }
    let refused = sms.send_verification_code("(415) 555-0123", "123456").await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (429, "rate_limited"));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(55 * 60)));
    let info = sms.get_rate_limit_info(NUMBER).await.unwrap();
    let SmsError::RateLimited(told) = refused else { panic!("{refused:?}") };
    assert_eq!(told, info);
    assert_eq!((info.limit, info.used, info.remaining, info.window), (5, 5, 0, HOUR));
    assert_eq!(info.reset_at, began + Duration::from_secs(240) + HOUR);
    clock.set(began + HOUR - Duration::from_millis(1));
    assert!(sms.is_rate_limited(NUMBER).await.unwrap());
    clock.set(began + HOUR);
    assert!(!sms.is_rate_limited(NUMBER).await.unwrap());
    sms.send_verification_code(NUMBER, "123456").await.unwrap();
    assert_eq!(sender.count(), 6);
}

#[tokio::test]
async fn asking_spends_nothing_and_numbers_do_not_share() {
    let Scene { sms, .. } = scene();
    for _ in 0..20 {
        assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 0);
    }
    sms.send_verification_code(NUMBER, "123456").await.unwrap();
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 1);
    assert_eq!(sms.get_rate_limit_info("+14155550199").await.unwrap().used, 0);
}

#[tokio::test]
async fn what_certainly_did_not_leave_is_given_back_and_what_may_have_is_not() {
    let Scene { sms, sender, .. } = scene();
    for (kind, status, code) in [
        (SendErrorKind::Rejected, 422, "undeliverable"),
        (SendErrorKind::Unsupported, 422, "undeliverable"),
        (SendErrorKind::Unavailable, 503, "sender_unavailable"),
        (SendErrorKind::Throttled { retry_after: Some(Duration::from_secs(3)) }, 503, "sender_unavailable"),
    ] {
        sender.next(Outcome::Refused { kind, provider_code: Some("21614") });
        let refused = sms.send_verification_code(NUMBER, "123456").await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (status, code), "{kind:?}");
        assert_eq!(refused.retry_after().is_some(), status == 503, "{kind:?}");
        assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 0, "{kind:?}");
    }
    sender.next(Outcome::refused(SendErrorKind::Unknown));
    let sent = sms.send_verification_code(NUMBER, "123456").await.unwrap();
    assert_eq!((sent.status, sent.message_id), (DeliveryStatus::Unknown, None));
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 1);
    sender.next(Outcome::refused(SendErrorKind::SuspectedFraud));
    assert_eq!(sms.send_verification_code(NUMBER, "123456").await.unwrap_err().status(), 422);
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 2);
}

#[tokio::test]
async fn a_second_limit_holds_beside_the_first() {
    let clock = Arc::new(verifyd::testing::FakeClock::default());
    let settings = SmsSettings { second_limit: Some("7/24h".parse().unwrap()), ..SmsSettings::default() };
    let sender = Arc::new(verifyd::testing::RecordingSender::default());
    let sms = SmsService::over(settings, parts(&clock).sender(sender)).unwrap();
    for _ in 0..5 {
        sms.send_verification_code(NUMBER, "123456").await.unwrap();
    }
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().limit, 5);
    clock.advance(HOUR);
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().limit, 7);
    sms.send_verification_code(NUMBER, "123456").await.unwrap();
    sms.send_verification_code(NUMBER, "123456").await.unwrap();
    let refused = sms.send_verification_code(NUMBER, "123456").await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(HOUR * 23));
}

#[tokio::test]
async fn what_has_expired_is_swept_by_the_traffic() {
    let clock = Arc::new(verifyd::testing::FakeClock::default());
    let store = Arc::new(verifyd::store::MemoryStore::new(verifyd::store::StateOptions {
        max_records: 600,
        ..verifyd::store::StateOptions::default()
    }));
    let sender = Arc::new(verifyd::testing::RecordingSender::default());
    let parts = parts(&clock).store(store, verifyd::testing::test_keys(&["k"])).sender(sender);
    let sms = SmsService::over(SmsSettings::default(), parts).unwrap();
    let number = |i: u32| format!("+1415555{i:04}");
    for i in 0..200 {
        sms.send_verification_code(&number(i), "123456").await.unwrap();
    }
    // Far more numbers than fit at a time, a minute apart: without the sweep the store would be full.
    for i in 200..2_000 {
        clock.advance(Duration::from_secs(600));
        sms.send_verification_code(&number(i), "123456").await.unwrap();
    }
}
