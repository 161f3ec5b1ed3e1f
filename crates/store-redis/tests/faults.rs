//! The store when Redis fails (faults F8 to F14 of the list in SECURITY.md): what an answer means afterwards. What the link does in
//! each is in its own tests; here it is what became of sends and guesses.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests: what cannot go on must fail at once")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use verifyd_core::id::VerificationId;
use verifyd_core::keys::PhoneHash;
use verifyd_core::limits::LimitName;
use verifyd_core::random::SystemRandom;
use verifyd_core::store::{AdmitOutcome, CheckOutcome, Refusal, RequestDigest, Status, StoreError};
use verifyd_core::testing::Scene;
use verifyd_store_redis::link::Target;
use verifyd_store_redis::testing::{self, Cluster, Proxy, Sentinels, Server, Wire};
use verifyd_store_redis::{Link, LinkSettings, RedisOptions, RedisStore};

/// Above the configured wait of 250 ms: slack for machines with other work.
const PROMPT: Duration = Duration::from_millis(250 + 500);
/// Recovery, and elections, on such machines.
const RECOVERY: Duration = Duration::from_secs(20);

/// A node of a fleet, as operators get it without asking, and somebody in front of it.
fn scene(url: &str, seed: u64) -> Scene {
    let link = Link::open(LinkSettings::new(Target::parse(url).unwrap())).unwrap();
    let store = RedisStore::new(Arc::new(link), RedisOptions::default(), &SystemRandom).unwrap();
    Scene::before(Arc::new(store), seed)
}

fn phone(index: u16) -> PhoneHash {
    let mut bytes = [0x51; 16];
    bytes[..2].copy_from_slice(&index.to_be_bytes());
    PhoneHash::from_bytes(bytes)
}

/// The store must say that it cannot, and soon: a 503 with its `Retry-After`.
async fn cannot<T: std::fmt::Debug>(answer: impl Future<Output = Result<T, StoreError>>) {
    let started = Instant::now();
    let answer = answer.await;
    let Err(StoreError::Unavailable { retry_after, .. }) = &answer else { panic!("{answer:?}") };
    assert!(*retry_after >= Duration::from_secs(1));
    assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
}

/// Asks until the store can answer.
async fn answered<T, F: Future<Output = Result<T, StoreError>>>(mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(started.elapsed() < RECOVERY, "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn status(scene: &Scene, id: VerificationId) -> Option<Status> {
    let load = || scene.store.load(scene.service, id, scene.rules.clone(), scene.now);
    answered(load).await.map(|loaded| loaded.record.status)
}

async fn admitted(scene: &Scene) -> VerificationId {
    match answered(|| scene.store.admit(scene.start_request(), scene.now)).await {
        AdmitOutcome::Admitted(admitted) | AdmitOutcome::Repeated(admitted) => admitted.loaded.id,
        refused @ AdmitOutcome::Refused { .. } => panic!("{refused:?}"),
    }
}

#[tokio::test]
async fn down_and_stopped_nothing_is_sent_and_nothing_approved() {
    if testing::no_redis_here() {
        return;
    }
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let scene = scene(&server.url(), 1);
    let id = admitted(&scene).await;
    server.pause();
    for _ in 0..4 {
        cannot(scene.store.admit(scene.start_request(), scene.now)).await;
        cannot(scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now)).await;
    }
    server.resume();
    // A check that went out before it stopped may have run: then the approval was lost to its caller, and is one all the same.
    assert!(status(&scene, id).await.is_some());
    server.kill();
    cannot(scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now)).await;
    cannot(scene.store.admit(scene.start_request(), scene.now)).await;
    server.restart();
    let outcome = answered(|| scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { .. }), "the code is of the era before: {outcome:?}");
}

#[tokio::test]
async fn a_lost_answer_costs_no_second_send_and_makes_no_second_approval() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.port()).await;
    let mut scene = scene(&proxy.url(), 2);
    let warm = admitted(&scene).await;
    scene.phone = phone(1);
    scene.request = Some(RequestDigest::from_bytes([7; 8]));
    let request = scene.start_request();
    proxy.set(Wire::SwallowsAnswers);
    cannot(scene.store.admit(request.clone(), scene.now)).await;
    proxy.set(Wire::Whole);
    // The client asks again with the same key: it was admitted, nothing is to be sent and nothing more is spent.
    let AdmitOutcome::Repeated(repeated) = answered(|| scene.store.admit(request.clone(), scene.now)).await else {
        panic!("the first one ran, so this is its repeat")
    };
    assert_eq!(repeated.loaded.record.deliveries.len(), 1);
    let id = repeated.loaded.id;
    let guess = scene.guess_by_id(id, &scene.code(id));
    proxy.set(Wire::SwallowsAnswers);
    cannot(scene.store.check(guess.clone(), scene.now)).await;
    proxy.set(Wire::Whole);
    let again = answered(|| scene.store.check(guess.clone(), scene.now)).await;
    let CheckOutcome::Approved(loaded) = again else { panic!("{again:?}") };
    assert_eq!(loaded.record.checks_used, 1, "counted once");
    // Somebody else's repeat is told that it is over.
    scene.request = None;
    let other = scene.check(id, &scene.code(id)).await;
    assert!(matches!(other, CheckOutcome::Refused { refusal: Refusal::AlreadyApproved, .. }), "{other:?}");
    assert_eq!(status(&scene, warm).await, Some(Status::Pending));
}

#[tokio::test]
async fn restarted_empty_it_approves_nothing_and_limits_are_halved_for_a_window() {
    if testing::no_redis_here() {
        return;
    }
    let mut server = Server::start(&[]);
    let scene = scene(&server.url(), 3);
    let id = admitted(&scene).await;
    server.restart();
    let outcome = answered(|| scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::NotFound, .. }), "{outcome:?}");
    let mut sends = 0;
    let refusal = loop {
        match scene.start().await {
            Ok(_) => sends += 1,
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(sends, 3, "half of five, rounded up");
    assert!(matches!(refusal, Refusal::RateLimited { name: LimitName::SendsPerPhone, .. }), "{refusal:?}");
}

#[tokio::test]
async fn after_a_failover_with_a_replica_behind_lost_guesses_are_no_free_guesses() {
    if testing::no_redis_here() {
        return;
    }
    let mut primary = Server::start(&[]);
    let replica = Server::replica_of(&primary, &[]);
    let sentinels = Sentinels::watch(&primary, 1);
    let scene = scene(&sentinels.url(), 4);
    let id = admitted(&scene).await;
    assert_eq!(scene.wrong(id).await, 4);
    testing::wait_until("the replica is in step", || {
        primary.info("master_repl_offset") == replica.info("slave_repl_offset")
    });
    replica.run("REPLICAOF 127.0.0.1 1");
    for left in [3, 2, 1] {
        assert_eq!(scene.wrong(id).await, left, "counted on a primary that will be lost");
    }
    primary.kill();
    let outcome = answered(|| scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now)).await;
    assert!(matches!(outcome, CheckOutcome::Refused { refusal: Refusal::Expired, .. }), "{outcome:?}");
    // The person asks for a new code, which works.
    let anew = admitted(&scene).await;
    assert_ne!(anew, id);
    assert!(matches!(scene.check(anew, &scene.code(anew)).await, CheckOutcome::Approved(_)));
}

#[tokio::test]
async fn with_wait_an_approval_that_replicas_lack_is_no_approval() {
    if testing::no_redis_here() {
        return;
    }
    let primary = Server::start(&[]);
    let replica = Server::replica_of(&primary, &[]);
    let mut settings = LinkSettings::new(Target::parse(&primary.url()).unwrap());
    (settings.wait_replicas, settings.wait_timeout) = (1, Duration::from_millis(250));
    let link = Arc::new(Link::open(settings).unwrap());
    let store = RedisStore::new(link, RedisOptions::default(), &SystemRandom).unwrap();
    let scene = Scene::before(Arc::new(store), 5);
    let id = admitted(&scene).await;
    replica.pause();
    let answer = scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now).await;
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    let answer = scene.store.admit(scene.start_request(), scene.now).await;
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    replica.resume();
    assert!(matches!(status(&scene, id).await, Some(Status::Approved { .. })), "the charge stands");
}

#[tokio::test]
async fn full_memory_refuses_and_loses_no_counter() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&["--maxmemory-policy", "noeviction"]);
    let scene = scene(&server.url(), 6);
    let id = admitted(&scene).await;
    assert_eq!(scene.wrong(id).await, 4);
    server.run("CONFIG SET maxmemory 1");
    for _ in 0..3 {
        cannot(scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now)).await;
        cannot(scene.store.admit(scene.start_request(), scene.now)).await;
    }
    assert_eq!(status(&scene, id).await, Some(Status::Pending), "what is there can still be read");
    server.run("CONFIG SET maxmemory 0");
    assert_eq!(scene.wrong(id).await, 3, "what was refused is not counted");
    assert!(matches!(scene.check(id, &scene.code(id)).await, CheckOutcome::Approved(_)));
}

/// Starts, guesses wrong, guesses right twice, for one number after the other; counts what a client would see as an error.
async fn whole_lives(scene: &mut Scene, first: u16, done: &AtomicBool, calls: &AtomicU64, errors: &AtomicU64) {
    let count = |failed: bool| {
        calls.fetch_add(1, Ordering::Relaxed);
        errors.fetch_add(u64::from(failed), Ordering::Relaxed);
    };
    for index in (first..).step_by(8) {
        if done.load(Ordering::Relaxed) {
            return;
        }
        scene.phone = phone(index.wrapping_mul(2939));
        let started = scene.store.admit(scene.start_request(), scene.now).await;
        count(started.is_err());
        let Ok(AdmitOutcome::Admitted(admitted)) = started else { continue };
        let id = admitted.loaded.id;
        let wrong = scene.store.check(scene.guess_by_id(id, &scene.code_plus(id, 1)), scene.now).await;
        count(wrong.is_err());
        assert!(matches!(wrong, Ok(CheckOutcome::Wrong(_)) | Err(_)), "{wrong:?}");
        let mut approvals = 0;
        for _ in 0..2 {
            let right = scene.store.check(scene.guess_by_number(&scene.code(id)), scene.now).await;
            count(right.is_err());
            match right {
                Ok(CheckOutcome::Approved(_)) => approvals += 1,
                Ok(CheckOutcome::Refused { refusal: Refusal::AlreadyApproved | Refusal::NotFound, .. }) | Err(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(approvals <= 1);
        assert!(matches!(status(scene, id).await, Some(Status::Approved { .. })), "a right guess was lost");
    }
}

/// Eight clients live whole lives while `disturb` disturbs; under one in a hundred of their calls may fail.
async fn disturbed<S: Send + 'static>(url: &str, servers: S, disturb: impl FnOnce(&S) + Send + 'static) {
    let (done, calls, errors) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0), AtomicU64::new(0));
    let flag = Arc::clone(&done);
    let disturbing = tokio::task::spawn_blocking(move || {
        disturb(&servers);
        flag.store(true, Ordering::Relaxed);
        servers
    });
    let client = async |first: u16| {
        let mut scene = scene(url, 100 + u64::from(first));
        whole_lives(&mut scene, first, &done, &calls, &errors).await;
    };
    let (disturbed, ..) = tokio::join!(
        disturbing,
        client(0),
        client(1),
        client(2),
        client(3),
        client(4),
        client(5),
        client(6),
        client(7)
    );
    let _servers = disturbed.unwrap();
    let (calls, errors) = (calls.into_inner(), errors.into_inner());
    println!("{errors} errors in {calls} calls");
    assert!(calls > 500 && errors * 100 < calls, "{errors} errors in {calls} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_go_on_while_slots_move() {
    if testing::no_redis_here() {
        return;
    }
    let cluster = Cluster::start();
    let (from, to) = (cluster.owner_of("{tag0}"), cluster.owner_of("{tag2}"));
    let url = cluster.url();
    disturbed(&url, cluster, move |cluster| cluster.reshard(from, to, 1500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_go_on_while_scripts_are_flushed() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let url = server.url();
    disturbed(&url, server, |server| {
        for _ in 0..100 {
            server.run("SCRIPT FLUSH");
            std::thread::sleep(Duration::from_millis(20));
        }
    })
    .await;
}
