//! The budget of wrong guesses of a number: nothing but time, a right guess or an operator gives any back.

use std::time::Duration;

use crate::limits::{LimitName, Rate};
use crate::store::{CheckOutcome, Refusal};
use crate::testing::{Scene, StoreFactory};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A scene in which sends are no obstacle.
async fn roomy(factory: &dyn StoreFactory) -> Scene {
    let mut scene = Scene::new(factory).await;
    scene.rules.sends_per_phone = Rate::new(100, Duration::from_secs(1)).unwrap();
    scene.rules.sends_per_phone_all_services = Rate::new(100, Duration::from_secs(1)).unwrap();
    scene.rules.sends_per_verification = 20;
    scene
}

/// A resend gives no guesses.
pub async fn budget_survives_resend(factory: &dyn StoreFactory) {
    let mut scene = roomy(factory).await;
    let id = scene.started().await;
    for left in (0..5).rev() {
        scene.advance_ms(1_000);
        scene.resend(id).await.unwrap();
        assert_eq!(scene.wrong(id).await, left);
    }
    let refused = scene.resend(id).await.unwrap_err();
    assert!(matches!(refused, Refusal::MaxChecks { retry_at: Some(_) }), "{refused:?}");
}

/// Ten wrong guesses a day, over cancellations, new verifications and restarts; and the exact instant of the eleventh.
pub async fn budget_survives_cancel_and_restart(factory: &dyn StoreFactory) {
    let mut scene = roomy(factory).await;
    let first_wrong_at = scene.now;
    for round in 0..5 {
        let id = scene.started().await;
        scene.wrong(id).await;
        scene.advance_ms(1_000);
        scene.restart(factory).await;
        let left = scene.wrong(id).await;
        assert_eq!(left, 3.min(8 - 2 * round));
        scene.cancel(id).await;
        scene.restart(factory).await;
        scene.advance_ms(1_000);
    }
    let again = first_wrong_at + DAY;
    assert_eq!(scene.start().await.unwrap_err(), Refusal::MaxChecks { retry_at: Some(again) });
    scene.now = again - Duration::from_millis(1);
    assert_eq!(scene.start().await.unwrap_err(), Refusal::MaxChecks { retry_at: Some(again) });
    scene.now = again;
    let id = scene.start().await.unwrap();
    assert_eq!(id.loaded.standing.checks_remaining, 1, "one of ten has left the window");
    assert_eq!(scene.wrong(id.loaded.id).await, 0);
    let outcome = scene.check(id.loaded.id, &scene.code(id.loaded.id)).await;
    let CheckOutcome::Refused { refusal: Refusal::MaxChecks { retry_at }, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(retry_at, Some(first_wrong_at + Duration::from_secs(1) + DAY));
}

/// Another service has a budget of its own.
pub async fn budget_is_per_service(factory: &dyn StoreFactory) {
    let mut scene = roomy(factory).await;
    for _ in 0..2 {
        let id = scene.started().await;
        for _ in 0..5 {
            scene.wrong(id).await;
        }
        scene.advance_ms(600_000);
    }
    assert!(matches!(scene.start().await, Err(Refusal::MaxChecks { .. })));
    scene.service = Scene::service_named(1);
    assert_eq!(scene.start().await.unwrap().loaded.standing.checks_remaining, 5);
}

/// While an exhausted verification lives, a start is refused until its end, and works at its end.
pub async fn exhausted_verification_blocks_starts_until_it_ends(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = scene.start().await.unwrap();
    let (id, ends) = (first.loaded.id, first.loaded.record.expires_at);
    scene.advance_ms(100_000);
    for _ in 0..5 {
        scene.wrong(id).await;
    }
    let refused = Refusal::MaxChecks { retry_at: Some(ends) };
    assert_eq!(scene.start().await.unwrap_err(), refused);
    assert_eq!(scene.resend(id).await.unwrap_err(), refused);
    let standing = scene.load(id).await.unwrap().standing;
    assert_eq!((standing.checks_remaining, standing.next_check_at), (0, None));
    assert_eq!(standing.next_send_at, Some(ends));
    scene.now = ends - Duration::from_millis(1);
    assert_eq!(scene.start().await.unwrap_err(), refused);
    scene.now = ends;
    assert!(scene.start().await.unwrap().created);
}

/// Where no guess is left nothing is spent on a message, and nothing changes.
pub async fn no_message_without_a_guess_left(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.failed_checks_per_phone = Rate::new(2, DAY).unwrap();
    let id = scene.started().await;
    scene.wrong(id).await;
    assert_eq!(scene.wrong(id).await, 0, "the number's budget is the smaller one");
    let again = scene.now + DAY;
    let before = scene.snapshot().await;
    assert_eq!(scene.resend(id).await.unwrap_err(), Refusal::MaxChecks { retry_at: Some(again) });
    assert_eq!(scene.start().await.unwrap_err(), Refusal::MaxChecks { retry_at: Some(again) });
    assert_eq!(scene.snapshot().await, before);
    let standing = scene.load(id).await.unwrap().standing;
    assert_eq!(standing.next_check_at, None, "no guess before the life ends");
    assert_eq!(standing.next_send_at, Some(again));
}

/// A hundred wrong guesses in a row, and only an operator helps; over a year and a restart too.
pub async fn a_hundred_in_a_row_need_an_unlock(factory: &dyn StoreFactory) {
    let mut scene = roomy(factory).await;
    scene.rules.failed_checks_per_phone = Rate::new(100, Duration::from_secs(1)).unwrap();
    scene.rules.checks_per_verification = 20;
    for _ in 0..5 {
        let id = scene.started().await;
        for _ in 0..20 {
            scene.wrong(id).await;
        }
        scene.advance_ms(600_000);
    }
    assert_eq!(scene.start().await.unwrap_err(), Refusal::MaxChecks { retry_at: None });
    scene.advance(DAY * 365);
    scene.purge_all().await;
    scene.restart(factory).await;
    assert_eq!(scene.start().await.unwrap_err(), Refusal::MaxChecks { retry_at: None });
    assert_eq!(scene.info().await.failed_checks_in_a_row, 100);
    assert_eq!(scene.store.unlock(scene.service, scene.phone, scene.now).await.unwrap(), 100);
    scene.restart(factory).await;
    assert_eq!(scene.start().await.unwrap().loaded.standing.checks_remaining, 20);
}

/// A right guess ends the row but not the count of the day.
pub async fn a_right_guess_ends_the_row(factory: &dyn StoreFactory) {
    let scene = roomy(factory).await;
    let id = scene.started().await;
    for _ in 0..4 {
        scene.wrong(id).await;
    }
    assert_eq!(scene.info().await.failed_checks_in_a_row, 4);
    assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(_)));
    assert_eq!(scene.info().await.failed_checks_in_a_row, 0);
    assert_eq!(scene.used(LimitName::FailedChecksPerPhone).await, 4);
}

/// An unlock gives back no guess of the day and no send.
pub async fn unlock_resets_only_the_row(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.wrong(id).await;
    scene.wrong(id).await;
    assert_eq!(scene.store.unlock(scene.service, Scene::phone_named(9), scene.now).await.unwrap(), 0);
    assert_eq!(scene.store.unlock(Scene::service_named(9), scene.phone, scene.now).await.unwrap(), 0);
    assert_eq!(scene.store.unlock(scene.service, scene.phone, scene.now).await.unwrap(), 2);
    assert_eq!(scene.store.unlock(scene.service, scene.phone, scene.now).await.unwrap(), 0);
    assert_eq!(scene.used(LimitName::FailedChecksPerPhone).await, 2);
    assert_eq!(scene.used(LimitName::SendsPerPhone).await, 1);
    assert_eq!(scene.wrong(id).await, 2, "the verification's own count stays");
}
