//! Sends of one number: how many at once, when the next, and which refusal is told first.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::limits::{LimitName, Rate};
use crate::store::{Admission, AdmitOutcome, CheckOutcome, Refusal, SendTarget, Status};
use crate::testing::{Scene, StoreFactory};

const HOUR: Duration = Duration::from_secs(3600);

fn delays(seconds: &[u64]) -> Arc<[Duration]> {
    seconds.iter().copied().map(Duration::from_secs).collect()
}

/// Who limits, and until when.
fn limited(refusal: &Refusal) -> (LimitName, Timestamp) {
    let Refusal::RateLimited { name, standing, .. } = refusal else { panic!("{refusal:?}") };
    assert!(!standing.allowed());
    (*name, standing.retry_at)
}

/// All at once; what was admitted.
async fn all_at_once(scene: &Scene, admissions: Vec<Admission>) -> Vec<crate::store::Admitted> {
    let tasks: Vec<_> = admissions
        .into_iter()
        .map(|admission| {
            let (store, now) = (Arc::clone(&scene.store), scene.now);
            tokio::spawn(async move { store.admit(admission, now).await.unwrap() })
        })
        .collect();
    let mut admitted = Vec::new();
    for task in tasks {
        if let AdmitOutcome::Admitted(one) = task.await.unwrap() {
            admitted.push(*one);
        }
    }
    admitted
}

/// Three hundred starts at one instant: exactly five sends of one verification.
pub async fn parallel_starts_are_one_verification(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.sends_per_verification = 20;
    let admitted = all_at_once(&scene, (0..300).map(|_| scene.start_request()).collect()).await;
    assert_eq!(admitted.len(), 5);
    assert_eq!(admitted.iter().filter(|one| one.created).count(), 1);
    let id = admitted[0].loaded.id;
    assert!(admitted.iter().all(|one| one.loaded.id == id));
    assert_eq!(scene.load(id).await.unwrap().record.deliveries.len(), 5);
    assert_eq!(scene.used(LimitName::SendsPerPhone).await, 5);
}

/// With waiting times, one of three hundred.
pub async fn parallel_starts_with_delays_admit_one(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.resend_delays = delays(&[30]);
    let admitted = all_at_once(&scene, (0..300).map(|_| scene.start_request()).collect()).await;
    assert_eq!(admitted.len(), 1);
    assert_eq!(scene.used(LimitName::SendsPerPhone).await, 1);
}

/// Each waiting time holds to the millisecond, for a resend and for a start; the last one repeats.
pub async fn resend_delays_escalate(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.resend_delays = delays(&[30, 60]);
    let id = scene.started().await;
    for wait in [30, 60, 60] {
        let next = scene.now + Duration::from_secs(wait);
        assert_eq!(scene.load(id).await.unwrap().standing.next_send_at, Some(next));
        scene.now = next - Duration::from_millis(1);
        for refusal in [scene.resend(id).await.unwrap_err(), scene.start().await.unwrap_err()] {
            assert_eq!(limited(&refusal), (LimitName::ResendDelay, next));
            let Refusal::RateLimited { window, .. } = refusal else { panic!("{refusal:?}") };
            assert_eq!(window, Duration::from_secs(wait));
        }
        scene.now = next;
        assert!(!scene.start().await.unwrap().created);
    }
}

/// A waiting time binds the sends of one verification, so it never outlasts that verification.
pub async fn resend_delay_ends_with_the_verification(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.resend_delays = delays(&[300, 500]);
    let first = scene.start().await.unwrap();
    let ends = first.loaded.record.expires_at;
    scene.advance_ms(300_000);
    let second = scene.start().await.unwrap();
    assert_eq!(
        second.loaded.standing.next_send_at,
        Some(ends),
        "not 500 s later, when there is nothing left to wait for"
    );
    assert_eq!(limited(&scene.start().await.unwrap_err()), (LimitName::ResendDelay, ends));
    scene.now = ends;
    assert!(scene.start().await.unwrap().created);
}

/// No send is left within the verification until it ends, and its end is told.
pub async fn max_sends_until_the_end(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.sends_per_verification = 2;
    let id = scene.started().await;
    scene.advance_ms(1_000);
    let last = scene.resend(id).await.unwrap().loaded;
    assert_eq!(last.standing.sends_remaining, 0);
    let ends = last.record.expires_at;
    assert_eq!(last.standing.next_send_at, Some(ends));
    let refused = Refusal::MaxSends { retry_at: ends };
    assert_eq!(scene.resend(id).await.unwrap_err(), refused);
    scene.now = ends - Duration::from_millis(1);
    assert_eq!(scene.start().await.unwrap_err(), refused);
    scene.now = ends;
    assert!(scene.start().await.unwrap().created);
}

/// When the sends of a verification fill the number's hour too, the instant that is told is the one at which a start works.
pub async fn max_sends_tells_when_a_start_works(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let begun = scene.now;
    for _ in 0..5 {
        scene.start().await.unwrap();
        scene.advance_ms(1_000);
    }
    let refusal = scene.start().await.unwrap_err();
    assert_eq!(refusal, Refusal::MaxSends { retry_at: begun + HOUR });
    scene.now = begun + HOUR - Duration::from_millis(1);
    assert!(scene.start().await.is_err());
    scene.now = begun + HOUR;
    assert!(scene.start().await.unwrap().created);
}

/// Two numbers can share a limit key. They share the limits, but neither the code nor the approval.
pub async fn a_code_for_one_number_approves_no_other(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let first = scene.started().await;
    let mut other = scene.start_request();
    if let SendTarget::Start { new, .. } = &mut other.target {
        new.number = [7; 8];
    }
    let admitted = match scene.store.admit(other, scene.now).await.unwrap() {
        AdmitOutcome::Admitted(admitted) => admitted,
        other => panic!("{other:?}"),
    };
    assert!(admitted.created && admitted.loaded.id != first);
    assert_eq!(admitted.loaded.standing.sends_per_phone.used, 2, "the limits are shared");
    assert!(matches!(scene.load(first).await.unwrap().record.status, Status::Canceled { .. }), "one live code");
    // The scene asks by the first number: that one has no live verification any more.
    let guess = scene.guess_by_number(&scene.code(admitted.loaded.id));
    let outcome = scene.store.check(guess, scene.now).await.unwrap();
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::NotFound, .. }), "{outcome:?}");
}

/// Guesses before sends, sends before limits, and of the limits the longest wait.
pub async fn order_of_refusals(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.sends_per_phone = Rate::new(2, HOUR).unwrap();
    scene.rules.sends_per_phone_all_services = Rate::new(2, HOUR * 2).unwrap();
    scene.rules.sends_per_verification = 3;
    scene.rules.resend_delays = delays(&[30]);
    scene.from_address("203.0.113.7", "2/3h");
    let id = scene.started().await;
    let begun = scene.now;
    scene.advance_ms(1);
    assert_eq!(limited(&scene.start().await.unwrap_err()).0, LimitName::ResendDelay);
    scene.advance_ms(30_000);
    scene.resend(id).await.unwrap();
    // Four limits deny now: until 30 s, 1 h and 2 h after, and an hour and a half for the address.
    assert_eq!(limited(&scene.start().await.unwrap_err()), (LimitName::SendsPerPhoneAllServices, begun + HOUR * 2));
    scene.rules.sends_per_phone_all_services = Rate::new(2, HOUR).unwrap();
    let address = begun + HOUR + HOUR / 2;
    assert_eq!(limited(&scene.start().await.unwrap_err()), (LimitName::SendsPerIp, address));
    scene.rules.sends_per_verification = 2;
    let ends = scene.load(id).await.unwrap().record.expires_at;
    assert_eq!(scene.start().await.unwrap_err(), Refusal::MaxSends { retry_at: address });
    for _ in 0..5 {
        scene.wrong(id).await;
    }
    assert_eq!(scene.start().await.unwrap_err(), Refusal::MaxChecks { retry_at: Some(ends) });
}

/// At `next_send_at` a send works, a millisecond before it does not, whichever rule decides.
pub async fn next_send_is_told_exactly(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.rules.resend_delays = delays(&[30, 60, 120, 300]);
    let mut sends = 0;
    let begun = scene.now;
    while scene.now < begun + HOUR * 26 {
        let admitted = scene.start().await.unwrap();
        sends += 1;
        let next = admitted.loaded.standing.next_send_at.unwrap();
        assert!(next > scene.now);
        scene.now = next - Duration::from_millis(1);
        assert!(scene.start().await.is_err(), "a millisecond before the told instant");
        scene.now = next;
    }
    assert_eq!(sends, 20, "five in each of the first two hours, and again a day later");
}

/// A refunded send is no send, but a verification does not grow without end.
pub async fn refunded_sends_do_not_count_but_are_bounded(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let first = scene.start().await.unwrap();
    scene.settle(&first, crate::sender::DeliveryStatus::Sent, false).await;
    let mut admitted = 1;
    loop {
        match scene.resend(first.loaded.id).await {
            Ok(again) => {
                admitted += 1;
                assert_eq!(again.loaded.standing.sends_remaining, 3.min(32 - admitted));
                scene.refund(&again).await;
            }
            Err(refusal) => {
                assert_eq!(refusal, Refusal::MaxSends { retry_at: first.loaded.record.expires_at });
                break;
            }
        }
        assert!(admitted <= 32, "a verification holds at most 32 deliveries");
    }
    assert_eq!(admitted, 32);
    assert_eq!(scene.used(LimitName::SendsPerPhone).await, 1);
    let standing = scene.load(first.loaded.id).await.unwrap().standing;
    assert_eq!((standing.sends_remaining, standing.next_send_at), (0, Some(first.loaded.record.expires_at)));
}
