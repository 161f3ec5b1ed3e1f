//! The embedded store keeps the contract of the store port, over real files and with a real end of the process's hold on them.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use verifyd_core::store::Store;
use verifyd_core::store::state::StateOptions;
use verifyd_core::testing::StoreFactory;
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

#[async_trait]
impl StoreFactory for Embedded {
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store> {
        self.keep(tempfile::tempdir().unwrap(), options)
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let (kept, dir, options) = self.0.lock().unwrap().remove(&Arc::as_ptr(&store).addr()).unwrap();
        drop(store);
        kept.close().await;
        self.keep(dir, options)
    }
}

verifyd_core::store_contract_tests!(Embedded::default());
