//! The minute's tour of a newcomer with `verifyd dev`, and what a restart keeps.

use serde_json::{Value, json};

use crate::api::Api;
use crate::program::Program;

const NUMBER: &str = "+14155552671";

#[tokio::test]
async fn a_newcomer_starts_reads_the_inbox_and_is_approved() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::dev(dir.path()).start();
    let api = Api::with_key(&server, "dev");
    assert_eq!(api.get("/healthz").await.status, 200);
    assert_eq!(api.get("/readyz").await.status, 200);

    let started = api.start(NUMBER).await.expect(201);
    assert_eq!((started["status"].as_str(), started["to"].as_str()), (Some("pending"), Some(NUMBER)));
    let page = api.get("/inbox").await;
    assert_eq!(page.status, 200);
    let messages = api.messages(NUMBER).await;
    assert_eq!(messages.len(), 1);
    let code = messages[0]["code"].as_str().unwrap();
    assert!(messages[0]["body"].as_str().unwrap().contains(code));
    assert_eq!(started["test_code"].as_str(), Some(code));
    assert!(page.text.contains(code), "the page shows the message");

    let checked = api.check(NUMBER, code).await.expect(200);
    assert_eq!((checked["status"].as_str(), checked["valid"].as_bool()), (Some("approved"), Some(true)));
    api.check(NUMBER, code).await.problem(409, "already_approved");

    server.signal("INT");
    let ended = server.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("verifyd is ready on http://127.0.0.1:"), "{}", ended.stdout);
    assert!(ended.stdout.contains("/inbox"), "{}", ended.stdout);
}

/// The two commands that `dev` prints are what a newcomer pastes; a shell must make of them what is meant.
#[tokio::test]
async fn the_printed_commands_work_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::dev(dir.path()).start();
    let api = Api::with_key(&server, "dev");
    crate::api::eventually("the whole help", || async { server.stdout().contains("Stop with Ctrl-C.") }).await;
    let help = server.stdout().replace("\\\n", " ");
    let commands: Vec<&str> = help.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(commands.len(), 2, "{help}");
    let Some(started) = shell(commands[0]) else { return };
    assert_eq!(started["status"], "pending");
    let messages = api.messages(NUMBER).await;
    let checked = shell(&commands[1].replace("THE CODE", messages[0]["code"].as_str().unwrap())).unwrap();
    assert_eq!(checked["status"], "approved");
    server.stop();
}

fn shell(command: &str) -> Option<Value> {
    let output = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    // 127 is the shell's word for a command that is not there.
    if output.status.code() == Some(127) {
        eprintln!("SKIPPED: there is no curl on this machine");
        return None;
    }
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn data_and_the_moved_clock_are_kept_over_a_stop_and_over_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::dev(dir.path());
    let server = program.start();
    let api = Api::with_key(&server, "dev");
    let first = api.start(NUMBER).await.expect(201);
    let code = first["test_code"].as_str().unwrap();
    api.check(NUMBER, code).await.expect(200);
    let second = api.start("+14155552672").await.expect(201);
    api.post("/dev/clock/advance", json!({ "seconds": 700 })).await.expect(200);
    server.stop();

    let server = program.start();
    let api = Api::with_key(&server, "dev");
    assert_eq!(api.get("/dev/clock").await.expect(200)["offset_seconds"], 700);
    assert_eq!(api.load(first["id"].as_str().unwrap()).await.expect(200)["status"], "approved");
    assert_eq!(api.load(second["id"].as_str().unwrap()).await.expect(200)["status"], "expired");
    api.post("/dev/clock/advance", json!({ "seconds": 86_400 })).await.expect(200);
    api.start("+14155552673").await.expect(201);
    server.kill();

    let server = program.start();
    let api = Api::with_key(&server, "dev");
    assert_eq!(api.get("/dev/clock").await.expect(200)["offset_seconds"], 87_100);
    assert_eq!(api.get("/readyz").await.status, 200);
    let again = api.start("+14155552673").await;
    again.problem(429, "rate_limited");
    api.start("+14155552674").await.expect(201);
    server.stop();
}
