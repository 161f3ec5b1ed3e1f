//! Canaries: numbers, codes, keys and what callers confide, looked for in logs at the highest level, files of the store,
//! metrics and problem documents. Codes have ten digits here, so that none is found by chance.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use verifyd_senders::twilio::fake::{FakeTwilio, Fault};

use crate::api::{Api, wrong};
use crate::program::{API_KEY, Program, Running, data_dir};
use crate::twilio;

const NUMBER: &str = "+14155550199";
const OTHER_NUMBER: &str = "+442071838750";
const OWN_CODE: &str = "8341058341";
const METADATA: &str = "canary-metadata-nightingale";
const NONCE: &str = "canary-nonce-woodpecker";
const IDEMPOTENCY_KEY: &str = "canary-idempotency-key-goldfinch";
const CLIENT_IP: &str = "203.0.113.77";
const TWILIO_TOKEN: &str = "canary5token0canary5token0canary";
const MASTER_KEY: [u8; 32] = *b"canary master key of 32 bytes!!!";

/// What must be found nowhere, with a name that may be shown.
struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    fn new() -> Self {
        let mut canaries = Self(Vec::new());
        for number in [NUMBER, OTHER_NUMBER] {
            canaries.digits("number", number.strip_prefix('+').unwrap());
        }
        // The national forms; the last four digits alone may be shown.
        canaries.digits("national number", "4155550199");
        canaries.digits("national number", "2071838750");
        for written in ["(415) 555-0199", "415-555-0199", "415 555 0199", "415.555.0199", "20 7183 8750"] {
            canaries.add("formatted number", written.as_bytes());
        }
        for (name, text) in [
            ("API key", API_KEY),
            ("provider's token", TWILIO_TOKEN),
            ("metadata", METADATA),
            ("nonce", NONCE),
            ("idempotency key", IDEMPOTENCY_KEY),
            ("address", CLIENT_IP),
        ] {
            canaries.add(name, text.as_bytes());
        }
        canaries.add("master key", &MASTER_KEY);
        canaries.digits("code", OWN_CODE);
        canaries
    }

    /// The bytes themselves, and what encoders make of them. Base64 is cut to what does not depend on the neighbours.
    fn add(&mut self, name: &str, bytes: &[u8]) {
        let hex = bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let mut forms = vec![bytes.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
        for shift in 0..3 {
            let shifted = [&b"\0\0"[..shift], bytes].concat();
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let text = engine.encode(&shifted);
                forms.push(text.as_bytes()[[0, 2, 3][shift]..text.len() - 1].to_vec());
            }
        }
        self.0.extend(forms.into_iter().filter(|form| form.len() >= 8).map(|form| (name.to_owned(), form)));
    }

    /// Digits, as text and as the integer that an encoder might make of them.
    fn digits(&mut self, name: &str, digits: &str) {
        self.add(name, digits.as_bytes());
        let number: u64 = digits.parse().unwrap();
        self.0.push((format!("{name} as an integer"), number.to_le_bytes().to_vec()));
        self.0.push((format!("{name} as an integer"), number.to_be_bytes().to_vec()));
    }

    /// Says what of them is in `bytes`.
    fn found(&self, bytes: &[u8]) -> Vec<&str> {
        let holds = |form: &[u8]| bytes.windows(form.len()).any(|window| window == form);
        self.0.iter().filter(|(_, form)| holds(form)).map(|(name, _)| name.as_str()).collect()
    }

    #[track_caller]
    fn absent(&self, place: &str, bytes: &[u8]) {
        let found = self.found(bytes);
        assert!(found.is_empty(), "{place} holds {found:?}: {}", String::from_utf8_lossy(bytes));
    }

    fn absent_in_files(&self, dir: &Path) {
        let files = files_below(dir);
        assert!(files.len() > 1, "a store has files: {files:?}");
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            // A journal's room ahead is a megabyte of zeros.
            let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let found = self.found(&bytes[..written]);
            assert!(found.is_empty(), "{} holds {found:?}", file.display());
            assert!(self.found(file.as_os_str().as_encoded_bytes()).is_empty());
        }
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// As much as can be logged, in this format.
fn talkative(program: Program, format: &str) -> Program {
    program
        .args(&["--log", "trace", "--log-format", format])
        .with("VERIFYD_KEYS", &format!("canary:{}", STANDARD.encode(MASTER_KEY)))
        .with("VERIFYD_SERVICE__DEFAULT__CODE_LENGTH", "10")
        .with("VERIFYD_SERVICE__DEFAULT__CUSTOM_CODES", "true")
}

/// What a service does on a good day. Replies to the owner may hold the number; it collects the codes.
async fn good_day(api: &Api, server: &Running, canaries: &mut Canaries) {
    let confided = json!({
        "to": "(415) 555-0199", "client_ip": CLIENT_IP, "nonce": NONCE, "purpose": "login", "metadata": { "note": METADATA },
    });
    api.post("/v1/preview", confided.clone()).await.expect(200);
    // Kept replies hold the number, the code and what was confided.
    let started = api.keyed(IDEMPOTENCY_KEY, "/v1/verifications", &confided).await.unwrap().expect(201);
    assert!(api.keyed(IDEMPOTENCY_KEY, "/v1/verifications", &confided).await.unwrap().replayed);
    api.keyed(IDEMPOTENCY_KEY, "/v1/verifications", &json!({})).await.unwrap().problem(409, "idempotency_conflict");
    let id = started["id"].as_str().unwrap();
    let code = started["test_code"].as_str().unwrap();
    canaries.digits("code", code);
    canaries.digits("wrong guess", &wrong(code, 1_234_567));
    api.post(&format!("/v1/verifications/{id}/resend"), json!({})).await.expect(200);
    api.post(&format!("/v1/verifications/{id}/check"), json!({ "code": wrong(code, 1_234_567) })).await.expect(200);
    let guess = json!({ "to": NUMBER, "code": code });
    let approved = api.keyed(IDEMPOTENCY_KEY, "/v1/verifications/check", &guess).await.unwrap().expect(200);
    let proof = approved["proof"].as_str().unwrap();
    canaries.add("proof's signature", proof.rsplit('.').next().unwrap().as_bytes());
    api.load(id).await.expect(200);
    api.used(NUMBER, "sends_per_phone").await;
    let own = json!({ "to": OTHER_NUMBER, "code": OWN_CODE });
    let own = api.post("/v1/verifications", own).await.expect(201);
    assert_eq!(api.messages(OTHER_NUMBER).await[0]["code"], OWN_CODE);
    api.post(&format!("/v1/verifications/{}/cancel", own["id"].as_str().unwrap()), json!({})).await.expect(200);
    let scripted = json!({ "to": NUMBER, "outcome": "rejected", "times": 1 });
    api.post("/dev/outcomes", scripted).await.expect(200);
    api.start(NUMBER).await.problem(422, "undeliverable");
    api.post(&format!("/v1/phones/{}/unlock", NUMBER.replace('+', "%2B")), json!({})).await.expect(200);
    for path in ["/inbox", "/readyz", "/dev/outcomes", "/metrics", "/.well-known/jwks.json"] {
        assert_eq!(api.get(path).await.status, 200);
    }
    assert!(!server.stderr().is_empty());
}

/// Everything that is refused, with canaries wherever a caller can put them.
async fn bad_day(api: &Api, server: &Running, canaries: &Canaries) {
    let bare = NUMBER.strip_prefix('+').unwrap();
    let path = |text: &str| text.replace('+', "%2B");
    let posts: [(String, Value); 13] = [
        ("/v1/verifications".into(), json!({ "to": NUMBER, "code": OWN_CODE, bare: OWN_CODE })),
        ("/v1/verifications".into(), json!({ "to": format!("{NUMBER}99999999") })),
        ("/v1/verifications".into(), json!({ "to": format!("{NUMBER} ext 5") })),
        ("/v1/verifications".into(), json!({ "to": NUMBER, "code": format!("{OWN_CODE}0") })),
        ("/v1/verifications".into(), json!({ "to": NUMBER, "client_ip": format!("{CLIENT_IP}{bare}") })),
        ("/v1/verifications".into(), json!({ "to": NUMBER, "locale": bare, "channel": bare, "region": bare })),
        ("/v1/verifications".into(), json!({ "to": NUMBER, "service": OWN_CODE })),
        ("/v1/verifications".into(), json!({ "to": 14_155_550_199_u64 })),
        ("/v1/verifications".into(), json!(OWN_CODE)),
        ("/v1/verifications/check".into(), json!({ "to": NUMBER, "code": 8_341_058_341_u64 })),
        ("/v1/verifications/check".into(), json!({ "to": NUMBER, "code": format!("{OWN_CODE}x") })),
        (format!("/v1/verifications/{bare}/check"), json!({ "code": OWN_CODE })),
        (format!("/v1/{}", path(NUMBER)), json!({ "x": METADATA.repeat(1_000) })),
    ];
    for (path, body) in posts {
        let answer = api.post(&path, body).await;
        assert!(answer.status >= 400, "{path}: {}", answer.text);
        canaries.absent(&path, answer.text.as_bytes());
    }
    let gets = [
        format!("/v1/verifications/{}", path(NUMBER)),
        format!("/v1/limits?to={}&to={}", path(NUMBER), path(NUMBER)),
        format!("/v1/limits?to={}99999999&region={bare}", path(NUMBER)),
        format!("/inbox/messages?to={}99999999", path(NUMBER)),
        format!("/inbox/assets/{bare}"),
        format!("/{OWN_CODE}/{bare}?{METADATA}"),
    ];
    for target in gets {
        let answer = api.get(&target).await;
        assert!(answer.status >= 400, "{target}: {}", answer.text);
        canaries.absent(&target, answer.text.as_bytes());
    }
    for (method, target) in
        [(Method::PATCH, format!("/v1/phones/{bare}")), (Method::DELETE, "/v1/phones/1415".to_owned())]
    {
        let answer = api.try_call(method, &target, &Value::Null).await.unwrap();
        assert!(answer.status >= 400, "{target}: {}", answer.text);
        canaries.absent(&target, answer.text.as_bytes());
    }
    let stranger = Api::with_key(server, &format!("{API_KEY}{OWN_CODE}"));
    canaries.absent("a refused key", stranger.start(NUMBER).await.text.as_bytes());
    for raw in [
        format!("GET /{bare} HTTP/9.9\r\nX: {OWN_CODE}\r\n\r\n"),
        format!(
            "POST /v1/verifications HTTP/1.1\r\nHost: {bare}\r\nX-Request-Id: {bare}\r\nAuthorization: Bearer {API_KEY}\r\n\r\n"
        ),
        format!(
            "POST /v1/verifications HTTP/1.1\r\nHost: a\r\nContent-Type: {METADATA}\r\nAuthorization: Bearer {API_KEY}\r\nContent-Length: 12\r\n\r\n{{\"to\":\"{bare}"
        ),
        format!("GET /inbox HTTP/1.1\r\nHost: {METADATA}.example\r\nOrigin: http://{bare}\r\n\r\n"),
        format!("{OWN_CODE} {bare} {API_KEY}\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(raw.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // A reset ends the answer as well.
        drop(stream.read_to_end(&mut answer));
        canaries.absent("an answer to garbage", &answer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_in_logs_files_metrics_or_problems_of_mock_mode() {
    for format in ["json", "human"] {
        let dir = tempfile::tempdir().unwrap();
        let mut canaries = Canaries::new();
        let program = talkative(Program::serve(dir.path()), format).with("TWILIO_AUTH_TOKEN", TWILIO_TOKEN);
        let made = Program::new(dir.path(), &["keys", "create", "--json"]).output();
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        canaries.add("made API key", made["secret"].as_str().unwrap().as_bytes());
        let server = program.start();
        let api = Api::of(&server);
        good_day(&api, &server, &mut canaries).await;
        bad_day(&api, &server, &canaries).await;
        canaries.absent("/metrics", api.get("/metrics").await.text.as_bytes());
        canaries.absent_in_files(&data_dir(dir.path()));
        let forgotten = api.delete(&format!("/v1/phones/{}", NUMBER.replace('+', "%2B"))).await;
        assert_eq!(forgotten.expect(200)["forgotten_verifications"], 2);
        let ended = server.stop();
        // The second start replays the files and logs about them.
        let again = program.start().stop();
        for text in [&ended.stdout, &ended.stderr, &again.stdout, &again.stderr] {
            canaries.absent("what the server says", text.as_bytes());
        }
        assert!(ended.stderr.lines().count() > 30, "the log is on: {}", ended.stderr);
        if format == "json" {
            let lines = ended.stderr.lines().filter(|line| line.starts_with('{'));
            assert!(
                lines.clone().count() > 30 && lines.clone().all(|line| serde_json::from_str::<Value>(line).is_ok())
            );
        }
        canaries.absent_in_files(&data_dir(dir.path()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_in_logs_and_problems_when_a_provider_repeats_everything() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), FakeTwilio::start().await.unwrap());
    let mut canaries = Canaries::new();
    canaries.add("provider's token", fake.account().auth_token.as_bytes());
    let server = talkative(twilio::serve(dir.path(), &fake), "json").with("VERIFYD_TWILIO__TIMEOUT", "2s").start();
    let api = Api::of(&server);
    let faults = [
        Fault::Error { status: 400, code: 21211 },
        Fault::Error { status: 400, code: 30453 },
        Fault::Error { status: 400, code: 99999 },
        Fault::Error { status: 401, code: 20003 },
        Fault::Error { status: 500, code: 20500 },
        Fault::Throttle { retry_after: Some(NUMBER.to_owned()) },
        Fault::Answer { status: 400, body: format!("{{\"code\": \"{NUMBER}\", \"message\": \"{OWN_CODE}\"}}") },
        Fault::Answer { status: 201, body: format!("{{\"sid\": \"{NUMBER}\", \"status\": \"{OWN_CODE}\"}}") },
        Fault::FailsAtOnce { code: 30003 },
        Fault::Redirect { status: 307, location: format!("http://127.0.0.1:1/{NUMBER}/{OWN_CODE}") },
        Fault::CloseBeforeAnswer,
        Fault::Garbage,
        Fault::Html,
        Fault::Hang,
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        fake.fault_next(fault);
        // Other numbers, so that no limit comes between, but with the canary's code.
        let to = if index == 0 { NUMBER.to_owned() } else { format!("+1415555{:04}", 2_000 + index) };
        canaries.digits("number", to.strip_prefix('+').unwrap());
        let answer = api.post("/v1/verifications", json!({ "to": to, "code": OWN_CODE })).await;
        if answer.status >= 400 {
            canaries.absent("a problem", answer.text.as_bytes());
        }
    }
    assert!(fake.requests().iter().all(|request| request.parameter("Body").unwrap().contains(OWN_CODE)));
    canaries.absent("/metrics", api.get("/metrics").await.text.as_bytes());
    let ended = server.stop();
    canaries.absent("the log", ended.stderr.as_bytes());
    assert!(ended.stderr.contains("a message was not certainly taken"), "{}", ended.stderr);
    canaries.absent_in_files(&data_dir(dir.path()));
}

#[test]
fn a_canary_is_found_in_every_form() {
    let canaries = Canaries::new();
    let hidden = [
        format!("x{NUMBER}y").into_bytes(),
        b"call (415) 555-0199 now".to_vec(),
        STANDARD.encode(format!("to={NUMBER}&")).into_bytes(),
        STANDARD.encode(format!("{{\"code\":\"{OWN_CODE}\"}}")).into_bytes(),
        b"3134313535353530313939".to_vec(),
        14_155_550_199_u64.to_le_bytes().to_vec(),
        MASTER_KEY.to_vec(),
    ];
    for bytes in hidden {
        assert!(!canaries.found(&bytes).is_empty(), "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(canaries.found(b"to ***0199, code 123").is_empty());
}
