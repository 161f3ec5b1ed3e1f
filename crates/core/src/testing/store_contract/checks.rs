//! A guess is counted before it is compared, and a code is right once.

use std::sync::Arc;
use std::time::Duration;

use crate::code::{CodeLength, VerificationCode};
use crate::limits::LimitName;
use crate::store::{CheckOutcome, CheckRequest, Refusal, Store};
use crate::testing::{Scene, StoreFactory, test_keys};

/// How many parallel guesses a test makes.
const MANY: u64 = 1_000;

fn refusal(outcome: &CheckOutcome) -> Option<&Refusal> {
    match outcome {
        CheckOutcome::Refused { refusal, .. } => Some(refusal),
        CheckOutcome::Approved(_) | CheckOutcome::Wrong(_) => None,
    }
}

/// All at once; how many were right and how many were wrong.
async fn all_at_once(scene: &Scene, checks: Vec<CheckRequest>) -> (usize, usize) {
    let tasks: Vec<_> = checks
        .into_iter()
        .map(|check| {
            let (store, now): (Arc<dyn Store>, _) = (Arc::clone(&scene.store), scene.now);
            tokio::spawn(async move { store.check(check, now).await.unwrap() })
        })
        .collect();
    let (mut right, mut wrong) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            CheckOutcome::Approved(_) => right += 1,
            CheckOutcome::Wrong(_) => wrong += 1,
            CheckOutcome::Refused { .. } => {}
        }
    }
    (right, wrong)
}

/// The second right guess finds the verification approved.
pub async fn approved_at_most_once(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let id = scene.started().await;
    let CheckOutcome::Approved(loaded) = scene.check(id, &scene.code(id)).await else { panic!("not approved") };
    assert_eq!(loaded.standing.checks_remaining, 0);
    assert!(loaded.record.secret.is_none(), "an approved code has done its work");
    assert_eq!(refusal(&scene.check(id, &scene.code(id)).await), Some(&Refusal::AlreadyApproved));
    assert_eq!(refusal(&scene.check_number(&scene.code(id)).await), Some(&Refusal::AlreadyApproved));
}

/// After an approval no guess says `approved`, now or after the end of the life, over a restart too.
pub async fn wrong_and_right_after_approval_are_refused(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.check_number(&scene.code(id)).await;
    for wait in [0, 1_000, 600_000] {
        scene.advance_ms(wait);
        scene.restart(factory).await;
        for offset in [0, 1] {
            let outcome = scene.check(id, &scene.code_plus(id, offset)).await;
            assert_eq!(refusal(&outcome), Some(&Refusal::AlreadyApproved), "{outcome:?}");
        }
    }
    assert_eq!(scene.info().await.failed_checks_in_a_row, 0);
}

/// A thousand right guesses: one approval.
pub async fn parallel_right_checks_approve_once(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let id = scene.started().await;
    let checks = (0..MANY).map(|_| scene.guess_by_id(id, &scene.code(id))).collect();
    let (right, wrong) = all_at_once(&scene, checks).await;
    assert_eq!(right, 1);
    assert!(right + wrong <= 5);
}

/// A thousand different guesses, the right one among them, by id and by number: at most five comparisons.
pub async fn parallel_guesses_are_compared_at_most_five_times(factory: &dyn StoreFactory) {
    for right_at in [0, 4, 5, 500] {
        let scene = Scene::new(factory).await;
        let id = scene.started().await;
        let guess = |n: u64| {
            let code = scene.code_plus(id, (n + MANY - right_at) % MANY);
            if n.is_multiple_of(2) { scene.guess_by_id(id, &code) } else { scene.guess_by_number(&code) }
        };
        let (right, wrong) = all_at_once(&scene, (0..MANY).map(guess).collect()).await;
        assert!(right <= 1, "{right} approvals");
        assert!(right + wrong <= 5, "{right} right and {wrong} wrong comparisons");
        assert_eq!(scene.used(LimitName::FailedChecksPerPhone).await as usize, wrong);
    }
}

/// After five wrong guesses the right one is not looked at.
pub async fn sixth_guess_is_not_compared_even_if_right(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    let mut remaining = Vec::new();
    for _ in 0..5 {
        remaining.push(scene.wrong(id).await);
    }
    assert_eq!(remaining, [4, 3, 2, 1, 0]);
    let ends = scene.load(id).await.unwrap().record.expires_at;
    let outcome = scene.check(id, &scene.code(id)).await;
    assert_eq!(refusal(&outcome), Some(&Refusal::MaxChecks { retry_at: Some(ends) }));
    assert!(scene.load(id).await.unwrap().record.secret.is_none(), "an exhausted code is of no use");
    scene.now = ends;
    assert_eq!(refusal(&scene.check(id, &scene.code(id)).await), Some(&Refusal::Expired));
}

/// A guess with another number of digits is free, and says how many there are.
pub async fn wrong_length_costs_nothing(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    for digits in [4, 6, 10] {
        scene.phone = Scene::phone_named(digits);
        scene.code_length = CodeLength::new(digits).unwrap();
        let id = scene.started().await;
        let before = scene.snapshot().await;
        for other in (4..=10).filter(|other| *other != digits) {
            let guess = VerificationCode::parse(&"7".repeat(other.into())).unwrap();
            let outcome = scene.check(id, &guess).await;
            assert_eq!(refusal(&outcome), Some(&Refusal::WrongLength { digits }));
        }
        assert_eq!(scene.snapshot().await, before);
        assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(_)));
    }
}

/// A code is bound to its verification, its service and its number.
pub async fn code_of_another_verification_is_wrong(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = scene.started().await;
    scene.phone = Scene::phone_named(1);
    let second = scene.started().await;
    let outcome = scene.check(second, &scene.code(first)).await;
    assert!(matches!(outcome, CheckOutcome::Wrong(_)), "{outcome:?}");
    // The digests of the first verification's own code, presented for the second.
    let mut stolen = scene.guess_by_id(first, &scene.code(second));
    stolen.target = crate::store::GuessTarget::Id(second);
    let outcome = scene.store.check(stolen, scene.now).await.unwrap();
    assert!(matches!(outcome, CheckOutcome::Wrong(_)), "{outcome:?}");
}

/// After a rotation the old key still reads, and the new one makes new codes.
pub async fn code_survives_key_rotation(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let old = scene.started().await;
    scene.keys = test_keys(&["newer", "test"]);
    scene.phone = Scene::phone_named(1);
    let new = scene.started().await;
    assert!(matches!(scene.check_number(&scene.code(new)).await, CheckOutcome::Approved(_)));
    scene.phone = Scene::phone_named(0);
    let right = scene.code(old);
    scene.wrong(old).await;
    // A start with the caller's own code, the pending one, is no conflict either.
    scene.chosen = Some(right.clone());
    assert!(!scene.start().await.unwrap().created);
    assert!(matches!(scene.check_number(&right).await, CheckOutcome::Approved(_)));
}

/// Without its key a code cannot be right, so a guess is not counted.
pub async fn code_of_a_removed_key_is_over(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.keys = test_keys(&["newer"]);
    assert_eq!(refusal(&scene.check(id, &scene.code(id)).await), Some(&Refusal::Expired));
    assert_eq!(scene.used(LimitName::FailedChecksPerPhone).await, 0);
}

/// Waiting times between guesses hold to the millisecond, and a guess too early is not counted.
pub async fn check_delays_are_enforced(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.check_delays = Arc::from([Duration::from_secs(1), Duration::from_secs(10)]);
    let id = scene.started().await;
    for wait in [1_000, 10_000, 10_000] {
        scene.wrong(id).await;
        let told = scene.load(id).await.unwrap().standing.next_check_at;
        assert_eq!(told, Some(scene.now + Duration::from_millis(wait)));
        scene.advance_ms(wait - 1);
        let outcome = scene.check(id, &scene.code(id)).await;
        let Some(Refusal::RateLimited { name: LimitName::CheckDelay, standing, window }) = refusal(&outcome) else {
            panic!("{outcome:?}")
        };
        assert_eq!((Some(standing.retry_at), *window), (told, Duration::from_millis(wait)));
        scene.advance_ms(1);
    }
    assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(_)));
}

/// Cancellation ends a code for good.
pub async fn a_canceled_code_is_never_right(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.canceled(id).await;
    assert_eq!(refusal(&scene.check(id, &scene.code(id)).await), Some(&Refusal::Canceled));
    let next = scene.started().await;
    assert_ne!(next, id);
    assert_eq!(refusal(&scene.check(id, &scene.code(id)).await), Some(&Refusal::Canceled));
    assert!(matches!(scene.check_number(&scene.code(next)).await, CheckOutcome::Approved(_)));
}
