//! Which limits exist. The name is part of the API (`rate_limited` carries it) and of metrics, so it never changes.

/// A limit by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitName {
    /// Sends to one number by one service.
    SendsPerPhone,
    /// Sends to one number by all services of this verifyd: no tenant can be used to harass a person.
    SendsPerPhoneAllServices,
    /// Sends on behalf of one person's address (or network, for IPv6).
    SendsPerIp,
    /// Sends within one verification.
    SendsPerVerification,
    /// The waiting time before another send within one verification.
    ResendDelay,
    /// Checks within one verification.
    ChecksPerVerification,
    /// The waiting time before another check within one verification.
    CheckDelay,
    /// Wrong checks for one number and service.
    FailedChecksPerPhone,
}

impl LimitName {
    /// Every limit.
    pub const ALL: [Self; 8] = [
        Self::SendsPerPhone,
        Self::SendsPerPhoneAllServices,
        Self::SendsPerIp,
        Self::SendsPerVerification,
        Self::ResendDelay,
        Self::ChecksPerVerification,
        Self::CheckDelay,
        Self::FailedChecksPerPhone,
    ];

    /// The word in the API, in configuration and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendsPerPhone => "sends_per_phone",
            Self::SendsPerPhoneAllServices => "sends_per_phone_all_services",
            Self::SendsPerIp => "sends_per_ip",
            Self::SendsPerVerification => "sends_per_verification",
            Self::ResendDelay => "resend_delay",
            Self::ChecksPerVerification => "checks_per_verification",
            Self::CheckDelay => "check_delay",
            Self::FailedChecksPerPhone => "failed_checks_per_phone",
        }
    }
}
