//! The registry file keeps the contract of the registry port, through two handles as two processes have them.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::sync::Arc;

use async_trait::async_trait;
use verifyd_core::registry::RegistryBounds;
use verifyd_core::testing::{RegistryFactory, RegistryUnderTest};
use verifyd_store_embedded::FileRegistry;

struct Files;

#[async_trait]
impl RegistryFactory for Files {
    async fn fresh_with(&self, bounds: RegistryBounds) -> RegistryUnderTest {
        let dir = tempfile::tempdir().unwrap();
        let open = || Arc::new(FileRegistry::with_bounds(dir.path(), bounds));
        RegistryUnderTest { registry: open(), beside: open(), kept: Box::new(dir) }
    }
}

verifyd_core::registry_contract_tests!(Files);
