//! At the cap: new starts wait, what is pending is served, and nothing is evicted to make room.

use std::time::Duration;

use crate::store::state::StateOptions;
use crate::store::{CheckOutcome, StoreError};
use crate::testing::{Scene, StoreFactory};

async fn scene_of(factory: &dyn StoreFactory, max_records: usize) -> Scene {
    let options = StateOptions { max_records, retention: Duration::from_secs(60) };
    Scene::before(factory.fresh_with(options).await, 1)
}

/// Ten pending verifications fill twenty records: the eleventh is refused, the ten live on.
pub async fn full_refuses_new_starts_and_evicts_nothing(factory: &dyn StoreFactory) {
    let mut scene = scene_of(factory, 20).await;
    let mut ids = Vec::new();
    for phone in 0..10 {
        scene.phone = Scene::phone_named(phone);
        ids.push(scene.started().await);
    }
    for phone in 10..200 {
        scene.phone = Scene::phone_named(phone);
        let refused = scene.store.admit(scene.start_request(), scene.now).await;
        assert!(matches!(refused, Err(StoreError::Full { max: 20 })), "{refused:?}");
    }
    assert!(matches!(scene.store.ready(scene.now).await, Err(StoreError::Full { max: 20 })));
    scene.restart(factory).await;
    for (phone, id) in (0..10).zip(ids) {
        scene.phone = Scene::phone_named(phone);
        assert!(scene.resend(id).await.is_ok());
        assert!(!scene.start().await.unwrap().created);
        scene.wrong(id).await;
        assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(_)));
    }
}

/// Only records that would be new need room: a number and an address that are known need none.
pub async fn full_counts_only_what_is_new(factory: &dyn StoreFactory) {
    let mut scene = scene_of(factory, 5).await;
    scene.from_address("203.0.113.7", "30/1h");
    let id = scene.started().await;
    scene.canceled(id).await;
    let again = scene.started().await;
    scene.phone = Scene::phone_named(1);
    let refused = scene.store.admit(scene.start_request(), scene.now).await;
    assert!(matches!(refused, Err(StoreError::Full { max: 5 })), "{refused:?}");
    scene.phone = Scene::phone_named(0);
    scene.canceled(again).await;
    let third = scene.started().await;
    let full = scene.store.ready(scene.now).await;
    assert!(matches!(full, Err(StoreError::Full { max: 5 })), "{full:?}");
    assert!(scene.resend(third).await.is_ok(), "number, verification and address are there");
    scene.from_address("203.0.113.8", "30/1h");
    let refused = scene.store.admit(scene.resend_request(third), scene.now).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "a new address needs room: {refused:?}");
}

/// What has expired makes room.
pub async fn room_comes_back_with_purge(factory: &dyn StoreFactory) {
    let mut scene = scene_of(factory, 2).await;
    scene.started().await;
    scene.phone = Scene::phone_named(1);
    assert!(scene.store.admit(scene.start_request(), scene.now).await.is_err());
    scene.advance(Duration::from_secs(24 * 3600));
    scene.purge_all().await;
    scene.store.ready(scene.now).await.unwrap();
    assert!(scene.start().await.unwrap().created);
}
