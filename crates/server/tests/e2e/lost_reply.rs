//! Replies that never arrive: clients that hang up at any byte, servers killed between the decision and the answer. The same
//! request again has its effect once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use verifyd_senders::twilio::fake::{FakeTwilio, Fault};

use crate::api::{Answer, Api, eventually};
use crate::program::{API_KEY, GLANCE, Program, Running};
use crate::twilio;

const STARTS: &str = "/v1/verifications";
const CYCLES: u32 = 8;
const CALLERS: u32 = 4;
const CODE: &str = "834105";

/// The request as it goes over the wire, and where its head ends.
fn request(key: &str, path: &str, body: &Value) -> (Vec<u8>, usize) {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {API_KEY}\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let end = head.len();
    ([head, body].concat().into_bytes(), end)
}

/// Sends so much of a request and reads so much of its answer; hangs up when the value is dropped.
#[must_use]
fn call(server: &Running, sent: &[u8], read: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(sent).unwrap();
    stream.read_exact(&mut vec![0; read]).unwrap();
    stream
}

/// Asks again until the request is at work no more.
async fn insist(api: &Api, key: &str, path: &str, body: &Value) -> Answer {
    loop {
        let answer = api.keyed(key, path, body).await.unwrap();
        if !answer.is_problem("idempotency_conflict") {
            return answer;
        }
        assert_eq!(answer.json["reason"], "in_progress", "{}", answer.text);
        tokio::time::sleep(GLANCE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_at_any_byte_gets_its_one_message() {
    for args in [&[][..], &["--store", "memory"]] {
        let dir = tempfile::tempdir().unwrap();
        let server = Program::serve(dir.path()).args(args).start();
        let api = Api::of(&server);
        let (whole, head) = request("0", STARTS, &json!({ "to": "+14155552000" }));
        let all = whole.len();
        // So much is sent, and so much of the answer read.
        let cuts = [(head - 1, 0), (head, 0), (head + 1, 0), (all - 1, 0), (all, 0), (all, 1), (all, 15), (all, 200)];
        for (index, (sent, read)) in cuts.into_iter().enumerate() {
            let (number, key) = (format!("+1415555200{index}"), index.to_string());
            let body = json!({ "to": number });
            drop(call(&server, &request(&key, STARTS, &body).0[..sent], read));
            let started = insist(&api, &key, STARTS, &body).await.expect(201);
            assert_eq!(api.messages(&number).await.len(), 1, "{sent} bytes sent, {read} read");
            let check = json!({ "code": started["test_code"] });
            let path = format!("{STARTS}/{}/check", started["id"].as_str().unwrap());
            drop(call(&server, &request(&key, &path, &check).0, read));
            let first = insist(&api, &key, &path, &check).await;
            let again = insist(&api, &key, &path, &check).await;
            assert_eq!((first.text.clone(), true), (again.text, again.replayed));
            assert_eq!(first.expect(200)["valid"], true);
        }
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_while_it_sends_does_not_send_again() {
    let (dir, twilio) = (tempfile::tempdir().unwrap(), FakeTwilio::start().await.unwrap());
    let program = twilio::serve(dir.path(), &twilio);
    let server = program.start();
    let body = json!({ "to": "+14155550150" });
    twilio.fault_next(Fault::Hang);
    let unread = call(&server, &request("k", STARTS, &body).0, 0);
    eventually("the message at the provider", async || twilio.requests().len() == 1).await;
    server.kill();
    drop(unread);
    let server = program.start();
    let api = Api::of(&server);
    // No lease to wait for: the process that had it is gone.
    let again = api.keyed("k", STARTS, &body).await.unwrap();
    assert!(!again.replayed);
    let started = again.expect(201);
    assert_eq!(started["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(started["deliveries"][0]["status"], "unknown", "it may have arrived");
    let kept = api.keyed("k", STARTS, &body).await.unwrap();
    assert_eq!((kept.replayed, &kept.json), (true, &started));
    assert_eq!((twilio.requests().len(), api.used("+14155550150", "sends_per_phone").await), (1, 1));

    // The code of that message is approved; the server dies before anybody reads so.
    let check = json!({ "code": twilio::code_in(&twilio, 0) });
    let id = started["id"].as_str().unwrap();
    let path = format!("{STARTS}/{id}/check");
    let unread = call(&server, &request("c", &path, &check).0, 0);
    eventually("the approval", async || api.load(id).await.json["status"] == "approved").await;
    server.kill();
    drop(unread);
    let server = program.start();
    let api = Api::of(&server);
    for _ in 0..2 {
        assert_eq!(api.keyed("c", &path, &check).await.unwrap().expect(200)["valid"], true);
    }
    api.keyed("d", &path, &check).await.unwrap().problem(409, "already_approved");
    api.post(&path, check).await.problem(409, "already_approved");
    server.stop();
}

/// A caller that does the same for one number after the other, and after a crash goes on with the request whose answer it lacks.
#[derive(Clone, Debug)]
struct Caller {
    index: u32,
    done: u32,
    step: usize,
}

impl Caller {
    fn number(&self, turn: u32) -> String {
        format!("+1415{}", 2_000_000 + self.index * 10_000 + turn)
    }

    /// Calls until the server is gone.
    async fn run(mut self, api: Api) -> Self {
        loop {
            let number = self.number(self.done);
            let calls = [
                (STARTS, json!({ "to": number, "code": CODE }), 201),
                ("/v1/verifications/check", json!({ "to": number, "code": "111111" }), 200),
                ("/v1/verifications/check", json!({ "to": number, "code": CODE }), 200),
            ];
            for (step, (path, body, status)) in calls.iter().enumerate().skip(self.step) {
                self.step = step;
                let Ok(answer) = api.keyed(&format!("{number}-{step}"), path, body).await else { return self };
                let answer = answer.expect(*status);
                match step {
                    0 => assert_eq!(answer["deliveries"].as_array().unwrap().len(), 1, "{answer}"),
                    1 => assert_eq!((&answer["valid"], &answer["checks_remaining"]), (&json!(false), &json!(4))),
                    _ => assert_eq!((&answer["valid"], &answer["status"]), (&json!(true), &json!("approved"))),
                }
            }
            (self.done, self.step) = (self.done + 1, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_repeated_after_kills_have_their_effect_once() {
    let dir = tempfile::tempdir().unwrap();
    let program =
        Program::serve(dir.path()).with("VERIFYD_LOG", "warn").with("VERIFYD_SERVICE__DEFAULT__CUSTOM_CODES", "true");
    let mut callers: Vec<_> = (0..CALLERS).map(|index| Caller { index, done: 0, step: 0 }).collect();
    for cycle in 0..CYCLES {
        let server = program.start();
        let mut tasks = JoinSet::new();
        for caller in callers.drain(..) {
            tasks.spawn(caller.run(Api::of(&server)));
        }
        // Every kill comes at another moment of the load.
        tokio::time::sleep(Duration::from_millis(150 + u64::from(cycle * 37 % 100))).await;
        server.kill();
        callers = tasks.join_all().await;
    }
    let server = program.start();
    let api = Api::of(&server);
    for caller in &callers {
        assert!(caller.done > 0, "there was hardly any load: {caller:?}");
        for turn in 0..caller.done {
            let number = caller.number(turn);
            let used = (api.used(&number, "sends_per_phone").await, api.used(&number, "failed_checks_per_phone").await);
            assert_eq!(used, (1, 1), "{number}");
        }
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_duplicates_at_once_are_one_message() {
    for args in [&[][..], &["--store", "memory"]] {
        let dir = tempfile::tempdir().unwrap();
        let server = Program::serve(dir.path()).args(args).start();
        let api = Api::of(&server);
        let body = json!({ "to": "+14155550142" });
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            let caller = api.multiplexed();
            for _ in 0..20 {
                let (caller, body) = (caller.clone(), body.clone());
                calls.spawn(async move { insist(&caller, "k", STARTS, &body).await });
            }
        }
        let answers = calls.join_all().await;
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(answers.iter().all(|answer| answer.status == 201 && answer.text == answers[0].text));
        assert_eq!(api.messages("+14155550142").await.len(), 1);
        assert_eq!(api.used("+14155550142", "sends_per_phone").await, 1);
        server.stop();
    }
}
