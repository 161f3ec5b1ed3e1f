//! What was answered is still so after the process ended and began again.

use std::time::Duration;

use crate::sender::DeliveryStatus;
use crate::testing::{Scene, StoreFactory};

/// Everything an owner can see of every number of a busy store, before and after.
pub async fn restart_changes_nothing(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("2001:db8::1", "30/1h");
    let mut ids = Vec::new();
    for phone in 0..7 {
        scene.phone = Scene::phone_named(phone);
        let admitted = scene.start().await.unwrap();
        let id = admitted.loaded.id;
        ids.push(id);
        match phone {
            0 => {}
            1 => drop(scene.check(id, &scene.code(id)).await),
            2 => drop(scene.wrong(id).await),
            3 => scene.canceled(id).await,
            4 => drop(scene.refund(&admitted).await),
            5 => drop(scene.settle(&admitted, DeliveryStatus::Unknown, false).await),
            _ => drop(scene.store.forget(None, scene.phone, scene.now).await),
        }
        scene.advance_ms(1_000);
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut all = Vec::new();
        for (phone, id) in (0..7).zip(&ids) {
            scene.phone = Scene::phone_named(phone);
            all.push((scene.snapshot().await, format!("{:#?}", scene.load(*id).await)));
        }
        seen.push(all);
        scene.restart(factory).await;
    }
    assert_eq!(seen[0], seen[1]);
    // And it works on: the pending one is still right.
    scene.phone = Scene::phone_named(0);
    let outcome = scene.check(ids[0], &scene.code(ids[0])).await;
    assert!(matches!(outcome, crate::store::CheckOutcome::Approved(_)), "{outcome:?}");
}

/// A restart between any two steps of a life changes none of them.
pub async fn restart_between_every_step(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.restart(factory).await;
    assert_eq!(scene.resend(id).await.unwrap().loaded.standing.sends_remaining, 3);
    for left in (1..5).rev() {
        scene.restart(factory).await;
        assert_eq!(scene.wrong(id).await, left);
    }
    scene.restart(factory).await;
    let outcome = scene.check_number(&scene.code(id)).await;
    assert!(matches!(outcome, crate::store::CheckOutcome::Approved(_)), "{outcome:?}");
    scene.restart(factory).await;
    assert!(matches!(scene.load(id).await.unwrap().record.status, crate::store::Status::Approved { .. }));
}

/// What was swept as due at an instant must not count at an earlier one, so the instant survives with the sweep.
pub async fn a_restart_remembers_when_it_swept(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.started().await;
    scene.now = scene.now + Duration::from_secs(60 * 24 * 3600);
    assert!(scene.purge_all().await > 0);
    let swept = scene.now;
    scene.restart(factory).await;
    scene.now = swept - Duration::from_secs(60);
    assert_eq!(scene.start().await.unwrap().loaded.at, swept);
}
