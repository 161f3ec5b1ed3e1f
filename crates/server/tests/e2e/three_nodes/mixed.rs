//! A mixed load for more than a minute, while one node dies and comes back, one stands still for a minute and goes on, and one loses its
//! Redis; and the Redis itself stands still for a moment. What the callers saw must be free of contradictions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use verifyd_store_redis::testing::{Proxy, Server, Wire, no_redis_here};

use super::history::{Call, History};
use super::{Fleet, NODES};
use crate::api::{Api, eventually, wrong};
use crate::program::Program;

const CALLERS: u64 = 12;
/// New numbers come at this pace, so that there is something to send and to approve all the time.
const COHORT: Duration = Duration::from_secs(3);
const NUMBERS_A_COHORT: u64 = 12;
/// How long a caller waits for an answer.
const CALLER_WAITS: Duration = Duration::from_secs(3);
/// The longest stop of a node (SECURITY: a pause as of a garbage collector, of a machine that is moved).
const STANDSTILL: Duration = Duration::from_secs(60);
const SENDS_PER_PHONE: usize = 5;
const CHECKS_PER_VERIFICATION: usize = 5;

/// The nodes as callers find them: one that came back has another port.
type Doors = Arc<Mutex<Vec<Api>>>;

fn number(cohort: u64, place: u64) -> String {
    format!("+1202{:07}", 2_000_000 + cohort * NUMBERS_A_COHORT + place)
}

/// The code of a number: all of its callers know it.
fn code_of(number: &str) -> String {
    number[number.len() - 6..].to_owned()
}

/// The usual small generator (Knuth's MMIX constants): the same callers do the same things in each run.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

async fn call_around(seed: u64, doors: Doors, history: Arc<History>, began: Instant, end: Instant) {
    let mut random = seed;
    let mut ids: HashMap<String, String> = HashMap::new();
    while Instant::now() < end {
        let cohort = began.elapsed().as_secs() / COHORT.as_secs();
        let to = number(cohort.saturating_sub(draw(&mut random, 2)), draw(&mut random, NUMBERS_A_COHORT));
        let door = doors.lock().unwrap()[usize::try_from(draw(&mut random, NODES as u64)).unwrap()].clone();
        let (call, path, body) = match (ids.get(&to).cloned(), draw(&mut random, 10)) {
            (Some(id), 0..2) => (Call::Load { id: id.clone() }, format!("/v1/verifications/{id}"), None),
            (Some(id), which @ 2..6) => {
                let right = which == 2;
                let code = if right { code_of(&to) } else { wrong(&code_of(&to), 1 + draw(&mut random, 9)) };
                let path = format!("/v1/verifications/{id}/check");
                (Call::Check { id, right }, path, Some(json!({ "code": code })))
            }
            _ => {
                let body = json!({ "to": to, "code": code_of(&to) });
                (Call::Start { to: to.clone() }, "/v1/verifications".to_owned(), Some(body))
            }
        };
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let called = Instant::now();
        let body = body.unwrap_or_default();
        let answer = timeout(CALLER_WAITS, door.try_call(method, &path, &body)).await.ok().and_then(Result::ok);
        if let (Call::Start { to }, Some(id)) = (&call, answer.as_ref().and_then(|answer| answer.json["id"].as_str())) {
            ids.insert(to.clone(), id.to_owned());
        }
        history.keep(call, called, answer);
        sleep(Duration::from_millis(10 + draw(&mut random, 40))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_fleet_in_trouble_see_no_contradiction() {
    if no_redis_here() {
        return;
    }
    let redis = Server::start(&["--appendonly", "yes"]);
    let wire = Proxy::start(redis.port()).await;
    let mut fleet = Fleet::start(&[wire.url(), redis.url(), redis.url()], "250ms").await;
    let (doors, history): (Doors, _) = (Arc::new(Mutex::new(fleet.apis())), Arc::new(History::default()));
    let began = Instant::now();
    let end = began + STANDSTILL + Duration::from_secs(8);
    let mut callers = JoinSet::new();
    for seed in 1..=CALLERS {
        callers.spawn(call_around(seed, Arc::clone(&doors), Arc::clone(&history), began, end));
    }
    let at = |seconds: u64| sleep_until((began + Duration::from_secs(seconds)).into());

    at(2).await;
    fleet.nodes[2].signal("STOP");
    at(5).await;
    fleet.nodes.remove(1).kill();
    at(8).await;
    fleet.nodes.insert(1, Program::start(&fleet.programs[1]));
    doors.lock().unwrap()[1] = Api::of(&fleet.nodes[1]);
    at(12).await;
    wire.set(Wire::Dead);
    at(18).await;
    wire.set(Wire::Cut);
    at(20).await;
    wire.set(Wire::Whole);
    at(26).await;
    redis.pause();
    at(28).await;
    redis.resume();
    at(34).await;
    wire.set(Wire::SwallowsAnswers);
    at(38).await;
    wire.set(Wire::Cut);
    at(39).await;
    wire.set(Wire::Whole);
    at(2 + STANDSTILL.as_secs()).await;
    fleet.nodes[2].signal("CONT");

    callers.join_all().await;
    for api in fleet.apis() {
        eventually("a node of the fleet is ready", || async { api.get("/readyz").await.status == 200 }).await;
    }
    let messages: Vec<_> = fleet.twilio.requests().iter().map(|sent| sent.parameter("To").unwrap()).collect();
    let found = history.contradictions(&messages, SENDS_PER_PHONE, CHECKS_PER_VERIFICATION);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let ((calls, unanswered), approvals) = (history.counts(), history.approvals());
    eprintln!("{calls} calls, {unanswered} without an answer, {approvals} approvals, {} messages", messages.len());
    assert!(approvals > 20 && unanswered > 0, "the load and the faults were there");
    fleet.stop();
}
