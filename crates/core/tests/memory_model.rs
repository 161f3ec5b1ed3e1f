//! Random lives on the memory store agree with the oracle, 120,000 operations long.

use std::sync::Arc;

use async_trait::async_trait;
use verifyd_core::memory::MemoryStore;
use verifyd_core::store::Store;
use verifyd_core::store::state::StateOptions;
use verifyd_core::testing::{StoreFactory, model};

struct Memory;

#[async_trait]
impl StoreFactory for Memory {
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(options))
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store
    }
}

/// 40 seeds of 1,500 operations in each of two tests, which run side by side.
#[expect(clippy::expect_used, reason = "a seed that is no number must stop the test")]
async fn forty_seeds(first: u64) {
    // Another block of seeds: `VERIFYD_MODEL_SEED=1000 cargo test -p verifyd-core --test memory_model`.
    let offset: u64 = std::env::var("VERIFYD_MODEL_SEED").ok().map_or(0, |text| text.parse().expect("a number"));
    for seed in first..first + 40 {
        model::run(&Memory, offset + seed, 1_500).await;
    }
}

#[tokio::test]
async fn the_memory_store_agrees_with_the_oracle() {
    forty_seeds(0).await;
}

#[tokio::test]
async fn the_memory_store_agrees_with_the_oracle_on_other_seeds() {
    forty_seeds(40).await;
}

#[tokio::test]
async fn what_once_differed_agrees() {
    model::replay_reproductions(&Memory).await;
}
