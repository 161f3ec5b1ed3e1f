//! `verifyd migrate`: a server with pending codes, spent limits and failed guesses is killed, its store is moved to Redis, and three
//! servers go on where it stood.

use std::path::Path;

use serde_json::{Value, json};
use verifyd_store_redis::testing::{self, Server};

use crate::api::{Api, wrong};
use crate::program::{Program, Running, data_dir};

const PENDING: &str = "+14155550150";
const GUESSED: &str = "+14155550151";
const SPENT: &str = "+14155550152";
const APPROVED: &str = "+14155550153";
const REPEATED: &str = "+14155550154";
const STARTS: &str = "/v1/verifications";

/// What the old server told, to be told again by the new ones.
struct Before {
    pending: Value,
    guessed: Value,
    approved: Value,
    repeated: String,
    secret: String,
}

/// A command of the fleet over `redis`, with the keys and the data directory of the old server.
fn fleet(redis: &Server, dir: &Path, mut program: Program, command: &str) -> Program {
    program.replace("serve", command);
    let keys = data_dir(dir).join("keys");
    program.with("VERIFYD_STORE", &redis.url()).with("VERIFYD_KEYS_FILE", keys.to_str().unwrap())
}

fn migrated(redis: &Server, dir: &Path) -> (bool, Value) {
    let output = fleet(redis, dir, Program::serve(dir), "migrate").args(&["--json"]).output();
    (output.status.success(), serde_json::from_slice(&output.stdout).unwrap())
}

async fn live_for_a_while(server: &Running, dir: &Path) -> Before {
    let api = Api::of(server);
    api.post("/dev/clock/advance", json!({ "seconds": 86_400 })).await.expect(200);
    let guessed = api.start(GUESSED).await.expect(201);
    for n in 1..=3 {
        api.check(GUESSED, &wrong(guessed["test_code"].as_str().unwrap(), n)).await.expect(200);
    }
    for send in 0..5 {
        let sent = api.post(STARTS, json!({ "to": SPENT, "client_ip": "203.0.113.9" })).await;
        assert_eq!(sent.status, if send == 0 { 201 } else { 200 }, "{}", sent.text);
    }
    let approved = api.start(APPROVED).await.expect(201);
    api.check(APPROVED, approved["test_code"].as_str().unwrap()).await.expect(200);
    let body = json!({ "to": REPEATED });
    let repeated = api.keyed("key-1", STARTS, &body).await.unwrap().text;
    let output = Program::new(dir, &["keys", "create", "--json"]).output();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let pending = api.start(PENDING).await.expect(201);
    Before { pending, guessed, approved, repeated, secret: made["secret"].as_str().unwrap().to_owned() }
}

async fn everything_goes_on(before: &Before, nodes: &[Running]) {
    let [one, two, three] = [0, 1, 2].map(|index| Api::of(&nodes[index]));
    assert_eq!(three.get("/dev/clock").await.expect(200)["offset_seconds"], 86_400);
    // What is shown is what was shown, but for what a check has changed since.
    let id = |verification: &Value| verification["id"].as_str().unwrap().to_owned();
    let pending = one.load(&id(&before.pending)).await.expect(200);
    for field in
        ["to", "status", "created_at", "expires_at", "deliveries", "checks_remaining", "sends_remaining", "rate_limit"]
    {
        assert_eq!(pending[field], before.pending[field], "{field}");
    }
    assert_eq!(two.check(PENDING, before.pending["test_code"].as_str().unwrap()).await.expect(200)["valid"], true);
    // Guesses: two are left, then none, and the right one is not compared any more.
    assert_eq!(one.load(&id(&before.guessed)).await.expect(200)["checks_remaining"], 2);
    let code = before.guessed["test_code"].as_str().unwrap();
    for n in 4..=5 {
        two.check(GUESSED, &wrong(code, n)).await;
    }
    three.check(GUESSED, code).await.problem(429, "max_checks_reached");
    assert_eq!(one.used(GUESSED, "failed_checks_per_phone").await, 5);
    // Limits of a number and of an address.
    let refused = three.start(SPENT).await;
    assert!(refused.status == 429 && refused.retry_after.is_some(), "{}", refused.text);
    assert_eq!(one.used(SPENT, "sends_per_phone").await, 5);
    let standing = one.get(&format!("/v1/limits?to={SPENT}&client_ip=203.0.113.9")).await.expect(200);
    let by_address =
        standing["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == "sends_per_ip").unwrap();
    assert!(by_address["used"].as_u64().unwrap() >= 4, "{by_address}");
    // What is over stays over; what was answered is answered again; who was let in is let in.
    assert_eq!(two.load(&id(&before.approved)).await.expect(200)["status"], "approved");
    let again = three.keyed("key-1", STARTS, &json!({ "to": REPEATED })).await.unwrap();
    assert_eq!((again.replayed, &again.text), (true, &before.repeated));
    assert_eq!(Api::with_key(&nodes[1], &before.secret).load(&id(&before.approved)).await.status, 200);
}

#[tokio::test]
async fn a_fleet_goes_on_where_one_server_stood() {
    if testing::no_redis_here() {
        return;
    }
    let (redis, dir) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let program = Program::serve(dir.path());
    let server = program.start();
    let before = live_for_a_while(&server, dir.path()).await;

    let (done, refused) = migrated(&redis, dir.path());
    assert!(!done && refused["error"]["message"].as_str().unwrap().contains("another process"), "{refused}");
    server.kill();
    let (done, moved) = migrated(&redis, dir.path());
    assert!(done, "{moved}");
    assert_eq!(
        (&moved["numbers"], &moved["verifications"], &moved["replies"]),
        (&json!(5), &json!(5), &json!(1)),
        "{moved}"
    );
    assert_eq!((&moved["registry_entries"], &moved["resumed"]), (&json!(1), &json!(false)));

    // One that broke off before its end is taken up again, and finds everything.
    let mark = redis.run("GET verifyd:{config}:migration");
    let mark = String::from_utf8(redis_text(&mark)).unwrap().replace("done ", "begun ");
    set_mark(&redis, &mark).await;
    redis.run("DEL verifyd:{config}:registry");
    let (done, again) = migrated(&redis, dir.path());
    assert!(done, "{again}");
    assert_eq!((&again["resumed"], &again["written"]), (&json!(true), &json!(0)), "{again}");
    assert!(again["already_there"].as_u64().unwrap() >= 11, "{again}");
    let (done, once_more) = migrated(&redis, dir.path());
    assert!(done && once_more["done_before"] == true, "{once_more}");

    let nodes: Vec<Running> = (0..3).map(|_| fleet(&redis, dir.path(), program.clone(), "serve").start()).collect();
    everything_goes_on(&before, &nodes).await;
    for node in nodes {
        node.stop();
    }

    // Another store does not come on top of it.
    let other = tempfile::tempdir().unwrap();
    let server = Program::serve(other.path()).start();
    Api::of(&server).start(PENDING).await.expect(201);
    server.stop();
    let (done, refused) = migrated(&redis, other.path());
    assert!(!done && refused["error"]["message"].as_str().unwrap().contains("another migration"), "{refused}");
}

fn redis_text(value: &impl std::fmt::Debug) -> Vec<u8> {
    // The client's value is known here by its Debug form alone: bulk-string('"…"').
    let shown = format!("{value:?}");
    let from = shown.find("done ").unwrap();
    shown[from..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b' ').collect()
}

async fn set_mark(redis: &Server, mark: &str) {
    use verifyd_store_redis::link::Target;
    use verifyd_store_redis::{Link, LinkSettings};
    let link = Link::open(LinkSettings::new(Target::parse(&redis.url()).unwrap())).unwrap();
    let key = b"verifyd:{config}:migration";
    link.command(key, &[b"SET", key, mark.as_bytes()]).await.unwrap();
}
