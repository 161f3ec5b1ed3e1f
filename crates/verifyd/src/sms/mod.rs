//! [`SmsService`]: sends and compares verification codes that the caller makes and stores (feature `senders`).
//!
//! The methods are those of the service that verifyd grew from; `docs/SEED.md` has the whole map. Two things are stricter:
//! mock mode is chosen once, when the service is made, and codes are in replies only in mock mode that was asked for.
//!
//! What it does not do: count guesses. Whoever stores codes must also count wrong guesses, durably and before comparing,
//! or a code of six digits falls to a million requests. [`Verifier`] does all of that.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), verifyd::SmsError> {
//! use verifyd::sms::{MockMode, SmsService, SmsSettings};
//!
//! let sms = SmsService::new(SmsSettings { mock_mode: MockMode::On, ..SmsSettings::default() })?;
//!
//! let code = sms.generate_verification_code()?;
//! let sent = sms.send_verification_code("(415) 555-2671", code.expose()).await?;
//! assert_eq!(sent.to.e164(), "+14155552671");
//! assert_eq!((sent.rate_limit.used, sent.rate_limit.remaining), (1, 4));
//!
//! // Store the code and `sent.expires_at` with the user; when they come back:
//! sms.validate_verification_code("123 456", "123456", sent.expires_at)?;
//! assert_eq!(sms.validate_verification_code("123457", "123456", sent.expires_at).unwrap_err().status(), 400);
//! # Ok(())
//! # }
//! ```

mod error;
mod settings;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::clock::Timestamp;
use verifyd_core::code::{CodeLength, VerificationCode};
use verifyd_core::limits::{LimitName, Standing};
use verifyd_core::phone_number::{PhoneNumber, Region};
use verifyd_core::random::SystemRandom;
use verifyd_core::sender::{DeliveryStatus, Sender};
use verifyd_core::store::Refusal;
use verifyd_core::verification::Verification;
use verifyd_core::verifier::{StartRequest, VerifyError};
use verifyd_senders::inbox::{Inbox, InboxSender};
use verifyd_senders::twilio::{TwilioConfig, TwilioSender};

pub use error::SmsError;
pub use settings::{MockMode, SmsSettings};
pub use shared::get_sms_service;

use crate::{Verifier, VerifierBuilder};

/// The name of its service, so that in a store it shares with a [`Verifier`] neither meets the other's verifications.
const SERVICE: &str = "sms";
/// How often a send tries again after another one for the same number, with another code, came first. Each such try ends a
/// verification that another caller was admitted for, and a number's limit admits at most 100.
const MAX_TRIES: usize = 256;

/// How a number's limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitInfo {
    /// The most messages per window.
    pub limit: u32,
    /// How many are taken.
    pub used: u32,
    /// How many more are allowed now.
    pub remaining: u32,
    /// The window, which slides.
    pub window: Duration,
    /// When everything taken so far is free again.
    pub reset_at: Timestamp,
    /// How long until one more is allowed; zero if it is now.
    pub retry_after: Duration,
}

impl RateLimitInfo {
    fn new(standing: &Standing, window: Duration, at: Timestamp) -> Self {
        Self {
            limit: standing.limit,
            used: standing.used,
            remaining: standing.remaining,
            window,
            reset_at: standing.reset_at,
            retry_after: standing.retry_at.since(at),
        }
    }
}

/// A message that went out, or may have. Its `Debug` shows no code and four digits of the number.
#[derive(Clone, Debug)]
pub struct SentCode {
    /// The number.
    pub to: PhoneNumber,
    /// The provider's id of the message, or the inbox's; `None` if the provider may have sent and did not say.
    pub message_id: Option<String>,
    /// What is known of the message; `unknown` means that it may have been sent and counts.
    pub status: DeliveryStatus,
    /// Its segments.
    pub segments: u16,
    /// When the code stops being valid: store it with the code.
    pub expires_at: Timestamp,
    /// How the number's limit stands after this message.
    pub rate_limit: RateLimitInfo,
    /// Whether it went to the inbox instead of a phone.
    pub mock: bool,
    /// The code, only in mock mode that was asked for.
    pub test_code: Option<VerificationCode>,
}

/// Sends codes within limits, and compares them. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct SmsService {
    verifier: Verifier,
    inbox: Option<Arc<Inbox>>,
}

impl SmsService {
    /// The service that the process's environment describes; see [`SmsSettings::from_variables`].
    ///
    /// # Errors
    /// [`SmsError::Configuration`] names the variable.
    pub fn from_env() -> Result<Self, SmsError> {
        Self::new(SmsSettings::from_env()?)
    }

    /// A service of these settings that counts in memory.
    ///
    /// # Errors
    /// [`SmsError::Configuration`] names the setting.
    pub fn new(settings: SmsSettings) -> Result<Self, SmsError> {
        let parts = Verifier::builder(&settings.brand);
        Self::over(settings, parts)
    }

    /// A service of these settings with parts of your choice: a durable store, a clock, or a sender of your own, which then
    /// takes the place of Twilio and the inbox. The brand and what else a service has come from `settings`.
    ///
    /// # Errors
    /// [`SmsError::Configuration`] names the setting.
    pub fn over(settings: SmsSettings, parts: VerifierBuilder) -> Result<Self, SmsError> {
        settings.refuse_mock_in_production()?;
        let (mut inbox, mut parts) = (None, parts);
        if !parts.has_sender() {
            let sender: Arc<dyn Sender> = match settings.route()? {
                Some(account) => {
                    let config = TwilioConfig::new(account.clone())
                        .map_err(|error| SmsError::configuration(variable_of(error.field()), error.to_string()))?;
                    let sender = TwilioSender::new(config, Arc::new(SystemRandom));
                    Arc::new(sender.map_err(|error| SmsError::Internal(error.to_string()))?)
                }
                None => Arc::new(InboxSender::new(Arc::clone(inbox.insert(Arc::new(Inbox::new()))))),
            };
            parts = parts.sender(sender);
        }
        match (&inbox, settings.mock_mode) {
            (None, _) => tracing::info!("verification codes are sent to phones"),
            (Some(_), MockMode::On) => tracing::warn!("mock mode: no message reaches a phone, and replies show codes"),
            (Some(_), _) => tracing::warn!("no provider's credentials are given: no message reaches a phone"),
        }
        let parts = parts.expose_codes(settings.mock_mode == MockMode::On);
        Ok(Self { verifier: configured(settings, parts)?.build()?, inbox })
    }

    /// Where messages land in mock mode; `None` if they go to phones.
    #[must_use]
    pub fn inbox(&self) -> Option<&Arc<Inbox>> {
        self.inbox.as_ref()
    }

    /// Sends `code` to `phone`: E.164, or national of the service's region. It is counted before it is sent; if it certainly
    /// did not leave, the count is given back. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SmsError`]; its variants say what was spent.
    pub async fn send_verification_code(&self, phone: &str, code: &str) -> Result<SentCode, SmsError> {
        let number = self.number(phone)?;
        let code = self.code(code)?;
        match self.start(&number, code).await {
            Ok(verification) => {
                let sent = self.sent(verification);
                tracing::info!(
                    to = %sent.to,
                    message_id = sent.message_id.as_deref().unwrap_or(""),
                    status = sent.status.as_str(),
                    used = sent.rate_limit.used,
                    limit = sent.rate_limit.limit,
                    mock = sent.mock,
                    "a verification code was sent"
                );
                Ok(sent)
            }
            Err(error) => {
                let error = SmsError::from(error);
                tracing::warn!(to = %number, code = error.code(), %error, "a verification code was not sent");
                Err(error)
            }
        }
    }

    /// A fresh code, every value equally likely. Nothing prints it: `expose()` gives the digits to store.
    ///
    /// # Errors
    /// [`SmsError::Internal`] if there is no randomness.
    pub fn generate_verification_code(&self) -> Result<VerificationCode, SmsError> {
        VerificationCode::generate(self.code_length(), self.verifier.random())
            .map_err(|error| SmsError::Internal(error.to_string()))
    }

    /// Whether what a person typed is the stored code and still valid. Spaces, hyphens and digits of other scripts are
    /// normalised; the comparison takes the same time wherever the codes differ. `expires_at` is what
    /// [`SentCode::expires_at`] said; a `SystemTime` can be turned into one.
    ///
    /// # Errors
    /// [`SmsError::CodeFormat`] and [`SmsError::CodeDigits`] before anything is compared, [`SmsError::CodeExpired`] whether or
    /// not it is the right one, else [`SmsError::CodeMismatch`].
    pub fn validate_verification_code(&self, input: &str, stored: &str, expires_at: Timestamp) -> Result<(), SmsError> {
        let input = self.code(input)?;
        // A stored text that is no code is nobody's code.
        let right = VerificationCode::parse(stored).is_ok_and(|stored| stored.matches(&input));
        let verdict = match (self.verifier.clock().now() >= expires_at, right) {
            (true, _) => Err(SmsError::CodeExpired),
            (false, false) => Err(SmsError::CodeMismatch),
            (false, true) => Ok(()),
        };
        tracing::debug!(result = verdict.as_ref().map_or_else(SmsError::code, |()| "valid"), "a code was compared");
        verdict
    }

    /// Whether a message to `phone` would be refused now; nothing is spent.
    ///
    /// # Errors
    /// [`SmsError::PhoneNumber`] or [`SmsError::Store`].
    pub async fn is_rate_limited(&self, phone: &str) -> Result<bool, SmsError> {
        Ok(self.get_rate_limit_info(phone).await?.remaining == 0)
    }

    /// How the limit of `phone` stands; with a second limit, the stricter of the two. Nothing is spent.
    ///
    /// # Errors
    /// [`SmsError::PhoneNumber`] or [`SmsError::Store`].
    pub async fn get_rate_limit_info(&self, phone: &str) -> Result<RateLimitInfo, SmsError> {
        let number = self.number(phone)?;
        let info = self.verifier.limits(number.e164(), None, None).await?.info;
        let of_phone = [LimitName::SendsPerPhone, LimitName::SendsPerPhoneAllServices];
        let standings = info.limits.iter().filter(|limit| of_phone.contains(&limit.name));
        let strictest = standings.min_by_key(|limit| {
            // The one that refuses longest; among those that allow, the one with least left.
            let wait = limit.standing.retry_at.since(info.at);
            (limit.standing.remaining, std::cmp::Reverse(wait))
        });
        strictest
            .map(|limit| RateLimitInfo::new(&limit.standing, limit.window, info.at))
            .ok_or_else(|| SmsError::Internal("a number without limits".to_owned()))
    }

    /// Waits until every message under way has its outcome recorded; call it before the runtime ends.
    pub async fn drain(&self) {
        self.verifier.drain().await;
    }

    fn code_length(&self) -> CodeLength {
        self.verifier.service().settings().code_length
    }

    fn number(&self, phone: &str) -> Result<PhoneNumber, SmsError> {
        Ok(PhoneNumber::parse(phone, self.verifier.service().settings().default_region)?)
    }

    fn code(&self, text: &str) -> Result<VerificationCode, SmsError> {
        let code = VerificationCode::parse(text).map_err(SmsError::CodeFormat)?;
        let digits = self.code_length().digits();
        if code.len() == digits { Ok(code) } else { Err(SmsError::CodeDigits { digits }) }
    }

    /// Every send is a verification of its own, with its own purpose, that nobody will check: the store then counts it by its
    /// one rule, all or nothing. One that is still pending for the number is ended first; between that and the start another
    /// send may come in, and then this one tries again until it is admitted or the number's limit refuses it.
    ///
    /// A number's record has room for 16 verifications: with a limit above that, and more than 16 messages to one number under
    /// way at once, the oldest is forgotten and a charge that it would give back stands.
    async fn start(&self, number: &PhoneNumber, code: VerificationCode) -> Result<Verification, VerifyError> {
        let mut request = StartRequest { code: Some(code), ..StartRequest::new(number.e164()) };
        request.purpose = Some(self.purpose()?);
        for _ in 1..MAX_TRIES {
            match self.verifier.start(request.clone()).await {
                Err(VerifyError::Refused { refusal: Refusal::Conflict, .. }) => self.end_pending(number).await?,
                outcome => return outcome.map(|started| started.verification),
            }
        }
        self.verifier.start(request).await.map(|started| started.verification)
    }

    fn purpose(&self) -> Result<String, VerifyError> {
        let mut bytes = [0; 16];
        self.verifier.random().fill(&mut bytes)?;
        Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    async fn end_pending(&self, number: &PhoneNumber) -> Result<(), VerifyError> {
        let Some(pending) = self.verifier.limits(number.e164(), None, None).await?.info.pending else { return Ok(()) };
        match self.verifier.cancel(pending.id).await {
            // Another send was faster.
            Ok(_) | Err(VerifyError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sent(&self, verification: Verification) -> SentCode {
        let standing = &verification.standing;
        // The instant of the last charge is the newest that is known here.
        let at = verification.deliveries.last().map_or(verification.created_at, |delivery| delivery.at);
        let rate_limit = RateLimitInfo::new(&standing.sends_per_phone, standing.window, at);
        let delivery = verification.deliveries.into_iter().next_back();
        SentCode {
            to: verification.to,
            status: delivery.as_ref().map_or(DeliveryStatus::Unknown, |delivery| delivery.status),
            segments: delivery.as_ref().map_or(0, |delivery| delivery.segments),
            message_id: delivery.and_then(|delivery| delivery.message_id),
            expires_at: verification.expires_at,
            rate_limit,
            mock: self.inbox.is_some(),
            test_code: verification.test_code,
        }
    }
}

/// The variable that sets a field of Twilio's.
fn variable_of(field: &'static str) -> &'static str {
    match field {
        "account_sid" => "TWILIO_ACCOUNT_SID",
        "auth_token" => "TWILIO_AUTH_TOKEN",
        "from" => "TWILIO_PHONE_NUMBER",
        "base_url" => "TWILIO_BASE_URL",
        other => other,
    }
}

fn configured(settings: SmsSettings, parts: VerifierBuilder) -> Result<VerifierBuilder, SmsError> {
    let rate = settings.rate_limit()?;
    let name = SERVICE.parse().map_err(|_bad| SmsError::Internal("the service's name".to_owned()))?;
    let brand = settings.brand.parse().map_err(crate::BuildError::Brand)?;
    let region = settings.default_region.as_deref().map(str::parse::<Region>).transpose();
    let region = region.map_err(crate::BuildError::Region)?;
    Ok(parts.configure(move |service| {
        service.name = name;
        service.brand = brand;
        service.default_region = region;
        service.code_length = settings.code_length;
        service.ttl = settings.code_ttl;
        service.numbers = settings.numbers;
        service.custom_codes = true;
        let rules = &mut service.limits.rules;
        rules.sends_per_phone = rate;
        rules.sends_per_phone_all_services = settings.second_limit.unwrap_or(rate);
        rules.resend_delays = Arc::from([]);
    }))
}
