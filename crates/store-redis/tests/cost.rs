//! What a verb costs: commands, bytes, and keys that go by themselves.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests: what cannot go on must fail at once")]

mod fleet;

use std::time::Duration;

use redis::Value;
use verifyd_core::keys::SealKind;
use verifyd_core::sender::{DeliveryStatus, Price};
use verifyd_core::store::{
    Admission, AdmitOutcome, BegunReply, CheckOutcome, FinishReply, ReplyRequest, ReplySubject, SendTarget,
};
use verifyd_core::testing::{Scene, SeededRandom, StoreFactory};
use verifyd_store_redis::testing::Server;

use fleet::OneServer;

/// Scripts run so far.
fn scripts(server: &Server) -> u64 {
    server.calls("evalsha") + server.calls("eval")
}

/// How many scripts `verb` runs.
async fn cost<T>(server: &Server, verb: impl Future<Output = T>) -> (T, u64) {
    let before = scripts(server);
    let outcome = verb.await;
    (outcome, scripts(server) - before)
}

fn reply_request(scene: &Scene, key: &str) -> ReplyRequest {
    scene.keys.reply_request(&["caller", key, "POST", "/v1/x"], b"body")
}

async fn finish(scene: &Scene, request: ReplyRequest) {
    let reply = scene.keys.seal_reply(&request.key, b"answer".to_vec(), &SeededRandom::new(7)).unwrap();
    let subject = ReplySubject { service: scene.service, phone: scene.phone };
    scene.store.finish_reply(FinishReply { request, subject, reply }, scene.now).await.unwrap();
}

/// Every verb once, with an address, and what each cost.
async fn every_verb(server: &Server, scene: &mut Scene) -> Vec<(&'static str, u64)> {
    let mut costs = Vec::new();
    let (plain, count) = cost(server, scene.start()).await;
    costs.push(("start", count));
    let plain = plain.unwrap().loaded.id;
    costs.push(("resend", cost(server, scene.resend(plain)).await.1));
    costs.push(("wrong check", cost(server, scene.wrong(plain)).await.1));
    costs.push(("check by number", cost(server, scene.check_number(&scene.code(plain))).await.1));
    costs.push(("load", cost(server, scene.load(plain)).await.1));
    costs.push(("info", cost(server, scene.info()).await.1));
    scene.phone = Scene::phone_named(1);
    scene.from_address("2001:db8::1", "30/1h");
    let (admitted, count) = cost(server, scene.start()).await;
    let admitted = admitted.unwrap();
    costs.push(("start from an address", count));
    let sent = scene.settle(&admitted, DeliveryStatus::Sent, false);
    costs.push(("settle", cost(server, sent).await.1));
    let again = scene.resend(admitted.loaded.id).await.unwrap();
    costs.push(("settle with refund", cost(server, scene.refund(&again)).await.1));
    costs.push(("info of an address", cost(server, scene.info()).await.1));
    costs.push(("cancel", cost(server, scene.canceled(admitted.loaded.id)).await.1));
    scene.quotas.clear();
    let exhausted = scene.started().await;
    for _ in 0..5 {
        scene.wrong(exhausted).await;
    }
    costs.push(("refused start", cost(server, scene.start()).await.1));
    costs.push(("unlock", cost(server, scene.store.unlock(scene.service, scene.phone, scene.now)).await.1));
    costs.push(("forget", cost(server, scene.store.forget(None, scene.phone, scene.now)).await.1));
    scene.phone = Scene::phone_named(2);
    let request = reply_request(scene, "k");
    let (begun, count) = cost(server, scene.store.begin_reply(request, scene.now)).await;
    assert_eq!(begun.unwrap(), BegunReply::Fresh);
    costs.push(("begin", count));
    costs.push(("finish", cost(server, finish(scene, request)).await.1));
    let (begun, count) = cost(server, scene.store.begin_reply(request, scene.now)).await;
    assert!(matches!(begun.unwrap(), BegunReply::Stored(_)));
    costs.push(("begin what is kept", count));
    let request = reply_request(scene, "abandoned");
    scene.store.begin_reply(request, scene.now).await.unwrap();
    costs.push(("abandon", cost(server, scene.store.abandon_reply(request)).await.1));
    scene.store.begin_reply(reply_request(scene, "at work"), scene.now).await.unwrap();
    costs
}

/// One round trip, and one wave beyond it where an address counts: three networks of an IPv6 address, in parallel. A kept reply is
/// told only after a look at its number's forget marks; a fresh beginning needs none.
#[tokio::test]
async fn a_verb_is_one_script() {
    let Some(one) = OneServer::start() else { return };
    // Once so that the server knows the scripts.
    every_verb(&one.server, &mut Scene::new(&one).await).await;
    let costs = every_verb(&one.server, &mut Scene::new(&one).await).await;
    for (verb, count) in costs {
        let expected = match verb {
            "start from an address" | "settle with refund" | "info of an address" => 1 + 3,
            "begin what is kept" => 2,
            _ => 1,
        };
        assert_eq!(count, expected, "{verb}");
    }
}

/// Nothing lives for ever.
#[tokio::test]
async fn every_key_goes_by_itself() {
    let Some(one) = OneServer::start() else { return };
    let mut scene = Scene::new(&one).await;
    every_verb(&one.server, &mut scene).await;
    scene.phone = Scene::phone_named(3);
    scene.from_address("203.0.113.7", "30/1h");
    scene.started().await;
    let Value::Array(keys) = one.server.run("KEYS t*}:*") else { panic!("no list of keys") };
    let mut kinds = std::collections::BTreeMap::new();
    for key in &keys {
        let Value::BulkString(key) = key else { panic!("no key: {key:?}") };
        let mut client = redis::Client::open(one.server.url()).unwrap().get_connection().unwrap();
        let ttl_ms: i64 = redis::cmd("PTTL").arg(key).query(&mut client).unwrap();
        assert!(ttl_ms > 60_000, "{ttl_ms} ms for {}", String::from_utf8_lossy(key));
        let kind = char::from(key[key.iter().position(|byte| *byte == b'}').unwrap() + 2]);
        *kinds.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(kinds.keys().collect::<String>(), "nqrv", "every kind was there: {kinds:?}");
}

/// The value of the only key of a kind.
fn value_of(server: &Server, kind: char) -> Vec<u8> {
    let mut client = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(format!("t*:{kind}:*")).query(&mut client).unwrap();
    assert_eq!(keys.len(), 1, "{kind}");
    redis::cmd("GET").arg(&keys[0]).query(&mut client).unwrap()
}

fn admitted(outcome: AdmitOutcome) -> Box<verifyd_core::store::Admitted> {
    match outcome {
        AdmitOutcome::Admitted(admitted) => admitted,
        other => panic!("{other:?}"),
    }
}

/// A start as a server makes it: with a real identity and an idempotency key.
fn real_start(scene: &Scene) -> Admission {
    let mut start = scene.start_request();
    start.request = Some(reply_request(scene, "start").digest);
    if let SendTarget::Start { new, .. } = &mut start.target {
        let identity = br#"+14155552671 {"user":"8c1e0a2f","flow":"login"}"#.to_vec();
        new.identity = scene.keys.seal(SealKind::Identity, &new.id, identity, &SeededRandom::new(3)).unwrap();
        new.locale = "en-US".to_owned();
    }
    start
}

/// A log of five within 110 bytes, a verification of two real deliveries within 400.
#[tokio::test]
async fn values_are_compact() {
    let Some(one) = OneServer::start() else { return };
    let mut scene = Scene::new(&one).await;
    scene.from_address("203.0.113.7", "30/1h");
    let first = admitted(scene.store.admit(real_start(&scene), scene.now).await.unwrap());
    for _ in 0..2 {
        let loaded = scene.load(first.loaded.id).await.unwrap();
        let delivery = loaded.record.deliveries.last().unwrap().id;
        let mut settle = scene.settle_request(first.loaded.id, delivery, DeliveryStatus::Queued, false);
        settle.sender = "twilio";
        settle.message_id = Some("SM0123456789abcdef0123456789abcdef".to_owned());
        settle.price = Some(Price { amount: "0.0079".to_owned(), currency: "USD".to_owned(), estimated: true });
        scene.store.settle(settle, scene.now).await.unwrap();
        if loaded.record.deliveries.len() == 1 {
            scene.advance_ms(30_000);
            scene.resend(first.loaded.id).await.unwrap();
        }
    }
    let verification = value_of(&one.server, 'v').len();
    assert!(verification <= 400, "a verification takes {verification} bytes");
    let with_two = value_of(&one.server, 'n').len();
    for _ in 0..3 {
        scene.resend(first.loaded.id).await.unwrap();
    }
    // A number holds two logs of sends: its own of this service and that of all.
    let with_five = value_of(&one.server, 'n').len();
    assert_eq!(with_five - with_two, 2 * 3 * 6);
    let log_of_five = 3 + 5 * 6;
    assert!(log_of_five <= 110 && with_five <= 150, "a number takes {with_five} bytes");
    let quota = value_of(&one.server, 'q').len();
    assert!(quota <= 110, "a limit by address with five charges takes {quota} bytes");
    // And the sizes stand in the README.
    println!("verification {verification}, number {with_five}, quota {quota}");
}

/// The server's own clock, and the development clock ahead of it.
#[tokio::test]
async fn a_nodes_clock_changes_nothing() {
    let Some(one) = OneServer::start() else { return };
    let store = one.fleet.store("real", verifyd_store_redis::RedisOptions::default());
    let mut scene = Scene::before(store.clone(), 1);
    let server_ms = |server: &Server| -> u64 {
        let time: (u64, u64) = redis::from_redis_value(server.run("TIME")).unwrap();
        time.0 * 1000 + time.1 / 1000
    };
    let before = server_ms(&one.server);
    // Ten years ahead of the server, then ten behind.
    scene.now = scene.now + Duration::from_secs(3650 * 86_400);
    let id = scene.started().await;
    scene.now = scene.now - Duration::from_secs(7300 * 86_400);
    let CheckOutcome::Approved(loaded) = scene.check(id, &scene.code(id)).await else { panic!("not approved") };
    let at = loaded.at.unix_ms();
    assert!(before <= at && at <= server_ms(&one.server));
    assert!(loaded.record.created_at <= loaded.at);
    store.set_ahead(Duration::from_secs(3600));
    store.set_ahead(Duration::from_secs(60));
    assert!(scene.info().await.at.unix_ms() >= before + 3_600_000, "it never moves back");
    let fresh = one.fleet.fresh().await;
    assert!(fresh.ready(scene.now).await.is_ok());
}
