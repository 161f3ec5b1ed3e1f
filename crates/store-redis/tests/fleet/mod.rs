//! Stores for tests, each with a prefix of its own, so that many can share one server.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use verifyd_core::clock::Timestamp;
use verifyd_core::random::SystemRandom;
use verifyd_core::store::Store;
use verifyd_core::store::state::StateOptions;
use verifyd_core::testing::StoreFactory;
use verifyd_store_redis::link::Target;
use verifyd_store_redis::testing::{self, Server};
use verifyd_store_redis::{Link, LinkSettings, RedisOptions, RedisStore, TimeSource};

/// Longer than any wait on a busy machine: deadlines are tested elsewhere.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes stores at one address.
pub(crate) struct Fleet {
    url: String,
    made: AtomicU64,
    /// The prefix and options of each store, by its address in memory.
    known: Mutex<HashMap<usize, (String, RedisOptions)>>,
}

impl Fleet {
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), made: AtomicU64::new(0), known: Mutex::default() }
    }

    /// A store with a connection of its own.
    pub(crate) fn store(&self, prefix: &str, options: RedisOptions) -> Arc<RedisStore> {
        let mut settings = LinkSettings::new(Target::parse(&self.url).unwrap());
        prefix.clone_into(&mut settings.prefix);
        settings.timeout = PATIENCE;
        let link = Arc::new(Link::open(settings).unwrap());
        Arc::new(RedisStore::new(link, options, &SystemRandom).unwrap())
    }

    /// A link connects in the background, and its store is not ready before.
    async fn remembered(&self, prefix: String, options: RedisOptions) -> Arc<dyn Store> {
        let store = self.store(&prefix, options);
        while store.ready(Timestamp::EPOCH).await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.known.lock().unwrap().insert(Arc::as_ptr(&store).addr(), (prefix, options));
        store
    }
}

#[async_trait]
impl StoreFactory for Fleet {
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store> {
        let prefix = format!("t{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.remembered(prefix, RedisOptions { retention: options.retention, time: TimeSource::Caller }).await
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let (prefix, options) = self.known.lock().unwrap().remove(&Arc::as_ptr(&store).addr()).unwrap();
        drop(store);
        self.remembered(prefix, options).await
    }
}

/// A server of its own, and stores on it.
pub(crate) struct OneServer {
    pub(crate) server: Server,
    pub(crate) fleet: Fleet,
}

impl OneServer {
    /// `None`, after a loud word, where there is no Redis.
    pub(crate) fn start() -> Option<Self> {
        if testing::no_redis_here() {
            return None;
        }
        let server = Server::start(&[]);
        let fleet = Fleet::at(&server.url());
        Some(Self { server, fleet })
    }
}

#[async_trait]
impl StoreFactory for OneServer {
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store> {
        self.fleet.fresh_with(options).await
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        self.fleet.reopen(store).await
    }
}
