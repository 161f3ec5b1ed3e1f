//! The embedded store keeps the contract of the store port, over real files and with a real end of the process's hold on them.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use verifyd_core::store::Store;
use verifyd_core::store::state::StateOptions;
use verifyd_core::testing::{StoreFactory, model};
use verifyd_store_embedded::EmbeddedStore;

/// A store with its directory and bounds.
type Kept = (Arc<EmbeddedStore>, TempDir, StateOptions);

/// Remembers each store's directory by the store's address, so that it can be opened again.
#[derive(Default)]
struct Embedded(Mutex<HashMap<usize, Kept>>);

impl Embedded {
    fn keep(&self, dir: TempDir, options: StateOptions) -> Arc<dyn Store> {
        let store = Arc::new(EmbeddedStore::open(dir.path(), options).unwrap());
        self.0.lock().unwrap().insert(Arc::as_ptr(&store).addr(), (Arc::clone(&store), dir, options));
        store
    }
}

/// A directory in memory where there is one: the model syncs a hundred thousand times, and the crash tests are elsewhere.
fn fresh_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_absent| tempfile::tempdir()).unwrap()
}

#[async_trait]
impl StoreFactory for Embedded {
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store> {
        self.keep(fresh_dir(), options)
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let (kept, dir, options) = self.0.lock().unwrap().remove(&Arc::as_ptr(&store).addr()).unwrap();
        drop(store);
        kept.close().await;
        self.keep(dir, options)
    }
}

verifyd_core::store_contract_tests!(Embedded::default());

/// 17 seeds of 1,500 operations in each of four tests, which run side by side: 102,000 operations.
async fn seeds(first: u64) {
    let factory = Embedded::default();
    for seed in first..first + 17 {
        model::run(&factory, seed, 1_500).await;
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
    model::replay_reproductions(&Embedded::default()).await;
}
