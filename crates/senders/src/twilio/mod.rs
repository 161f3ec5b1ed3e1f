//! Twilio Programmable Messaging: `POST /2010-04-01/Accounts/{sid}/Messages.json`.
//!
//! A message is created at most once. What certainly did nothing is tried again within the deadline: a connection that could
//! not be made, a 429. What may have been processed is not: a timeout, a broken connection or a 5xx after the request was
//! taken up, and a 2xx that cannot be read, all end as [`SendErrorKind::Unknown`]. Twilio documents no idempotency key.
//!
//! | file | what it decides |
//! |---|---|
//! | `config` | which settings can work |
//! | `request` | the form, and where "not sent" ends |
//! | `transport` | one HTTP request, never repeated |
//! | `pacing` | how often and after which waits to try again |
//! | `response` | what an answer means |
//! | `account` | what Twilio says of the account, nothing sent |
//! | [`errors`] | the table from Twilio's codes to kinds |
//!
//! Logged are our delivery id, Twilio's message id, code and request id, the kind and the tries; never the number, the text
//! or a secret.

pub mod errors;
#[cfg(feature = "testing")]
pub mod fake;

mod account;
mod config;
mod pacing;
mod request;
mod response;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use verifyd_core::clock::{Timestamp, duration_ms};
use verifyd_core::random::Random;
use verifyd_core::sender::{Message, Receipt, SendError, SendErrorKind, Sender};

pub use account::{AccountError, AccountReport, AccountStatus, SenderStanding};
pub use config::{
    DEFAULT_BASE_URL, MAX_STATUS_CALLBACK_BYTES, MAX_TIMEOUT, RiskCheck, TwilioConfig, TwilioConfigError,
    TwilioSettings,
};
use pacing::{Pacing, Setback};
pub use transport::TwilioClientError;
use transport::{NoAnswer, Transport};

/// Sends through one Twilio account.
pub struct TwilioSender {
    config: TwilioConfig,
    transport: Transport,
    random: Arc<dyn Random>,
}

impl fmt::Debug for TwilioSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioSender").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What the log tells of a message's way.
#[derive(Debug, Default)]
struct Trail {
    tries: u32,
    /// `Twilio-Request-Id` of the last answer.
    request_id: Option<String>,
}

/// How one try ended.
enum Try {
    Done(Result<Receipt, SendError>),
    /// Certainly nothing was done; the error stands if there is no time to try again.
    Again(Setback, SendError),
}

impl TwilioSender {
    /// A sender for `config`; `random` spreads its waits.
    ///
    /// # Errors
    /// [`TwilioClientError`] if the HTTP client cannot be set up, for want of root certificates say.
    pub fn new(config: TwilioConfig, random: Arc<dyn Random>) -> Result<Self, TwilioClientError> {
        let transport = Transport::new(&config)?;
        Ok(Self { config, transport, random })
    }

    /// Tries until something was done, the tries are used up, or the next wait would pass the deadline.
    async fn deliver(&self, message: &Message, trail: &mut Trail) -> Result<Receipt, SendError> {
        let start = Instant::now();
        let budget = message.deadline.min(self.config.timeout);
        let form = request::form(&self.config, message);
        let mut pacing = Pacing::default();
        loop {
            trail.tries += 1;
            let now = message.at + start.elapsed();
            let (setback, error) = match self.try_once(&form, now, start + budget, trail).await {
                Try::Done(outcome) => return outcome,
                Try::Again(setback, error) => (setback, error),
            };
            match pacing.next_wait(setback, self.random.as_ref()) {
                Some(wait) if start.elapsed().saturating_add(wait) < budget => sleep(wait).await,
                Some(_) | None => return Err(error),
            }
        }
    }

    async fn try_once(&self, form: &str, now: Timestamp, deadline: Instant, trail: &mut Trail) -> Try {
        let answer = match self.transport.post(form, now, deadline).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(cause)) => {
                let error = SendError::new(SendErrorKind::Unavailable, "no connection to Twilio; nothing was sent");
                return Try::Again(Setback::Connect, SendError { source: Some(Box::new(cause)), ..error });
            }
            Err(NoAnswer::Ambiguous(cause)) => {
                let error =
                    SendError::new(SendErrorKind::Unknown, "no answer from Twilio; the message may have been sent");
                return Try::Done(Err(SendError { source: Some(Box::new(cause)), ..error }));
            }
        };
        trail.request_id.clone_from(&answer.request_id);
        let (status, wish) = (answer.status, answer.retry_after);
        match response::judge(answer) {
            Err(error) if status == 429 && is_brief(error.kind, wish) => Try::Again(Setback::Throttled(wish), error),
            outcome => Try::Done(outcome),
        }
    }

    fn log(&self, message: &Message, outcome: &Result<Receipt, SendError>, trail: &Trail, took: Duration) {
        let (delivery, took_ms) = (message.delivery_id, duration_ms(took));
        let (tries, request_id) = (trail.tries, trail.request_id.as_deref());
        match outcome {
            Ok(receipt) => tracing::info!(
                sender = self.name(),
                %delivery,
                status = receipt.status.as_str(),
                message_id = receipt.message_id.as_deref(),
                request_id,
                tries,
                took_ms,
                "message taken"
            ),
            Err(error) => tracing::warn!(
                sender = self.name(),
                %delivery,
                kind = error.kind.as_str(),
                code = error.provider_code.as_deref(),
                request_id,
                cause = error.source.as_deref().map(causes),
                tries,
                took_ms,
                "message not taken: {}",
                error.detail
            ),
        }
    }
}

/// An error and what is beneath it, in one line. The texts name hosts and system errors only, see [`NoAnswer`].
fn causes(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    let mut line = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        line.push_str(": ");
        line.push_str(&error.to_string());
        beneath = error.source();
    }
    line
}

/// Whether a throttle may be over within the request: our own table's long ones (60202, 60203) are not, unless the
/// answer itself names a time.
fn is_brief(kind: SendErrorKind, wish: Option<Duration>) -> bool {
    match kind {
        SendErrorKind::Throttled { retry_after } => wish.is_some() || retry_after.is_none(),
        _ => false,
    }
}

#[async_trait]
impl Sender for TwilioSender {
    fn name(&self) -> &'static str {
        "twilio"
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let start = Instant::now();
        let mut trail = Trail::default();
        let outcome = self.deliver(message, &mut trail).await;
        self.log(message, &outcome, &trail, start.elapsed());
        outcome
    }
}
