//! Takes over what another store exported: the one place that packs records in Rust. `records.lua` says how they are laid out, and
//! `decode` reads the same; a test holds the two together.
//!
//! It is for `verifyd migrate`, while no node serves. A record that is there already and is the same counts as taken over, so that a
//! migration that broke off can be begun anew.

use verifyd_core::clock::Timestamp;
use verifyd_core::limits::{SlidingLog, gcra};
use verifyd_core::sender::{Channel, DeliveryStatus};
use verifyd_core::store::state::{Exported, ExportedPhone, ExportedQuota, ExportedReply};
use verifyd_core::store::{DeliveryRecord, PhoneService, REPLY_KEPT, Status, StoreError, VerificationRecord};

use super::answer::Answer;
use super::{RedisStore, decode, encode, replies};

const VERSION: u8 = 1;
/// Where the era stands in a verification, and how many bytes it has.
const ERA_AT: u64 = 60;
const ERA: [u8; 8] = [0; 8];
/// How often the number's clock went back too far at its new place.
const GENERATION: u64 = 0;
const KEPT: u8 = 2;
const SETTLED: u8 = 1;
const REFUNDED: u8 = 2;

/// What to do with exported records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// Write what is not there.
    Write,
    /// Only see what is there.
    Compare,
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Written.
    pub written: u64,
    /// There already, and the same.
    pub same: u64,
    /// Not needed any more.
    pub over: u64,
    /// There already, and other: somebody has used the store.
    pub other: u64,
    /// Not there. Only when comparing.
    pub missing: u64,
}

impl std::ops::AddAssign for Imported {
    fn add_assign(&mut self, more: Self) {
        self.written += more.written;
        self.same += more.same;
        self.over += more.over;
        self.other += more.other;
        self.missing += more.missing;
    }
}

/// A record as it is kept, and until when it counts.
struct Packed {
    key: Vec<u8>,
    value: Vec<u8>,
    ends: Timestamp,
    era_at: u64,
}

/// Bytes, integers in big endian.
#[derive(Default)]
struct Writer(Vec<u8>);

fn too_large() -> StoreError {
    StoreError::Corrupt("a record is too large to be taken over")
}

impl Writer {
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn integer(&mut self, integer: u64, size: usize) -> &mut Self {
        self.0.extend(integer.to_be_bytes().iter().skip(8 - size));
        self
    }

    fn instant(&mut self, at: Timestamp) -> &mut Self {
        self.integer(at.unix_ms(), 6)
    }

    fn instant_if_any(&mut self, at: Option<Timestamp>) -> &mut Self {
        self.instant(at.unwrap_or_default())
    }

    /// Bytes after their number, which takes `size` bytes.
    fn sized(&mut self, bytes: &[u8], size: u32) -> Result<&mut Self, StoreError> {
        let count = u64::try_from(bytes.len()).map_err(|_source| too_large())?;
        if count >> (8 * size) != 0 {
            return Err(too_large());
        }
        Ok(self.integer(count, size as usize).raw(bytes))
    }

    fn log(&mut self, log: &SlidingLog) -> Result<&mut Self, StoreError> {
        let mut instants = Self::default();
        for at in log.instants() {
            instants.instant(at);
        }
        self.sized(&instants.0, 3)
    }
}

fn status(status: Status) -> (u8, Timestamp) {
    match status {
        Status::Pending => (0, Timestamp::EPOCH),
        Status::Approved { at } => (1, at),
        Status::Canceled { at } => (2, at),
        Status::MaxAttemptsReached { at } => (3, at),
        Status::Failed { at } => (4, at),
    }
}

fn position<T: PartialEq>(all: &[T], value: &T) -> Result<u64, StoreError> {
    let found = all.iter().position(|one| one == value).and_then(|place| u64::try_from(place).ok());
    found.ok_or(StoreError::Corrupt("a record holds a word that this version does not know"))
}

fn pack_delivery(writer: &mut Writer, delivery: &DeliveryRecord) -> Result<(), StoreError> {
    let flags = u8::from(delivery.settled) * SETTLED + u8::from(delivery.refunded) * REFUNDED;
    let details = if delivery.settled { decode::pack_details(delivery)? } else { Vec::new() };
    writer.raw(delivery.id.as_bytes()).instant(delivery.at);
    writer.integer(position(&Channel::ALL, &delivery.channel)?, 1);
    writer.integer(position(&DeliveryStatus::ALL, &delivery.status)?, 1).integer(flags.into(), 1);
    let request = delivery.request.map(|request| request.as_bytes().to_vec()).unwrap_or_default();
    writer.sized(&request, 1)?.sized(&details, 2).map(|_writer| ())
}

fn pack_verification(record: &VerificationRecord) -> Result<Vec<u8>, StoreError> {
    let (status, ended_at) = status(record.status);
    let secret = record.secret.as_ref().map(|secret| {
        [secret.by_id.as_bytes().as_slice(), secret.by_number.as_bytes(), secret.sealed.as_bytes()].concat()
    });
    let mut writer = Writer::default();
    writer.raw(&[VERSION, status]).instant(ended_at).raw(record.service.as_bytes()).raw(record.phone.as_bytes());
    writer.raw(&record.number).instant(record.created_at).instant(record.expires_at).raw(&ERA);
    writer
        .integer(GENERATION, 2)
        .raw(&[record.code_digits])
        .raw(record.key.as_bytes())
        .integer(record.checks_used.into(), 4);
    writer.instant_if_any(record.last_check_at);
    writer.sized(record.last_check_by.as_ref().map_or(&[], |by| by.as_bytes().as_slice()), 1)?;
    writer.sized(record.purpose.as_ref().map_or(&[], |purpose| purpose.as_slice()), 1)?;
    writer.sized(secret.as_deref().unwrap_or_default(), 2)?.sized(record.identity.as_bytes(), 2)?;
    writer.sized(record.locale.as_bytes(), 1)?;
    writer.raw(&[u8::try_from(record.deliveries.len()).map_err(|_source| too_large())?]);
    for delivery in &record.deliveries {
        pack_delivery(&mut writer, delivery)?;
    }
    Ok(writer.0)
}

impl RedisStore {
    /// Takes over one exported record, or compares it with what is there. `latest` is the latest instant that the other store used.
    ///
    /// # Errors
    /// [`StoreError`]; it may have been taken over.
    pub async fn import(&self, what: Import, exported: &Exported, latest: Timestamp) -> Result<Imported, StoreError> {
        let packed = match exported {
            Exported::Phone(phone) => self.pack_phone(phone, latest)?,
            Exported::Quota(quota) => vec![self.pack_quota(quota)],
            Exported::Reply(reply) => vec![self.pack_reply(reply)?],
        };
        let word = if what == Import::Write { "write" } else { "compare" };
        let mut args = vec![self.clock(latest), word.into()];
        let mut keys = Vec::with_capacity(packed.len());
        for record in packed {
            keys.push(record.key);
            args.extend([record.value, encode::integer(record.ends.unix_ms()), encode::integer(record.era_at)]);
        }
        let mut answer = Answer::of(self.link.call(&self.scripts.import, &keys, args).await?)?;
        Ok(Imported {
            written: answer.integer()?,
            same: answer.integer()?,
            over: answer.integer()?,
            other: answer.integer()?,
            missing: answer.integer()?,
        })
    }

    /// The number comes first: its key names the slot.
    fn pack_phone(&self, exported: &ExportedPhone, latest: Timestamp) -> Result<Vec<Packed>, StoreError> {
        let mut writer = Writer::default();
        writer.raw(&[VERSION]).instant(latest).integer(GENERATION, 2).instant(exported.counters_until);
        let mut marks = Writer::default();
        for (service, at) in &exported.forgotten {
            let by = service.map_or([0; 16], |service| *service.as_bytes());
            marks.raw(&[u8::from(service.is_none())]).raw(&by).instant(*at);
        }
        writer.log(&exported.sends)?.sized(&marks.0, 2)?;
        let count = u16::try_from(exported.services.len()).map_err(|_source| too_large())?;
        writer.integer(count.into(), 2);
        for service in &exported.services {
            self.pack_service(&mut writer, service, exported)?;
        }
        let key = self.keys.number(&exported.phone);
        let mut packed = vec![Packed { key, value: writer.0, ends: exported.keep_until, era_at: 0 }];
        for (id, record) in &exported.verifications {
            let ends = record.expires_at + self.options.retention;
            let (key, value) = (self.keys.verification(id), pack_verification(record)?);
            packed.push(Packed { key, value, ends, era_at: ERA_AT });
        }
        Ok(packed)
    }

    fn pack_service(&self, writer: &mut Writer, service: &PhoneService, of: &ExportedPhone) -> Result<(), StoreError> {
        writer.raw(service.service.as_bytes()).integer(service.failures_in_a_row.into(), 4);
        writer.instant_if_any(service.last_failure_at).log(&service.sends)?.log(&service.failures)?;
        let mut found = Writer::default();
        for id in &service.verifications {
            if let Some((_, record)) = of.verifications.iter().find(|(known, _)| known == id) {
                found.raw(id.as_bytes()).instant(record.expires_at + self.options.retention);
            }
        }
        writer.sized(&found.0, 2).map(|_writer| ())
    }

    fn pack_quota(&self, exported: &ExportedQuota) -> Packed {
        let mut writer = Writer::default();
        writer.raw(&[VERSION]).integer(exported.tat.unix_us(), 7).integer(exported.full.us(), 7);
        let ends = gcra::free_at(exported.tat);
        Packed { key: self.keys.quota(&exported.key), value: writer.0, ends, era_at: 0 }
    }

    fn pack_reply(&self, exported: &ExportedReply) -> Result<Packed, StoreError> {
        let mut writer = Writer::default();
        writer.raw(&[KEPT]).raw(exported.digest.as_bytes()).instant(exported.begun_at);
        writer.raw(&replies::pack_kept(exported.subject, exported.reply.clone())?);
        let ends = exported.begun_at + REPLY_KEPT;
        Ok(Packed { key: self.keys.reply(&exported.key), value: writer.0, ends, era_at: 0 })
    }
}
