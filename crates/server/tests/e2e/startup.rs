//! What refuses to start, in which words; and which keys open a store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::api::Api;
use crate::program::{API_KEY, Program, data_dir};

const NUMBER: &str = "+14155550160";

fn master_key(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; 32]))
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn without_credentials_nothing_starts_unless_mock_mode_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = Program::new(dir.path(), &["serve"]).refusal();
    says(&refusal, &["there is no way to send", "TWILIO_ACCOUNT_SID", "SMS_MOCK_MODE=true"]);
    assert!(!data_dir(dir.path()).exists(), "a refused configuration leaves nothing behind");
    // Half of the credentials is no way to send either, and no reason to fall back.
    let refusal = Program::new(dir.path(), &["serve"])
        .with("SMS_MOCK_MODE", "auto")
        .with("TWILIO_ACCOUNT_SID", &format!("AC{}", "0a".repeat(16)))
        .refusal();
    says(&refusal, &["TWILIO_AUTH_TOKEN"]);
}

#[test]
fn mock_mode_is_refused_in_production() {
    let dir = tempfile::tempdir().unwrap();
    for mock in ["true", "auto"] {
        let program = Program::serve(dir.path()).with("VERIFYD_EXPOSE_CODES", "").with("SMS_MOCK_MODE", mock);
        let refusal = program.with("VERIFYD_ENVIRONMENT", "production").refusal();
        says(&refusal, &["SMS_MOCK_MODE", "mock mode is refused in production"]);
    }
    let refusal = Program::dev(dir.path()).with("VERIFYD_ENVIRONMENT", "production").refusal();
    says(&refusal, &["verifyd dev is never for production"]);
    let refusal = Program::serve(dir.path()).with("VERIFYD_LISTEN", "0.0.0.0:0").refusal();
    says(&refusal, &["expose_codes shows codes to everybody who reaches this address", "--i-expose-codes"]);
}

#[tokio::test]
async fn automatic_mock_mode_is_loud() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).with("SMS_MOCK_MODE", "auto").start();
    Api::of(&server).start(NUMBER).await.expect(201);
    let ended = server.stop();
    says(&ended.stdout, &["MOCK MODE: no provider credentials were given, so NO message reaches a phone."]);
    says(&ended.stderr, &["NO MESSAGE REACHES A PHONE"]);
}

#[test]
fn a_broken_configuration_is_told_whole() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("verifyd.toml"), "[limits]\nsends_per_fone = \"5/1h\"\n").unwrap();
    let refusal = Program::serve(dir.path()).refusal();
    says(&refusal, &["sends_per_fone", "verifyd.toml, line 2", "sends_per_phone"]);
    std::fs::remove_file(dir.path().join("verifyd.toml")).unwrap();
    let refusal =
        Program::serve(dir.path()).with("VERIFYD_SEND_DEADLINE", "3h").with("VERIFYD_API_KEY", "a b").refusal();
    says(&refusal, &["VERIFYD_SEND_DEADLINE", "VERIFYD_API_KEY"]);
    assert!(!refusal.contains("a b"), "no secret in a message: {refusal}");
    let check = Program::serve(dir.path()).with("VERIFYD_SEND_DEADLINE", "3h");
    let output = Program::clone(&check).output();
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let server = program.start();
    says(&program.refusal(), &["the data directory", "is in use by another process"]);
    let doctor = Program::new(dir.path(), &["doctor", "--accept-clock"]).output();
    assert_eq!(doctor.status.code(), Some(1));
    says(&String::from_utf8_lossy(&doctor.stderr), &["is in use by another process"]);
    Api::of(&server).start(NUMBER).await.expect(201);
    server.stop();
}

#[tokio::test]
async fn the_memory_store_works_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).args(&["--store", "memory"]).start();
    let api = Api::of(&server);
    let started = api.start(NUMBER).await.expect(201);
    assert_eq!(api.check(NUMBER, started["test_code"].as_str().unwrap()).await.expect(200)["valid"], true);
    server.stop();
    assert!(!data_dir(dir.path()).exists());
}

#[test]
fn a_server_that_has_just_said_that_it_is_ready_stops_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path()).args(&["--store", "memory"]);
    for _ in 0..20 {
        program.start().stop();
    }
}

#[tokio::test]
async fn a_store_without_its_key_file_or_with_another_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    let server = program.start();
    Api::of(&server).start(NUMBER).await.expect(201);
    server.stop();
    let key_file = data_dir(dir.path()).join("keys");
    let kept = dir.path().join("backup");
    std::fs::rename(&key_file, &kept).unwrap();
    says(&program.refusal(), &["keys is missing", "restore the file from your backup"]);
    assert!(!key_file.exists(), "no fresh key was made in its place");
    // The same id, other bytes; and another id.
    says(&program.clone().with("VERIFYD_KEYS", &master_key("k1", 7)).refusal(), &["\"k1\"", "is not the one"]);
    says(&program.clone().with("VERIFYD_KEYS", &master_key("k2", 7)).refusal(), &["k1"]);
    std::fs::rename(&kept, &key_file).unwrap();
    program.start().stop();
}

#[tokio::test]
async fn a_rotated_key_leaves_pending_codes_valid_and_limits_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (master_key("old", 1), master_key("new", 2));
    let program = |keys: &str| Program::serve(dir.path()).with("VERIFYD_KEYS", keys);
    let server = program(&old).start();
    let started = Api::of(&server).start(NUMBER).await.expect(201);
    server.stop();
    let server = program(&format!("{new},{old}")).start();
    let api = Api::of(&server);
    assert_eq!(api.used(NUMBER, "sends_per_phone").await, 1);
    let resent = api.start(NUMBER).await.expect(200);
    assert_eq!(resent["test_code"], started["test_code"]);
    let other = api.start("+14155550161").await.expect(201);
    server.kill();
    let server = program(&format!("{new}\n{old}")).start();
    let api = Api::of(&server);
    let right = started["test_code"].as_str().unwrap();
    assert_eq!(api.check(NUMBER, right).await.expect(200)["valid"], true);
    assert_eq!(api.check("+14155550161", other["test_code"].as_str().unwrap()).await.expect(200)["valid"], true);
    server.stop();
    assert!(!data_dir(dir.path()).join("keys").exists(), "given keys are not written down");
    says(&program(&new).refusal(), &["old"]);
}

#[tokio::test]
async fn a_wrong_or_missing_api_key_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).start();
    for key in ["dev", &API_KEY[1..], "\u{2028}".trim()] {
        let api = Api::with_key(&server, key);
        api.start(NUMBER).await.problem(401, "unauthorized");
        api.get("/metrics").await.problem(401, "unauthorized");
        assert_eq!(api.get("/healthz").await.status, 200);
    }
    server.stop();
}
