//! The link to a Cluster: slots that move under load, a primary that dies (faults F11 and F14).

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests: what cannot go on must fail at once")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{fails_promptly, guess, guess_until_answered, open};
use verifyd_store_redis::testing::{self, Cluster};

/// A Cluster needs seconds to elect.
const ELECTION: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_move_under_load_and_take_their_codes_along() {
    if testing::no_redis_here() {
        return;
    }
    let cluster = Cluster::start();
    let link = Arc::new(open(&cluster.url()));
    let tags: Vec<_> = (0..600).map(|number| format!("tag{number}")).collect();
    for tag in &tags {
        let first = guess(&link, tag).await.unwrap();
        assert_eq!((first.found.as_str(), first.number, first.incomplete_since_ms), ("new", 1, 0));
    }
    let (done, calls, errors) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0), AtomicU64::new(0));
    let load = async |part: usize| {
        let mut last = vec![1; tags.len()];
        while !done.load(Ordering::Relaxed) {
            for (tag, last) in tags.iter().zip(&mut last).skip(part).step_by(8) {
                match guess(&link, tag).await {
                    Ok(guess) => {
                        assert_eq!((guess.found.as_str(), guess.incomplete_since_ms), ("counts", 0), "{tag}");
                        assert!(guess.number > *last, "{tag}: {} after {last}", guess.number);
                        *last = guess.number;
                    }
                    Err(error) => {
                        errors.fetch_add(1, Ordering::Relaxed);
                        eprintln!("{tag}: {error}");
                    }
                }
                calls.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let (from, to) = (cluster.owner_of("t:{tag0}:record"), cluster.owner_of("t:{tag2}:record"));
    assert_ne!(from, to, "the tags were chosen so");
    let flag = Arc::clone(&done);
    let moving = tokio::task::spawn_blocking(move || {
        cluster.reshard(from, to, 1500);
        flag.store(true, Ordering::Relaxed);
        cluster
    });
    let (cluster, ..) = tokio::join!(moving, load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7));
    let (calls, errors) = (calls.into_inner(), errors.into_inner());
    println!("{errors} errors in {calls} calls");
    assert!(calls > 2000, "{calls}");
    assert!(errors * 100 < calls, "{errors} errors in {calls} calls");
    for tag in &tags {
        assert_eq!(guess(&link, tag).await.unwrap().found, "counts");
    }
    drop(cluster);
}

#[tokio::test]
async fn when_a_primary_dies_its_codes_are_void_and_those_of_the_others_are_not() {
    if testing::no_redis_here() {
        return;
    }
    let mut cluster = Cluster::start();
    let link = open(&cluster.url());
    let codes: Vec<_> = link.examine().await.unwrap().iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["no_persistence", "not_fenced"].repeat(3));
    for tag in ["tag0", "tag1", "tag2"] {
        assert_eq!(guess(&link, tag).await.unwrap().found, "new");
    }
    let dying = cluster.owner_of("t:{tag0}:record");
    let other =
        ["tag1", "tag2"].into_iter().find(|tag| cluster.owner_of(&format!("t:{{{tag}}}:record")) != dying).unwrap();
    testing::wait_until("the replica has it", || cluster.has_replicated(dying));
    cluster.servers()[dying].kill();
    fails_promptly(&link, "tag0").await;
    let started = Instant::now();
    let after = guess_until_answered(&link, "tag0", ELECTION).await;
    println!("found after {:?}", started.elapsed());
    assert_eq!((after.found.as_str(), after.number), ("void", 2));
    assert!(after.incomplete_since_ms > 0);
    let there = guess_until_answered(&link, other, ELECTION).await;
    assert_eq!((there.found.as_str(), there.incomplete_since_ms), ("counts", 0));
    link.ready().unwrap();
}

#[tokio::test]
async fn a_cluster_with_a_hole_is_refused() {
    if testing::no_redis_here() {
        return;
    }
    let mut cluster = Cluster::start();
    let link = open(&cluster.url());
    let owner = cluster.owner_of("t:{tag0}:record");
    let slot: u16 = redis::from_redis_value(cluster.servers()[owner].run("CLUSTER KEYSLOT t:{tag0}:record")).unwrap();
    for server in cluster.servers() {
        server.run(&format!("CLUSTER DELSLOTS {slot}"));
    }
    let codes: Vec<_> = link.examine().await.unwrap().iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"missing_slots"), "{codes:?}");
    fails_promptly(&link, "tag0").await;
}
