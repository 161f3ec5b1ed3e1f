//! Three servers over one Redis: what is made on one is there on all, and what does not fit is refused.

use serde_json::{Value, json};
use tempfile::TempDir;
use verifyd_store_redis::testing::{self, Server};

use crate::api::{Api, eventually, wrong};
use crate::program::{Program, Running};

/// 32 bytes in base64, twice.
const OLD: &str = "old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// A node of the fleet over `redis`, as a program and its directory.
fn node(redis: &Server, keys: &str) -> (Program, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path()).with("VERIFYD_STORE", &redis.url()).with("VERIFYD_KEYS", keys);
    (program, dir)
}

fn command(redis: &Server, keys: &str, args: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::new(dir.path(), args).with("VERIFYD_STORE", &redis.url()).with("VERIFYD_KEYS", keys);
    let output = program.with("SMS_MOCK_MODE", "true").args(&["--json"]).output();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Three nodes that serve, with their directories.
fn three(redis: &Server) -> (Vec<Running>, Vec<TempDir>) {
    let (programs, dirs): (Vec<_>, Vec<_>) = (0..3).map(|_| node(redis, OLD)).unzip();
    (programs.iter().map(Program::start).collect(), dirs)
}

#[tokio::test]
async fn what_is_made_on_one_node_is_there_on_all() {
    if testing::no_redis_here() {
        return;
    }
    let redis = Server::start(&[]);
    let (servers, _dirs) = three(&redis);
    let apis: Vec<Api> = servers.iter().map(Api::of).collect();

    // A code, its guesses and its limits.
    let started = apis[0].start("+14155550190").await.expect(201);
    let (id, code) = (started["id"].as_str().unwrap(), started["test_code"].as_str().unwrap());
    apis[1].check("+14155550190", &wrong(code, 1)).await.expect(200);
    assert_eq!(apis[2].load(id).await.expect(200)["checks_remaining"], 4);
    assert_eq!(apis[2].check("+14155550190", code).await.expect(200)["valid"], true);
    apis[0].check("+14155550190", code).await.problem(409, "already_approved");

    // A key made beside them.
    let made = command(&redis, OLD, &["keys", "create", "--name", "shop"]);
    let secret = made["secret"].as_str().unwrap();
    for server in &servers {
        let api = Api::with_key(server, secret);
        eventually("the key works", || async { api.get("/v1/limits?to=+14155550191").await.status == 200 }).await;
    }
    command(&redis, OLD, &["keys", "revoke", made["id"].as_str().unwrap()]);
    for server in &servers {
        let api = Api::with_key(server, secret);
        eventually("the key is refused", || async { api.get("/v1/limits?to=+14155550191").await.status == 401 }).await;
    }

    // The clock: whoever moved it finds it moved everywhere.
    let pending = apis[0].start("+14155550192").await.expect(201);
    apis[1].post("/dev/clock/advance", json!({ "seconds": 601 })).await.expect(200);
    for api in &apis {
        assert_eq!(api.get("/dev/clock").await.expect(200)["offset_seconds"], 601);
        api.check("+14155550192", pending["test_code"].as_str().unwrap()).await.problem(410, "expired");
    }
    // A node that comes later has it, too.
    let (late, _dir) = node(&redis, OLD);
    let late = late.start();
    assert_eq!(Api::of(&late).get("/dev/clock").await.expect(200)["offset_seconds"], 601);
    for server in servers.into_iter().chain([late]) {
        server.stop();
    }
}

#[tokio::test]
async fn a_node_with_other_keys_does_not_start_and_rotation_takes_two_rounds() {
    if testing::no_redis_here() {
        return;
    }
    let redis = Server::start(&[]);
    let (program, _dir) = node(&redis, OLD);
    let server = program.start();
    let (other, _other_dir) = node(&redis, NEW);
    let refused = other.refusal();
    assert!(refused.contains("\"old\""), "{refused}");
    let checks = command(&redis, NEW, &["doctor", "--offline"]);
    let keys = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == "keys").unwrap();
    assert!(keys["level"] == "problem" && keys["message"].as_str().unwrap().contains("\"old\""), "{checks}");
    // The running one could not check what this one would send.
    let (early, _early_dir) = node(&redis, &format!("{NEW},{OLD}"));
    let refused = early.refusal();
    assert!(refused.contains("give every node the new key behind the old one first"), "{refused}");
    server.stop();
    let (behind, _behind_dir) = node(&redis, &format!("{OLD},{NEW}"));
    let server = behind.start();
    let (front, _front_dir) = node(&redis, &format!("{NEW},{OLD}"));
    let front = front.start();
    let started = Api::of(&front).start("+14155550193").await.expect(201);
    let checked = Api::of(&server).check("+14155550193", started["test_code"].as_str().unwrap()).await.expect(200);
    assert_eq!(checked["valid"], true);
    server.stop();
    front.stop();
}

#[tokio::test]
async fn without_redis_nothing_is_ready_and_with_it_everything_again() {
    if testing::no_redis_here() {
        return;
    }
    let mut redis = Server::start(&["--appendonly", "yes"]);
    let (program, _dir) = node(&redis, OLD);
    let server = program.start();
    let api = Api::of(&server);
    let started = api.start("+14155550194").await.expect(201);
    let well = command(&redis, OLD, &["doctor", "--offline"]);
    let well: Vec<&Value> =
        well["checks"].as_array().unwrap().iter().filter(|check| check["check"] == "nodes").collect();
    assert!(well[0]["message"].as_str().unwrap().starts_with("1 node"), "{well:?}");
    redis.kill();
    eventually("it is not ready", || async { api.get("/readyz").await.status == 503 }).await;
    let refused = api.check("+14155550194", started["test_code"].as_str().unwrap()).await;
    assert!(refused.retry_after.is_some());
    refused.problem(503, "store_unavailable");
    redis.restart();
    eventually("it is ready", || async { api.get("/readyz").await.status == 200 }).await;
    eventually("it sends", || async { api.start("+14155550195").await.status == 201 }).await;
    server.stop();
    // With Redis away no node starts, and it says why.
    redis.kill();
    let refused = program.refusal();
    assert!(refused.contains("127.0.0.1"), "{refused}");
}

#[tokio::test]
async fn a_redis_that_would_forget_is_refused() {
    if testing::no_redis_here() {
        return;
    }
    let redis = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    let (program, _dir) = node(&redis, OLD);
    let refused = program.refusal();
    assert!(refused.contains("noeviction"), "{refused}");
    let checks = command(&redis, OLD, &["doctor", "--offline"]);
    assert!(checks["ok"] == false && checks.to_string().contains("noeviction"), "{checks}");
}
