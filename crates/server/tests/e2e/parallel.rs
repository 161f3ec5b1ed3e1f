//! Everybody at once, over HTTP: one approval, at most five comparisons, at most five messages. On both stores.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::api::{Answer, Api, wrong};
use crate::program::{Program, Running};

/// Connections to a server; each carries as many requests at once as the server allows on one.
const CONNECTIONS: usize = 10;

fn servers() -> Vec<(tempfile::TempDir, Running)> {
    let start = |args: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let server = Program::serve(dir.path()).args(args).start();
        (dir, server)
    };
    vec![start(&[]), start(&["--store", "memory"])]
}

/// Sends all bodies to `path` at the same moment, spread over the servers.
pub(crate) async fn all_at_once(servers: &[Api], path: &str, bodies: Vec<serde_json::Value>) -> Vec<Answer> {
    let callers: Vec<Api> = servers.iter().flat_map(|api| (0..CONNECTIONS).map(|_| api.multiplexed())).collect();
    for caller in &callers {
        // Opens the connection, so that the crowd need not wait for it.
        caller.get("/healthz").await;
    }
    let barrier = Arc::new(Barrier::new(bodies.len()));
    let mut calls = JoinSet::new();
    for (index, body) in bodies.into_iter().enumerate() {
        let (caller, path, barrier) = (callers[index % callers.len()].clone(), path.to_owned(), Arc::clone(&barrier));
        calls.spawn(async move {
            barrier.wait().await;
            caller.try_call(Method::POST, &path, &body).await.unwrap()
        });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_right_checks_make_one_approval() {
    for (_dir, server) in servers() {
        let api = Api::of(&server);
        let started = api.start("+14155550142").await.expect(201);
        let body = json!({ "code": started["test_code"] });
        let path = format!("/v1/verifications/{}/check", started["id"].as_str().unwrap());
        let answers = all_at_once(std::slice::from_ref(&api), &path, vec![body; 1_000]).await;
        let approvals = answers.iter().filter(|answer| answer.status == 200).count();
        let over = answers.iter().filter(|answer| answer.is_problem("already_approved")).count();
        assert_eq!((approvals, over), (1, 999));
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_checks_with_one_right_code_make_at_most_five_comparisons() {
    for (_dir, server) in servers() {
        let api = Api::of(&server);
        let started = api.start("+14155550143").await.expect(201);
        let code = started["test_code"].as_str().unwrap();
        let codes = (0..1_000).map(|n| wrong(code, (n + 500) % 1_000));
        let bodies = codes.map(|code| json!({ "to": "+14155550143", "code": code })).collect();
        let answers = all_at_once(std::slice::from_ref(&api), "/v1/verifications/check", bodies).await;
        let compared: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let approved = compared.iter().filter(|answer| answer.json["valid"] == true).count();
        assert!(compared.len() <= 5 && approved <= 1, "{} comparisons, {approved} approvals", compared.len());
        assert!(approved == 1 || compared.len() == 5, "all guesses were spent, or one was right");
        let refused = if approved == 1 { "already_approved" } else { "max_checks_reached" };
        let refusals = answers.iter().filter(|answer| answer.is_problem(refused)).count();
        assert!(refusals >= 1_000 - 5 - compared.len(), "{refusals} of {refused}");
        let metrics = api.get("/metrics").await.text;
        assert_eq!(counted(&metrics, "verifyd_checks_total"), compared.len() as u64, "{metrics}");
        // The right code comes too late now, whichever way it went.
        assert!(api.check("+14155550143", code).await.is_problem(refused));
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_starts_for_one_number_send_five_messages() {
    for (_dir, server) in servers() {
        let api = Api::of(&server);
        // Spellings of one line share its limit.
        let spellings = ["+14155550144", "(415) 555-0144", "tel:+1-415-555-0144"];
        let bodies = (0..300).map(|n| json!({ "to": spellings[n % spellings.len()] })).collect();
        let answers = all_at_once(std::slice::from_ref(&api), "/v1/verifications", bodies).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        let resent = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((created, resent), (1, 4));
        let refused = answers.iter().filter(|answer| answer.status == 429);
        assert_eq!(refused.clone().count(), 295);
        assert!(refused.clone().all(|answer| answer.retry_after.is_some_and(|seconds| seconds > 0)));
        assert_eq!(api.messages("+14155550144").await.len(), 5);
        assert_eq!(api.used("+14155550144", "sends_per_phone").await, 5);
        server.stop();
    }
}

/// The sum of a counter over its labels.
pub(crate) fn counted(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}
