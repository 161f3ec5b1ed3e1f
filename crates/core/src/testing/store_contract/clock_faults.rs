//! A clock that goes back neither revives a code nor freezes a limit.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::limits::LimitName;
use crate::sender::DeliveryStatus;
use crate::store::{CancelOutcome, CheckOutcome, Refusal, StoreError};
use crate::testing::{Scene, StoreFactory};

const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

fn is_clock_fault<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::ClockWentBack))
}

async fn used_and_retry_at(scene: &Scene, name: LimitName) -> (u32, Timestamp) {
    let limits = scene.info().await.limits;
    let standing = limits.iter().find(|limit| limit.name == name).unwrap().standing;
    (standing.used, standing.retry_at)
}

/// Up to five minutes back, the store goes on at the latest instant it knows.
pub async fn small_step_back_is_clamped(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.advance_ms(1);
    let first = scene.start().await.unwrap();
    let latest = scene.now;
    scene.now = latest - MINUTE * 5;
    let second = scene.start().await.unwrap();
    assert_eq!(second.loaded.at, latest);
    assert_eq!(second.loaded.record.deliveries[1].at, latest);
    assert_eq!(scene.load(first.loaded.id).await.unwrap().at, latest);
    scene.store.ready(scene.now).await.unwrap();
    scene.restart(factory).await;
    assert_eq!(scene.start().await.unwrap().loaded.at, latest);
    assert_eq!(scene.info().await.at, latest);
}

/// Further back, nothing that decides is done, from the first millisecond on, and nothing is spent.
pub async fn large_step_back_stops_every_decision(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let admitted = scene.start().await.unwrap();
    let id = admitted.loaded.id;
    let latest = scene.now;
    let before = scene.snapshot().await;
    scene.now = latest - MINUTE * 5 - Duration::from_millis(1);
    assert!(is_clock_fault(&scene.store.ready(scene.now).await), "even before the first decision");
    let (store, now) = (&scene.store, scene.now);
    assert!(is_clock_fault(&store.admit(scene.start_request(), now).await));
    assert!(is_clock_fault(&store.admit(scene.resend_request(id), now).await));
    assert!(is_clock_fault(&store.check(scene.guess_by_id(id, &scene.code(id)), now).await));
    let delivery = admitted.loaded.record.deliveries[0].id;
    let settle = scene.settle_request(id, delivery, DeliveryStatus::Failed, true);
    assert!(is_clock_fault(&store.settle(settle, now).await));
    assert!(is_clock_fault(&store.cancel(scene.service, id, now).await));
    assert_eq!(scene.snapshot().await, before);
}

/// A clock that comes back by itself does not end the fault, nor does a restart: an operator does.
pub async fn clock_fault_needs_acceptance(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    let latest = scene.now;
    scene.now = latest - MINUTE * 6;
    assert!(scene.clock_refused().await);
    scene.now = latest + MINUTE;
    assert!(scene.clock_refused().await);
    scene.restart(factory).await;
    assert!(scene.clock_refused().await);
    assert!(is_clock_fault(&scene.store.ready(scene.now).await));
    scene.store.accept_clock(scene.now).await.unwrap();
    scene.restart(factory).await;
    scene.store.ready(scene.now).await.unwrap();
    let outcome = scene.check(id, &scene.code(id)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{outcome:?}");
    assert!(scene.start().await.unwrap().created);
}

/// What was pending, and what was exhausted, is over; what was approved stays so.
pub async fn acceptance_voids_what_is_pending(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let pending = scene.started().await;
    scene.phone = Scene::phone_named(1);
    let approved = scene.started().await;
    scene.check(approved, &scene.code(approved)).await;
    scene.phone = Scene::phone_named(2);
    let exhausted = scene.started().await;
    for _ in 0..5 {
        scene.wrong(exhausted).await;
    }
    scene.now = scene.now - MINUTE * 10;
    assert!(scene.clock_refused().await);
    scene.store.accept_clock(scene.now).await.unwrap();
    for _ in 0..2 {
        for (id, expected) in
            [(pending, Refusal::Expired), (approved, Refusal::AlreadyApproved), (exhausted, Refusal::Expired)]
        {
            let outcome = scene.check(id, &scene.code(id)).await;
            let CheckOutcome::Refused { refusal, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!(refusal, expected);
        }
        assert!(matches!(scene.cancel(pending).await, CancelOutcome::Refused(Refusal::Expired)));
        assert!(scene.load(pending).await.unwrap().record.secret.is_none());
        scene.restart(factory).await;
    }
    assert!(scene.start().await.unwrap().created, "the exhausted one no longer stands in the way");
    assert_eq!(scene.used(LimitName::FailedChecksPerPhone).await, 5, "its wrong guesses still count");
}

/// Ten years ahead and back: counters from there count from now on and end with their windows.
pub async fn forward_jump_and_back_freezes_no_limit(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("203.0.113.7", "2/1h");
    let today = scene.now;
    scene.now = today + YEAR * 10;
    for _ in 0..2 {
        let id = scene.started().await;
        scene.wrong(id).await;
        scene.canceled(id).await;
    }
    scene.now = today;
    assert!(scene.clock_refused().await);
    scene.store.accept_clock(scene.now).await.unwrap();
    scene.restart(factory).await;
    assert_eq!(used_and_retry_at(&scene, LimitName::SendsPerPhone).await, (2, today));
    assert_eq!(scene.used(LimitName::SendsPerPhoneAllServices).await, 2);
    assert_eq!(scene.used(LimitName::FailedChecksPerPhone).await, 2);
    assert_eq!(scene.info().await.failed_checks_in_a_row, 2);
    let (used, retry_at) = used_and_retry_at(&scene, LimitName::SendsPerIp).await;
    assert_eq!(used, 2, "at most full");
    assert_eq!(retry_at, today + MINUTE * 30, "and free again within its own window");
    scene.now = today + MINUTE * 60;
    assert_eq!(used_and_retry_at(&scene, LimitName::SendsPerPhone).await, (0, scene.now));
    assert_eq!(used_and_retry_at(&scene, LimitName::SendsPerIp).await, (0, scene.now));
    assert!(scene.start().await.is_ok());
    scene.advance(YEAR + MINUTE * 60 * 24);
    scene.purge_all().await;
    scene.started().await;
    assert_eq!(scene.info().await.failed_checks_in_a_row, 0, "nothing is kept until the abandoned future");
}

/// What was taken before the clock jumped keeps its own instant.
pub async fn acceptance_keeps_older_charges(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("203.0.113.7", "4/1h");
    let first = scene.now;
    let id = scene.started().await;
    scene.wrong(id).await;
    // Another number carries the jump, so that nothing of the first is dropped by it.
    scene.phone = Scene::phone_named(1);
    scene.now = first + MINUTE * 30;
    scene.quotas.clear();
    scene.started().await;
    scene.now = first + MINUTE * 10;
    assert!(scene.clock_refused().await);
    scene.store.accept_clock(scene.now).await.unwrap();
    scene.phone = Scene::phone_named(0);
    scene.from_address("203.0.113.7", "4/1h");
    let info = scene.info().await;
    let hour = MINUTE * 60;
    let reset_at = |name| info.limits.iter().find(|limit| limit.name == name).unwrap().standing.reset_at;
    assert_eq!(reset_at(LimitName::SendsPerPhone), first + hour);
    assert_eq!(reset_at(LimitName::FailedChecksPerPhone), first + hour * 24);
    assert_eq!(reset_at(LimitName::SendsPerIp), first + MINUTE * 15);
    scene.now = first + hour * 24;
    scene.purge_all().await;
    assert_eq!(scene.info().await.failed_checks_in_a_row, 1);
}

/// Reading goes on at the latest instant known.
pub async fn reads_answer_during_a_clock_fault(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    let latest = scene.now;
    scene.now = latest - MINUTE * 60;
    assert!(scene.clock_refused().await);
    assert_eq!(scene.load(id).await.unwrap().at, latest);
    assert_eq!(scene.info().await.at, latest);
    assert_eq!(scene.purge_all().await, 0);
}
