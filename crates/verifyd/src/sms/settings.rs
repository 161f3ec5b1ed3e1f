//! What an [`SmsService`](super::SmsService) is told, as fields or as the variables of the environment that it is known by.

use std::str::FromStr;
use std::time::Duration;

use verifyd_core::code::CodeLength;
use verifyd_core::limits::Rate;
use verifyd_core::phone_number::NumberPolicy;
use verifyd_senders::secret::Secret;
use verifyd_senders::twilio::TwilioSettings;

use super::SmsError;

const ACCOUNT_SID: &str = "TWILIO_ACCOUNT_SID";
const AUTH_TOKEN: &str = "TWILIO_AUTH_TOKEN";
const PHONE_NUMBER: &str = "TWILIO_PHONE_NUMBER";
const BASE_URL: &str = "TWILIO_BASE_URL";
const LIMIT: &str = "SMS_RATE_LIMIT_PER_PHONE";
const WINDOW: &str = "SMS_RATE_LIMIT_WINDOW";
const MOCK_MODE: &str = "SMS_MOCK_MODE";
const ENVIRONMENT: &str = "VERIFYD_ENVIRONMENT";

const DEFAULT_LIMIT: u32 = 5;
const DEFAULT_WINDOW: Duration = Duration::from_secs(3600);
/// A number's sends are kept as an exact log, which has this many places at most.
const MAX_LIMIT: u32 = 100;

/// Whether messages go to phones or to the inbox. It is settled when the service is made and never changes: a provider's
/// outage must not become a way around the phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MockMode {
    /// To phones; without credentials there is no service.
    #[default]
    Off,
    /// To the inbox, with the code in replies.
    On,
    /// To phones if credentials are given, else to the inbox, with a warning and without codes in replies.
    Auto,
}

impl FromStr for MockMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Self::On),
            "false" | "0" | "no" | "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            _ => Err("expected true, false or auto".to_owned()),
        }
    }
}

/// Settings of an [`SmsService`](super::SmsService). `Default` has the documented values and no credentials.
///
/// ```
/// use verifyd::sms::{MockMode, SmsSettings};
///
/// let settings = SmsSettings { mock_mode: MockMode::On, brand: "Acme".to_owned(), ..SmsSettings::default() };
/// assert_eq!(settings.rate_limit_per_phone, 5);
/// // Any source of names and values will do.
/// let settings = SmsSettings::from_variables(|name| (name == "SMS_MOCK_MODE").then(|| "true".to_owned()))?;
/// assert_eq!(settings.mock_mode, MockMode::On);
/// # Ok::<(), verifyd::SmsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SmsSettings {
    /// Twilio's account; not looked at in mock mode.
    pub twilio: Option<TwilioSettings>,
    /// Where messages go.
    pub mock_mode: MockMode,
    /// Whether people depend on this service: then mock mode is refused.
    pub production: bool,
    /// The most messages to one number in [`Self::rate_limit_window`]: 5; at most 100.
    pub rate_limit_per_phone: u32,
    /// An hour.
    pub rate_limit_window: Duration,
    /// Another limit per number beside it, such as `10/24h`.
    pub second_limit: Option<Rate>,
    /// Digits of a code.
    pub code_length: CodeLength,
    /// How long a code is valid: 10 minutes.
    pub code_ttl: Duration,
    /// Who the message says it is from.
    pub brand: String,
    /// Region of numbers in national form; `None` takes only E.164.
    pub default_region: Option<String>,
    /// Which numbers it sends to.
    pub numbers: NumberPolicy,
}

impl SmsSettings {
    /// The settings that the process's environment describes.
    ///
    /// # Errors
    /// [`SmsError::Configuration`] names the variable.
    pub fn from_env() -> Result<Self, SmsError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The settings that these variables describe; an empty one counts as unset.
    ///
    /// | variable | unless set |
    /// |---|---|
    /// | `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN`, `TWILIO_PHONE_NUMBER` | needed, except in mock mode |
    /// | `SMS_RATE_LIMIT_PER_PHONE` | 5 messages |
    /// | `SMS_RATE_LIMIT_WINDOW` | 3600 seconds |
    /// | `SMS_MOCK_MODE` | `false`; also `true` and `auto` ([`MockMode`]) |
    /// | `TWILIO_BASE_URL` | Twilio's own; for tests |
    /// | `VERIFYD_ENVIRONMENT` | `development`; `production` refuses mock mode |
    ///
    /// # Errors
    /// [`SmsError::Configuration`] names the variable.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SmsError> {
        let variable = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        let mock_mode = variable(MOCK_MODE).map(|text| text.parse()).transpose();
        let production = match variable(ENVIRONMENT).as_deref() {
            None | Some("development") => false,
            Some("production") => true,
            Some(_) => return Err(SmsError::configuration(ENVIRONMENT, "expected development or production")),
        };
        let window_s = number(WINDOW, variable(WINDOW), DEFAULT_WINDOW.as_secs())?;
        let settings = Self {
            twilio: twilio(&variable),
            mock_mode: mock_mode.map_err(|problem| SmsError::configuration(MOCK_MODE, problem))?.unwrap_or_default(),
            production,
            rate_limit_per_phone: number(LIMIT, variable(LIMIT), DEFAULT_LIMIT)?,
            rate_limit_window: Duration::from_secs(window_s),
            ..Self::default()
        };
        settings.rate_limit()?;
        Ok(settings)
    }

    /// The limit that the two fields describe.
    pub(super) fn rate_limit(&self) -> Result<Rate, SmsError> {
        if !(1..=MAX_LIMIT).contains(&self.rate_limit_per_phone) {
            return Err(SmsError::configuration(LIMIT, "expected 1 to 100 messages"));
        }
        Rate::new(self.rate_limit_per_phone, self.rate_limit_window)
            .map_err(|_bounds| SmsError::configuration(WINDOW, "expected 1 second to 366 days, in seconds"))
    }

    /// Production has no mock mode, whoever sends.
    pub(super) fn refuse_mock_in_production(&self) -> Result<(), SmsError> {
        if !self.production || self.mock_mode == MockMode::Off {
            return Ok(());
        }
        Err(SmsError::configuration(
            MOCK_MODE,
            "mock mode is refused in production: give Twilio's credentials, or set VERIFYD_ENVIRONMENT=development",
        ))
    }

    /// The account to send with; `None` for the inbox. This is where the choice is made.
    pub(super) fn route(&self) -> Result<Option<&TwilioSettings>, SmsError> {
        match (self.mock_mode, &self.twilio) {
            (MockMode::Off, None) => Err(SmsError::configuration(
                ACCOUNT_SID,
                "there is no way to send: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER, or for \
                 development SMS_MOCK_MODE=true",
            )),
            (MockMode::On, _) | (MockMode::Auto, None) => Ok(None),
            (MockMode::Off | MockMode::Auto, Some(twilio)) => Ok(Some(twilio)),
        }
    }
}

impl Default for SmsSettings {
    fn default() -> Self {
        Self {
            twilio: None,
            mock_mode: MockMode::Off,
            production: false,
            rate_limit_per_phone: DEFAULT_LIMIT,
            rate_limit_window: DEFAULT_WINDOW,
            second_limit: None,
            code_length: CodeLength::default(),
            code_ttl: Duration::from_secs(600),
            brand: "verifyd".to_owned(),
            default_region: Some("US".to_owned()),
            numbers: NumberPolicy::default(),
        }
    }
}

/// The account, as soon as anything says who sends: half of the credentials is a mistake to name, not a reason for mock mode.
fn twilio(variable: &impl Fn(&str) -> Option<String>) -> Option<TwilioSettings> {
    let (sid, token) = (variable(ACCOUNT_SID), variable(AUTH_TOKEN));
    if sid.is_none() && token.is_none() {
        return None;
    }
    let defaults = TwilioSettings::default();
    Some(TwilioSettings {
        account_sid: sid.unwrap_or_default(),
        auth_token: token.map(Secret::new),
        from: variable(PHONE_NUMBER),
        base_url: variable(BASE_URL).unwrap_or_else(|| defaults.base_url.clone()),
        ..defaults
    })
}

fn number<T: FromStr>(name: &'static str, text: Option<String>, otherwise: T) -> Result<T, SmsError> {
    let Some(text) = text else { return Ok(otherwise) };
    text.parse().map_err(|_source| SmsError::configuration(name, "expected a whole number"))
}
