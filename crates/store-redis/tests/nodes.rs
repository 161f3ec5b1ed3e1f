//! What nodes must have in common: which may join, when keys can be rotated, and the clock of mock mode.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::clock::{Clock as _, SystemClock};
use verifyd_core::keys::{KeyRing, MasterKey};
use verifyd_store_redis::fleet::{AdvanceError, Fleet, JoinError, index_fingerprint, key_tags};
use verifyd_store_redis::link::Target;
use verifyd_store_redis::testing::{self, Server};
use verifyd_store_redis::{Link, LinkSettings};

fn fleet(server: &Server) -> Fleet {
    let link = Link::open(LinkSettings::new(Target::parse(&server.url()).unwrap())).unwrap();
    Fleet::new(Arc::new(link))
}

/// A ring of keys named by letters, each made of its letter.
fn ring(names: &str, index: &str) -> KeyRing {
    let key = |name: char| MasterKey::new(&name.to_string(), [name as u8; 32]).unwrap();
    KeyRing::new(&names.chars().map(key).collect::<Vec<_>>(), Some(index)).unwrap()
}

#[tokio::test]
async fn the_first_node_says_which_key_the_numbers_are_known_by() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let fleet = fleet(&server);
    assert_eq!(fleet.index_key().await.unwrap(), None);
    fleet.join("one", &ring("a", "a")).await.unwrap();
    assert_eq!(fleet.index_key().await.unwrap().as_deref(), Some("a"));
    fleet.join("two", &ring("a", "a")).await.unwrap();
    let other = fleet.join("three", &ring("b", "b")).await;
    assert!(matches!(&other, Err(JoinError::OtherIndex(name)) if name == "a"), "{other:?}");
    let report = fleet.report(SystemClock.now()).await.unwrap();
    assert!(matches!(report.fits(&ring("b", "b")), Err(JoinError::OtherIndex(_))));
    // The same name with another value is another key.
    let forged = KeyRing::new(&[MasterKey::new("a", [9; 32]).unwrap()], None).unwrap();
    assert!(matches!(fleet.join("three", &forged).await, Err(JoinError::OtherIndex(_))));
    let report = fleet.report(SystemClock.now()).await.unwrap();
    assert_eq!(report.nodes.keys().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(report.index, Some(("a".to_owned(), index_fingerprint(&ring("a", "a")))));
    assert_eq!(report.needed, key_tags(&ring("a", "a")));
}

/// What an operator is told of a node with these keys.
async fn told(fleet: &Fleet, names: &str) -> Result<(), JoinError> {
    fleet.report(SystemClock.now()).await.unwrap().fits(&ring(names, "a"))
}

#[tokio::test]
async fn a_key_is_rotated_in_two_rounds_and_removed_when_nothing_needs_it() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let fleet = fleet(&server);
    fleet.join("one", &ring("a", "a")).await.unwrap();
    fleet.join("two", &ring("a", "a")).await.unwrap();
    // In one round the second node could not check what the first sends.
    let unshared = fleet.join("one", &ring("ba", "a")).await;
    assert!(matches!(&unshared, Err(JoinError::UnsharedKey(node)) if node == "two"), "{unshared:?}");
    assert!(matches!(told(&fleet, "ba").await, Err(JoinError::UnsharedKey(_))));
    for node in ["one", "two"] {
        fleet.join(node, &ring("ab", "a")).await.unwrap();
    }
    for node in ["one", "two"] {
        fleet.join(node, &ring("ba", "a")).await.unwrap();
    }
    // The index key has to stay for good; another old one as long as its data may be needed.
    for node in ["one", "two"] {
        fleet.join(node, &ring("bca", "a")).await.unwrap();
    }
    for node in ["one", "two"] {
        fleet.join(node, &ring("cba", "a")).await.unwrap();
    }
    let missing = fleet.join("one", &ring("ca", "a")).await;
    assert!(matches!(&missing, Err(JoinError::MissingKey(name)) if name == "b"), "{missing:?}");
    assert!(matches!(told(&fleet, "ca").await, Err(JoinError::MissingKey(_))));
    told(&fleet, "cba").await.unwrap();
    let (tag, _) = key_tags(&ring("b", "b")).remove(0);
    let over = format!("HSET verifyd:{{config}}:fleet made:{tag}");
    let parts: Vec<&str> = over.split(' ').chain(["1 b"]).collect();
    assert_eq!(parts.len(), 4);
    let link = Link::open(LinkSettings::new(Target::parse(&server.url()).unwrap())).unwrap();
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    link.command(parts[1], &parts).await.unwrap();
    fleet.join("one", &ring("ca", "a")).await.unwrap();
}

#[tokio::test]
async fn a_node_that_left_holds_up_nothing() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let fleet = fleet(&server);
    fleet.join("one", &ring("a", "a")).await.unwrap();
    assert!(fleet.join("two", &ring("ba", "a")).await.is_err());
    fleet.leave("one").await.unwrap();
    fleet.join("two", &ring("ba", "a")).await.unwrap();
    let report = fleet.report(SystemClock.now()).await.unwrap();
    assert_eq!(report.nodes.keys().collect::<Vec<_>>(), ["two"]);
}

#[tokio::test]
async fn the_clock_of_mock_mode_moves_for_all_and_only_forward() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let (one, two) = (Arc::new(fleet(&server)), fleet(&server));
    assert_eq!(two.clock_offset().await.unwrap(), Duration::ZERO);
    let century = Duration::from_secs(100);
    let mut moves = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let one = Arc::clone(&one);
        moves.spawn(async move { one.advance_clock(Duration::from_secs(10), century).await.unwrap() });
    }
    moves.join_all().await;
    assert_eq!(two.clock_offset().await.unwrap(), century);
    assert!(matches!(two.advance_clock(Duration::from_millis(1), century).await, Err(AdvanceError::Bound)));
    assert_eq!(two.clock_offset().await.unwrap(), century);
}
