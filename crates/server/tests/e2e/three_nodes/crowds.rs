//! Everybody at once, spread over the nodes.

use serde_json::json;
use verifyd_store_redis::testing::no_redis_here;

use super::{Backing, Fleet};
use crate::api::{Answer, wrong};
use crate::parallel::{all_at_once, counted};

const CROWD: usize = 10_000;

fn answered(answers: &[Answer], status: u16) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status == status).collect()
}

/// How many comparisons the nodes counted.
async fn comparisons(fleet: &Fleet) -> u64 {
    let mut sum = 0;
    for api in fleet.apis() {
        sum += counted(&api.get("/metrics").await.text, "verifyd_checks_total");
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_checks_make_one_approval_and_at_most_five_comparisons() {
    if no_redis_here() {
        return;
    }
    for backing in Backing::both() {
        let fleet = Fleet::over(&backing).await;
        let apis = fleet.apis();
        for (to, all_right) in [("+12025550101", true), ("+12025550102", false)] {
            let code = "482915";
            let started = apis[0].post("/v1/verifications", json!({ "to": to, "code": code })).await.expect(201);
            let path = format!("/v1/verifications/{}/check", started["id"].as_str().unwrap());
            // The right one among the first, so that it often wins, and behind others, so that it often does not.
            let guess = |n: u64| if all_right || n == 2 { code.to_owned() } else { wrong(code, n + 1) };
            let bodies = (0..CROWD as u64).map(|n| json!({ "code": guess(n) })).collect();
            let before = comparisons(&fleet).await;
            let answers = all_at_once(&apis, &path, bodies).await;
            let compared = answered(&answers, 200);
            let approvals = compared.iter().filter(|answer| answer.json["valid"] == true).count();
            assert_eq!(comparisons(&fleet).await - before, compared.len() as u64);
            assert!(compared.len() <= 5, "{} comparisons", compared.len());
            assert!(approvals == 1 || (!all_right && compared.len() == 5), "{approvals} approvals");
            let over = if approvals == 1 { "already_approved" } else { "max_checks_reached" };
            let told = answers.iter().filter(|answer| answer.is_problem(over)).count();
            assert!(told + 5 + compared.len() >= CROWD, "{told} of {over}");
        }
        fleet.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_starts_for_one_number_make_five_calls_of_the_provider() {
    if no_redis_here() {
        return;
    }
    for backing in Backing::both() {
        let fleet = Fleet::over(&backing).await;
        let spellings = ["+12025550103", "(202) 555-0103", "tel:+1-202-555-0103"];
        let bodies = (0..CROWD).map(|n| json!({ "to": spellings[n % spellings.len()], "region": "US" })).collect();
        let answers = all_at_once(&fleet.apis(), "/v1/verifications", bodies).await;
        assert_eq!((answered(&answers, 201).len(), answered(&answers, 200).len()), (1, 4));
        let refused = answered(&answers, 429);
        assert_eq!(refused.len(), CROWD - 5);
        assert!(refused.iter().all(|answer| answer.retry_after.is_some_and(|seconds| seconds > 0)));
        assert_eq!(fleet.twilio.requests().len(), 5);
        for api in fleet.apis() {
            assert_eq!(api.used("+12025550103", "sends_per_phone").await, 5);
        }
        fleet.stop();
    }
}
