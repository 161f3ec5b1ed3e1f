//! The registry in Redis keeps the contract of the registry port, on one server; and on a Cluster it is one registry, too.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::sync::Arc;

use async_trait::async_trait;
use verifyd_core::registry::{
    Change, Document, EntryName, MemoryRegistry, Registry, RegistryBounds, RegistryError, Written,
};
use verifyd_core::testing::{RegistryFactory, RegistryUnderTest};
use verifyd_store_redis::link::Target;
use verifyd_store_redis::testing::{self, Cluster, Server};
use verifyd_store_redis::{Link, LinkSettings, RedisRegistry};

fn open(url: &str, bounds: RegistryBounds) -> Arc<dyn Registry> {
    let link = Link::open(LinkSettings::new(Target::parse(url).unwrap())).unwrap();
    Arc::new(RedisRegistry::with_bounds(Arc::new(link), bounds))
}

struct Redis;

#[async_trait]
impl RegistryFactory for Redis {
    async fn fresh_with(&self, bounds: RegistryBounds) -> RegistryUnderTest {
        if testing::no_redis_here() {
            let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::new(bounds));
            return RegistryUnderTest { beside: Arc::clone(&registry), registry, kept: Box::new(()) };
        }
        let server = Server::start(&[]);
        let (registry, beside) = (open(&server.url(), bounds), open(&server.url(), bounds));
        RegistryUnderTest { registry, beside, kept: Box::new(server) }
    }
}

verifyd_core::registry_contract_tests!(Redis);

fn create(id: &str) -> Vec<Change> {
    vec![Change::create(EntryName::new("thing", id).unwrap(), Document::new(1, "{}").unwrap())]
}

#[tokio::test]
async fn a_cluster_has_one_registry() {
    if testing::no_redis_here() {
        return;
    }
    let cluster = Cluster::start();
    let (one, other) =
        (open(&cluster.url(), RegistryBounds::default()), open(&cluster.url(), RegistryBounds::default()));
    let Written::Done { version } = one.write(create("a")).await.unwrap() else { panic!("the first") };
    assert!(
        matches!(other.write(create("a")).await.unwrap(), Written::Conflict { found: Some(found), .. } if found == version)
    );
    assert_eq!(other.snapshot().await.unwrap(), one.snapshot().await.unwrap());
    assert_eq!(other.revision().await.unwrap(), version);
}

/// A node that followed sees that its content is gone, also when as much was written since as before.
#[tokio::test]
async fn a_registry_that_was_lost_has_another_revision() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let registry = open(&server.url(), RegistryBounds::default());
    registry.write(create("a")).await.unwrap();
    let before = registry.revision().await.unwrap();
    server.run("FLUSHALL");
    assert_eq!(registry.revision().await.unwrap(), 0);
    registry.write(create("b")).await.unwrap();
    assert!(registry.revision().await.unwrap() > before);
}

#[tokio::test]
async fn what_is_damaged_is_no_empty_registry() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let registry = open(&server.url(), RegistryBounds::default());
    server.run("HSET verifyd:{config}:registry thing nonsense");
    assert!(matches!(registry.snapshot().await, Err(RegistryError::Unreadable(_))));
}
