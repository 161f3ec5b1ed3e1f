//! The rest of a verification's life: reading, cancelling, forgetting, purging; tenants; conflicts.

use std::time::Duration;

use crate::code::VerificationCode;
use crate::keys::SealKind;
use crate::limits::LimitName;
use crate::store::state::StateOptions;
use crate::store::{CancelOutcome, CheckOutcome, ForgetOutcome, Refusal, Status};
use crate::testing::{Scene, StoreFactory};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reading a thousand times changes nothing and leaves no trace of numbers that nobody sent to.
pub async fn info_and_load_have_no_effect(factory: &dyn StoreFactory) {
    // Room for one verification, its number and one address, and not one record more.
    let store = factory.fresh_with(StateOptions { max_records: 5, ..StateOptions::default() }).await;
    let mut scene = Scene::before(store, 1);
    scene.from_address("203.0.113.7", "30/1h");
    let id = scene.started().await;
    let before = scene.snapshot().await;
    for index in 0..=255 {
        scene.phone = Scene::phone_named(index);
        scene.service = Scene::service_named(index);
        scene.from_address(&format!("203.0.113.{index}"), "30/1h");
        scene.info().await;
        scene.load(id).await;
        scene.store.ready(scene.now).await.unwrap();
    }
    scene.phone = Scene::phone_named(0);
    scene.service = Scene::service_named(0);
    scene.from_address("203.0.113.7", "30/1h");
    assert_eq!(scene.snapshot().await, before);
    scene.phone = Scene::phone_named(1);
    assert!(scene.start().await.is_ok(), "there is still room for a second number");
}

/// A cancellation ends what is pending, and only that.
pub async fn cancel_ends_once(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    let CancelOutcome::Canceled(record) = scene.cancel(id).await else { panic!("not canceled") };
    assert_eq!(record.status, Status::Canceled { at: scene.now });
    assert!(record.secret.is_none());
    let refusal = |outcome| match outcome {
        CancelOutcome::Refused(refusal) => refusal,
        CancelOutcome::Canceled(_) => panic!("canceled twice"),
    };
    assert_eq!(refusal(scene.cancel(id).await), Refusal::Canceled);
    assert_eq!(scene.resend(id).await.unwrap_err(), Refusal::Canceled);
    assert_eq!(scene.used(LimitName::SendsPerPhone).await, 1, "a cancellation gives nothing back");
    let approved = scene.started().await;
    scene.check(approved, &scene.code(approved)).await;
    assert_eq!(refusal(scene.cancel(approved).await), Refusal::AlreadyApproved);
    let expired = scene.started().await;
    scene.advance_ms(600_000);
    assert_eq!(refusal(scene.cancel(expired).await), Refusal::Expired);
}

/// An id of another tenant is no id.
pub async fn another_tenant_finds_nothing(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    let before = scene.snapshot().await;
    scene.service = Scene::service_named(1);
    assert!(scene.load(id).await.is_none());
    assert_eq!(scene.resend(id).await.unwrap_err(), Refusal::NotFound);
    assert!(matches!(scene.cancel(id).await, CancelOutcome::Refused(Refusal::NotFound)));
    for outcome in [scene.check(id, &scene.code(id)).await, scene.check_number(&scene.code(id)).await] {
        assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::NotFound, .. }), "{outcome:?}");
    }
    assert!(scene.info().await.pending.is_none());
    scene.service = Scene::service_named(0);
    assert_eq!(scene.snapshot().await, before);
}

/// Forgetting erases the verifications and keeps every counter, so it is no way around a limit.
pub async fn forget_keeps_counters(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let old = scene.started().await;
    scene.canceled(old).await;
    let id = scene.started().await;
    scene.wrong(id).await;
    let counters = async |scene: &Scene| {
        let info = scene.info().await;
        (info.limits[..3].to_vec(), info.failed_checks_in_a_row)
    };
    let before = counters(&scene).await;
    assert_eq!(scene.store.forget(None, scene.phone, scene.now).await.unwrap(), ForgetOutcome { verifications: 2 });
    scene.restart(factory).await;
    assert_eq!(counters(&scene).await, before);
    assert!(scene.info().await.pending.is_none());
    for gone in [old, id] {
        assert!(scene.load(gone).await.is_none());
        let outcome = scene.check(gone, &scene.code(gone)).await;
        assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::NotFound, .. }), "{outcome:?}");
    }
    assert_eq!(scene.store.forget(None, scene.phone, scene.now).await.unwrap(), ForgetOutcome { verifications: 0 });
    let next = scene.start().await.unwrap();
    assert!(next.created);
    assert_eq!(scene.used(LimitName::SendsPerPhone).await, 3);
}

/// A tenant forgets for itself only.
pub async fn forget_of_one_service_spares_others(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = scene.started().await;
    scene.service = Scene::service_named(1);
    let second = scene.started().await;
    let forgotten = scene.store.forget(Some(scene.service), scene.phone, scene.now).await.unwrap();
    assert_eq!(forgotten, ForgetOutcome { verifications: 1 });
    assert!(scene.load(second).await.is_none());
    scene.service = Scene::service_named(0);
    assert!(scene.load(first).await.is_some());
}

/// An ended verification stays readable for its retention and is gone after it.
pub async fn purge_drops_only_what_is_due(factory: &dyn StoreFactory) {
    let options = StateOptions { retention: Duration::from_secs(60), ..StateOptions::default() };
    let mut scene = Scene::before(factory.fresh_with(options).await, 1);
    let id = scene.started().await;
    scene.phone = Scene::phone_named(1);
    scene.advance_ms(1_000);
    let younger = scene.started().await;
    for (at, old_there) in [(599_999, true), (600_000, true), (659_999, true), (660_000, false)] {
        scene.now = crate::testing::FakeClock::BEGINNING + Duration::from_millis(at);
        scene.purge_all().await;
        assert_eq!(scene.load(id).await.is_some(), old_there, "{at} ms");
        assert!(scene.load(younger).await.is_some());
    }
    scene.restart(factory).await;
    assert!(scene.load(id).await.is_none());
    let outcome = scene.check(id, &scene.code(id)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::NotFound, .. }), "{outcome:?}");
    scene.advance(DAY * 2);
    scene.purge_all().await;
    assert!(scene.load(younger).await.is_none());
}

/// A code that merely expired is worth nothing: its digests and sealed copy are swept at once, the rest stays readable.
pub async fn secret_of_an_expired_code_is_swept_at_once(factory: &dyn StoreFactory) {
    let mut scene = Scene::before(factory.fresh().await, 1);
    let id = scene.started().await;
    for (at, secret) in [(599_999, true), (600_000, false), (3_600_000, false)] {
        scene.now = crate::testing::FakeClock::BEGINNING + Duration::from_millis(at);
        scene.purge_all().await;
        assert_eq!(scene.load(id).await.unwrap().record.secret.is_some(), secret, "{at} ms");
    }
    // The store may have written nothing of it: the sweep after a start does it again.
    scene.restart(factory).await;
    scene.purge_all().await;
    assert!(scene.load(id).await.unwrap().record.secret.is_none());
    let outcome = scene.check(id, &scene.code(id)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{outcome:?}");
}

/// Counters live as long as their windows, whatever became of the verifications.
pub async fn purge_spares_counters(factory: &dyn StoreFactory) {
    let options = StateOptions { retention: Duration::from_secs(1), ..StateOptions::default() };
    let mut scene = Scene::before(factory.fresh_with(options).await, 1);
    scene.from_address("203.0.113.7", "30/100h");
    let begun = scene.now;
    for _ in 0..4 {
        scene.started().await;
        scene.advance_ms(600_000);
    }
    for (name, until, used) in [
        (LimitName::SendsPerPhone, begun + Duration::from_secs(3600), 4),
        (LimitName::SendsPerIp, begun + Duration::from_secs(100 * 3600 / 30), 4),
        (LimitName::SendsPerPhoneAllServices, begun + DAY, 4),
    ] {
        scene.now = scene.now.max(until - Duration::from_millis(1));
        scene.purge_all().await;
        scene.restart(factory).await;
        assert!(scene.used(name).await > 0, "{name:?}");
        assert!(scene.used(name).await <= used);
    }
    scene.now = begun + DAY + Duration::from_secs(1800);
    assert_eq!(scene.used(LimitName::SendsPerPhoneAllServices).await, 0);
}

/// A wrong guess is remembered for a year only while the row lasts: a right one makes room when the windows end.
pub async fn a_row_that_ended_is_not_kept_for_a_year(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    for phone in [0, 1] {
        scene.phone = Scene::phone_named(phone);
        let id = scene.started().await;
        scene.wrong(id).await;
        if phone == 1 {
            assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(_)));
        }
    }
    scene.advance(DAY + Duration::from_millis(1));
    assert_eq!(scene.purge_all().await, 3, "two verifications and the number that had its right guess");
    scene.phone = Scene::phone_named(0);
    assert_eq!(scene.info().await.failed_checks_in_a_row, 1);
    scene.advance(DAY * 366);
    assert_eq!(scene.purge_all().await, 1);
}

/// Another code or purpose for what is pending is a conflict, and costs nothing; none given is none.
pub async fn conflict_of_code_or_purpose(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let code = |text| Some(VerificationCode::parse(text).unwrap());
    (scene.chosen, scene.purpose) = (code("123456"), Some([1; 8]));
    let id = scene.started().await;
    let before = scene.snapshot().await;
    for (chosen, purpose) in [
        (code("123457"), None),
        (code("123457"), Some([1; 8])),
        (code("12345"), None),
        (None, Some([2; 8])),
        (code("123456"), Some([2; 8])),
    ] {
        (scene.chosen, scene.purpose) = (chosen, purpose);
        assert_eq!(scene.start().await.unwrap_err(), Refusal::Conflict);
        assert_eq!(scene.snapshot().await, before);
    }
    for (chosen, purpose) in
        [(None, None), (code("123456"), None), (code("123456"), Some([1; 8])), (None, Some([1; 8]))]
    {
        (scene.chosen, scene.purpose) = (chosen, purpose);
        let again = scene.start().await.unwrap();
        assert_eq!((again.loaded.id, again.created), (id, false));
    }
    scene.canceled(id).await;
    (scene.chosen, scene.purpose) = (code("999999"), Some([3; 8]));
    scene.advance(Duration::from_secs(3600));
    assert!(scene.start().await.unwrap().created, "what has ended conflicts with nothing");
}

/// What was sealed comes back as it was, over a restart, until the code has done its work.
pub async fn metadata_comes_back_sealed(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let id = scene.started().await;
    scene.restart(factory).await;
    let record = scene.load(id).await.unwrap().record;
    let identity = scene.keys.open(SealKind::Identity, record.key, &id, &record.identity).unwrap();
    assert_eq!(&identity[..], b"identity");
    let secret = record.secret.unwrap();
    let code = scene.keys.open(SealKind::Code, record.key, &id, &secret.sealed).unwrap();
    assert_eq!(&code[..], scene.code(id).expose().as_bytes());
}
