//! What the nodes of a fleet must have in common: the master keys, and in mock mode the clock.
//!
//! A node joins before it serves and says again every few seconds that it is there ([`Fleet::join`]). It must not serve if
//! - its index key is not the one that the store's hashes of numbers were made with: it would count every number anew;
//! - it lacks a key whose data may still be needed: it would call a right code wrong;
//! - another node that is there lacks the key under which this one would make new data. So a key is rotated in two rounds of restarts:
//!   first behind the old one, then before it.
//!
//! Names, tags and fingerprints of keys say nothing about the keys.
//!
//! | key | holds |
//! |---|---|
//! | `<prefix>:{config}:fleet` | hash: the index key, keys that made data lately, nodes that were there lately; see `join.lua` |
//! | `<prefix>:{config}:clock` | by how many milliseconds the clock of mock mode is ahead; never shrinks |
//! | `<prefix>:{config}:migration` | which migration from an embedded store has begun, or is done |
//!
//! None has a TTL: the index key must stay as long as any hash of a number, and what is out of date in the hash goes with the next join.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use verifyd_core::clock::{Timestamp, duration_ms};
use verifyd_core::keys::KeyRing;
use verifyd_core::service::MAX_TTL;
use verifyd_core::store::{REPLY_KEPT, StoreError};

use crate::link::{Link, Script};

const JOIN: &str = include_str!("join.lua");
const ADVANCE: &str = include_str!("advance.lua");

/// How often a node says that it is there.
pub const JOIN_EVERY: Duration = Duration::from_secs(5);
/// How long after its last word a node counts as there: it may be slow, and it must not block a restart with other keys for long.
const THERE: Duration = Duration::from_secs(20);

/// Why a node must not serve.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Its index key is another.
    #[error(
        "the numbers in this Redis are known by the key {0:?}, which is not among the keys given, or has another value; give every node the same keys"
    )]
    OtherIndex(String),
    /// It lacks a key.
    #[error(
        "data made with the key {0:?} may still be needed, and it is not among the keys given; keep it behind the others for a day after its last use"
    )]
    MissingKey(String),
    /// Another node lacks the first of its keys.
    #[error(
        "the first key given is not known to the node {0}, which is running and could not check what this node sends; give every node the new key behind the old one first, then move it to the front"
    )]
    UnsharedKey(String),
    /// Redis does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The clock would be too far ahead, or Redis does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceError {
    /// Too far ahead.
    #[error("the clock would be too far ahead")]
    Bound,
    /// Redis does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the store knows of the fleet, for an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetReport {
    /// Name and fingerprint of the index key; `None` in a new store.
    pub index: Option<(String, String)>,
    /// Names of the keys whose data may be needed, with their tags.
    pub needed: Vec<(String, String)>,
    /// The nodes that are there by id, with the tags of the keys they have.
    pub nodes: BTreeMap<String, Vec<String>>,
}

impl FleetReport {
    /// Whether a node with these keys may join, as [`Fleet::join`] would decide now.
    ///
    /// # Errors
    /// [`JoinError`]: it may not.
    pub fn fits(&self, ring: &KeyRing) -> Result<(), JoinError> {
        if let Some((name, _)) = self.index.as_ref().filter(|(_, known)| *known != index_fingerprint(ring)) {
            return Err(JoinError::OtherIndex(name.clone()));
        }
        let held = key_tags(ring);
        if let Some((_, name)) = self.needed.iter().find(|(tag, _)| !held.iter().any(|(own, _)| own == tag)) {
            return Err(JoinError::MissingKey(name.clone()));
        }
        let making = held.first().map(|(tag, _)| tag);
        match self.nodes.iter().find(|(_, tags)| making.is_some_and(|making| !tags.contains(making))) {
            Some((node, _)) => Err(JoinError::UnsharedKey(node.clone())),
            None => Ok(()),
        }
    }
}

/// What the nodes have in common.
pub struct Fleet {
    link: Arc<Link>,
    keys: Vec<u8>,
    clock: Vec<u8>,
    migration: Vec<u8>,
    join: Script,
    advance: Script,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("link", &self.link).finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).map_or('0', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}

/// The words of an answer that is a list of them.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

/// The fingerprint by which the store knows the index key of a ring.
#[must_use]
pub fn index_fingerprint(ring: &KeyRing) -> String {
    hex(&ring.index_fingerprint())
}

/// The tags by which the store knows the keys of a ring, with their names, the first making new data.
#[must_use]
pub fn key_tags(ring: &KeyRing) -> Vec<(String, String)> {
    ring.tags().map(|(name, tag)| (hex(tag.as_bytes()), name.to_owned())).collect()
}

impl Fleet {
    /// The fleet behind `link`.
    #[must_use]
    pub fn new(link: Arc<Link>) -> Self {
        let key = |name: &str| format!("{}:{{config}}:{name}", link.settings().prefix).into_bytes();
        Self {
            keys: key("fleet"),
            clock: key("clock"),
            migration: key("migration"),
            link,
            join: Script::new(JOIN),
            advance: Script::new(ADVANCE),
        }
    }

    /// The name of the key that the store's hashes of numbers were made with; `None` in a new store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    pub async fn index_key(&self) -> Result<Option<String>, StoreError> {
        Ok(self.report(Timestamp::EPOCH).await?.index.map(|(name, _)| name))
    }

    /// Says that the node `node` is there and has the keys of `ring`.
    ///
    /// # Errors
    /// [`JoinError`]: the node must not serve.
    pub async fn join(&self, node: &str, ring: &KeyRing) -> Result<(), JoinError> {
        let mut args = vec![
            node.to_owned(),
            index_fingerprint(ring),
            ring.index_name().to_owned(),
            duration_ms(THERE).to_string(),
            duration_ms(MAX_TTL.max(REPLY_KEPT)).to_string(),
        ];
        args.extend(key_tags(ring).into_iter().flat_map(|(tag, name)| [tag, name]));
        let args = args.into_iter().map(String::into_bytes).collect();
        let answer = self.link.call(&self.join, std::slice::from_ref(&self.keys), args).await?;
        let mut words = words(&answer).into_iter();
        let (outcome, about) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match outcome.as_str() {
            "joined" => Ok(()),
            "index" => Err(JoinError::OtherIndex(about)),
            "missing" => Err(JoinError::MissingKey(about)),
            "unshared" => Err(JoinError::UnsharedKey(about)),
            _ => Err(StoreError::Corrupt("the keys of the fleet").into()),
        }
    }

    /// Says that a node is gone: its keys no longer hold up a rotation.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    pub async fn leave(&self, node: &str) -> Result<(), StoreError> {
        let field = format!("node:{node}");
        self.link.command(&self.keys, &[b"HDEL", &self.keys, field.as_bytes()]).await.map(|_count| ())
    }

    /// What the store knows of the fleet; free of effects. `now` is the time by which nodes and keys are out of date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    pub async fn report(&self, now: Timestamp) -> Result<FleetReport, StoreError> {
        let answer = self.link.command(&self.keys, &[b"HGETALL", &self.keys]).await?;
        let fields = words(&answer);
        let mut report = FleetReport::default();
        for pair in fields.chunks_exact(2) {
            let [field, value] = pair else { continue };
            let Some((first, rest)) = value.split_once(' ') else { continue };
            let is_due = first.parse::<u64>().is_ok_and(|until_ms| until_ms <= now.unix_ms());
            match field.split_once(':') {
                None => report.index = Some((rest.to_owned(), first.to_owned())),
                Some(("made", tag)) if !is_due => report.needed.push((tag.to_owned(), rest.to_owned())),
                Some(("node", id)) if !is_due => {
                    report.nodes.insert(id.to_owned(), rest.split(',').map(str::to_owned).collect());
                }
                Some(_) => {}
            }
        }
        report.needed.sort();
        Ok(report)
    }

    /// How far a migration to this Redis has come, in the words of [`set_migration`](Self::set_migration).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    pub async fn migration(&self) -> Result<Option<String>, StoreError> {
        Ok(text(&self.link.command(&self.migration, &[b"GET", &self.migration]).await?))
    }

    /// Remembers how far a migration has come.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    pub async fn set_migration(&self, mark: &str) -> Result<(), StoreError> {
        let parts: [&[u8]; 3] = [b"SET", &self.migration, mark.as_bytes()];
        self.link.command(&self.migration, &parts).await.map(|_ok| ())
    }

    /// What the clock of Redis says.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    pub async fn time(&self) -> Result<Timestamp, StoreError> {
        let answer = self.link.command(&self.keys, &[b"TIME"]).await?;
        match words(&answer).as_slice() {
            [seconds, micros] => {
                let (seconds, micros) = (seconds.parse::<u64>().ok(), micros.parse::<u64>().ok());
                let ms = seconds.zip(micros).map(|(seconds, micros)| seconds * 1_000 + micros / 1_000);
                ms.map(Timestamp::from_unix_ms).ok_or(StoreError::Corrupt("the clock of Redis"))
            }
            _ => Err(StoreError::Corrupt("the clock of Redis")),
        }
    }

    /// By how much the clock of mock mode is ahead.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    pub async fn clock_offset(&self) -> Result<Duration, StoreError> {
        let answer = self.link.command(&self.clock, &[b"GET", &self.clock]).await?;
        match (&answer, text(&answer).and_then(|text| text.parse().ok())) {
            (Value::Nil, _) => Ok(Duration::ZERO),
            (_, Some(ms)) => Ok(Duration::from_millis(ms)),
            (_, None) => Err(StoreError::Corrupt("the offset of the clock")),
        }
    }

    /// Moves the clock of mock mode forward for all nodes, at most to `furthest`, and returns the whole offset.
    ///
    /// # Errors
    /// [`AdvanceError`]
    pub async fn advance_clock(&self, by: Duration, furthest: Duration) -> Result<Duration, AdvanceError> {
        let args = [by, furthest].map(|span| duration_ms(span).to_string().into_bytes()).to_vec();
        let answer = self.link.call(&self.advance, std::slice::from_ref(&self.clock), args).await?;
        match words(&answer).as_slice() {
            [word, offset] if word == "moved" => {
                let ms = offset.parse().map_err(|_source| StoreError::Corrupt("the offset of the clock"))?;
                Ok(Duration::from_millis(ms))
            }
            [word] if word == "bound" => Err(AdvanceError::Bound),
            _ => Err(StoreError::Corrupt("the offset of the clock").into()),
        }
    }
}
