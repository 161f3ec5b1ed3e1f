//! What the embedded store holds in memory, how it comes back from the files and how it goes into a checkpoint.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use verifyd_core::store::state::{RecordKey, State, StateOptions, Write};

use crate::journal::{Change, Journaled, Records};

/// The version of keys and values in the files.
pub(crate) const SCHEMA: u32 = 3;
pub(crate) const META_KEY: &[u8] = &[0];
pub(crate) const INDEX_KEY: &[u8] = b"index-key";

/// The key that the store's hashes of numbers were made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// Its name.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: [u8; 8],
}

/// What lives in memory.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) state: State,
    pub(crate) index_key: Option<IndexKey>,
    /// The store's own record was in a commit that found the disk full: the next commit has it again.
    pub(crate) meta_lost: bool,
    /// The shard that the state sweeps next: it takes them in turn.
    pub(crate) next_sweep: u8,
}

impl Live {
    pub(crate) fn new(options: StateOptions) -> Self {
        Self { state: State::new(options), index_key: None, meta_lost: false, next_sweep: 0 }
    }
}

#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Mutex<Live>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Live> {
        // A verb that panicked has left whole records: each is replaced in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What takes one operation back.
#[derive(Debug)]
pub(crate) struct Undo(pub(crate) Vec<Write>);

impl Journaled for Shared {
    type Undo = Undo;

    fn undo(&self, take: &mut dyn FnMut() -> Vec<Undo>) {
        let mut live = self.lock();
        for Undo(writes) in take().into_iter().rev() {
            live.state.undo(writes);
        }
        live.meta_lost = true;
    }

    /// Cursor 0 is the store's own records, 1 to 256 are the shards.
    fn snapshot(&self, cursor: u64, records: &mut Records<'_>) -> Option<u64> {
        let live = self.lock();
        let Some(shard) = cursor.checked_sub(1).map(u8::try_from) else {
            if let Ok(meta) = live.state.meta() {
                records.put(META_KEY, &meta);
            }
            if let Some(bytes) = live.index_key.as_ref().and_then(|key| postcard::to_stdvec(key).ok()) {
                records.put(INDEX_KEY, &bytes);
            }
            return Some(1);
        };
        let shard = shard.ok()?;
        for (key, value) in live.state.shard(shard) {
            records.put(&key.to_bytes(), value);
        }
        (shard < u8::MAX).then(|| u64::from(shard) + 2)
    }
}

/// Takes one change from the files, oldest first.
pub(crate) fn replay(live: &mut Live, change: Change<'_>) -> Result<(), &'static str> {
    match (change.key, change.value) {
        (META_KEY, Some(value)) => {
            live.state.restore_meta(value).map_err(|_bad| "the store's own record cannot be read")
        }
        (INDEX_KEY, Some(value)) => {
            live.index_key = Some(postcard::from_bytes(value).map_err(|_bad| "the index key cannot be read")?);
            Ok(())
        }
        (META_KEY | INDEX_KEY, None) => Err("one of the store's own records is deleted"),
        (key, value) => {
            let key = RecordKey::from_bytes(key).map_err(|_bad| "a key of no known kind")?;
            live.state.restore(&key, value);
            Ok(())
        }
    }
}
