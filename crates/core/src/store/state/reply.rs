//! Kept replies and the claims of requests that are at work.
//!
//! A claim lives in memory alone and is never journaled: it ends with its process, so a request can be repeated at once after
//! a crash, and beginning one costs no write. Kept replies are records like all others.

use std::collections::HashMap;

use super::State;
use super::table::{Kind, RecordKey};
use crate::clock::Timestamp;
use crate::store::record::ReplyRecord;
use crate::store::{
    BegunReply, FinishReply, REPLY_KEPT, REPLY_LEASE, REPLY_RETRY_AFTER, ReplyKey, ReplyRequest, ReplySubject,
    RequestDigest, StoreError,
};

/// Sweeps until every shard was looked at once.
pub(super) const SHARDS: u16 = 256;

/// The requests that are at work.
pub(super) type Claims = HashMap<ReplyKey, Claim>;

/// A request that is at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    digest: RequestDigest,
    begun_at: Timestamp,
    /// From then on another request with its key runs beside it.
    until: Timestamp,
}

impl State {
    /// Claims the key of a request, or says what became of the one that had it.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide or has no room.
    pub fn begin_reply(&mut self, request: &ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        let now = self.observe(now)?;
        if let Some(claim) = self.claims.get(&request.key).filter(|claim| now < claim.until) {
            if claim.digest != request.digest {
                return Ok(BegunReply::BodyDiffers);
            }
            return Ok(BegunReply::InProgress { at: now, retry_at: claim.until.min(now + REPLY_RETRY_AFTER) });
        }
        if let Some(record) = self.kept_reply(&request.key, now)? {
            let same = record.digest == request.digest;
            return Ok(if same { BegunReply::Stored(record.reply) } else { BegunReply::BodyDiffers });
        }
        let max = self.options.max_records;
        if self.len() >= max {
            return Err(StoreError::Full { max });
        }
        let claim = Claim { digest: request.digest, begun_at: now, until: now + REPLY_LEASE };
        self.claims.insert(request.key, claim);
        Ok(BegunReply::Fresh)
    }

    /// Keeps the reply of a request that was begun, and ends its claim.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide.
    pub fn finish_reply(&mut self, finish: &FinishReply, now: Timestamp) -> Result<(), StoreError> {
        self.observe(now)?;
        let FinishReply { request, subject, reply } = finish;
        let Some(Claim { begun_at, .. }) = self.end_claim(request) else { return Ok(()) };
        if self.is_forgotten(subject, begun_at)? {
            return Ok(());
        }
        let record = ReplyRecord { begun_at, subject: *subject, digest: request.digest, reply: reply.clone() };
        self.put(*request.key.as_bytes(), &record, begun_at + REPLY_KEPT)
    }

    /// Ends the claim of a request that had no effect.
    pub fn abandon_reply(&mut self, request: &ReplyRequest) {
        self.end_claim(request);
    }

    fn end_claim(&mut self, request: &ReplyRequest) -> Option<Claim> {
        let held = self.claims.get(&request.key).is_some_and(|claim| claim.digest == request.digest);
        if held { self.claims.remove(&request.key) } else { None }
    }

    fn kept_reply(&self, key: &ReplyKey, now: Timestamp) -> Result<Option<ReplyRecord>, StoreError> {
        let Some(record) = self.get::<ReplyRecord>(*key.as_bytes())? else { return Ok(None) };
        let gone = now >= record.begun_at + REPLY_KEPT || self.is_forgotten(&record.subject, record.begun_at)?;
        Ok((!gone).then_some(record))
    }

    /// Whether what a request that began at `begun_at` says about a number was forgotten since.
    fn is_forgotten(&self, subject: &ReplySubject, begun_at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.phone(&subject.phone)?.forgotten_since(subject.service, begun_at))
    }

    /// Lets the next round of sweeps look for replies about forgotten numbers.
    pub(super) fn look_for_forgotten_replies(&mut self) {
        self.sweeps_for_forgotten = SHARDS;
    }

    /// Drops the replies of a shard that are about forgotten numbers, if any were forgotten since the last round, and the leases
    /// that ran out. Returns how many replies went.
    pub(super) fn drop_forgotten_replies(&mut self, shard: u8) -> usize {
        let now = self.meta.latest;
        self.claims.retain(|_, claim| claim.until > now);
        if self.sweeps_for_forgotten == 0 {
            return 0;
        }
        self.sweeps_for_forgotten -= 1;
        let forgotten = |key: &RecordKey| {
            let reply = (key.kind == Kind::Reply).then(|| self.get::<ReplyRecord>(key.id)).transpose().ok()??;
            let reply = reply?;
            self.is_forgotten(&reply.subject, reply.begun_at).ok()
        };
        let keys = self.table.shard_records(shard).map(|(key, _)| key);
        let due: Vec<RecordKey> = keys.filter(|key| forgotten(key) == Some(true)).collect();
        for key in &due {
            self.table.set(key, None);
        }
        due.len()
    }

    /// Lets a reply of an abandoned future count from `now`.
    pub(super) fn clamp_reply(&mut self, id: [u8; 16], now: Timestamp) -> Result<(), StoreError> {
        let Some(mut record) = self.get::<ReplyRecord>(id)? else { return Ok(()) };
        record.begun_at = record.begun_at.min(now);
        self.put(id, &record, record.begun_at + REPLY_KEPT)
    }
}
