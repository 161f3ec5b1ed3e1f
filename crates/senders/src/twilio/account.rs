//! What Twilio says of the account without a message being sent: for an operator who asks whether the settings can work.
//!
//! Two free reads, each with one try: the account (`GET /2010-04-01/Accounts/{sid}.json`), and its own list of numbers or short
//! codes for the configured sender. Where the answer cannot tell, the report says so instead of guessing: an API key may read no
//! account, names are registered per country, and messaging services live in another API.

use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;
use verifyd_core::clock::Timestamp;

use super::config::TwilioConfig;
use super::response::{code_of, fields};
use super::transport::{Answer, NoAnswer};
use super::{TwilioSender, causes};

/// Twilio's word for "who are you?": wrong credentials, or an account that is suspended or closed.
const UNAUTHENTICATED: u32 = 20003;
/// The account is not active, in two products' words.
const NOT_ACTIVE: [u32; 2] = [20005, 90010];
/// Test credentials read no account.
const TEST_CREDENTIALS: u32 = 20008;

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// It may send.
    Active,
    /// It may not: for want of money, or by Twilio's decision.
    Suspended,
    /// It is gone.
    Closed,
    /// The credentials may not ask: those of an API key.
    NotTold,
}

/// What is known of the configured sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderStanding {
    /// The account has it, and it can send text messages.
    Owned,
    /// The account has it, but only for calls.
    NoSms,
    /// The account does not have it.
    NotOwned,
    /// It cannot be asked about: a name, a messaging service, or the answer did not say.
    NotTold,
}

/// What Twilio says of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountReport {
    /// Its state.
    pub status: AccountStatus,
    /// A trial account sends only to numbers that were verified in its console.
    pub is_trial: bool,
    /// The configured sender.
    pub sender: SenderStanding,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The credentials are not those of the account, or the account is suspended or closed.
    #[error("Twilio does not take these credentials")]
    WrongCredentials,
    /// There is no such account under these credentials.
    #[error("Twilio knows no such account")]
    NoSuchAccount,
    /// The account's test credentials: Twilio accepts messages and sends none.
    #[error("these are test credentials: Twilio checks every message and sends none")]
    TestCredentials,
    /// It did not answer.
    #[error("no answer from Twilio: {0}")]
    NoAnswer(String),
    /// It answered something else.
    #[error("Twilio answered {status}{}", code.map(|code| format!(" (code {code})")).unwrap_or_default())]
    Other {
        /// The HTTP status.
        status: u16,
        /// Twilio's code.
        code: Option<u32>,
    },
}

impl TwilioSender {
    /// Asks Twilio about the account and the configured sender. Nothing is sent and nothing is charged. `now` is the clock's
    /// reading. The deadline is the one of a message.
    ///
    /// # Errors
    /// [`AccountError`] says what stands in the way.
    pub async fn examine(&self, now: Timestamp) -> Result<AccountReport, AccountError> {
        let deadline = Instant::now() + self.config.timeout;
        let report = AccountReport { status: AccountStatus::NotTold, is_trial: false, sender: SenderStanding::NotTold };
        let by_api_key = self.config.user != self.config.account_sid();
        let report = if by_api_key {
            report
        } else {
            let account = self.read(format!("../{}.json", self.config.account_sid()), now, deadline).await?;
            of_account(report, &account)
        };
        if matches!(report.status, AccountStatus::Suspended | AccountStatus::Closed) {
            return Ok(report);
        }
        let list = List::of(&self.config);
        let found = self.read(list.target(), now, deadline).await?;
        Ok(AccountReport { sender: list.standing(&found), ..report })
    }

    /// The object that a read beside the messages gives.
    async fn read(
        &self,
        target: String,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Map<String, Value>, AccountError> {
        let unreadable = |_source| AccountError::Other { status: 0, code: None };
        let url: Url = self.config.messages_url.join(&target).map_err(unreadable)?;
        let answer = self.transport.get(url, now, deadline).await.map_err(|error| no_answer(&error))?;
        judge(&answer)
    }
}

fn no_answer(error: &NoAnswer) -> AccountError {
    let (NoAnswer::NotSent(cause) | NoAnswer::Ambiguous(cause)) = error;
    AccountError::NoAnswer(causes(cause))
}

fn judge(answer: &Answer) -> Result<Map<String, Value>, AccountError> {
    let fields = fields(&answer.body);
    let (status, code) = (answer.status, code_of(&fields));
    match (status, code) {
        (200..=299, _) if !fields.is_empty() => Ok(fields),
        (_, Some(code)) if NOT_ACTIVE.contains(&code) => Ok(Map::from_iter([("status".into(), "suspended".into())])),
        (_, Some(TEST_CREDENTIALS)) => Err(AccountError::TestCredentials),
        (401, _) | (_, Some(UNAUTHENTICATED)) => Err(AccountError::WrongCredentials),
        (404, _) => Err(AccountError::NoSuchAccount),
        (status, code) => Err(AccountError::Other { status, code }),
    }
}

fn of_account(report: AccountReport, account: &Map<String, Value>) -> AccountReport {
    let word = |field: &str| account.get(field).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let status = match word("status").as_str() {
        "active" => AccountStatus::Active,
        "suspended" => AccountStatus::Suspended,
        "closed" => AccountStatus::Closed,
        _ => AccountStatus::NotTold,
    };
    AccountReport { status, is_trial: word("type") == "trial", ..report }
}

/// The list that the configured sender would be in.
enum List<'a> {
    Numbers(&'a str),
    ShortCodes(&'a str),
    /// No list tells; one entry is read all the same, to see whether the credentials are taken.
    None,
}

impl<'a> List<'a> {
    fn of(config: &'a TwilioConfig) -> Self {
        // With a messaging service the service's pool counts, and the pool may hold what the account shares with others.
        match config.from.as_deref().filter(|_| config.messaging_service_sid.is_none()) {
            Some(from) if from.starts_with('+') => Self::Numbers(from),
            Some(from) if from.bytes().all(|byte| byte.is_ascii_digit()) => Self::ShortCodes(from),
            _ => Self::None,
        }
    }

    fn target(&self) -> String {
        let query = |name: &str, value: &str| {
            url::form_urlencoded::Serializer::new(String::new())
                .append_pair(name, value)
                .append_pair("PageSize", "20")
                .finish()
        };
        match self {
            Self::Numbers(number) => format!("IncomingPhoneNumbers.json?{}", query("PhoneNumber", number)),
            Self::ShortCodes(code) => format!("SMS/ShortCodes.json?{}", query("ShortCode", code)),
            Self::None => "IncomingPhoneNumbers.json?PageSize=1".to_owned(),
        }
    }

    fn standing(&self, found: &Map<String, Value>) -> SenderStanding {
        let (list, field, wanted) = match self {
            Self::Numbers(number) => ("incoming_phone_numbers", "phone_number", number),
            Self::ShortCodes(code) => ("short_codes", "short_code", code),
            Self::None => return SenderStanding::NotTold,
        };
        let Some(entries) = found.get(list).and_then(Value::as_array) else { return SenderStanding::NotTold };
        let own = entries.iter().find(|entry| entry.get(field).and_then(Value::as_str) == Some(wanted));
        match own {
            None => SenderStanding::NotOwned,
            Some(entry) => match entry.get("capabilities").and_then(|can| can.get("sms")).and_then(Value::as_bool) {
                Some(false) => SenderStanding::NoSms,
                _ => SenderStanding::Owned,
            },
        }
    }
}
