//! A code lives exactly as long as it was given, whatever happens in between.

use crate::store::{CheckOutcome, Refusal};
use crate::testing::{Scene, StoreFactory};

/// Right at 599.999 s, over at 600 s.
pub async fn right_until_the_last_millisecond(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.phone = Scene::phone_named(1);
    let late = scene.started().await;
    scene.advance_ms(599_999);
    let outcome = scene.check(id, &scene.code(id)).await;
    assert!(matches!(outcome, CheckOutcome::Approved(_)), "{outcome:?}");
    scene.advance_ms(1);
    let outcome = scene.check(late, &scene.code(late)).await;
    assert!(
        matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, at } if at == scene.now),
        "{outcome:?}"
    );
}

/// The life is that of the first send.
pub async fn resend_does_not_extend_the_life(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = scene.start().await.unwrap();
    scene.advance_ms(599_999);
    let again = scene.resend(first.loaded.id).await.unwrap();
    assert_eq!(again.loaded.record.expires_at, first.loaded.record.expires_at);
    assert!(!again.created);
    scene.advance_ms(1);
    let outcome = scene.check(first.loaded.id, &scene.code(first.loaded.id)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{outcome:?}");
    assert_eq!(scene.resend(first.loaded.id).await.unwrap_err(), Refusal::Expired);
}

/// The same by number.
pub async fn expired_by_number_too(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.advance_ms(600_000);
    let outcome = scene.check_number(&scene.code(id)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{outcome:?}");
}

/// At the instant of expiry a start creates another verification, and the old code is not right for it.
pub async fn a_new_start_follows_expiry(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let old = scene.started().await;
    scene.advance_ms(600_000);
    let new = scene.start().await.unwrap();
    assert!(new.created);
    assert_ne!(new.loaded.id, old);
    let outcome = scene.check_number(&scene.code(old)).await;
    assert!(matches!(outcome, CheckOutcome::Wrong(_)), "{outcome:?}");
}

/// Neither a clamped clock nor a restart nor new rules revive a code.
pub async fn nothing_revives_an_expired_code(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.advance_ms(600_000);
    let outcome = scene.check(id, &scene.code(id)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{outcome:?}");
    scene.now = scene.now - std::time::Duration::from_secs(299);
    scene.rules.checks_per_verification = 20;
    for _ in 0..2 {
        let outcome = scene.check(id, &scene.code(id)).await;
        assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{outcome:?}");
        scene.restart(factory).await;
    }
}
