//! Reads the records that the scripts pack; `records.lua` says how they are laid out.
//!
//! What a script need not look into, the details of a settled delivery, is packed here (postcard) and only kept there.

use serde::{Deserialize, Serialize};
use verifyd_core::clock::Timestamp;
use verifyd_core::id::{DeliveryId, ServiceId};
use verifyd_core::keys::{CodeDigest, KeyTag, PhoneHash, Sealed};
use verifyd_core::limits::SlidingLog;
use verifyd_core::sender::{Channel, DeliveryStatus, Price};
use verifyd_core::store::{
    CodeSecret, DeliveryRecord, PhoneService, RequestDigest, SettleRequest, Status, StoreError, VerificationRecord,
    message_id,
};

const VERSION: u8 = 1;
const SETTLED: u8 = 1;
const REFUNDED: u8 = 2;

/// A record that does not say what it should.
fn bad() -> StoreError {
    StoreError::Corrupt("not a record of this version")
}

/// Bytes, front to back, integers in big endian.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], StoreError> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or_else(bad)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(bad)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn integer(&mut self, bytes: usize) -> Result<u64, StoreError> {
        Ok(self.bytes(bytes)?.iter().fold(0, |integer, byte| integer << 8 | u64::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, StoreError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn instant(&mut self) -> Result<Timestamp, StoreError> {
        self.integer(6).map(Timestamp::from_unix_ms)
    }

    /// An instant that may not be there, which is zero.
    fn instant_if_any(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.instant().map(|at| (at > Timestamp::EPOCH).then_some(at))
    }

    fn count(&mut self) -> Result<u32, StoreError> {
        self.integer(4).and_then(|count| u32::try_from(count).map_err(|_source| bad()))
    }

    /// Bytes after their number, which takes `size` bytes.
    fn sized(&mut self, size: usize) -> Result<&'a [u8], StoreError> {
        let count = usize::try_from(self.integer(size)?).map_err(|_source| bad())?;
        self.bytes(count)
    }

    /// Eight bytes that may not be there.
    fn digest(&mut self) -> Result<Option<[u8; 8]>, StoreError> {
        match self.sized(1)? {
            [] => Ok(None),
            bytes => bytes.try_into().map(Some).map_err(|_source| bad()),
        }
    }

    fn log(&mut self) -> Result<SlidingLog, StoreError> {
        let bytes = self.sized(3)?;
        let mut log = Reader(bytes);
        (0..bytes.len() / 6).map(|_| log.instant()).collect()
    }

    fn version(&mut self) -> Result<(), StoreError> {
        if self.byte()? == VERSION { Ok(()) } else { Err(bad()) }
    }
}

/// A number as a script returned it.
#[derive(Debug, Default)]
pub(super) struct NumberRecord {
    pub(super) sends: SlidingLog,
    pub(super) services: Vec<PhoneService>,
    forgotten: Vec<(Option<ServiceId>, Timestamp)>,
}

impl NumberRecord {
    /// The number as `service` knows it.
    pub(super) fn service(&self, service: ServiceId) -> PhoneService {
        let known = self.services.iter().find(|entry| entry.service == service);
        known.cloned().unwrap_or_else(|| PhoneService::new(service))
    }

    /// Whether `service` forgot the number at `since` or later.
    pub(super) fn forgotten_since(&self, service: ServiceId, since: Timestamp) -> bool {
        self.forgotten.iter().any(|(by, at)| by.is_none_or(|by| by == service) && *at >= since)
    }
}

pub(super) fn decode_number(packed: &[u8]) -> Result<NumberRecord, StoreError> {
    let mut reader = Reader(packed);
    reader.version()?;
    // The latest instant, the generation and how long the record counts: for scripts only.
    reader.bytes(14)?;
    let sends = reader.log()?;
    let marks = reader.sized(2)?;
    let mut forgotten = Vec::new();
    for mark in marks.chunks_exact(23) {
        let mut mark = Reader(mark);
        let (by_all, service) = (mark.byte()? == 1, ServiceId::from_bytes(mark.array()?));
        forgotten.push(((!by_all).then_some(service), mark.instant()?));
    }
    let services = (0..reader.integer(2)?).map(|_| decode_service(&mut reader)).collect::<Result<_, _>>()?;
    Ok(NumberRecord { sends, services, forgotten })
}

fn decode_service(reader: &mut Reader<'_>) -> Result<PhoneService, StoreError> {
    let mut service = PhoneService::new(ServiceId::from_bytes(reader.array()?));
    service.failures_in_a_row = reader.count()?;
    service.last_failure_at = reader.instant_if_any()?;
    service.sends = reader.log()?;
    service.failures = reader.log()?;
    // The ids of its verifications: for scripts only.
    reader.sized(2)?;
    Ok(service)
}

/// The verification as it counts at `now`. A code that is over is worth nothing and not given out, whether or not its digests
/// have been erased yet.
pub(super) fn decode_verification(packed: &[u8], now: Timestamp) -> Result<VerificationRecord, StoreError> {
    let mut reader = Reader(packed);
    reader.version()?;
    let status = reader.byte()?;
    let status = decode_status(status, reader.instant()?)?;
    let service = ServiceId::from_bytes(reader.array()?);
    let phone = PhoneHash::from_bytes(reader.array()?);
    let number = reader.array()?;
    let created_at = reader.instant()?;
    let expires_at = reader.instant()?;
    // The era and the generation: for scripts only.
    reader.bytes(10)?;
    let code_digits = reader.byte()?;
    let key = KeyTag::from_bytes(reader.array()?);
    let checks_used = reader.count()?;
    let last_check_at = reader.instant_if_any()?;
    let last_check_by = reader.digest()?.map(RequestDigest::from_bytes);
    let purpose = reader.digest()?;
    let secret = decode_secret(reader.sized(2)?)?.filter(|_| now < expires_at);
    let identity = Sealed::from_bytes(reader.sized(2)?);
    let locale = str::from_utf8(reader.sized(1)?).map_err(|_source| bad())?.into();
    let deliveries = (0..reader.byte()?).map(|_| decode_delivery(&mut reader)).collect::<Result<_, _>>()?;
    Ok(VerificationRecord {
        service,
        phone,
        number,
        created_at,
        expires_at,
        status,
        code_digits,
        key,
        secret,
        identity,
        purpose,
        locale,
        checks_used,
        last_check_at,
        last_check_by,
        deliveries,
    })
}

fn decode_status(status: u8, at: Timestamp) -> Result<Status, StoreError> {
    Ok(match status {
        0 => Status::Pending,
        1 => Status::Approved { at },
        2 => Status::Canceled { at },
        3 => Status::MaxAttemptsReached { at },
        4 => Status::Failed { at },
        _ => return Err(bad()),
    })
}

fn decode_secret(packed: &[u8]) -> Result<Option<CodeSecret>, StoreError> {
    if packed.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader(packed);
    Ok(Some(CodeSecret {
        by_id: CodeDigest::from_bytes(reader.array()?),
        by_number: CodeDigest::from_bytes(reader.array()?),
        sealed: Sealed::from_bytes(reader.0),
    }))
}

fn decode_delivery(reader: &mut Reader<'_>) -> Result<DeliveryRecord, StoreError> {
    let (id, at) = (DeliveryId::from_bytes(reader.array()?), reader.instant()?);
    let channel = *Channel::ALL.get(usize::from(reader.byte()?)).ok_or_else(bad)?;
    let status = *DeliveryStatus::ALL.get(usize::from(reader.byte()?)).ok_or_else(bad)?;
    let flags = reader.byte()?;
    let request = reader.digest()?.map(RequestDigest::from_bytes);
    let details = match reader.sized(2)? {
        [] => Details::default(),
        packed => postcard::from_bytes(packed).map_err(|_source| bad())?,
    };
    Ok(DeliveryRecord {
        id,
        at,
        channel,
        status,
        settled: flags & SETTLED != 0,
        refunded: flags & REFUNDED != 0,
        sender: details.sender,
        message_id: details.message_id,
        segments: details.segments,
        price: details.price,
        error_code: details.error_code,
        request,
    })
}

/// What a settlement adds to a delivery.
#[derive(Default, Serialize, Deserialize)]
struct Details {
    sender: Box<str>,
    #[serde(with = "message_id")]
    message_id: Option<Box<str>>,
    segments: u16,
    price: Option<Box<Price>>,
    error_code: Option<Box<str>>,
}

/// The details of a delivery that was settled elsewhere, as they are kept.
pub(super) fn pack_details(delivery: &DeliveryRecord) -> Result<Vec<u8>, StoreError> {
    let details = Details {
        sender: delivery.sender.clone(),
        message_id: delivery.message_id.clone(),
        segments: delivery.segments,
        price: delivery.price.clone(),
        error_code: delivery.error_code.clone(),
    };
    postcard::to_stdvec(&details).map_err(|_source| bad())
}

/// The details of a settlement, as they are kept.
pub(super) fn encode_details(settle: &SettleRequest) -> Result<Vec<u8>, StoreError> {
    let details = Details {
        sender: settle.sender.into(),
        message_id: settle.message_id.as_deref().map(Into::into),
        segments: settle.segments,
        price: settle.price.clone().map(Box::new),
        error_code: settle.error_code.as_deref().map(Into::into),
    };
    postcard::to_stdvec(&details).map_err(|_source| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_in_the_scripts_are_those_of_the_core() {
        assert_eq!(DeliveryStatus::ALL.get(5), Some(&DeliveryStatus::Failed), "STATUS_FAILED of settle.lua");
        assert_eq!(DeliveryStatus::ALL.get(6), Some(&DeliveryStatus::Unknown), "STATUS_UNKNOWN of admit.lua");
    }

    #[test]
    fn what_is_cut_short_is_no_record() {
        let whole = [vec![VERSION], vec![0; 14], vec![0; 3], vec![0; 2], vec![0; 2]].concat();
        assert!(decode_number(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(decode_number(&whole[..length]).is_err(), "{length}");
        }
        assert!(decode_verification(&whole, Timestamp::EPOCH).is_err());
    }
}
