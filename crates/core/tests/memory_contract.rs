//! The memory store keeps the contract of the store port.

use std::sync::Arc;

use async_trait::async_trait;
use verifyd_core::memory::MemoryStore;
use verifyd_core::store::Store;
use verifyd_core::store::state::StateOptions;
use verifyd_core::testing::StoreFactory;

struct Memory;

#[async_trait]
impl StoreFactory for Memory {
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(options))
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        // Nothing to come back from: the reference stands for a store that lost nothing.
        store
    }
}

verifyd_core::store_contract_tests!(Memory);
