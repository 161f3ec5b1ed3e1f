//! `serve` with a provider: the three variables of an operator, a fake Twilio on a local port, and what goes wrong between.

use std::path::Path;

use verifyd_senders::twilio::fake::{FakeTwilio, Fault};

use crate::api::{Answer, Api, eventually};
use crate::program::{API_KEY, Program};

const NUMBER: &str = "+14155550150";

/// `verifyd serve` as an operator sets it up, against the fake.
pub(crate) fn serve(dir: &Path, twilio: &FakeTwilio) -> Program {
    let account = twilio.account();
    Program::new(dir, &["serve"])
        .with("TWILIO_ACCOUNT_SID", &account.account_sid)
        .with("TWILIO_AUTH_TOKEN", &account.auth_token)
        .with("TWILIO_PHONE_NUMBER", "+15005550006")
        .with("TWILIO_BASE_URL", &twilio.base_url())
        .with("VERIFYD_API_KEY", API_KEY)
        .with("VERIFYD_LIMITS__RESEND_DELAYS", "[]")
}

/// The code in the text of the `index`th message that reached the fake.
pub(crate) fn code_in(twilio: &FakeTwilio, index: usize) -> String {
    let body = twilio.requests()[index].parameter("Body").unwrap();
    let code = body.split(|c: char| !c.is_ascii_digit()).find(|digits| digits.len() == 6);
    code.unwrap_or_else(|| panic!("no code in {body}")).to_owned()
}

#[tokio::test]
async fn a_real_start_reaches_the_provider_and_its_code_is_approved() {
    let (dir, twilio) = (tempfile::tempdir().unwrap(), FakeTwilio::start().await.unwrap());
    let server = serve(dir.path(), &twilio).start();
    let api = Api::of(&server);
    let started = api.start("(415) 555-0150").await.expect(201);
    assert_eq!(started["to"], NUMBER);
    let delivery = &started["deliveries"][0];
    assert_eq!((delivery["sender"].as_str(), delivery["status"].as_str()), (Some("twilio"), Some("queued")));
    assert!(delivery["message_id"].as_str().unwrap().starts_with("SM"));
    assert!(started.get("test_code").is_none(), "no code in a reply when phones are reached");
    let requests = twilio.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].parameter("To").as_deref(), Some(NUMBER));
    for mock in ["/inbox", "/inbox/messages", "/dev/clock", "/dev/outcomes"] {
        api.get(mock).await.problem(404, "not_found");
    }
    let checked = api.check(NUMBER, &code_in(&twilio, 0)).await.expect(200);
    assert_eq!((checked["status"].as_str(), checked["valid"].as_bool()), (Some("approved"), Some(true)));
    server.stop();
}

#[tokio::test]
async fn a_send_without_an_answer_is_unknown_charged_and_never_repeated() {
    let (dir, twilio) = (tempfile::tempdir().unwrap(), FakeTwilio::start().await.unwrap());
    let server = serve(dir.path(), &twilio).with("VERIFYD_TWILIO__TIMEOUT", "2s").start();
    let api = Api::of(&server);
    twilio.fault_next(Fault::Hang);
    let started = api.start(NUMBER).await.expect(201);
    assert_eq!(started["deliveries"][0]["status"], "unknown");
    assert_eq!(twilio.requests().len(), 1);
    assert_eq!(api.used(NUMBER, "sends_per_phone").await, 1);
    // The message may have arrived: its code counts.
    let checked = api.check(NUMBER, &code_in(&twilio, 0)).await.expect(200);
    assert_eq!(checked["valid"], true);
    assert_eq!(twilio.requests().len(), 1);
    server.stop();
}

#[tokio::test]
async fn refusals_and_outages_are_told_apart_and_show_no_code() {
    let (dir, twilio) = (tempfile::tempdir().unwrap(), FakeTwilio::start().await.unwrap());
    let server = serve(dir.path(), &twilio).start();
    let api = Api::of(&server);
    let refused = api.start("+15005550001").await.problem(422, "undeliverable");
    assert_eq!(refused["provider_code"], "21211");
    let refused = api.start("+15005550009").await.problem(422, "undeliverable");
    assert_eq!((refused["reason"].as_str(), refused["provider_code"].as_str()), (Some("unsupported"), Some("21614")));
    assert_eq!(api.used("+15005550009", "sends_per_phone").await, 0);
    server.stop();

    // Port 1 of the loopback interface answers nobody: the message certainly did not leave.
    let server = serve(dir.path(), &twilio).with("TWILIO_BASE_URL", "http://127.0.0.1:1").start();
    let api = Api::of(&server);
    let down = api.start(NUMBER).await;
    assert!(down.retry_after.is_some());
    assert!(down.json.get("test_code").is_none());
    down.problem(503, "sender_unavailable");
    assert_eq!(api.used(NUMBER, "sends_per_phone").await, 0);
    api.get("/inbox").await.problem(404, "not_found");
    server.stop();
}

#[tokio::test]
async fn a_stop_during_a_send_turns_away_the_new_and_records_the_old() {
    let (dir, twilio) = (tempfile::tempdir().unwrap(), FakeTwilio::start().await.unwrap());
    let program = serve(dir.path(), &twilio).with("VERIFYD_TWILIO__TIMEOUT", "6s");
    let server = program.clone().with("VERIFYD_SERVER__LAME_DUCK", "5s").start();
    let api = Api::of(&server);
    twilio.fault_next(Fault::Hang);
    let sending = tokio::spawn({
        let api = api.clone();
        async move { api.start(NUMBER).await }
    });
    eventually("the request at the provider", || async { twilio.requests().len() == 1 }).await;
    server.signal("TERM");
    eventually("readiness is withdrawn", || async { api.get("/readyz").await.status == 503 }).await;
    let ended = tokio::task::spawn_blocking(|| server.wait());
    let started = sending.await.unwrap().expect(201);
    assert_eq!(started["deliveries"][0]["status"], "unknown");
    let ended = ended.await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let server = program.start();
    let api = Api::of(&server);
    let loaded = api.load(started["id"].as_str().unwrap()).await.expect(200);
    assert_eq!(loaded["deliveries"], started["deliveries"]);
    assert_eq!(api.used(NUMBER, "sends_per_phone").await, 1);
    assert_eq!(twilio.requests().len(), 1);
    server.stop();
}

#[tokio::test]
async fn a_client_that_hangs_up_changes_nothing_even_if_the_server_stops_then() {
    let (dir, twilio) = (tempfile::tempdir().unwrap(), FakeTwilio::start().await.unwrap());
    let program = serve(dir.path(), &twilio).with("VERIFYD_TWILIO__TIMEOUT", "2s");
    let server = program.start();
    let api = Api::of(&server);
    for fault in [None, Some(Fault::Hang)] {
        let (before, hangs) = (twilio.requests().len(), fault.is_some());
        if let Some(fault) = fault {
            twilio.fault_next(fault);
        }
        let number = if hangs { NUMBER } else { "+14155550151" };
        let caller = Api::of(&server);
        let sending = tokio::spawn(async move { caller.start(number).await });
        eventually("the request at the provider", || async { twilio.requests().len() == before + 1 }).await;
        sending.abort();
    }
    assert_eq!(api.used(NUMBER, "sends_per_phone").await, 1);
    server.stop();

    let server = program.start();
    let api = Api::of(&server);
    for (number, first) in [(NUMBER, "unknown"), ("+14155550151", "queued")] {
        let again: Answer = api.start(number).await;
        let again = again.expect(200);
        assert_eq!(again["deliveries"][0]["status"], first, "{again}");
        assert_eq!(again["deliveries"][1]["status"], "queued");
        assert_eq!(again["rate_limit"]["remaining"], 3);
    }
    // The second message repeats the code of the first.
    let codes: Vec<_> = (0..4).map(|index| code_in(&twilio, index)).collect();
    assert_eq!((&codes[1], &codes[0]), (&codes[2], &codes[3]));
    assert_eq!(api.check(NUMBER, &codes[1]).await.expect(200)["valid"], true);
    server.stop();
}
