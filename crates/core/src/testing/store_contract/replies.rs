//! Kept replies: one request at work at a time, its answer for a day, and never after its number was forgotten.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::keys::SealKind;
use crate::store::state::StateOptions;
use crate::store::{
    BegunReply, FinishReply, REPLY_KEPT, REPLY_LEASE, ReplyRequest, ReplySubject, SealedReply, StoreError,
};
use crate::testing::{Scene, SeededRandom, StoreFactory};

const MS: Duration = Duration::from_millis(1);

fn request(scene: &Scene, key: &str, body: &str) -> ReplyRequest {
    scene.keys.reply_request(&["caller", key, "POST", "/v1/x"], body.as_bytes())
}

fn reply(scene: &Scene, request: &ReplyRequest, text: &str) -> SealedReply {
    scene.keys.seal_reply(&request.key, text.as_bytes().to_vec(), &SeededRandom::new(7)).unwrap()
}

async fn begin(scene: &Scene, request: ReplyRequest) -> BegunReply {
    scene.store.begin_reply(request, scene.now).await.unwrap()
}

/// Ends a request about the number of the scene, and returns what is kept.
async fn finish(scene: &Scene, request: ReplyRequest) -> SealedReply {
    let reply = reply(scene, &request, "answer");
    let subject = ReplySubject { service: scene.service, phone: scene.phone };
    scene.store.finish_reply(FinishReply { request, subject, reply: reply.clone() }, scene.now).await.unwrap();
    reply
}

async fn kept(scene: &Scene, request: ReplyRequest) -> SealedReply {
    assert_eq!(begin(scene, request).await, BegunReply::Fresh);
    finish(scene, request).await
}

/// While a request is at work its repeat waits, another body is told so, and other keys are free.
pub async fn a_request_is_begun_once(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = request(&scene, "k", "body");
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
    scene.advance_ms(5_000);
    let BegunReply::InProgress { at, retry_at } = begin(&scene, first).await else { panic!("at work") };
    assert!(at == scene.now && retry_at > at && retry_at.since(at) <= REPLY_LEASE);
    assert_eq!(begin(&scene, request(&scene, "k", "other")).await, BegunReply::BodyDiffers);
    assert_eq!(begin(&scene, request(&scene, "l", "body")).await, BegunReply::Fresh);
}

/// Two hundred at once: one does the work.
pub async fn parallel_requests_begin_once(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let (first, now) = (request(&scene, "k", "body"), scene.now);
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let store = Arc::clone(&scene.store);
        tasks.spawn(async move { store.begin_reply(first, now).await.unwrap() });
    }
    let begun = tasks.join_all().await;
    assert_eq!(begun.iter().filter(|begun| **begun == BegunReply::Fresh).count(), 1);
    assert_eq!(begun.iter().filter(|begun| matches!(begun, BegunReply::InProgress { .. })).count(), 199);
}

/// To the last millisecond, counted from the beginning of the request, over sweeps and a restart.
pub async fn a_reply_is_kept_for_a_day(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let (first, begun_at) = (request(&scene, "k", "body"), scene.now);
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
    scene.advance_ms(20_000);
    let reply = finish(&scene, first).await;
    assert_eq!(begin(&scene, first).await, BegunReply::Stored(reply.clone()));
    scene.restart(factory).await;
    for now in [scene.now, begun_at + REPLY_KEPT - MS] {
        scene.now = now;
        scene.purge_all().await;
        assert_eq!(begin(&scene, first).await, BegunReply::Stored(reply.clone()));
        assert_eq!(begin(&scene, request(&scene, "k", "other")).await, BegunReply::BodyDiffers);
    }
    scene.now = begun_at + REPLY_KEPT;
    assert_eq!(begin(&scene, request(&scene, "k", "other")).await, BegunReply::Fresh);
    assert!(scene.keys.open(SealKind::Code, reply.key, &scene.started().await, &reply.sealed).is_err());
}

/// What had no effect is not remembered; only its own request can abandon a claim.
pub async fn an_abandoned_request_runs_anew(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let (first, other) = (request(&scene, "k", "body"), request(&scene, "k", "other"));
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
    scene.store.abandon_reply(other).await.unwrap();
    assert_eq!(begin(&scene, other).await, BegunReply::BodyDiffers);
    scene.store.abandon_reply(first).await.unwrap();
    assert_eq!(begin(&scene, other).await, BegunReply::Fresh);
}

/// A request that never ends blocks its key for the lease and no longer.
pub async fn a_lease_ends(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = request(&scene, "k", "body");
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
    scene.now = scene.now + REPLY_LEASE - MS;
    let BegunReply::InProgress { retry_at, .. } = begin(&scene, first).await else { panic!("still leased") };
    assert_eq!(retry_at, scene.now + MS, "no later than the lease");
    scene.now = scene.now + MS;
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
}

/// An end without a beginning, or of another request, keeps nothing; a second end changes nothing.
pub async fn only_what_was_begun_is_kept(factory: &dyn StoreFactory) {
    let scene = Scene::new(factory).await;
    let (first, other) = (request(&scene, "k", "body"), request(&scene, "k", "other"));
    finish(&scene, first).await;
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
    finish(&scene, other).await;
    assert!(matches!(begin(&scene, first).await, BegunReply::InProgress { .. }));
    let reply = finish(&scene, first).await;
    finish(&scene, other).await;
    assert_eq!(begin(&scene, first).await, BegunReply::Stored(reply));
}

/// Neither one kept before nor one of a request that was at work is given again, over a restart; others are.
pub async fn a_forgotten_reply_is_gone(factory: &dyn StoreFactory) {
    for by_all in [false, true] {
        let mut scene = Scene::new(factory).await;
        let (mine, at_work) = (request(&scene, "mine", ""), request(&scene, "at work", ""));
        kept(&scene, mine).await;
        assert_eq!(begin(&scene, at_work).await, BegunReply::Fresh);
        let own = (scene.service, scene.phone);
        scene.service = Scene::service_named(1);
        let of_another_service = kept(&scene, request(&scene, "service", "")).await;
        (scene.service, scene.phone) = (own.0, Scene::phone_named(1));
        let of_another_number = kept(&scene, request(&scene, "number", "")).await;
        (scene.service, scene.phone) = own;
        scene.advance_ms(10);
        scene.store.forget((!by_all).then_some(own.0), own.1, scene.now).await.unwrap();
        finish(&scene, at_work).await;
        scene.restart(factory).await;
        scene.purge_all().await;
        scene.advance_ms(10);
        assert_eq!(begin(&scene, at_work).await, BegunReply::Fresh);
        assert_eq!(begin(&scene, request(&scene, "number", "")).await, BegunReply::Stored(of_another_number));
        let other = begin(&scene, request(&scene, "service", "")).await;
        assert_eq!(other, if by_all { BegunReply::Fresh } else { BegunReply::Stored(of_another_service) });
        let anew = kept(&scene, mine).await;
        assert_eq!(begin(&scene, mine).await, BegunReply::Stored(anew), "what came later is kept");
    }
}

/// The bytes of what was kept of a forgotten number go with the next sweeps, over a restart too, and no others do.
pub async fn forgotten_replies_are_swept(factory: &dyn StoreFactory) {
    for by_all in [false, true] {
        let mut scene = Scene::new(factory).await;
        kept(&scene, request(&scene, "mine", "")).await;
        let own = (scene.service, scene.phone);
        scene.service = Scene::service_named(1);
        kept(&scene, request(&scene, "service", "")).await;
        (scene.service, scene.phone) = (own.0, Scene::phone_named(1));
        kept(&scene, request(&scene, "number", "")).await;
        scene.store.forget((!by_all).then_some(own.0), own.1, scene.now).await.unwrap();
        scene.restart(factory).await;
        assert_eq!(scene.purge_all().await, if by_all { 2 } else { 1 });
        assert_eq!(scene.purge_all().await, 0);
    }
}

/// Before any sweep the bytes are still there, and not given.
pub async fn a_forgotten_reply_is_gone_before_it_is_swept(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = request(&scene, "k", "");
    kept(&scene, first).await;
    scene.store.forget(None, scene.phone, scene.now).await.unwrap();
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
    scene.store.abandon_reply(first).await.unwrap();
    scene.now = scene.now + REPLY_KEPT - MS;
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
}

/// A reply needs room like any record, from its beginning; at the cap the next request is refused and the kept ones are given.
pub async fn replies_count_as_records(factory: &dyn StoreFactory) {
    let options = StateOptions { max_records: 4, retention: Duration::from_secs(60) };
    let scene = Scene::before(factory.fresh_with(options).await, 1);
    scene.started().await;
    let first = request(&scene, "k", "");
    let reply = kept(&scene, first).await;
    assert_eq!(begin(&scene, request(&scene, "l", "")).await, BegunReply::Fresh);
    let refused = scene.store.begin_reply(request(&scene, "m", ""), scene.now).await;
    assert!(matches!(refused, Err(StoreError::Full { max: 4 })), "{refused:?}");
    assert_eq!(begin(&scene, first).await, BegunReply::Stored(reply));
    scene.store.abandon_reply(request(&scene, "l", "")).await.unwrap();
    assert_eq!(begin(&scene, request(&scene, "m", "")).await, BegunReply::Fresh);
}

/// A clock that is not trusted begins nothing; once it is accepted, a reply of the abandoned future counts from then.
pub async fn replies_follow_the_clock(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = request(&scene, "k", "");
    let reply = kept(&scene, first).await;
    scene.now = scene.now - Duration::from_secs(3_600);
    let refused = scene.store.begin_reply(first, scene.now).await;
    assert!(matches!(refused, Err(StoreError::ClockWentBack)), "{refused:?}");
    scene.store.accept_clock(scene.now).await.unwrap();
    scene.now = scene.now + REPLY_KEPT - MS;
    assert_eq!(begin(&scene, first).await, BegunReply::Stored(reply));
    scene.now = scene.now + MS;
    assert_eq!(begin(&scene, first).await, BegunReply::Fresh);
}
