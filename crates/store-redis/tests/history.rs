//! The history in Redis keeps the contract of the history port, over a real server, and every key of it ends.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redis::Value;
use verifyd_core::history::{Batch, Counts, Filter, GroupBy, History, HistoryOptions, Hour, StatsQuery};
use verifyd_core::testing::HistoryFactory;
use verifyd_core::testing::history_contract::{Book, at, service};
use verifyd_store_redis::link::Target;
use verifyd_store_redis::testing::{self, Cluster, Server};
use verifyd_store_redis::{Link, LinkSettings, RedisHistory};

/// Histories at one address, each with a prefix of its own.
struct Fleet {
    url: String,
    made: AtomicU64,
    kept: Mutex<HashMap<usize, (String, HistoryOptions)>>,
    server: Option<Server>,
}

impl Fleet {
    fn at(url: String, server: Option<Server>) -> Self {
        Self { url, made: AtomicU64::new(0), kept: Mutex::default(), server }
    }

    async fn open(&self, prefix: String, options: HistoryOptions) -> Arc<dyn History> {
        let mut settings = LinkSettings::new(Target::parse(&self.url).unwrap());
        settings.prefix.clone_from(&prefix);
        // Longer than any wait on a busy machine.
        settings.timeout = Duration::from_secs(20);
        let link = Arc::new(Link::open(settings).unwrap());
        while link.ready().is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let history = Arc::new(RedisHistory::new(link, options));
        self.kept.lock().unwrap().insert(Arc::as_ptr(&history).addr(), (prefix, options));
        history
    }
}

#[async_trait]
impl HistoryFactory for Fleet {
    async fn fresh_with(&self, options: HistoryOptions) -> Arc<dyn History> {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        self.open(format!("t{number}"), options).await
    }

    async fn reopen(&self, history: Arc<dyn History>) -> Arc<dyn History> {
        let address = Arc::as_ptr(&history).cast::<()>().addr();
        let (prefix, options) = self.kept.lock().unwrap().remove(&address).unwrap();
        drop(history);
        self.open(prefix, options).await
    }
}

/// A server with histories on it, or the end of the test where there is no Redis.
macro_rules! one_server {
    () => {{
        if testing::no_redis_here() {
            return;
        }
        let server = Server::start(&[]);
        Fleet::at(server.url(), Some(server))
    }};
}

verifyd_core::history_contract_tests!(one_server!());

mod over_a_cluster {
    use super::{Cluster, Fleet, testing};

    /// One cluster for all: starting it takes longer than everything else here.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_contract_holds() {
        use verifyd_core::testing::history_contract::{counting, keeping, paging};
        if testing::no_redis_here() {
            return;
        }
        let cluster = Cluster::start();
        let fleet = Fleet::at(cluster.url(), None);
        paging::pages_go_from_the_newest_to_the_oldest(&fleet).await;
        paging::every_filter_finds_its_own(&fleet).await;
        paging::a_delivery_is_fetched_by_its_id(&fleet).await;
        paging::parallel_appends_are_all_there(&fleet).await;
        keeping::news_never_move_back(&fleet).await;
        keeping::forget_erases_one_number(&fleet).await;
        keeping::a_restart_keeps_everything(&fleet).await;
        counting::counts_add_up_by_group(&fleet).await;
        counting::every_field_comes_back(&fleet).await;
    }
}

#[tokio::test]
async fn every_key_has_an_end() {
    let fleet = one_server!();
    let book = Book::fresh(&fleet).await;
    let entry = book.entry(service(1), "+14155552671", at(0));
    book.append(std::slice::from_ref(&entry)).await;
    let counts = [(Book::key(service(1), "US", at(0)), Counts { attempts: 1, ..Counts::default() })].into();
    let batch = Batch { id: Some([7; 16]), counts, ..Batch::default() };
    book.history.append(&batch, at(0)).await.unwrap();
    let server = fleet.server.as_ref().unwrap();
    let Value::Array(keys) = server.run("KEYS *:{h*") else { unreachable!("a list") };
    assert_eq!(keys.len(), 6, "{keys:?}");
    for key in keys {
        let Value::BulkString(key) = key else { unreachable!("a text") };
        let key = String::from_utf8(key).unwrap();
        let Value::Int(seconds) = server.run(&format!("TTL {key}")) else { unreachable!("a number") };
        assert!((1..=403 * 86_400).contains(&seconds), "{key} is kept for {seconds} s");
    }
}

#[tokio::test]
async fn a_batch_that_comes_again_counts_once() {
    let fleet = one_server!();
    let book = Book::fresh(&fleet).await;
    let counts = || [(Book::key(service(1), "US", at(0)), Counts { attempts: 1, ..Counts::default() })].into();
    for id in [1, 1, 2, 1] {
        let batch = Batch { id: Some([id; 16]), counts: counts(), ..Batch::default() };
        book.history.append(&batch, at(0)).await.unwrap();
    }
    let query = StatsQuery {
        from: Hour::of(at(0)),
        until: Hour::of(at(0)).next(),
        group: GroupBy::default(),
        ..StatsQuery::default()
    };
    let found = book.history.stats(&query, at(0)).await.unwrap();
    assert_eq!(found.0.values().map(|counts| counts.attempts).sum::<i64>(), 2);
}

/// More than one script may take and more than one page reads.
#[tokio::test]
async fn a_large_batch_is_there_whole() {
    let fleet = one_server!();
    let book = Book::fresh(&fleet).await;
    let entries: Vec<_> = (0..700).map(|step| book.entry(service(1), "+14155552671", at(step % 3_000))).collect();
    book.append(&entries).await;
    assert_eq!(book.all_by(Filter::default(), 100, at(3_000)).await.len(), 700);
    let of_number = Filter { phone: Some(entries[0].phone), ..Filter::default() };
    assert_eq!(book.all_by(of_number, 90, at(3_000)).await.len(), 700);
    assert_eq!(book.history.forget(None, entries[0].phone, at(3_000)).await, Ok(700));
}
