//! Settings of the Twilio sender and the one door that validates them.
//!
//! [`TwilioSettings`] is what an operator writes; [`TwilioConfig`] exists only if it can work. Errors name the field and
//! repeat no value: any of them may be a secret pasted into the wrong place.

use std::time::Duration;

use serde::Deserialize;
use url::{Host, Url};

use crate::secret::Secret;

/// Where Twilio answers.
pub const DEFAULT_BASE_URL: &str = "https://api.twilio.com";
/// The longest status callback that Twilio takes, in bytes (its error 21609).
pub const MAX_STATUS_CALLBACK_BYTES: usize = 4000;
/// The longest total timeout.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// More than any secret of Twilio has, in bytes.
const MAX_SECRET_BYTES: usize = 256;

/// Whether Twilio's SMS Pumping Protection looks at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskCheck {
    /// It does; Twilio advises it for codes.
    Enable,
    /// It does not.
    Disable,
}

impl RiskCheck {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

/// What an operator says about Twilio, not yet looked at.
#[derive(Clone, Debug)]
pub struct TwilioSettings {
    /// `AC` and 32 hex digits; in the path even when an API key authenticates.
    pub account_sid: String,
    /// The account's auth token. Authenticates unless an API key is given.
    pub auth_token: Option<Secret>,
    /// An API key, `SK` and 32 hex digits; comes with its secret.
    pub api_key_sid: Option<String>,
    /// The API key's secret.
    pub api_key_secret: Option<Secret>,
    /// The sender: E.164, a short code, or an alphanumeric name. Needed unless a messaging service is given; with both, it
    /// must be in the service's pool.
    pub from: Option<String>,
    /// `MG` and 32 hex digits.
    pub messaging_service_sid: Option<String>,
    /// Where Twilio answers. Plain `http` only to this machine: every request carries the credentials and a code. A path is
    /// kept as a prefix.
    pub base_url: String,
    /// Where Twilio reports what became of a message.
    pub status_callback: Option<Url>,
    /// Let Twilio swap look-alike Unicode characters for GSM-7 ones, so that a stray quote does not double the price.
    pub smart_encoded: bool,
    /// SMS Pumping Protection for our messages; Twilio's own default if absent.
    pub risk_check: Option<RiskCheck>,
    /// Longest wait for a connection, name look-up and TLS included.
    pub connect_timeout: Duration,
    /// Longest time for one message altogether, waits included.
    pub timeout: Duration,
    /// Certificates in PEM to trust besides the system's.
    pub root_certificates_pem: Option<Vec<u8>>,
}

impl Default for TwilioSettings {
    fn default() -> Self {
        Self {
            account_sid: String::new(),
            auth_token: None,
            api_key_sid: None,
            api_key_secret: None,
            from: None,
            messaging_service_sid: None,
            base_url: DEFAULT_BASE_URL.to_owned(),
            status_callback: None,
            smart_encoded: true,
            risk_check: None,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(10),
            root_certificates_pem: None,
        }
    }
}

/// A setting that cannot work. The text begins with the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwilioConfigError {
    /// Not an account's id.
    #[error("account_sid: expected AC and 32 hex digits")]
    AccountSid,
    /// Nothing to authenticate with.
    #[error("auth_token: missing; give auth_token, or api_key_sid and api_key_secret")]
    CredentialsMissing,
    /// Not a token.
    #[error("auth_token: expected 1 to 256 printable ASCII characters without spaces")]
    AuthToken,
    /// Not an API key's id.
    #[error("api_key_sid: expected SK and 32 hex digits")]
    ApiKeySid,
    /// A secret without its key.
    #[error("api_key_sid: missing although api_key_secret is given")]
    ApiKeySidMissing,
    /// Not a secret.
    #[error("api_key_secret: expected 1 to 256 printable ASCII characters without spaces")]
    ApiKeySecret,
    /// A key without its secret.
    #[error("api_key_secret: missing although api_key_sid is given")]
    ApiKeySecretMissing,
    /// No sender.
    #[error("from: missing; give from, messaging_service_sid or both")]
    FromMissing,
    /// Not a sender.
    #[error(
        "from: expected a number in E.164 (such as +15005550006), a short code of 3 to 8 digits, or a name of at most 11 \
         letters, digits and spaces with at least one letter"
    )]
    From,
    /// Not a messaging service's id.
    #[error("messaging_service_sid: expected MG and 32 hex digits")]
    MessagingServiceSid,
    /// Not a base URL.
    #[error("base_url: expected an https URL without user, query and fragment")]
    BaseUrl,
    /// Plain text to another machine.
    #[error("base_url: plain http is allowed only to this machine (localhost, 127.0.0.0/8, [::1])")]
    BaseUrlInsecure,
    /// Not a callback.
    #[error("status_callback: expected an http or https URL of at most 4000 bytes")]
    StatusCallback,
    /// A name that Twilio refuses.
    #[error("status_callback: Twilio refuses host names with an underscore")]
    StatusCallbackUnderscore,
    /// Out of range.
    #[error("timeout: expected 1 ms to 120 s")]
    Timeout,
    /// Out of range.
    #[error("connect_timeout: expected 1 ms up to timeout")]
    ConnectTimeout,
    /// Not certificates.
    #[error("root_certificates: expected one or more certificates in PEM")]
    RootCertificates,
}

impl TwilioConfigError {
    /// The field at fault, as it is called in [`TwilioSettings`] (without `_pem`).
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::AccountSid => "account_sid",
            Self::CredentialsMissing | Self::AuthToken => "auth_token",
            Self::ApiKeySid | Self::ApiKeySidMissing => "api_key_sid",
            Self::ApiKeySecret | Self::ApiKeySecretMissing => "api_key_secret",
            Self::FromMissing | Self::From => "from",
            Self::MessagingServiceSid => "messaging_service_sid",
            Self::BaseUrl | Self::BaseUrlInsecure => "base_url",
            Self::StatusCallback | Self::StatusCallbackUnderscore => "status_callback",
            Self::Timeout => "timeout",
            Self::ConnectTimeout => "connect_timeout",
            Self::RootCertificates => "root_certificates",
        }
    }
}

/// Settings that can work. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct TwilioConfig {
    account_sid: String,
    /// User and password of HTTP Basic.
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) from: Option<String>,
    pub(super) messaging_service_sid: Option<String>,
    /// Where messages are created.
    pub(super) messages_url: Url,
    pub(super) status_callback: Option<Url>,
    pub(super) smart_encoded: bool,
    pub(super) risk_check: Option<RiskCheck>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) root_certificates: Vec<reqwest::Certificate>,
}

impl TwilioConfig {
    /// Validates `settings`.
    ///
    /// # Errors
    /// [`TwilioConfigError`] for the first field that cannot work.
    pub fn new(settings: TwilioSettings) -> Result<Self, TwilioConfigError> {
        check(is_sid(&settings.account_sid, "AC"), TwilioConfigError::AccountSid)?;
        let (user, password) = credentials(&settings)?;
        check_sender(&settings)?;
        let messages_url = messages_url(&settings.base_url, &settings.account_sid)?;
        settings.status_callback.as_ref().map_or(Ok(()), check_status_callback)?;
        let a_while = Duration::from_millis(1);
        check((a_while..=MAX_TIMEOUT).contains(&settings.timeout), TwilioConfigError::Timeout)?;
        let connect_in_range = (a_while..=settings.timeout).contains(&settings.connect_timeout);
        check(connect_in_range, TwilioConfigError::ConnectTimeout)?;
        let root_certificates = settings.root_certificates_pem.as_deref().map_or(Ok(Vec::new()), certificates)?;
        Ok(Self {
            account_sid: settings.account_sid,
            user,
            password,
            from: settings.from,
            messaging_service_sid: settings.messaging_service_sid,
            messages_url,
            status_callback: settings.status_callback,
            smart_encoded: settings.smart_encoded,
            risk_check: settings.risk_check,
            connect_timeout: settings.connect_timeout,
            timeout: settings.timeout,
            root_certificates,
        })
    }
}

impl TwilioConfig {
    /// The account that sends; receipts name it.
    #[must_use]
    pub fn account_sid(&self) -> &str {
        &self.account_sid
    }
}

fn check(holds: bool, error: TwilioConfigError) -> Result<(), TwilioConfigError> {
    if holds { Ok(()) } else { Err(error) }
}

/// Twilio's ids: two capitals and 32 hex digits, in either case.
fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_secret(secret: &Secret) -> bool {
    let text = secret.expose();
    (1..=MAX_SECRET_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The API key if there is one, else the account with its token.
fn credentials(settings: &TwilioSettings) -> Result<(String, Secret), TwilioConfigError> {
    if let Some(token) = &settings.auth_token {
        check(is_secret(token), TwilioConfigError::AuthToken)?;
    }
    match (&settings.api_key_sid, &settings.api_key_secret, &settings.auth_token) {
        (Some(key), Some(secret), _) => {
            check(is_sid(key, "SK"), TwilioConfigError::ApiKeySid)?;
            check(is_secret(secret), TwilioConfigError::ApiKeySecret)?;
            Ok((key.clone(), secret.clone()))
        }
        (Some(_), None, _) => Err(TwilioConfigError::ApiKeySecretMissing),
        (None, Some(_), _) => Err(TwilioConfigError::ApiKeySidMissing),
        (None, None, Some(token)) => Ok((settings.account_sid.clone(), token.clone())),
        (None, None, None) => Err(TwilioConfigError::CredentialsMissing),
    }
}

fn check_sender(settings: &TwilioSettings) -> Result<(), TwilioConfigError> {
    check(settings.from.is_some() || settings.messaging_service_sid.is_some(), TwilioConfigError::FromMissing)?;
    check(settings.from.as_deref().is_none_or(is_sender), TwilioConfigError::From)?;
    let service = settings.messaging_service_sid.as_deref();
    check(service.is_none_or(|sid| is_sid(sid, "MG")), TwilioConfigError::MessagingServiceSid)
}

fn is_sender(text: &str) -> bool {
    let digits = |text: &str, range: std::ops::RangeInclusive<usize>| {
        range.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    if let Some(number) = text.strip_prefix('+') {
        return digits(number, 7..=15) && !number.starts_with('0');
    }
    let name = (1..=11).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.trim() == text;
    name || digits(text, 3..=8)
}

fn messages_url(base_url: &str, account_sid: &str) -> Result<Url, TwilioConfigError> {
    let url = Url::parse(base_url).map_err(|_source| TwilioConfigError::BaseUrl)?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host();
    check(bare && matches!(url.scheme(), "http" | "https"), TwilioConfigError::BaseUrl)?;
    check(url.scheme() == "https" || is_this_machine(&url), TwilioConfigError::BaseUrlInsecure)?;
    let prefix = url.as_str().trim_end_matches('/');
    let text = format!("{prefix}/2010-04-01/Accounts/{account_sid}/Messages.json");
    Url::parse(&text).map_err(|_source| TwilioConfigError::BaseUrl)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn check_status_callback(url: &Url) -> Result<(), TwilioConfigError> {
    let short = url.as_str().len() <= MAX_STATUS_CALLBACK_BYTES;
    check(short && matches!(url.scheme(), "http" | "https"), TwilioConfigError::StatusCallback)?;
    let underscore = url.host_str().is_some_and(|host| host.contains('_'));
    check(!underscore, TwilioConfigError::StatusCallbackUnderscore)
}

fn certificates(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, TwilioConfigError> {
    let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|_source| TwilioConfigError::RootCertificates)?;
    check(!found.is_empty(), TwilioConfigError::RootCertificates)?;
    Ok(found)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
