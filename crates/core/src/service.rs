//! A service: one tenant's settings, validated.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::code::CodeLength;
use crate::id::ServiceId;
use crate::limits::{ParseRateError, Rate};
use crate::message::{Brand, Locale, OriginHost};
use crate::phone_number::{NumberPolicy, Region};
use crate::proof::ProofSubject;
use crate::store::Rules;

/// The shortest life of a verification.
pub const MIN_TTL: Duration = Duration::from_secs(1);
/// The longest life of a verification; NIST SP 800-63B asks for at most ten minutes, Twilio allows a day.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 3600);
/// The most failures in a row that may be configured (NIST SP 800-63B, section 3.2.2).
pub const MAX_FAILED_CHECKS_IN_A_ROW: u32 = 100;
/// The most sends or checks within one verification.
pub const MAX_PER_VERIFICATION: u32 = 20;
/// The most waiting times in a list.
pub const MAX_DELAYS: usize = 20;

/// The name by which configuration and callers know a service: 1 to 40 of `a-z 0-9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName(String);

/// Text that is no service name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a service's name is 1 to 40 of a-z 0-9 _ -")]
pub struct ParseServiceNameError;

impl ServiceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a service of the configuration: the same on every machine and for ever, since callers keep it.
    #[must_use]
    pub fn stable_id(&self) -> ServiceId {
        let digest: [u8; 32] = Sha256::digest(format!("verifyd/1/service/{}", self.0)).into();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        ServiceId::from_bytes(bytes)
    }
}

impl FromStr for ServiceName {
    type Err = ParseServiceNameError;

    fn from_str(text: &str) -> Result<Self, ParseServiceNameError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > 40 || !text.bytes().all(allowed) {
            return Err(ParseServiceNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Settings that no service may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The life of a verification.
    #[error("ttl is 1s to 24h")]
    Ttl,
    /// Sends within a verification.
    #[error("sends_per_verification is 1 to 20")]
    SendsPerVerification,
    /// Checks within a verification.
    #[error("checks_per_verification is 1 to 20")]
    ChecksPerVerification,
    /// Failures in a row.
    #[error("failed_checks_in_a_row is 1 to 100")]
    FailedChecksInARow,
    /// A number's failures are kept as an exact log.
    #[error("failed_checks_per_phone is at most 100 per window")]
    FailedChecksPerPhone,
    /// A number's sends are kept as an exact log.
    #[error("sends_per_phone and sends_per_phone_all_services are at most 100 per window")]
    SendsPerPhone,
    /// Waiting times.
    #[error("resend_delays and check_delays have at most 20 entries of at most 24h")]
    Delays,
}

/// The limits of a service. `Default` is the documented set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the store applies by number and verification.
    pub rules: Rules,
    /// Sends on behalf of one person's address: N per IPv4 address or IPv6 /64, 2N per /56, 8N per /48.
    pub sends_per_ip: Rate,
}

/// The largest N of a limit that is kept as an exact log.
const MAX_LOG_COUNT: u32 = 100;

impl Limits {
    /// The documented defaults: 5 sends an hour per number, 10 a day over all services, 5 sends and 5 checks per
    /// verification, 10 failed checks a day and 100 in a row per number, 30 sends an hour per address, resends after
    /// 30, 60, 120 and 300 seconds.
    ///
    /// # Errors
    /// None in practice: the figures are within bounds.
    pub fn documented() -> Result<Self, ParseRateError> {
        let hour = Duration::from_secs(3600);
        let day = Duration::from_secs(24 * 3600);
        Ok(Self {
            rules: Rules {
                sends_per_phone: Rate::new(5, hour)?,
                sends_per_phone_all_services: Rate::new(10, day)?,
                sends_per_verification: 5,
                checks_per_verification: 5,
                failed_checks_per_phone: Rate::new(10, day)?,
                failed_checks_in_a_row: MAX_FAILED_CHECKS_IN_A_ROW,
                resend_delays: Arc::from([30, 60, 120, 300].map(Duration::from_secs)),
                check_delays: Arc::from([]),
            },
            sends_per_ip: Rate::new(30, hour)?,
        })
    }

    fn validate(&self) -> Result<(), ServiceError> {
        let rules = &self.rules;
        let per_verification = 1..=MAX_PER_VERIFICATION;
        let delay_list = |list: &[Duration]| list.len() <= MAX_DELAYS && list.iter().all(|delay| *delay <= MAX_TTL);
        if !per_verification.contains(&rules.sends_per_verification) {
            return Err(ServiceError::SendsPerVerification);
        }
        if !per_verification.contains(&rules.checks_per_verification) {
            return Err(ServiceError::ChecksPerVerification);
        }
        if !(1..=MAX_FAILED_CHECKS_IN_A_ROW).contains(&rules.failed_checks_in_a_row) {
            return Err(ServiceError::FailedChecksInARow);
        }
        if rules.failed_checks_per_phone.count() > MAX_LOG_COUNT {
            return Err(ServiceError::FailedChecksPerPhone);
        }
        if rules.sends_per_phone.count() > MAX_LOG_COUNT || rules.sends_per_phone_all_services.count() > MAX_LOG_COUNT {
            return Err(ServiceError::SendsPerPhone);
        }
        if !delay_list(&rules.resend_delays) || !delay_list(&rules.check_delays) {
            return Err(ServiceError::Delays);
        }
        Ok(())
    }
}

/// What a service is made of.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Its name.
    pub name: ServiceName,
    /// The brand in the message.
    pub brand: Brand,
    /// Digits of its codes.
    pub code_length: CodeLength,
    /// Life of a verification.
    pub ttl: Duration,
    /// Region of numbers in national form; `None` takes only E.164.
    pub default_region: Option<Region>,
    /// Which numbers it sends to.
    pub numbers: NumberPolicy,
    /// Its limits.
    pub limits: Limits,
    /// Whether callers may bring their own code.
    pub custom_codes: bool,
    /// Language when a start names none.
    pub locale: Locale,
    /// Whether the message warns not to share the code.
    pub do_not_share_warning: bool,
    /// Host of the WebOTP line.
    pub web_otp_host: Option<OriginHost>,
    /// Whom its proofs name.
    pub proof_subject: ProofSubject,
}

/// One tenant, validated.
#[derive(Clone, Debug)]
pub struct Service {
    id: ServiceId,
    settings: ServiceSettings,
}

impl Service {
    /// A service of the configuration, with the id that follows from its name.
    ///
    /// # Errors
    /// [`ServiceError`] names the setting that is out of bounds.
    pub fn new(settings: ServiceSettings) -> Result<Self, ServiceError> {
        if settings.ttl < MIN_TTL || settings.ttl > MAX_TTL {
            return Err(ServiceError::Ttl);
        }
        settings.limits.validate()?;
        Ok(Self { id: settings.name.stable_id(), settings })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ServiceId {
        self.id
    }

    /// Its settings.
    #[must_use]
    pub const fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    /// The rules for the store.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.settings.limits.rules
    }
}
