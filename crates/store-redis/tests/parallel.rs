//! Ten thousand at once, over several stores on one server, as several nodes have them.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

mod fleet;

use std::sync::Arc;

use tokio::task::JoinSet;
use verifyd_core::limits::LimitName;
use verifyd_core::store::{AdmitOutcome, CheckOutcome, Store};
use verifyd_core::testing::Scene;
use verifyd_store_redis::{RedisOptions, RedisStore};

use fleet::OneServer;

const MANY: usize = 10_000;

/// Four stores that are one.
fn nodes(one: &OneServer) -> Vec<Arc<RedisStore>> {
    (0..4).map(|_| one.fleet.store("fleet", RedisOptions::default())).collect()
}

/// The right code ten thousand times: one approval. The right one among ten thousand: five comparisons at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_checks_approve_once() {
    let Some(one) = OneServer::start() else { return };
    let nodes = nodes(&one);
    for (phone, all_right) in [(0, true), (1, false)] {
        let mut scene = Scene::before(nodes[0].clone(), 1);
        scene.phone = Scene::phone_named(phone);
        let id = scene.started().await;
        let mut tasks = JoinSet::new();
        for (number, node) in (0..MANY).zip(nodes.iter().cycle()) {
            let code = scene.code_plus(id, if all_right { 0 } else { (number + MANY - 3) as u64 % 1_000_000 });
            let by_number = number % 3 == 0;
            let check = if by_number { scene.guess_by_number(&code) } else { scene.guess_by_id(id, &code) };
            let (node, now) = (Arc::clone(node), scene.now);
            tasks.spawn(async move { node.check(check, now).await.unwrap() });
        }
        let outcomes = tasks.join_all().await;
        let right = outcomes.iter().filter(|outcome| matches!(outcome, CheckOutcome::Approved(_))).count();
        let wrong = outcomes.iter().filter(|outcome| matches!(outcome, CheckOutcome::Wrong(_))).count();
        assert!(right + wrong <= 5, "{right} right and {wrong} wrong comparisons");
        assert!(if all_right { (right, wrong) == (1, 0) } else { right <= 1 }, "{right} right and {wrong} wrong");
        assert_eq!(scene.used(LimitName::FailedChecksPerPhone).await as usize, wrong);
    }
}

/// Ten thousand starts for one number: exactly five; from one address for as many numbers: exactly thirty.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_starts_keep_the_limits() {
    let Some(one) = OneServer::start() else { return };
    let nodes = nodes(&one);
    let mut scene = Scene::before(nodes[0].clone(), 1);
    for (address, expected) in [(None, 5), (Some("203.0.113.7"), 30)] {
        if let Some(address) = address {
            scene.from_address(address, "30/1h");
        }
        let mut tasks = JoinSet::new();
        for (number, node) in (0..MANY).zip(nodes.iter().cycle()) {
            if address.is_some() {
                // As many numbers as a byte can name, each far below its own limit... of which the address leaves no more.
                scene.phone = Scene::phone_named(1 + (number % 250) as u8);
            }
            let (node, start, now) = (Arc::clone(node), scene.start_request(), scene.now);
            tasks.spawn(async move { node.admit(start, now).await.unwrap() });
        }
        let outcomes = tasks.join_all().await;
        let admitted = outcomes.iter().filter(|outcome| matches!(outcome, AdmitOutcome::Admitted(_))).count();
        assert_eq!(admitted, expected);
    }
}
