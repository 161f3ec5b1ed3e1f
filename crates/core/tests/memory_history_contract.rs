//! The history in memory keeps the contract of the history port.

use std::sync::Arc;

use async_trait::async_trait;
use verifyd_core::history::{History, HistoryOptions, MemoryHistory};
use verifyd_core::testing::HistoryFactory;

struct Memory;

#[async_trait]
impl HistoryFactory for Memory {
    async fn fresh_with(&self, options: HistoryOptions) -> Arc<dyn History> {
        Arc::new(MemoryHistory::new(options))
    }

    async fn reopen(&self, history: Arc<dyn History>) -> Arc<dyn History> {
        // Nothing to come back from: the reference stands for a history that lost nothing.
        history
    }
}

verifyd_core::history_contract_tests!(Memory);
