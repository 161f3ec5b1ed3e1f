//! The registry in memory keeps the contract of the registry port.

use std::sync::Arc;

use async_trait::async_trait;
use verifyd_core::registry::{MemoryRegistry, Registry, RegistryBounds};
use verifyd_core::testing::{RegistryFactory, RegistryUnderTest};

struct Memory;

#[async_trait]
impl RegistryFactory for Memory {
    async fn fresh_with(&self, bounds: RegistryBounds) -> RegistryUnderTest {
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::new(bounds));
        RegistryUnderTest { beside: Arc::clone(&registry), registry, kept: Box::new(()) }
    }
}

verifyd_core::registry_contract_tests!(Memory);
