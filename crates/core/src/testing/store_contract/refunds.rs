//! What did not leave is given back: once, wholly, and to nobody else.

use std::time::Duration;

use crate::id::DeliveryId;
use crate::limits::LimitName;
use crate::sender::DeliveryStatus;
use crate::store::{CheckOutcome, Refusal, Settlement, Status};
use crate::testing::{Scene, StoreFactory};

/// Every limit stands as before the start.
pub async fn refund_gives_back_everything(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("2001:db8::1", "30/1h");
    let before = scene.snapshot().await;
    for _ in 0..10 {
        let admitted = scene.start().await.unwrap();
        assert!(matches!(scene.refund(&admitted).await, Settlement::Settled(_)));
        assert_eq!(scene.snapshot().await, before);
    }
    scene.restart(factory).await;
    assert_eq!(scene.snapshot().await, before);
}

/// A second settlement of a delivery changes nothing.
pub async fn refund_happens_once(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("203.0.113.7", "30/1h");
    let first = scene.start().await.unwrap();
    scene.settle(&first, DeliveryStatus::Sent, false).await;
    let second = scene.start().await.unwrap();
    assert!(matches!(scene.refund(&second).await, Settlement::Settled(_)));
    let after = scene.snapshot().await;
    for _ in 0..3 {
        assert!(matches!(scene.refund(&second).await, Settlement::Ignored));
        assert!(matches!(scene.refund(&first).await, Settlement::Ignored), "recorded without a refund before");
        scene.restart(factory).await;
        assert_eq!(scene.snapshot().await, after);
    }
    assert_eq!(scene.used(LimitName::SendsPerPhone).await, 1);
    assert_eq!(scene.used(LimitName::SendsPerIp).await, 1);
}

/// What may have left stays charged, whatever its status.
pub async fn no_refund_without_asking(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    for (taken, status) in
        [DeliveryStatus::Unknown, DeliveryStatus::Failed, DeliveryStatus::Queued].into_iter().enumerate()
    {
        let admitted = scene.start().await.unwrap();
        let Settlement::Settled(loaded) = scene.settle(&admitted, status, false).await else { panic!("ignored") };
        let delivery = loaded.record.deliveries.last().unwrap();
        assert_eq!((delivery.status, delivery.settled, delivery.refunded), (status, true, false));
        assert_eq!((&*delivery.sender, delivery.message_id.as_deref()), ("test", Some("MSG0001")));
        assert_eq!(scene.used(LimitName::SendsPerPhone).await as usize, taken + 1);
        scene.advance_ms(1_000);
    }
}

/// Where nothing could be sent there is nothing to check, and the next start begins anew.
pub async fn all_failed_is_failed(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let admitted = scene.start().await.unwrap();
    let id = admitted.loaded.id;
    let Settlement::Settled(loaded) = scene.refund(&admitted).await else { panic!("ignored") };
    assert_eq!(loaded.record.status, Status::Failed { at: scene.now });
    assert!(loaded.record.secret.is_none());
    let outcome = scene.check(id, &scene.code(id)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Failed, .. }), "{outcome:?}");
    assert_eq!(scene.resend(id).await.unwrap_err(), Refusal::Failed);
    let next = scene.start().await.unwrap();
    assert!(next.created);
    assert_ne!(next.loaded.id, id);
}

/// One message that left, or may have, keeps the verification pending.
pub async fn one_taken_message_keeps_it_pending(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    for status in [DeliveryStatus::Queued, DeliveryStatus::Unknown] {
        let first = scene.start().await.unwrap();
        scene.advance_ms(10);
        let second = scene.start().await.unwrap();
        // The answer for the second comes first.
        scene.refund(&second).await;
        assert_eq!(scene.load(first.loaded.id).await.unwrap().record.status, Status::Pending, "one is still under way");
        scene.settle(&first, status, false).await;
        let third = scene.start().await.unwrap();
        scene.refund(&third).await;
        let id = first.loaded.id;
        assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(_)));
        scene.advance_ms(10);
    }
}

/// A refund takes the instant of its own delivery out of the log, so the others' waits stay exact.
pub async fn refund_reaches_only_its_own_delivery(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.sends_per_phone = "2/1h".parse().unwrap();
    let first = scene.start().await.unwrap();
    let first_at = scene.now;
    scene.advance_ms(1_000);
    let second = scene.start().await.unwrap();
    let second_at = scene.now;
    let hour = Duration::from_secs(3600);
    assert_eq!(scene.info().await.limits[0].standing.retry_at, first_at + hour);
    scene.refund(&first).await;
    assert_eq!(scene.info().await.limits[0].standing.used, 1);
    assert_eq!(scene.info().await.limits[0].standing.reset_at, second_at + hour);
    scene.settle(&second, DeliveryStatus::Sent, false).await;
    scene.advance_ms(1_000);
    scene.start().await.unwrap();
    assert_eq!(scene.info().await.limits[0].standing.retry_at, second_at + hour);
}

/// A refund that comes after its charge has drained by itself frees nothing of what others took since.
pub async fn a_late_refund_is_no_credit(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    // One a minute: half of the first charge drains within thirty seconds.
    scene.from_address("203.0.113.7", "2/2m");
    let slow = scene.start().await.unwrap();
    scene.advance_ms(60_000);
    scene.phone = Scene::phone_named(1);
    scene.start().await.unwrap();
    scene.phone = Scene::phone_named(0);
    scene.refund(&slow).await;
    assert_eq!(scene.used(LimitName::SendsPerIp).await, 1, "the other number's send is still charged");
    scene.phone = Scene::phone_named(2);
    let half = scene.start().await.unwrap();
    scene.advance_ms(30_000);
    scene.refund(&half).await;
    // 120 s were charged, 30 s have drained, the 30 s left of the refunded minute are given back.
    let standing = scene.info().await.limits[3].standing;
    assert_eq!(standing.reset_at, scene.now + Duration::from_secs(60));
}

/// Unknown deliveries, unknown verifications and other tenants' are ignored.
pub async fn settlement_of_strangers_is_ignored(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let admitted = scene.start().await.unwrap();
    let id = admitted.loaded.id;
    let before = scene.snapshot().await;
    let stranger = scene.settle_request(id, DeliveryId::from_bytes([9; 16]), DeliveryStatus::Failed, true);
    assert!(matches!(scene.store.settle(stranger, scene.now).await.unwrap(), Settlement::Ignored));
    let delivery = admitted.loaded.record.deliveries[0].id;
    let nowhere = crate::id::VerificationId::from_bytes([9; 16]);
    let lost = scene.settle_request(nowhere, delivery, DeliveryStatus::Failed, true);
    assert!(matches!(scene.store.settle(lost, scene.now).await.unwrap(), Settlement::Ignored));
    scene.service = Scene::service_named(1);
    assert!(matches!(scene.refund(&admitted).await, Settlement::Ignored));
    scene.service = Scene::service_named(0);
    assert_eq!(scene.snapshot().await, before);
    assert_eq!(scene.store.forget(None, scene.phone, scene.now).await.unwrap().verifications, 1);
    assert!(matches!(scene.refund(&admitted).await, Settlement::Ignored), "what was forgotten gives nothing back");
}
