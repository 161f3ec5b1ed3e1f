//! The state machine behind the memory and the embedded store: every rule of a store's verbs, no I/O.
//!
//! A verb changes records and remembers which, with what was there before ([`Write`]). A durable owner journals the changed
//! records before it answers, or puts back what was there ([`State::undo`]) when it could not. One owner calls it at a time.
//!
//! Rooms: `admit` (start and resend), `check`, `life` (settle, cancel, load, forget, unlock), `info`, `reply` (kept replies), `export`, `repeat`
//! (requests that come again), `table` (packed records) over `heap` (their bytes).

mod admit;
mod check;
mod export;
mod heap;
mod info;
mod life;
mod repeat;
mod reply;
mod table;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use export::{ExportCounts, Exported, ExportedPhone, ExportedQuota, ExportedReply};
pub use table::{BadRecord, RecordKey};

use self::reply::Claims;
use self::table::{Kind, Table, pack, unpack};
use super::record::{MetaRecord, PhoneRecord, QuotaRecord, ReplyRecord, Status, VerificationRecord};
use super::{MAX_CLOCK_STEP_BACK, QuotaKey, StoreError};
use crate::clock::Timestamp;
use crate::id::VerificationId;
use crate::keys::PhoneHash;
use crate::limits::gcra;

/// The most deliveries a verification may hold, refunded ones included: a bound on its size.
pub const MAX_DELIVERIES: usize = 32;
/// The most verifications remembered for a number and service; the oldest, long ended, is erased for the next.
pub const MAX_VERIFICATIONS_PER_PHONE: usize = 16;

/// How much a store may hold and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateOptions {
    /// The most records (verifications, numbers, addresses, kept replies); beyond it new starts are refused and nothing is evicted
    /// early.
    pub max_records: usize,
    /// How long a verification stays readable after its life ended.
    pub retention: Duration,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { max_records: 4_000_000, retention: Duration::from_secs(3600) }
    }
}

/// One changed record.
#[derive(Debug)]
pub struct Write {
    /// Which.
    pub key: RecordKey,
    /// What was there before; `None` if nothing was.
    before: Option<Box<[u8]>>,
}

/// The state of a store.
#[derive(Debug)]
pub struct State {
    table: Table,
    meta: MetaRecord,
    meta_changed: bool,
    writes: Vec<Write>,
    /// Where records are packed before they go to the table.
    packed: Vec<u8>,
    options: StateOptions,
    claims: Claims,
    /// The shard that the table sweeps next: it takes them in turn.
    next_sweep: u8,
    /// How many sweeps still look for replies about forgotten numbers.
    sweeps_for_forgotten: u16,
}

impl From<BadRecord> for StoreError {
    fn from(BadRecord: BadRecord) -> Self {
        Self::Corrupt("not a record of this version")
    }
}

trait Packed: Serialize + for<'de> Deserialize<'de> {
    const KIND: Kind;
}

impl Packed for VerificationRecord {
    const KIND: Kind = Kind::Verification;
}

impl Packed for PhoneRecord {
    const KIND: Kind = Kind::Phone;
}

impl Packed for QuotaRecord {
    const KIND: Kind = Kind::Quota;
}

impl Packed for ReplyRecord {
    const KIND: Kind = Kind::Reply;
}

impl State {
    /// An empty state.
    #[must_use]
    pub fn new(options: StateOptions) -> Self {
        Self {
            table: Table::new(),
            meta: MetaRecord::default(),
            meta_changed: false,
            writes: Vec::new(),
            packed: Vec::new(),
            options,
            claims: Claims::default(),
            next_sweep: 0,
            // A process that ended may have had sweeps before it.
            sweeps_for_forgotten: reply::SHARDS,
        }
    }

    /// How many records it holds, those that claimed requests will become included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len() + self.claims.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latest instant that a verb used.
    #[must_use]
    pub fn latest(&self) -> Timestamp {
        self.meta.latest
    }

    /// The records changed since the last call, in order. A record changed twice stands twice.
    pub fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
    }

    /// Puts back what was there before `writes`, which must be the latest of all.
    pub fn undo(&mut self, writes: Vec<Write>) {
        for write in writes.into_iter().rev() {
            self.table.set(&write.key, write.before.as_deref());
        }
        // What went along with them may not be written either.
        self.meta_changed = true;
    }

    /// The packed form of a record now; `None` if it was deleted.
    #[must_use]
    pub fn packed(&self, key: &RecordKey) -> Option<&[u8]> {
        self.table.get(key)
    }

    /// Puts a packed record back at recovery.
    pub fn restore(&mut self, key: &RecordKey, value: Option<&[u8]>) {
        self.table.set(key, value);
    }

    /// What the store knows of itself, packed, if it changed since the last call. It changes with nearly every verb, so a
    /// durable owner writes it once a commit.
    ///
    /// # Errors
    /// [`BadRecord`] never in practice: the record has a fixed shape.
    pub fn take_meta(&mut self) -> Result<Option<Vec<u8>>, BadRecord> {
        if !std::mem::take(&mut self.meta_changed) {
            return Ok(None);
        }
        self.meta().map(Some)
    }

    /// Reads back what [`take_meta`](Self::take_meta) gave.
    ///
    /// # Errors
    /// [`BadRecord`] for other bytes.
    pub fn restore_meta(&mut self, value: &[u8]) -> Result<(), BadRecord> {
        self.meta = unpack(value)?;
        Ok(())
    }

    /// The packed meta record as it stands, for a checkpoint.
    ///
    /// # Errors
    /// [`BadRecord`] never in practice.
    pub fn meta(&self) -> Result<Vec<u8>, BadRecord> {
        pack(Vec::with_capacity(32), Timestamp::EPOCH, &self.meta)
    }

    /// The records of one of 256 shards, for a checkpoint that holds the lock for a moment at a time.
    pub fn shard(&self, shard: u8) -> impl Iterator<Item = (RecordKey, &[u8])> {
        self.table.shard_records(shard)
    }

    /// Drops what is due in one of 256 shards. Nothing is remembered in [`take_writes`](Self::take_writes): what is due is
    /// dropped again at recovery.
    pub fn purge(&mut self, now: Timestamp) -> usize {
        // What is dropped is gone for good: a clock that is not trusted drops nothing more, and no later verb may decide at
        // an instant at which the dropped still counted.
        if now > self.meta.latest && !self.meta.clock_fault {
            self.meta.latest = now;
            self.meta_changed = true;
        }
        let shard = self.next_sweep;
        self.next_sweep = shard.wrapping_add(1);
        let retention = self.options.retention;
        let rest = |key: &RecordKey, value: &[u8]| without_secret(*key, value, retention);
        self.drop_forgotten_replies(shard) + self.table.sweep(self.meta.latest, rest)
    }

    /// The instant of a verb that decides.
    fn observe(&mut self, now: Timestamp) -> Result<Timestamp, StoreError> {
        if self.meta.clock_fault {
            return Err(StoreError::ClockWentBack);
        }
        if now + MAX_CLOCK_STEP_BACK < self.meta.latest {
            self.meta.clock_fault = true;
            self.meta_changed = true;
            return Err(StoreError::ClockWentBack);
        }
        if now > self.meta.latest {
            self.meta.latest = now;
            self.meta_changed = true;
        }
        Ok(self.meta.latest)
    }

    /// The instant of a verb that only reads.
    fn view(&self, now: Timestamp) -> Timestamp {
        now.max(self.meta.latest)
    }

    /// Whether the state can decide at `now`.
    ///
    /// # Errors
    /// [`StoreError`] says why not.
    pub fn ready(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.meta.clock_fault || now + MAX_CLOCK_STEP_BACK < self.meta.latest {
            return Err(StoreError::ClockWentBack);
        }
        if self.len() >= self.options.max_records {
            return Err(StoreError::Full { max: self.options.max_records });
        }
        Ok(())
    }

    /// Accepts `now`: what was pending is void, and counters from the abandoned future count from `now` on.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a record cannot be read.
    pub fn accept_clock(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for key in self.table.keys() {
            match key.kind {
                Kind::Verification => self.void(key, now)?,
                Kind::Phone => {
                    let Some(mut phone) = self.get::<PhoneRecord>(key.id)? else { continue };
                    phone.clamp_to(now);
                    self.put(key.id, &phone, phone.keep_until())?;
                }
                Kind::Quota => {
                    let Some(mut quota) = self.get::<QuotaRecord>(key.id)? else { continue };
                    quota.tat = gcra::clamp_to(quota.tat, quota.full, now);
                    self.put(key.id, &quota, gcra::free_at(quota.tat))?;
                }
                Kind::Reply => self.clamp_reply(key.id, now)?,
            }
        }
        self.claims.clear();
        self.meta = MetaRecord { latest: now, clock_fault: false };
        self.meta_changed = true;
        Ok(())
    }

    fn void(&mut self, key: RecordKey, now: Timestamp) -> Result<(), StoreError> {
        let Some(mut record) = self.get::<VerificationRecord>(key.id)? else { return Ok(()) };
        record.expires_at = record.expires_at.min(now);
        if record.status == Status::Pending {
            record.secret = None;
        }
        self.put(key.id, &record, now + self.options.retention)
    }

    fn get<T: Packed>(&self, id: [u8; 16]) -> Result<Option<T>, BadRecord> {
        self.table.get(&RecordKey { kind: T::KIND, id }).map(unpack).transpose()
    }

    fn put<T: Packed>(&mut self, id: [u8; 16], record: &T, drop_at: Timestamp) -> Result<(), StoreError> {
        self.packed = pack(std::mem::take(&mut self.packed), drop_at, record)?;
        let key = RecordKey { kind: T::KIND, id };
        let before = self.table.set(&key, Some(&self.packed));
        self.writes.push(Write { key, before });
        Ok(())
    }

    fn delete<T: Packed>(&mut self, id: [u8; 16]) {
        let key = RecordKey { kind: T::KIND, id };
        if let Some(before) = self.table.set(&key, None) {
            self.writes.push(Write { key, before: Some(before) });
        }
    }

    fn holds<T: Packed>(&self, id: [u8; 16]) -> bool {
        self.table.get(&RecordKey { kind: T::KIND, id }).is_some()
    }

    fn verification(&self, id: &VerificationId) -> Result<Option<VerificationRecord>, BadRecord> {
        self.get(*id.as_bytes())
    }

    fn put_verification(&mut self, id: &VerificationId, record: &VerificationRecord) -> Result<(), StoreError> {
        // A code that merely expired is worth nothing any more: its digests and sealed copy go with the next sweep.
        let kept = if record.secret.is_some() { Duration::ZERO } else { self.options.retention };
        self.put(*id.as_bytes(), record, record.expires_at + kept)
    }

    fn phone(&self, phone: &PhoneHash) -> Result<PhoneRecord, BadRecord> {
        Ok(self.get(*phone.as_bytes())?.unwrap_or_default())
    }

    /// Writes a number's record, whose counters are needed at least until `counters_until`.
    fn put_phone(
        &mut self,
        phone: &PhoneHash,
        mut record: PhoneRecord,
        counters_until: Timestamp,
    ) -> Result<(), StoreError> {
        record.counters_until = record.counters_until.max(counters_until);
        self.put(*phone.as_bytes(), &record, record.keep_until())
    }

    fn quota(&self, key: QuotaKey) -> Result<QuotaRecord, BadRecord> {
        Ok(self.get(*key.as_bytes())?.unwrap_or_default())
    }
}

/// What is kept of a verification that expired with its secret: all the rest, until the retention is over.
fn without_secret(key: RecordKey, value: &[u8], retention: Duration) -> Option<Vec<u8>> {
    if key.kind != Kind::Verification {
        return None;
    }
    let mut record: VerificationRecord = unpack(value).ok()?;
    record.secret.take()?;
    pack(Vec::new(), record.expires_at + retention, &record).ok()
}
