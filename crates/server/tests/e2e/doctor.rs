//! `verifyd doctor` in a healthy home and in broken ones: it finds what is wrong, says what to mend, and changes nothing.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use verifyd_senders::twilio::fake::{FakeAccount, FakeTwilio, Fault};

use crate::api::Api;
use crate::program::{API_KEY, Program, Running, data_dir};
use crate::twilio;

/// The doctor's command line in mock mode, for the home that [`Program::serve`] makes.
fn doctor(dir: &Path) -> Program {
    Program::new(dir, &["doctor"]).with("SMS_MOCK_MODE", "true").with("VERIFYD_API_KEY", API_KEY)
}

/// The lines of a report by their level.
#[track_caller]
fn report(program: &Program) -> (Value, BTreeMap<String, Vec<String>>) {
    let output = program.clone().args(&["--json"]).output();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{stderr}"));
    assert_eq!((output.status.code(), stderr.as_str()), (Some(i32::from(report["ok"] == false)), ""), "{report}");
    let mut levels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for check in report["checks"].as_array().unwrap() {
        let level = check["level"].as_str().unwrap();
        // Whatever is not well says what to do.
        assert_eq!(level == "ok", check["remedy"].is_null(), "{check}");
        let line = format!("{}: {}", check["check"].as_str().unwrap(), check["message"].as_str().unwrap());
        levels.entry(level.to_owned()).or_default().push(line);
    }
    (report, levels)
}

/// Holds a home to exactly one problem, which says all of `words`.
#[track_caller]
fn problem(program: &Program, words: &[&str]) {
    let (report, levels) = report(program);
    let problems = levels.get("problem").cloned().unwrap_or_default();
    assert_eq!((problems.len(), &report["ok"]), (1, &json!(false)), "{report}");
    for word in words {
        assert!(problems[0].contains(word), "{word}: {problems:?}");
    }
}

/// Holds a home to no problem, and a warning that says `word`.
#[track_caller]
fn warning(program: &Program, word: &str) {
    let (report, levels) = report(program);
    let warnings = levels.get("warning").cloned().unwrap_or_default();
    assert!(report["ok"] == true && warnings.iter().any(|warning| warning.contains(word)), "{word}: {report}");
}

/// A home in which a server has run.
fn lived_in() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    Program::serve(dir.path()).start().stop();
    dir
}

fn listen_of(server: &Running) -> String {
    server.address().to_owned()
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_home_is_well_and_stays_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let (report, levels) = report(&doctor(dir.path()));
    assert_eq!((&report["ok"], &report["problems"]), (&json!(true), &json!(0)), "{report}");
    assert!(levels["ok"].iter().any(|line| line.contains("the first start makes it")), "{levels:?}");
    assert!(!data_dir(dir.path()).exists());
}

#[test]
fn a_healthy_home_is_well_with_and_without_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).start();
    let (_, levels) = report(&doctor(dir.path()).with("VERIFYD_LISTEN", &listen_of(&server)));
    for line in ["and is ready", "store: in use by the running server, which is ready", "API keys: 1 live key"] {
        assert!(levels["ok"].iter().any(|found| found.contains(line)), "{line}: {levels:?}");
    }
    warning(&doctor(dir.path()), "in use by another process");
    server.stop();
    let (_, levels) = report(&doctor(dir.path()));
    for line in ["records, ", "directory: ", "master keys: 1 key in ", "provider: mock mode"] {
        assert!(levels["ok"].iter().any(|found| found.contains(line)), "{line}: {levels:?}");
    }
    let text = doctor(dir.path()).output();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.starts_with("ok       configuration  valid\n"), "{text}");
    // The home still works.
    Program::serve(dir.path()).start().stop();
}

#[test]
fn a_configuration_that_cannot_be_served_is_told_and_the_rest_is_looked_at() {
    let dir = lived_in();
    let no_sender = doctor(dir.path()).with("SMS_MOCK_MODE", "");
    problem(&no_sender, &["configuration", "TWILIO_ACCOUNT_SID"]);
    let (_, levels) = report(&no_sender);
    assert!(levels["ok"].iter().any(|line| line.starts_with("store: ")), "{levels:?}");
    problem(&doctor(dir.path()).args(&["--config", "nowhere.toml"]), &["nowhere.toml", "cannot be read"]);
}

#[test]
fn files_that_are_missing_open_or_damaged_are_told() {
    let dir = lived_in();
    let data = data_dir(dir.path());
    let check = doctor(dir.path());
    mode(&data, 0o755);
    warning(&check, "data is open to others (mode 755)");
    mode(&data, 0o700);
    std::fs::write(data.join("registry.json"), "{").unwrap();
    mode(&data.join("registry.json"), 0o600);
    problem(&check, &["API keys", "registry.json"]);
    std::fs::remove_file(data.join("registry.json")).unwrap();

    let keys = data.join("keys");
    mode(&keys, 0o644);
    let (_, levels) = report(&check);
    assert!(levels["problem"].iter().all(|line| line.contains("keys can be read by others (mode 644)")), "{levels:?}");
    mode(&keys, 0o600);
    std::fs::rename(&keys, dir.path().join("backup")).unwrap();
    let (_, levels) = report(&check);
    assert!(levels["problem"].iter().all(|line| line.contains("is missing")), "{levels:?}");
    assert!(!keys.exists(), "no fresh key was made in its place");
    std::fs::rename(dir.path().join("backup"), &keys).unwrap();

    for file in std::fs::read_dir(data.join("store")).unwrap() {
        let path = file.unwrap().path();
        if std::fs::metadata(&path).unwrap().len() > 0 {
            std::fs::write(&path, "not a journal, but long enough to be looked at as one of our files").unwrap();
        }
    }
    problem(&check, &["store: "]);
}

#[tokio::test]
async fn a_clock_behind_the_store_is_told_with_and_without_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).start();
    let api = Api::of(&server);
    api.post("/dev/clock/advance", json!({ "seconds": 86_400 })).await.expect(200);
    api.start("+14155550182").await.expect(201);
    server.stop();
    std::fs::remove_file(data_dir(dir.path()).join("dev-clock")).unwrap();
    problem(&doctor(dir.path()), &["clock: ", "24 h earlier than what the store has seen"]);
    let server = Program::serve(dir.path()).start();
    let (_, levels) = report(&doctor(dir.path()).with("VERIFYD_LISTEN", &listen_of(&server)));
    assert!(levels["problem"].iter().any(|line| line.starts_with("clock: the running server's store")), "{levels:?}");
    server.stop();

    let accepted = doctor(dir.path()).args(&["--accept-clock", "--json"]).output();
    let accepted: Value = serde_json::from_slice(&accepted.stdout).unwrap();
    assert!(accepted["accepted"].as_str().unwrap().ends_with('Z'));
    assert_eq!(report(&doctor(dir.path())).0["ok"], true);
}

#[test]
fn the_listener_is_looked_at() {
    let dir = lived_in();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = doctor(dir.path()).with("VERIFYD_LISTEN", &other.local_addr().unwrap().to_string());
    // It accepts and says nothing; closing it ends the doctor's question at once.
    let closing = std::thread::spawn(move || drop(other.accept()));
    problem(&taken, &["port: another program listens on 127.0.0.1:"]);
    closing.join().unwrap();
    problem(&doctor(dir.path()).with("VERIFYD_LISTEN", "192.0.2.1:8080"), &["this machine has no address 192.0.2.1"]);
    let open = doctor(dir.path()).with("VERIFYD_LISTEN", "0.0.0.0:0");
    warning(&open, "in plain http");
    warning(&open, "can read the codes in the inbox");
    warning(&doctor(dir.path()).with("VERIFYD_METRICS__LISTEN", "0.0.0.0:0"), "need no key");
    let tls = doctor(dir.path()).with("VERIFYD_TLS__CERT_FILE", "nope.pem").with("VERIFYD_TLS__KEY_FILE", "nope.pem");
    problem(&tls, &["certificate: ", "nope.pem does not exist"]);
}

// The doctor is waited for by blocking, and the fake must answer meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn the_providers_account_is_asked_and_nothing_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let check = |twilio: &FakeTwilio| {
        let mut program = twilio::serve(dir.path(), twilio);
        program.replace("serve", "doctor");
        program
    };
    let sound = FakeTwilio::start().await.unwrap();
    let (_, levels) = report(&check(&sound));
    for line in ["provider: Twilio takes the credentials, and the account is active", "sender: the account has"] {
        assert!(levels["ok"].iter().any(|found| found.contains(line)), "{line}: {levels:?}");
    }
    problem(&check(&sound).with("TWILIO_AUTH_TOKEN", "wrong"), &["provider: Twilio does not take these credentials"]);
    problem(&check(&sound).with("TWILIO_PHONE_NUMBER", "+14155550111"), &["sender: the account does not have"]);
    problem(&check(&sound).with("TWILIO_BASE_URL", "http://127.0.0.1:1"), &["provider: no answer from Twilio"]);
    sound.fault_next(Fault::Error { status: 403, code: 20008 });
    warning(&check(&sound), "test credentials");
    sound.fault_next(Fault::Throttle { retry_after: None });
    warning(&check(&sound), "Twilio answered 429");
    sound.fault_next(Fault::Hang);
    let late = check(&sound).with("VERIFYD_TWILIO__TIMEOUT", "1s").with("VERIFYD_TWILIO__CONNECT_TIMEOUT", "1s");
    problem(&late, &["provider: no answer from Twilio: the deadline passed"]);
    let asked = sound.requests().len();
    assert!(!report(&check(&sound).args(&["--offline"])).1["ok"].iter().any(|line| line.starts_with("provider")));
    assert_eq!(sound.requests().len(), asked);
    assert!(sound.requests().iter().all(|request| request.method == "GET"));

    for (status, is_trial, word) in [("suspended", false, "suspended"), ("closed", false, "closed")] {
        let account = FakeAccount { status: status.to_owned(), is_trial, ..FakeAccount::default() };
        problem(&check(&FakeTwilio::start_with(account).await.unwrap()), &["provider: ", word]);
    }
    let trial = FakeAccount { is_trial: true, ..FakeAccount::default() };
    warning(&check(&FakeTwilio::start_with(trial).await.unwrap()), "trial account");
}
