//! The registry of a fleet: one hash in Redis, one script a verb.
//!
//! | key | holds |
//! |---|---|
//! | `<prefix>:{config}:registry` | hash of `kind id` to `version schema text` |
//! | `<prefix>:{config}:registry:about` | hash: `revision`, the version of the last write; `bytes`, names and documents together |
//!
//! Both lie in one slot. They have no TTL, as an exception: API keys and services are configuration, not traffic, and their number is
//! bounded by [`RegistryBounds`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use redis::Value;
use verifyd_core::registry::{
    Change, Document, Entry, EntryName, MAX_CHANGES, Registry, RegistryBounds, RegistryError, Snapshot, Written,
};
use verifyd_core::store::StoreError;

use crate::link::{Link, Script};

const WRITE: &str = include_str!("write.lua");
const READ: &str = include_str!("read.lua");

/// Documents in Redis.
pub struct RedisRegistry {
    link: Arc<Link>,
    bounds: RegistryBounds,
    keys: [Vec<u8>; 2],
    write: Script,
    read: Script,
}

impl fmt::Debug for RedisRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRegistry").field("link", &self.link).finish_non_exhaustive()
    }
}

impl RedisRegistry {
    /// The registry behind `link`.
    #[must_use]
    pub fn new(link: Arc<Link>) -> Self {
        Self::with_bounds(link, RegistryBounds::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(link: Arc<Link>, bounds: RegistryBounds) -> Self {
        let key = |name: &str| format!("{}:{{config}}:{name}", link.settings().prefix).into_bytes();
        let keys = [key("registry"), key("registry:about")];
        Self { link, bounds, keys, write: Script::new(WRITE), read: Script::new(READ) }
    }

    fn arguments(&self, changes: &[Change]) -> Vec<Vec<u8>> {
        let mut args = vec![self.bounds.max_entries.to_string(), self.bounds.max_bytes.to_string()];
        for change in changes {
            args.push(change.name().to_string());
            args.push(change.expected().map_or_else(String::new, |version| version.to_string()));
            args.extend(match change {
                Change::Put { document, .. } => {
                    ["put".to_owned(), format!("{} {}", document.schema(), document.text())]
                }
                Change::Remove { .. } => ["remove".to_owned(), String::new()],
            });
        }
        args.into_iter().map(String::into_bytes).collect()
    }
}

fn unavailable(error: &StoreError) -> RegistryError {
    RegistryError::Unavailable(error.to_string())
}

fn strange() -> RegistryError {
    RegistryError::Unavailable("Redis gave an answer that no script of ours gives".to_owned())
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// The entry of a field and its value.
fn entry(name: &Value, value: &Value) -> Option<(EntryName, Entry)> {
    let (kind, id) = text(name)?.split_once(' ')?;
    let (version, document) = text(value)?.split_once(' ')?;
    let (schema, document) = document.split_once(' ')?;
    let document = Document::new(schema.parse().ok()?, document).ok()?;
    Some((EntryName::new(kind, id).ok()?, Entry { version: version.parse().ok()?, document }))
}

fn snapshot(answer: &Value) -> Option<Snapshot> {
    let [revision, fields] = list(answer)? else { return None };
    let pairs = list(fields)?.chunks_exact(2);
    let read = pairs.map(|pair| match pair {
        [name, value] => entry(name, value),
        _ => None,
    });
    Some(Snapshot { revision: text(revision)?.parse().ok()?, entries: read.collect::<Option<BTreeMap<_, _>>>()? })
}

#[async_trait]
impl Registry for RedisRegistry {
    async fn snapshot(&self) -> Result<Snapshot, RegistryError> {
        let answer = self.link.call(&self.read, &self.keys, Vec::new()).await.map_err(|error| unavailable(&error))?;
        snapshot(&answer).ok_or_else(|| RegistryError::Unreadable("what Redis holds of it is damaged".to_owned()))
    }

    async fn write(&self, changes: Vec<Change>) -> Result<Written, RegistryError> {
        if changes.len() > MAX_CHANGES {
            return Err(RegistryError::TooLarge);
        }
        let call = self.link.call(&self.write, &self.keys, self.arguments(&changes));
        let answer = call.await.map_err(|error| unavailable(&error))?;
        let answer = list(&answer).ok_or_else(strange)?;
        match (answer.first().and_then(text), answer) {
            (Some("done"), [_, version]) => {
                let version = text(version).and_then(|version| version.parse().ok()).ok_or_else(strange)?;
                Ok(Written::Done { version })
            }
            (Some("conflict"), [_, Value::Int(index), found]) => {
                let index = usize::try_from(*index).ok();
                let name = index.and_then(|index| changes.get(index)).ok_or_else(strange)?.name().clone();
                Ok(Written::Conflict { name, found: text(found).and_then(|version| version.parse().ok()) })
            }
            (Some("full"), [_]) => Err(RegistryError::Full(self.bounds)),
            _ => Err(strange()),
        }
    }

    async fn revision(&self) -> Result<u64, RegistryError> {
        let [_, about] = &self.keys;
        let answer = self.link.command(about, &[b"HGET", about, b"revision"]).await;
        match answer.map_err(|error| unavailable(&error))? {
            Value::Nil => Ok(0),
            value => text(&value).and_then(|text| text.parse().ok()).ok_or_else(strange),
        }
    }
}
