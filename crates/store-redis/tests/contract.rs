//! The store keeps the contract of the store port and agrees with the oracle, over a real server and over a real Cluster.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

mod fleet;

use verifyd_core::testing::model;
use verifyd_store_redis::testing::{self, Cluster};

use fleet::{Fleet, OneServer};

/// A server with stores on it, or the end of the test where there is no Redis.
macro_rules! one_server {
    () => {
        match OneServer::start() {
            Some(server) => server,
            None => return,
        }
    };
}

verifyd_core::fleet_store_contract_tests!(one_server!());

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_keeps_the_contract() {
    if testing::no_redis_here() {
        return;
    }
    let cluster = Cluster::start();
    let fleet = Fleet::at(&cluster.url());
    verifyd_core::fleet_store_contract_tests!(in turn: &fleet);
}

/// 17 seeds of 1,500 operations in each of four tests, which run side by side: 102,000 operations.
async fn seeds(first: u64) {
    let server = one_server!();
    // Another block of seeds: `VERIFYD_MODEL_SEED=100000 cargo test -p verifyd-store-redis --test contract oracle`.
    let offset: u64 = std::env::var("VERIFYD_MODEL_SEED").map_or(0, |text| text.parse().unwrap());
    for seed in first..first + 17 {
        model::run_forward(&server, offset + seed, 1_500).await;
    }
}

#[tokio::test]
async fn the_store_agrees_with_the_oracle() {
    seeds(1_000).await;
}

#[tokio::test]
async fn the_store_agrees_with_the_oracle_on_a_second_block() {
    seeds(2_000).await;
}

#[tokio::test]
async fn the_store_agrees_with_the_oracle_on_a_third_block() {
    seeds(3_000).await;
}

#[tokio::test]
async fn the_store_agrees_with_the_oracle_on_a_fourth_block() {
    seeds(4_000).await;
}

#[tokio::test]
async fn what_once_differed_agrees() {
    model::replay_reproductions_forward(&one_server!()).await;
}

#[tokio::test]
async fn a_cluster_agrees_with_the_oracle() {
    if testing::no_redis_here() {
        return;
    }
    let cluster = Cluster::start();
    let fleet = Fleet::at(&cluster.url());
    for seed in 7_000..7_003 {
        model::run_forward(&fleet, seed, 1_000).await;
    }
}
