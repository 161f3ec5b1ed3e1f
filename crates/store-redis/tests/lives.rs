//! What a fleet meets and one process does not: a server whose clock jumps, and a primary that was lost.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests: what cannot go on must fail at once")]

mod fleet;

use std::time::Duration;

use verifyd_core::clock::Timestamp;
use verifyd_core::limits::{LimitName, Standing};
use verifyd_core::store::{CheckOutcome, InfoOutcome, Refusal, RequestDigest};
use verifyd_core::testing::{FakeClock, Scene, StoreFactory};
use verifyd_store_redis::RedisOptions;
use verifyd_store_redis::testing::Server;

use fleet::{Fleet, OneServer};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const TEN_YEARS: Duration = Duration::from_secs(3653 * 86_400);

async fn refusal(scene: &Scene, id: verifyd_core::id::VerificationId) -> Refusal {
    match scene.check(id, &scene.code(id)).await {
        CheckOutcome::Refused { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    }
}

fn standing(info: &InfoOutcome, name: LimitName) -> Standing {
    info.limits.iter().find(|limit| limit.name == name).unwrap().standing
}

/// A code of a future that did not come is void at once and for good; what was counted there counts from today on.
#[tokio::test]
async fn a_jump_of_the_clock_revives_nothing_and_freezes_nothing() {
    let Some(one) = OneServer::start() else { return };
    let mut scene = Scene::new(&one).await;
    let today = scene.now;
    scene.from_address("203.0.113.7", "2/1h");
    scene.now = today + TEN_YEARS;
    let future = scene.started().await;
    scene.wrong(future).await;
    scene.now = today;
    for _ in 0..2 {
        let info = scene.info().await;
        assert_eq!(info.at, today);
        assert!(info.pending.is_none() && info.failed_checks_in_a_row == 1);
        for name in [LimitName::SendsPerPhone, LimitName::SendsPerPhoneAllServices, LimitName::FailedChecksPerPhone] {
            let standing = standing(&info, name);
            assert_eq!(standing.used, 1, "{name:?}");
            assert!(standing.reset_at <= today + Duration::from_secs(86_400), "{name:?}");
        }
        let address = standing(&info, LimitName::SendsPerIp);
        assert_eq!((address.used, address.reset_at), (2, today + HOUR), "a full backlog from now on at most");
        assert_eq!(refusal(&scene, future).await, Refusal::Expired);
        assert_eq!(scene.resend(future).await.unwrap_err(), Refusal::Expired);
        // What writes the number as it is now must not hide what was void.
        scene.store.unlock(scene.service, Scene::phone_named(9), scene.now).await.unwrap();
    }
    scene.quotas.clear();
    let present = scene.start().await.unwrap();
    assert!(present.created && present.loaded.record.expires_at == today + MINUTE * 10);
    assert_eq!(refusal(&scene, future).await, Refusal::Expired);
    assert!(matches!(scene.check(present.loaded.id, &scene.code(present.loaded.id)).await, CheckOutcome::Approved(_)));
}

/// What was followed by another in the future stays over when the clock is back, whoever writes first.
#[tokio::test]
async fn a_superseded_code_stays_void_after_a_jump() {
    let Some(one) = OneServer::start() else { return };
    for write_first in [false, true] {
        let mut scene = Scene::new(&one).await;
        let today = scene.now;
        let first = scene.started().await;
        scene.now = today + HOUR;
        let second = scene.started().await;
        scene.now = today + MINUTE;
        if write_first {
            scene.store.forget(Some(Scene::service_named(5)), scene.phone, scene.now).await.unwrap();
        }
        assert_eq!(refusal(&scene, first).await, Refusal::Expired);
        assert!(scene.start().await.unwrap().created);
        // Also when time comes again to where the second was made.
        scene.now = today + HOUR + MINUTE;
        for void in [first, second] {
            let refusal = refusal(&scene, void).await;
            assert!(matches!(refusal, Refusal::Expired | Refusal::NotFound), "{refusal:?}");
        }
    }
}

/// Five minutes are clamped: a number's time stands still until the clock has caught up.
#[tokio::test]
async fn a_small_step_back_stands_still() {
    let Some(one) = OneServer::start() else { return };
    let mut scene = Scene::new(&one).await;
    scene.request = Some(RequestDigest::from_bytes([1; 8]));
    let id = scene.started().await;
    let latest = scene.now;
    scene.now = latest - MINUTE * 5;
    scene.request = None;
    assert_eq!(scene.load(id).await.unwrap().at, latest);
    assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(loaded) if loaded.at == latest));
    scene.phone = Scene::phone_named(1);
    assert_eq!(scene.info().await.at, scene.now, "another number has another clock");
}

/// A guess that is told that the code is over erases its digests.
#[tokio::test]
async fn an_expired_code_is_erased_when_it_is_told() {
    let Some(one) = OneServer::start() else { return };
    let mut scene = Scene::before(one.fleet.fresh().await, 1);
    let id = scene.started().await;
    let bytes = |server: &Server| -> usize {
        let mut client = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("t*:v:*").query(&mut client).unwrap();
        redis::cmd("STRLEN").arg(&keys[0]).query(&mut client).unwrap()
    };
    let before = bytes(&one.server);
    scene.now = FakeClock::BEGINNING + MINUTE * 10;
    assert_eq!(refusal(&scene, id).await, Refusal::Expired);
    // Two digests of eight bytes, and the sealed code: a nonce of twelve bytes, six digits and a tag of sixteen.
    assert_eq!(before - bytes(&one.server), 2 * 8 + 12 + 6 + 16);
}

/// A primary that was lost and came back may have lost guesses: its codes are over, a new start is allowed, and every limit is
/// halved for one of its windows.
#[tokio::test]
async fn codes_of_a_lost_primary_are_void() {
    if verifyd_store_redis::testing::no_redis_here() {
        return;
    }
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let fleet = Fleet::at(&server.url());
    let mut scene = Scene::before(fleet.store("fleet", RedisOptions::default()), 1);
    let id = scene.started().await;
    scene.wrong(id).await;
    scene.phone = Scene::phone_named(1);
    let approved = scene.started().await;
    scene.request = Some(RequestDigest::from_bytes([1; 8]));
    assert!(matches!(scene.check(approved, &scene.code(approved)).await, CheckOutcome::Approved(_)));
    server.restart();
    while scene.store.load(scene.service, id, scene.rules.clone(), Timestamp::EPOCH).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = scene.check(approved, &scene.code(approved)).await;
    assert!(
        matches!(again, CheckOutcome::Approved(_)),
        "what was approved is so, and told to who asks again: {again:?}"
    );
    (scene.phone, scene.request) = (Scene::phone_named(0), None);
    assert_eq!(refusal(&scene, id).await, Refusal::Expired);
    assert!(scene.load(id).await.unwrap().record.secret.is_none());
    let info = scene.info().await;
    assert!(info.pending.is_none());
    assert_eq!(standing(&info, LimitName::SendsPerPhone).limit, 3, "half of five, rounded up");
    assert_eq!(standing(&info, LimitName::FailedChecksPerPhone).limit, 5);
    let new = scene.start().await.unwrap();
    assert!(new.created && new.loaded.standing.sends_per_phone.remaining == 1);
    scene.start().await.unwrap();
    let refused = scene.start().await.unwrap_err();
    let Refusal::RateLimited { name, standing, .. } = refused else { panic!("{refused:?}") };
    assert_eq!((name, standing.limit, standing.used), (LimitName::SendsPerPhone, 3, 3));
    assert!(matches!(scene.check(new.loaded.id, &scene.code(new.loaded.id)).await, CheckOutcome::Approved(_)));
}
