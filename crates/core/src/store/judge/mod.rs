//! The rules of the verbs as pure functions over what a store keeps: no clock, no table, no effect.
//!
//! The state machine ([`super::state`]) decides by them. A store that decides elsewhere, such as in a script at its server,
//! tells by them what was decided: why it was refused, and how everything stands now.

mod check;
mod info;
mod send;
mod standing;

pub use check::check;
pub use info::info;
pub use send::{is_for, send, takes_start};
pub use standing::standing;

use super::Refusal;
use super::record::{PhoneService, Status, VerificationRecord};
use crate::clock::Timestamp;
use crate::limits::SlidingLog;

/// What the rules look at of a number.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    /// Sends to it by all services.
    pub all_services: &'a SlidingLog,
    /// The number as the service of the request knows it.
    pub service: &'a PhoneService,
}

/// Refuses what is not live: the one place that says what "pending" means at an instant.
///
/// # Errors
/// The refusal.
pub fn refuse_unless_pending(record: &VerificationRecord, now: Timestamp) -> Result<(), Refusal> {
    let over = now >= record.expires_at;
    match record.status {
        Status::Pending | Status::MaxAttemptsReached { .. } if over => Err(Refusal::Expired),
        Status::Pending => Ok(()),
        Status::Approved { .. } => Err(Refusal::AlreadyApproved),
        Status::Canceled { .. } => Err(Refusal::Canceled),
        Status::MaxAttemptsReached { .. } => Err(Refusal::MaxChecks { retry_at: Some(record.expires_at) }),
        Status::Failed { .. } => Err(Refusal::Failed),
    }
}
