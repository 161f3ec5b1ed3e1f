//! A request that comes again because its answer was lost has its effect once, also over a restart.

use std::time::Duration;

use crate::sender::DeliveryStatus;
use crate::store::state::StateOptions;
use crate::store::{Admission, AdmitOutcome, Admitted, CheckOutcome, CheckRequest, REPLY_KEPT, Refusal, RequestDigest};
use crate::testing::{Scene, StoreFactory};

const ONE: Option<RequestDigest> = Some(RequestDigest::from_bytes([1; 8]));
const TWO: Option<RequestDigest> = Some(RequestDigest::from_bytes([2; 8]));

async fn admit(scene: &Scene, admission: Admission) -> AdmitOutcome {
    scene.store.admit(admission, scene.now).await.unwrap()
}

/// The same request again, with the new ids that every call makes.
async fn repeated(scene: &Scene, again: Admission) -> Admitted {
    match admit(scene, again).await {
        AdmitOutcome::Repeated(before) => *before,
        other => panic!("not taken for a repeated request: {other:?}"),
    }
}

async fn check(scene: &Scene, check: CheckRequest) -> CheckOutcome {
    scene.store.check(check, scene.now).await.unwrap()
}

/// Nothing is spent and nothing to be sent, whatever became of the verification meanwhile.
pub async fn a_repeated_start_sends_nothing(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("203.0.113.1", "30/1h");
    scene.request = ONE;
    let id = scene.started().await;
    let before = scene.snapshot().await;
    scene.restart(factory).await;
    let again = repeated(&scene, scene.start_request()).await;
    assert!(again.created && again.loaded.id == id);
    let [delivery] = again.loaded.record.deliveries.as_slice() else { panic!("one delivery") };
    assert_eq!((delivery.status, delivery.settled), (DeliveryStatus::Unknown, false), "charged and not repeated");
    assert_eq!(scene.snapshot().await, before);
    scene.request = TWO;
    assert!(!scene.start().await.unwrap().created, "another request is another send");
    let again = repeated(&scene, scene.start_request()).await;
    assert!(!again.created && again.loaded.record.deliveries.len() == 2);
    scene.request = ONE;
    scene.canceled(id).await;
    assert_eq!(repeated(&scene, scene.start_request()).await.loaded.id, id);
    scene.request = None;
    let next = scene.started().await;
    scene.request = ONE;
    assert!(next != id && repeated(&scene, scene.start_request()).await.loaded.id == id, "not the newest one's");
}

/// Of the verification that it names; another tenant's request with the same digest finds nothing.
pub async fn a_repeated_resend_sends_nothing(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.request = ONE;
    assert_eq!(scene.resend(id).await.unwrap().loaded.standing.sends_remaining, 3);
    scene.restart(factory).await;
    let again = repeated(&scene, scene.resend_request(id)).await;
    assert!(!again.created && again.loaded.standing.sends_remaining == 3);
    assert_eq!(again.loaded.record.deliveries.len(), 2);
    scene.service = Scene::service_named(1);
    assert!(matches!(scene.resend(id).await, Err(Refusal::NotFound)));
    assert!(scene.start().await.unwrap().created, "a tenant of its own");
}

/// A message that certainly did not leave had no effect; its request sends anew.
pub async fn a_failed_send_is_tried_again(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.request = ONE;
    let failed = scene.start().await.unwrap();
    scene.refund(&failed).await;
    let anew = scene.start().await.unwrap();
    assert!(anew.created && anew.loaded.id != failed.loaded.id);
    scene.settle(&anew, DeliveryStatus::Sent, false).await;
    assert_eq!(repeated(&scene, scene.start_request()).await.loaded.id, anew.loaded.id);
}

/// The request that approved is told so again, by id and by number; any other is told that it is over.
pub async fn a_repeated_right_check_is_right_again(factory: &dyn StoreFactory) {
    for by_number in [false, true] {
        let mut scene = Scene::new(factory).await;
        let id = scene.started().await;
        let code = scene.code(id);
        let guess = |scene: &Scene| {
            if by_number { scene.guess_by_number(&code) } else { scene.guess_by_id(id, &code) }
        };
        scene.request = ONE;
        assert!(matches!(check(&scene, guess(&scene)).await, CheckOutcome::Approved(_)));
        scene.restart(factory).await;
        let CheckOutcome::Approved(again) = check(&scene, guess(&scene)).await else { panic!("approved before") };
        assert!(again.id == id && again.record.checks_used == 1);
        // A new verification of the number takes no guess of the old one's.
        let next = scene.started_anew().await;
        let CheckOutcome::Approved(again) = check(&scene, guess(&scene)).await else { panic!("approved before") };
        assert_eq!(again.id, id);
        assert_eq!(scene.load(next).await.unwrap().record.checks_used, 0);
        scene.request = TWO;
        let other = check(&scene, scene.guess_by_id(id, &code)).await;
        assert!(matches!(other, CheckOutcome::Refused { refusal: Refusal::AlreadyApproved, .. }), "{other:?}");
        scene.request = None;
        let other = check(&scene, scene.guess_by_id(id, &code)).await;
        assert!(matches!(other, CheckOutcome::Refused { refusal: Refusal::AlreadyApproved, .. }), "{other:?}");
    }
}

/// The last wrong guess costs once however often it comes; one before it is a guess of its own again.
pub async fn a_repeated_wrong_check_costs_once(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    for (request, left) in [(ONE, 4), (ONE, 4), (TWO, 3), (TWO, 3), (ONE, 2), (None, 1), (ONE, 0), (ONE, 0)] {
        scene.request = request;
        assert_eq!(scene.wrong(id).await, left);
        scene.restart(factory).await;
    }
    scene.request = TWO;
    let over = check(&scene, scene.guess_by_id(id, &scene.code(id))).await;
    assert!(matches!(over, CheckOutcome::Refused { refusal: Refusal::MaxChecks { .. }, .. }), "{over:?}");
    scene.now = scene.now + Duration::from_secs(700);
    scene.request = ONE;
    assert_eq!(scene.wrong(id).await, 0, "told as it was, also when its life is over");
}

/// After a day the caller may use its key for something else, however long the store remembers the verification.
pub async fn a_request_is_remembered_for_a_day(factory: &dyn StoreFactory) {
    let options = StateOptions { max_records: 100, retention: REPLY_KEPT * 3 };
    let mut scene = Scene::before(factory.fresh_with(options).await, 1);
    let admitted_at = scene.now;
    scene.request = ONE;
    let id = scene.started().await;
    scene.request = TWO;
    scene.advance_ms(60_000);
    scene.wrong(id).await;
    scene.request = ONE;
    scene.now = admitted_at + REPLY_KEPT - Duration::from_millis(1);
    assert_eq!(repeated(&scene, scene.start_request()).await.loaded.id, id);
    scene.now = admitted_at + REPLY_KEPT;
    assert_ne!(scene.started().await, id);
    scene.request = TWO;
    assert_eq!(scene.wrong(id).await, 0, "expired, and told as it was");
    scene.advance_ms(60_000);
    let over = check(&scene, scene.guess_by_id(id, &scene.code_plus(id, 1))).await;
    assert!(matches!(over, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{over:?}");
}
