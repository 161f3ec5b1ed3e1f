//! The link to one server that is down, stopped, slow, gone without a word, restarted, emptied or full (faults F8, F9, F10 and F13).

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests: what cannot go on must fail at once")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;
use support::{fails_promptly, guess, guess_until_answered, open};
use tokio::time::sleep;
use verifyd_store_redis::Script;
use verifyd_store_redis::link::Severity;
use verifyd_store_redis::testing::{self, Proxy, Server, Wire};

/// Recovery takes about a second; machines with other work get more.
const RECOVERY: Duration = Duration::from_secs(5);
/// A call that does not even try.
const AT_ONCE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_script_runs_whether_the_server_knows_it_or_not() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let link = open(&server.url());
    assert_eq!(guess(&link, "a").await.unwrap().number, 1);
    server.run("SCRIPT FLUSH");
    let again = guess(&link, "a").await.unwrap();
    assert_eq!((again.found.as_str(), again.number, again.incomplete_since_ms), ("counts", 2, 0));
    let value = link.command(b"t:{a}:beside", &[b"GET", b"t:{a}:beside"]).await.unwrap();
    assert_eq!(value, Value::BulkString(b"2".to_vec()));
}

#[tokio::test]
async fn one_call_is_one_round_trip() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let link = open(&server.url());
    guess(&link, "a").await.unwrap();
    let before = server.calls("evalsha");
    for _ in 0..100 {
        guess(&link, "a").await.unwrap();
    }
    assert_eq!(server.calls("evalsha") - before, 100);
}

#[tokio::test]
async fn scripts_may_be_flushed_under_load() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let link = Arc::new(open(&server.url()));
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let link = Arc::clone(&link);
            tokio::spawn(async move {
                for expected in 1..=200 {
                    assert_eq!(guess(&link, &caller.to_string()).await.unwrap().number, expected);
                }
            })
        })
        .collect();
    while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
        server.run("SCRIPT FLUSH");
        sleep(Duration::from_millis(5)).await;
    }
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_was_never_there_is_found_when_it_comes() {
    if testing::no_redis_here() {
        return;
    }
    let mut server = Server::start(&[]);
    server.kill();
    let link = open(&server.url());
    for _ in 0..5 {
        fails_promptly(&link, "a").await;
    }
    assert!(fails_promptly(&link, "a").await < AT_ONCE);
    assert!(link.ready().is_err());
    server.restart();
    assert_eq!(guess_until_answered(&link, "a", RECOVERY).await.number, 1);
    link.ready().unwrap();
}

#[tokio::test]
async fn a_server_that_is_stopped_costs_each_caller_little_and_most_nothing() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let link = open(&server.url());
    assert_eq!(guess(&link, "a").await.unwrap().number, 1);
    server.pause();
    for _ in 0..4 {
        fails_promptly(&link, "a").await;
    }
    let mut took: Vec<_> = Vec::new();
    for _ in 0..20 {
        took.push(fails_promptly(&link, "a").await);
    }
    took.sort();
    assert!(took[10] < AT_ONCE, "{took:?}");
    server.resume();
    let after = guess_until_answered(&link, "a", RECOVERY).await;
    // What was on its way when it stopped may have run: at most the calls that went out, each once.
    assert!((2..=6).contains(&after.number), "{after:?}");
    assert_eq!(after.found, "counts");
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_never_repeated() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.port()).await;
    let link = open(&proxy.url());
    guess(&link, "warm").await.unwrap();
    // It runs, its answer is swallowed, and the connection breaks at once: what a careless client takes for "try again".
    for round in 1..=5 {
        proxy.set(Wire::SwallowsAnswers);
        let call = fails_promptly(&link, "a");
        let cut = async {
            while server.run("GET t:{a}:beside") != Value::BulkString(format!("{round}").into_bytes()) {
                sleep(Duration::from_millis(5)).await;
            }
            proxy.set(Wire::Cut);
            sleep(Duration::from_millis(10)).await;
            // A second try would get through, well within the time of the call.
            proxy.set(Wire::Whole);
        };
        tokio::join!(call, cut);
        guess_until_answered(&link, "warm", RECOVERY).await;
    }
    assert_eq!(server.run("GET t:{a}:beside"), Value::BulkString(b"5".to_vec()));
}

#[tokio::test]
async fn a_slow_wire_and_a_dead_one_are_given_up_and_taken_up_again() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.port()).await;
    let link = open(&proxy.url());
    guess(&link, "a").await.unwrap();
    for wire in [Wire::Slow(Duration::from_secs(2)), Wire::Dead, Wire::Cut] {
        proxy.set(wire);
        for _ in 0..5 {
            fails_promptly(&link, "a").await;
        }
        assert!(fails_promptly(&link, "a").await < AT_ONCE, "{wire:?}");
        proxy.set(Wire::Whole);
        let after = guess_until_answered(&link, "a", RECOVERY).await;
        assert_eq!(
            (after.found.as_str(), after.incomplete_since_ms),
            ("counts", 0),
            "the server is the same: {wire:?}"
        );
    }
}

#[tokio::test]
async fn an_idle_link_finds_a_dead_wire_before_a_caller_does() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.port()).await;
    let link = open(&proxy.url());
    guess(&link, "a").await.unwrap();
    proxy.set(Wire::Dead);
    let started = Instant::now();
    while link.ready().is_ok() {
        assert!(started.elapsed() < RECOVERY);
        sleep(Duration::from_millis(20)).await;
    }
    assert!(fails_promptly(&link, "a").await < AT_ONCE);
}

#[tokio::test]
async fn a_server_that_comes_back_empty_is_in_a_new_era_and_its_counters_are_incomplete() {
    if testing::no_redis_here() {
        return;
    }
    let mut server = Server::start(&[]);
    let link = open(&server.url());
    assert_eq!(guess(&link, "a").await.unwrap().incomplete_since_ms, 0);
    server.restart();
    let after = guess_until_answered(&link, "a", RECOVERY).await;
    assert_eq!((after.found.as_str(), after.number), ("new", 1), "nothing of before is there");
    assert!(after.incomplete_since_ms > 0);
    // A node that comes later learns it from the book.
    let other = open(&server.url());
    assert_eq!(guess(&other, "b").await.unwrap().incomplete_since_ms, after.incomplete_since_ms);
}

#[tokio::test]
async fn a_server_that_was_emptied_is_noticed_although_its_era_lasts() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let (link, other) = (open(&server.url()), open(&server.url()));
    assert_eq!(guess(&link, "a").await.unwrap().incomplete_since_ms, 0);
    server.run("FLUSHALL");
    let started = Instant::now();
    for link in [&link, &other] {
        while guess(link, "a").await.unwrap().incomplete_since_ms == 0 {
            assert!(started.elapsed() < RECOVERY);
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn what_a_restart_brought_back_from_disk_is_of_another_era() {
    if testing::no_redis_here() {
        return;
    }
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let link = open(&server.url());
    assert_eq!(guess(&link, "a").await.unwrap().found, "new");
    assert_eq!(guess(&link, "a").await.unwrap().found, "counts");
    server.restart();
    let after = guess_until_answered(&link, "a", RECOVERY).await;
    assert_eq!((after.found.as_str(), after.number), ("void", 3));
    assert!(after.incomplete_since_ms > 0);
    assert_eq!(guess(&open(&server.url()), "a").await.unwrap().found, "void", "for every node");
}

#[tokio::test]
async fn a_full_server_refuses_and_forgets_nothing() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let link = open(&server.url());
    guess(&link, "kept").await.unwrap();
    let fill = Script::new("return redis.call('SET', KEYS[1], string.rep('x', 100000))");
    let mut refused = None;
    for number in 0..100 {
        refused = link.call(&fill, &[format!("fill{number}").into_bytes()], Vec::new()).await.err();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(refused.to_string().ends_with("its memory is full"), "{refused}");
    fails_promptly(&link, "kept").await;
    assert_eq!(
        server.run("GET t:{kept}:beside"),
        Value::BulkString(b"1".to_vec()),
        "refused means not done, not even half"
    );
    server.run("CONFIG SET maxmemory 0");
    assert_eq!(guess(&link, "kept").await.unwrap().number, 2);
}

#[tokio::test]
async fn a_server_that_evicts_or_follows_another_is_refused_at_the_start() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&["--appendonly", "yes"]);
    let codes = async |link: &verifyd_store_redis::Link| {
        let findings = link.examine().await.unwrap();
        findings.into_iter().map(|finding| (finding.code, finding.severity)).collect::<Vec<_>>()
    };
    let link = open(&server.url());
    assert_eq!(codes(&link).await, [("no_replica", Severity::Warn)]);
    for policy in ["allkeys-lru", "volatile-ttl"] {
        server.run(&format!("CONFIG SET maxmemory-policy {policy}"));
        assert_eq!(codes(&link).await, [("eviction", Severity::Refuse), ("no_replica", Severity::Warn)]);
    }
    server.run("CONFIG SET maxmemory-policy noeviction");
    let replica = Server::replica_of(&server, &["--appendonly", "yes"]);
    assert_eq!(codes(&link).await, [("not_fenced", Severity::Warn)]);
    server.run("CONFIG SET min-replicas-to-write 1");
    assert_eq!(codes(&link).await, []);
    let to_replica = open(&replica.url());
    assert_eq!(codes(&to_replica).await, [("replica", Severity::Refuse), ("no_replica", Severity::Warn)]);
    fails_promptly(&to_replica, "a").await;
    assert_eq!(
        codes(&open(&server.url().replace("redis://", "redis+cluster://"))).await,
        [("no_cluster", Severity::Refuse)]
    );
}

#[tokio::test]
async fn a_password_gets_in_and_a_wrong_one_is_never_shown() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    server.run("ACL SETUSER verifyd on >canary-secret ~t:* ~verifyd:* +@read +@write +@scripting +@connection +info +time +wait +cluster|slots +cluster|info");
    let host = server.url().replace("redis://", "");
    let link = open(&format!("redis://verifyd:canary-secret@{host}"));
    assert_eq!(guess(&link, "a").await.unwrap().number, 1);
    assert_eq!(link.examine().await.unwrap().len(), 1, "CONFIG is not needed");
    let wrong = open(&format!("redis://verifyd:canary-wrong@{host}"));
    fails_promptly(&wrong, "a").await;
    let error = guess(&wrong, "a").await.unwrap_err();
    let shown = format!("{error} {error:?} {wrong:?} {:?}", wrong.examine().await.unwrap_err());
    assert!(shown.contains("authentication failed") && !shown.contains("canary"), "{shown}");
}
