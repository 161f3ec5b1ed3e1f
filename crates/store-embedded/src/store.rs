//! The embedded store: core's state machine in memory, every change journaled before it is acknowledged.
//!
//! A verb runs under one lock and hands the packed records it changed to the journal before it unlocks, so the order on disk is
//! the order of the decisions; it is answered when the commit is on disk. An answer that reports what another verb has just
//! decided waits for that verb's commit too. When the disk is full, what did not get there is taken back out of memory and
//! the callers get [`StoreError::Unavailable`]; reads go on.

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use verifyd_core::clock::{Timestamp, duration_ms};
use verifyd_core::id::{ServiceId, VerificationId};
use verifyd_core::keys::PhoneHash;
use verifyd_core::store::state::{RecordKey, State, StateOptions, Write};
use verifyd_core::store::{
    Admission, AdmitOutcome, BegunReply, CancelOutcome, CheckOutcome, CheckRequest, FinishReply, ForgetOutcome,
    InfoOutcome, InfoRequest, Loaded, ReplyRequest, Rules, SettleRequest, Settlement, Store, StoreError,
};

use crate::journal::{self, CheckpointError, CommitError, Durable, Journal, OpenError, OpenJournal, Options, Stats};
use crate::live::{INDEX_KEY, IndexKey, Live, META_KEY, SCHEMA, Shared, Undo, replay};

/// Journal and checkpoints lie in this folder of the data directory.
const FOLDER: &str = "store";
/// What was erased or has expired is gone from the files at the latest this long after.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(3600);
/// When to try again while the disk is full or does not keep up.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A read looks at most this often at a state that is taken back under it.
const READ_TRIES: usize = 3;

/// A durable store in a directory, for one process.
#[derive(Debug)]
pub struct EmbeddedStore {
    pub(crate) shared: Arc<Shared>,
    journal: Arc<Journal<Shared>>,
    folder: PathBuf,
    last_checkpoint_ms: AtomicU64,
}

impl EmbeddedStore {
    /// Opens the store of a data directory, or makes an empty one. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]: another process has it, a file is damaged or of another version, or the system refuses.
    pub fn open(data_dir: &Path, options: StateOptions) -> Result<Self, OpenError> {
        Self::open_watched(data_dir, options, &mut || {})
    }

    /// The same; `on_record` is called for every record that is read.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open`].
    pub fn open_watched(
        data_dir: &Path,
        options: StateOptions,
        on_record: &mut dyn FnMut(),
    ) -> Result<Self, OpenError> {
        let folder = Self::folder_in(data_dir);
        let mut live = Live::new(options);
        let open = journal::open(Options::new(&folder, SCHEMA), &mut |change| {
            on_record();
            replay(&mut live, change)
        })?;
        Self::start(open, live, folder)
    }

    /// Where the files of a data directory's store lie.
    #[must_use]
    pub fn folder_in(data_dir: &Path) -> PathBuf {
        data_dir.join(FOLDER)
    }

    fn start(open: OpenJournal, live: Live, folder: PathBuf) -> Result<Self, OpenError> {
        let found = open.recovery();
        tracing::info!(
            records = live.state.len(),
            checkpoint_bytes = found.checkpoint_bytes,
            journal_bytes = found.journal_bytes,
            "the store is open"
        );
        let shared = Arc::new(Shared(Mutex::new(live)));
        let journal = Arc::new(open.start(Arc::clone(&shared), &Handle::current())?);
        Ok(Self { shared, journal, folder, last_checkpoint_ms: AtomicU64::new(0) })
    }

    /// The key that the store's hashes of numbers were made with; `None` in a new store.
    #[must_use]
    pub fn index_key(&self) -> Option<IndexKey> {
        self.shared.lock().index_key.clone()
    }

    /// Records the key that the store's hashes of numbers are made with; durable before it returns.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written.
    pub async fn set_index_key(&self, name: &str, fingerprint: [u8; 8]) -> Result<(), StoreError> {
        let index = IndexKey { name: name.to_owned(), fingerprint };
        let bytes = postcard::to_stdvec(&index).map_err(|_source| StoreError::Corrupt("the index key"))?;
        let durable = {
            let mut live = self.shared.lock();
            live.index_key = Some(index);
            self.journal.submit(Undo(Vec::new()), |records| records.put(INDEX_KEY, &bytes))
        };
        durable.map_err(|rejected| unavailable(&rejected.error))?.wait().await.map_err(|error| unavailable(&error))
    }

    /// Returns once the store can never write again, with the reason. The process should then end with a failure.
    pub async fn fatal(&self) -> Arc<str> {
        self.journal.fatal().await
    }

    /// Writes a checkpoint now: after it, what was erased before is in no file.
    ///
    /// # Errors
    /// [`CheckpointError`]; the journal then still holds everything.
    pub async fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.journal.checkpoint().await
    }

    /// Counts and sizes of the journal.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.journal.stats()
    }

    /// How many records it holds.
    #[must_use]
    pub fn records(&self) -> usize {
        self.shared.lock().state.len()
    }

    /// The latest instant that a verb used; the epoch in a new store.
    #[must_use]
    pub fn latest(&self) -> Timestamp {
        self.shared.lock().state.latest()
    }

    /// The folder with the files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Commits what waits and frees the directory.
    pub async fn close(&self) {
        self.journal.close().await;
    }

    /// Runs a verb, journals what it changed and answers when that is on disk.
    async fn change<T>(&self, verb: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (outcome, durable) = {
            let mut live = self.shared.lock();
            self.journal.check().map_err(|error| unavailable(&error))?;
            let outcome = verb(&mut live.state);
            let mut writes = live.state.take_writes();
            if outcome.is_err() {
                live.state.undo(std::mem::take(&mut writes));
            }
            (outcome, self.submit(&mut live, writes)?)
        };
        if let Some(durable) = durable {
            durable.wait().await.map_err(|error| unavailable(&error))?;
        }
        outcome
    }

    /// Hands changed records to the journal, under the lock. A refusal changes no record but may have moved the latest instant,
    /// which it rests on: it is answered when that is on disk, so that what was told to be over is over after a restart too.
    fn submit(&self, live: &mut Live, writes: Vec<Write>) -> Result<Option<Durable>, StoreError> {
        let mut meta = live.state.take_meta()?;
        if meta.is_none() && std::mem::take(&mut live.meta_lost) {
            meta = Some(live.state.meta()?);
        }
        if writes.is_empty() && meta.is_none() {
            return Ok(self.journal.barrier());
        }
        let keys: Vec<RecordKey> = writes.iter().map(|write| write.key).collect();
        let state = &live.state;
        let submitted = self.journal.submit(Undo(writes), |records| {
            if let Some(meta) = &meta {
                records.put(META_KEY, meta);
            }
            for key in keys {
                match state.packed(&key) {
                    Some(value) => records.put(&key.to_bytes(), value),
                    None => records.delete(&key.to_bytes()),
                }
            }
        });
        submitted.map(Some).map_err(|rejected| {
            live.state.undo(rejected.undo.0);
            live.meta_lost = true;
            unavailable(&rejected.error)
        })
    }

    /// A claim is not journaled: it ends with the process, and what is told of a kept reply waits only until that is on disk.
    async fn begin(&self, request: &ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        let (begun, barrier) = {
            let mut live = self.shared.lock();
            self.journal.check().map_err(|error| unavailable(&error))?;
            (live.state.begin_reply(request, now)?, self.journal.barrier())
        };
        if begun != BegunReply::Fresh
            && let Some(durable) = barrier
        {
            durable.wait().await.map_err(|error| unavailable(&error))?;
        }
        Ok(begun)
    }

    /// Sweeps a shard and journals what went: it must not come back with a restart.
    fn sweep(&self, now: Timestamp) -> Result<(usize, Option<Durable>), StoreError> {
        let mut live = self.shared.lock();
        self.journal.check().map_err(|error| unavailable(&error))?;
        let shard = live.next_sweep;
        live.next_sweep = shard.wrapping_add(1);
        let mut keys: Vec<RecordKey> = live.state.shard(shard).map(|(key, _)| key).collect();
        let gone = live.state.purge(now);
        if gone == 0 {
            return Ok((0, None));
        }
        keys.retain(|key| live.state.packed(key).is_none());
        // The instant it was due at goes along: after a restart no verb may decide at an earlier one.
        let meta = live.state.take_meta()?;
        // Nothing to undo: what is due and still on disk is due again after a restart.
        let submitted = self.journal.submit(Undo(Vec::new()), |records| {
            if let Some(meta) = &meta {
                records.put(META_KEY, meta);
            }
            for key in keys {
                records.delete(&key.to_bytes());
            }
        });
        live.meta_lost |= submitted.is_err();
        submitted.map(|durable| (gone, Some(durable))).map_err(|rejected| unavailable(&rejected.error))
    }

    /// Runs a read. What it saw must be on disk before it is told; when that is taken back instead, it looks again.
    async fn read<T>(&self, look: impl Fn(&State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        for _ in 0..READ_TRIES {
            let (seen, barrier) = {
                let live = self.shared.lock();
                (look(&live.state), self.journal.barrier())
            };
            match barrier {
                None => return seen,
                Some(durable) => match durable.wait().await {
                    Ok(()) => return seen,
                    Err(CommitError::Full) => {}
                    Err(error) => return Err(unavailable(&error)),
                },
            }
        }
        Err(unavailable(&CommitError::Full))
    }

    /// Starts a checkpoint if the last one is long ago, so that what is erased does not stay in the files.
    fn checkpoint_if_due(&self, now: Timestamp) {
        let now_ms = now.unix_ms();
        let last = self.last_checkpoint_ms.load(Ordering::Relaxed);
        if last == 0 {
            self.last_checkpoint_ms.store(now_ms, Ordering::Relaxed);
            return;
        }
        if now_ms.saturating_sub(last) < duration_ms(CHECKPOINT_EVERY) || self.journal.stats().journal_bytes == 0 {
            return;
        }
        self.last_checkpoint_ms.store(now_ms, Ordering::Relaxed);
        let journal = Arc::clone(&self.journal);
        tokio::spawn(async move {
            if let Err(error) = journal.checkpoint().await {
                tracing::warn!(%error, "a checkpoint could not be written");
            }
        });
    }
}

fn unavailable(error: &CommitError) -> StoreError {
    match error {
        CommitError::Full | CommitError::Busy | CommitError::TooLarge | CommitError::Closed => {
            StoreError::Unavailable { reason: error.to_string(), retry_after: RETRY_AFTER }
        }
        CommitError::Fatal(_) => StoreError::Fatal,
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn admit(&self, admission: Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        self.change(|state| state.admit(&admission, now)).await
    }

    async fn check(&self, check: CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        self.change(|state| state.check(&check, now)).await
    }

    async fn settle(&self, settle: SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        self.change(|state| state.settle(&settle, now)).await
    }

    async fn cancel(
        &self,
        service: ServiceId,
        id: VerificationId,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.change(|state| state.cancel(service, &id, now)).await
    }

    async fn load(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        self.read(|state| state.load(service, &id, &rules, now)).await
    }

    async fn info(&self, request: InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        self.read(|state| state.info(&request, now)).await
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError> {
        self.change(|state| state.forget(service, &phone, now)).await
    }

    async fn unlock(&self, service: ServiceId, phone: PhoneHash, now: Timestamp) -> Result<u32, StoreError> {
        self.change(|state| state.unlock(service, &phone, now)).await
    }

    async fn begin_reply(&self, request: ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        self.begin(&request, now).await
    }

    async fn finish_reply(&self, finish: FinishReply, now: Timestamp) -> Result<(), StoreError> {
        self.change(|state| state.finish_reply(&finish, now)).await
    }

    async fn abandon_reply(&self, request: ReplyRequest) -> Result<(), StoreError> {
        self.shared.lock().state.abandon_reply(&request);
        Ok(())
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        let (gone, durable) = self.sweep(now)?;
        self.checkpoint_if_due(now);
        if let Some(durable) = durable {
            durable.wait().await.map_err(|error| unavailable(&error))?;
        }
        Ok(gone)
    }

    /// Changes every record, so it is made durable as a whole by a checkpoint instead of through the journal. If that fails,
    /// the store must not be used further in this process; a restart has the old state.
    async fn accept_clock(&self, now: Timestamp) -> Result<(), StoreError> {
        {
            let mut live = self.shared.lock();
            let accepted = live.state.accept_clock(now);
            let writes = live.state.take_writes();
            if accepted.is_err() {
                live.state.undo(writes);
            }
            accepted?;
        }
        self.journal
            .checkpoint()
            .await
            .map_err(|error| StoreError::Unavailable { reason: error.to_string(), retry_after: RETRY_AFTER })
    }

    async fn ready(&self, now: Timestamp) -> Result<(), StoreError> {
        self.journal.check().map_err(|error| unavailable(&error))?;
        self.shared.lock().state.ready(now)
    }
}
