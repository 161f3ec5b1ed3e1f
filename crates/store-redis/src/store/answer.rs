//! What scripts answer, read piece by piece.

use redis::Value;
use verifyd_core::clock::Timestamp;
use verifyd_core::store::StoreError;

use super::decode::{NumberRecord, decode_number, decode_verification};
use verifyd_core::id::VerificationId;
use verifyd_core::store::VerificationRecord;

/// An answer that is no answer of ours.
pub(super) const STRANGE: StoreError = StoreError::Corrupt("a script answered what none of ours does");

/// The words of a script's first integer; the numbers stand in `records.lua` and `check.lua`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Refused,
    Done,
    Repeated,
    Absent,
    Right,
    Wrong,
}

/// The elements of an answer, front to back.
#[derive(Debug)]
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Answer {
    pub(super) fn of(value: Value) -> Result<Self, StoreError> {
        match value {
            Value::Array(elements) => Ok(Self(elements.into_iter())),
            _ => Err(STRANGE),
        }
    }

    pub(super) fn integer(&mut self) -> Result<u64, StoreError> {
        match self.0.next() {
            Some(Value::Int(integer)) => u64::try_from(integer).map_err(|_negative| STRANGE),
            _ => Err(STRANGE),
        }
    }

    pub(super) fn instant(&mut self) -> Result<Timestamp, StoreError> {
        self.integer().map(Timestamp::from_unix_ms)
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.0.next() {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            _ => Err(STRANGE),
        }
    }

    pub(super) fn what(&mut self) -> Result<What, StoreError> {
        match self.integer()? {
            0 => Ok(What::Refused),
            1 => Ok(What::Done),
            2 => Ok(What::Repeated),
            3 => Ok(What::Absent),
            4 => Ok(What::Right),
            5 => Ok(What::Wrong),
            _ => Err(STRANGE),
        }
    }
}

/// What most scripts answer: the records that they decided by, as they left them.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) what: What,
    /// The instant that the script used.
    pub(super) at: Timestamp,
    /// Since when counters may be incomplete; the epoch if they are not.
    pub(super) since: Timestamp,
    pub(super) number: NumberRecord,
    pub(super) verification: Option<(VerificationId, VerificationRecord)>,
    /// Whatever a script adds; zero if it adds nothing.
    pub(super) more: u64,
}

impl Seen {
    pub(super) fn of(value: Value) -> Result<Self, StoreError> {
        let mut answer = Answer::of(value)?;
        let (what, at) = (answer.what()?, answer.instant()?);
        if what == What::Absent {
            let (since, number) = (Timestamp::EPOCH, NumberRecord::default());
            return Ok(Self { what, at, since, number, verification: None, more: 0 });
        }
        let since = answer.instant()?;
        let number = decode_number(&answer.bytes()?)?;
        let (packed, id) = (answer.bytes()?, answer.bytes()?);
        let verification = match <[u8; 16]>::try_from(id) {
            Ok(id) => Some((VerificationId::from_bytes(id), decode_verification(&packed, at)?)),
            Err(_none) => None,
        };
        let more = answer.integer().unwrap_or(0);
        Ok(Self { what, at, since, number, verification, more })
    }
}
