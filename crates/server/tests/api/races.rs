//! Many requests at once, on both stores.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, NO_DELAYS, PHONE, TestApp};

/// Sends all of these at once; every answer.
async fn all_at_once(app: &Arc<TestApp>, requests: Vec<(String, serde_json::Value)>) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for (path, body) in requests {
        let app = Arc::clone(app);
        tasks.spawn(async move { app.post(&path, body).await });
    }
    tasks.join_all().await
}

/// How many answers have each status.
fn tally(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// How many of the guesses were right.
fn approvals(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200 && answer.expect(200)["valid"] == true).count()
}

async fn guesses_on(store: &str) {
    let app = Arc::new(TestApp::on(store, NO_DELAYS).await);
    let path = |id: &str| format!("/v1/verifications/{id}/check");

    // The right code a thousand times: one approval, and no other comparison.
    let started = app.started(PHONE).await;
    let right = (path(&started.id), json!({ "code": started.code }));
    let answers = all_at_once(&app, vec![right; 1_000]).await;
    assert_eq!((approvals(&answers), tally(&answers)), (1, [(200, 1), (409, 999)].into()));

    // A thousand wrong ones: five comparisons.
    let started = app.started("+14155550142").await;
    let wrong = (path(&started.id), json!({ "code": started.wrong() }));
    let answers = all_at_once(&app, vec![wrong; 1_000]).await;
    assert_eq!((approvals(&answers), tally(&answers)), (0, [(200, 5), (429, 995)].into()));

    // The right one among 999 wrong ones, early enough to count, by number and by id.
    let started = app.started("+14155550143").await;
    let by_number = json!({ "to": "+14155550143", "code": started.wrong() });
    let mut requests = vec![("/v1/verifications/check".to_owned(), by_number); 999];
    requests.insert(2, (path(&started.id), json!({ "code": started.code })));
    let answers = all_at_once(&app, requests).await;
    let counts = tally(&answers);
    let status = app.get(&started.path("")).await.expect(200)["status"].clone();
    assert!((1..=5).contains(&counts[&200]), "{counts:?}");
    assert_eq!(approvals(&answers), usize::from(status == "approved"));
    assert!(status == "approved" || (status == "max_attempts_reached" && counts[&200] == 5), "{status} {counts:?}");
}

async fn starts_on(store: &str) {
    let app = Arc::new(TestApp::on(store, NO_DELAYS).await);
    let spellings = [PHONE, "415-555-2671", "tel:+1-415-555-2671"];
    let requests = (0..300).map(|n| ("/v1/verifications".to_owned(), json!({ "to": spellings[n % 3] }))).collect();
    let answers = all_at_once(&app, requests).await;
    assert_eq!(tally(&answers), [(200, 4), (201, 1), (429, 295)].into());
    assert_eq!(app.messages(), 5);
    let codes: Vec<_> = app.mock.inbox.messages(None).iter().map(|message| message.code.expose().to_owned()).collect();
    assert!(codes.iter().all(|code| *code == codes[0]), "one live code");
    assert_eq!(app.sends_used(PHONE).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_guesses_at_once_five_are_compared_in_memory() {
    guesses_on("memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_guesses_at_once_five_are_compared_on_disk() {
    guesses_on("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_three_hundred_starts_at_once_five_are_sent_in_memory() {
    starts_on("memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_three_hundred_starts_at_once_five_are_sent_on_disk() {
    starts_on("embedded").await;
}
