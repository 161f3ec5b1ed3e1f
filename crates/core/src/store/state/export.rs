//! What a state holds, record by record and readable: what another kind of store is filled from when data move to it.
//!
//! A number comes with its verifications, because the stores that count by number keep them together.

use super::State;
use super::table::{Kind, RecordKey};
use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::PhoneHash;
use crate::limits::{SlidingLog, gcra};
use crate::store::record::{PhoneRecord, PhoneService, QuotaRecord, ReplyRecord, VerificationRecord};
use crate::store::{QuotaKey, ReplyKey, ReplySubject, RequestDigest, SealedReply, StoreError};

/// A number, its counters and its verifications.
#[derive(Clone, Debug)]
pub struct ExportedPhone {
    /// The line.
    pub phone: PhoneHash,
    /// Sends by all services.
    pub sends: SlidingLog,
    /// Until when its counters are needed, rows of failures aside.
    pub counters_until: Timestamp,
    /// When all of it can go.
    pub keep_until: Timestamp,
    /// Per service.
    pub services: Vec<PhoneService>,
    /// When it was forgotten, and by which service (`None`: by all), as long as a reply of before could still be kept.
    pub forgotten: Vec<(Option<ServiceId>, Timestamp)>,
    /// Its verifications.
    pub verifications: Vec<(VerificationId, VerificationRecord)>,
}

/// A limit of one key that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedQuota {
    /// Of what.
    pub key: QuotaKey,
    /// Where it stands.
    pub tat: gcra::Tat,
    /// A full backlog of the rate that was charged last.
    pub full: gcra::Backlog,
}

/// A kept reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedReply {
    /// By what it is repeated.
    pub key: ReplyKey,
    /// When its request began.
    pub begun_at: Timestamp,
    /// Whom it is about.
    pub subject: ReplySubject,
    /// What its request asked.
    pub digest: RequestDigest,
    /// What was answered.
    pub reply: SealedReply,
}

/// One record, or a number with its verifications.
#[derive(Clone, Debug)]
pub enum Exported {
    /// A number.
    Phone(Box<ExportedPhone>),
    /// A quota.
    Quota(ExportedQuota),
    /// A kept reply.
    Reply(Box<ExportedReply>),
}

/// How much there is to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCounts {
    /// Numbers.
    pub phones: u64,
    /// Verifications.
    pub verifications: u64,
    /// Quotas.
    pub quotas: u64,
    /// Kept replies.
    pub replies: u64,
}

impl State {
    /// How much there is to export.
    #[must_use]
    pub fn export_counts(&self) -> ExportCounts {
        let mut counts = ExportCounts::default();
        for (key, _) in (0..=u8::MAX).flat_map(|shard| self.table.shard_records(shard)) {
            let count = match key.kind {
                Kind::Verification => &mut counts.verifications,
                Kind::Phone => &mut counts.phones,
                Kind::Quota => &mut counts.quotas,
                Kind::Reply => &mut counts.replies,
            };
            *count += 1;
        }
        counts
    }

    /// What one of 256 shards holds: all of it together is every record, verifications with their numbers.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a record cannot be read.
    pub fn export(&self, shard: u8) -> Result<Vec<Exported>, StoreError> {
        let keys: Vec<RecordKey> = self.table.shard_records(shard).map(|(key, _)| key).collect();
        let mut exported = Vec::with_capacity(keys.len());
        for key in keys {
            exported.extend(match key.kind {
                Kind::Verification => None,
                Kind::Phone => self.export_phone(key.id)?,
                Kind::Quota => self.get::<QuotaRecord>(key.id)?.map(|QuotaRecord { tat, full }| {
                    Exported::Quota(ExportedQuota { key: QuotaKey::from_bytes(key.id), tat, full })
                }),
                Kind::Reply => self.get::<ReplyRecord>(key.id)?.map(|record| {
                    let ReplyRecord { begun_at, subject, digest, reply } = record;
                    let key = ReplyKey::from_bytes(key.id);
                    Exported::Reply(Box::new(ExportedReply { key, begun_at, subject, digest, reply }))
                }),
            });
        }
        Ok(exported)
    }

    fn export_phone(&self, id: [u8; 16]) -> Result<Option<Exported>, StoreError> {
        let Some(record) = self.get::<PhoneRecord>(id)? else { return Ok(None) };
        let mut verifications = Vec::new();
        for id in record.services.iter().flat_map(|service| &service.verifications) {
            verifications.extend(self.verification(id)?.map(|record| (*id, record)));
        }
        let keep_until = record.keep_until();
        let PhoneRecord { sends, counters_until, services, forgotten } = record;
        Ok(Some(Exported::Phone(Box::new(ExportedPhone {
            phone: PhoneHash::from_bytes(id),
            sends,
            counters_until,
            keep_until,
            services: services.into_vec(),
            forgotten: forgotten.iter().map(|mark| (mark.service, mark.at)).collect(),
            verifications,
        }))))
    }
}
