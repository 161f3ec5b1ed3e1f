//! Primaries that change: Sentinels, a replica behind, two primaries at once, replicas that must confirm (faults F11 and F12).

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests: what cannot go on must fail at once")]

mod support;

use std::time::{Duration, Instant};

use redis::Value;
use support::{PROMPT, fails_promptly, guess, guess_until_answered, open};
use verifyd_core::store::StoreError;
use verifyd_store_redis::link::Target;
use verifyd_store_redis::testing::{self, Sentinels, Server};
use verifyd_store_redis::{Link, LinkSettings};

/// Sentinels need seconds to agree.
const ELECTION: Duration = Duration::from_secs(20);
/// A replica on this machine confirms in a millisecond, unless the machine has other work.
const REPLICAS_MAY_TAKE: Duration = Duration::from_secs(1);

fn waiting_for_a_replica(url: &str) -> Link {
    let mut settings = LinkSettings::new(Target::parse(url).unwrap());
    settings.wait_replicas = 1;
    settings.wait_timeout = REPLICAS_MAY_TAKE;
    Link::open(settings).unwrap()
}

#[tokio::test]
async fn the_new_primary_is_found_and_what_the_old_one_issued_is_void() {
    if testing::no_redis_here() {
        return;
    }
    let mut primary = Server::start(&[]);
    let replica = Server::replica_of(&primary, &[]);
    let sentinels = Sentinels::watch(&primary, 1);
    let link = open(&sentinels.url());
    assert_eq!(guess(&link, "a").await.unwrap().found, "new");
    assert_eq!(
        link.examine().await.unwrap().iter().map(|finding| finding.code).collect::<Vec<_>>(),
        ["no_persistence", "not_fenced"]
    );
    testing::wait_until("the replica has it", || replica.run("GET t:{a}:beside") == Value::BulkString(b"1".to_vec()));
    // The replica falls behind: these guesses will be lost.
    replica.run("REPLICAOF 127.0.0.1 1");
    for number in 2..=4 {
        assert_eq!(guess(&link, "a").await.unwrap().number, number, "answered, and only on the primary");
    }
    primary.kill();
    fails_promptly(&link, "a").await;
    let after = guess_until_answered(&link, "a", ELECTION).await;
    assert_eq!((after.found.as_str(), after.number), ("void", 2), "guesses were lost, so the code is void");
    assert!(after.incomplete_since_ms > 0);
    let fresh = guess(&link, "b").await.unwrap();
    assert_eq!((fresh.found.as_str(), guess(&link, "b").await.unwrap().found.as_str()), ("new", "counts"));
    // Who comes later knows it too.
    let other = guess(&open(&sentinels.url()), "a").await.unwrap();
    assert_eq!((other.found.as_str(), other.incomplete_since_ms), ("void", after.incomplete_since_ms));
}

#[tokio::test]
async fn with_wait_nothing_is_answered_that_a_failover_can_lose() {
    if testing::no_redis_here() {
        return;
    }
    let primary = Server::start(&[]);
    let replica = Server::replica_of(&primary, &[]);
    let link = waiting_for_a_replica(&primary.url());
    for number in 1..=3 {
        assert_eq!(guess(&link, "a").await.unwrap().number, number);
    }
    assert_eq!(replica.run("GET t:{a}:beside"), Value::BulkString(b"3".to_vec()), "there when it was answered");
    replica.pause();
    let started = Instant::now();
    let refused = guess(&link, "a").await.unwrap_err();
    assert!(started.elapsed() < PROMPT + REPLICAS_MAY_TAKE, "{:?}", started.elapsed());
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    assert_eq!(primary.run("GET t:{a}:beside"), Value::BulkString(b"4".to_vec()), "the charge stands");
    replica.resume();
    assert_eq!(guess_until_answered(&link, "a", ELECTION).await.found, "counts");
}

#[tokio::test]
async fn many_callers_share_the_wait_for_a_replica() {
    if testing::no_redis_here() {
        return;
    }
    let primary = Server::start(&[]);
    let _replica = Server::replica_of(&primary, &[]);
    let link = std::sync::Arc::new(waiting_for_a_replica(&primary.url()));
    guess(&link, "a").await.unwrap();
    let before = primary.calls("wait");
    let callers: Vec<_> = (0..200)
        .map(|caller| {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { guess(&link, &caller.to_string()).await.unwrap() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().number, 1);
    }
    assert!(primary.calls("wait") - before < 100, "{}", primary.calls("wait") - before);
}

#[tokio::test]
async fn an_old_primary_without_its_replica_is_fenced() {
    if testing::no_redis_here() {
        return;
    }
    let old = Server::start(&["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"]);
    let new = Server::replica_of(&old, &[]);
    let (at_old, at_new) = (open(&old.url()), open(&new.url()));
    assert_eq!(guess_until_answered(&at_old, "a", ELECTION).await.found, "new");
    testing::wait_until("the replica has it", || new.run("GET t:{a}:beside") == Value::BulkString(b"1".to_vec()));
    // Two groups that do not see each other: the other side makes the replica a primary, this side does not hear of it.
    new.run("REPLICAOF NO ONE");
    let after = guess_until_answered(&at_new, "a", ELECTION).await;
    assert_eq!((after.found.as_str(), after.number), ("void", 2));
    testing::wait_until("the old primary has missed its replica", || {
        old.info("min_slaves_good_slaves").as_deref() == Some("0")
    });
    for _ in 0..3 {
        fails_promptly(&at_old, "a").await;
    }
    assert_eq!(old.run("GET t:{a}:beside"), Value::BulkString(b"1".to_vec()), "nothing was written on the old side");
}

#[tokio::test]
async fn an_office_regained_is_another_era() {
    if testing::no_redis_here() {
        return;
    }
    let first = Server::start(&[]);
    let second = Server::replica_of(&first, &[]);
    let link = open(&first.url());
    assert_eq!(guess(&link, "a").await.unwrap().found, "new");
    testing::wait_until("the replica has it", || second.run("GET t:{a}:beside") == Value::BulkString(b"1".to_vec()));
    // There and back while the link's connection stays open and nobody calls.
    second.run("REPLICAOF NO ONE");
    first.follow(&second);
    first.run("REPLICAOF NO ONE");
    second.follow(&first);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let after = guess_until_answered(&link, "a", ELECTION).await;
    assert_eq!(after.found, "void");
    assert!(after.incomplete_since_ms > 0);
}

#[tokio::test]
async fn a_process_that_slept_through_a_failover_asks_before_it_believes() {
    if testing::no_redis_here() {
        return;
    }
    let first = Server::start(&[]);
    let second = Server::replica_of(&first, &[]);
    let link = open(&first.url());
    assert_eq!(guess(&link, "a").await.unwrap().found, "new");
    testing::wait_until("the replica has it", || second.run("GET t:{a}:beside") == Value::BulkString(b"1".to_vec()));
    // One thread runs everything here: while it sleeps, so does all of the link, as in a process that is stopped.
    second.run("REPLICAOF NO ONE");
    first.follow(&second);
    first.run("REPLICAOF NO ONE");
    std::thread::sleep(Duration::from_millis(2500));
    let started = Instant::now();
    assert_eq!(guess_until_answered(&link, "a", ELECTION).await.found, "void");
    assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
}
