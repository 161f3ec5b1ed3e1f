//! Where messages go: to phones or to the inbox.
//!
//! The choice is made once, here, and never while running: a provider's outage must not become a way around the phone.
//! Production refuses everything that could make it fall on the inbox.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;
use verifyd_core::store::REPLY_LEASE;
use verifyd_senders::twilio::TwilioConfig;

use super::reader::Reader;
use super::value::Value;
use super::{Environment, Profile, twilio};

const DEADLINE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(120);
/// What a request may take beside its send: the verifier's grace, the store, the recording of the outcome.
const BESIDE_THE_SEND_S: u64 = 30;
// A repeat must never run beside the request that it repeats while that may still be sending.
const _: () = assert!(DEADLINE.end().as_secs() + BESIDE_THE_SEND_S < REPLY_LEASE.as_secs());

/// Why messages go to the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxReason {
    /// Mock mode is on.
    MockMode,
    /// No provider is set up, and nothing is sent: [`Config::for_data`](super::Config::for_data).
    NotServing,
    /// Mock mode is `auto` and no provider's credentials were given at start.
    NoCredentials,
}

/// Where messages go.
#[derive(Debug)]
pub enum Sending {
    /// To the inbox.
    Inbox(InboxReason),
    /// To phones, through Twilio.
    Twilio(Box<TwilioConfig>),
}

/// What this file reads.
pub(super) struct Read {
    pub(super) sending: Sending,
    pub(super) expose_codes: bool,
    pub(super) deadline: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mock {
    On,
    Off,
    Auto,
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    profile: Profile,
    public_url: Option<&Url>,
    listen: Option<SocketAddr>,
) -> Option<Read> {
    let deadline = reader.duration("send_deadline", &DEADLINE);
    let mock = match reader.values.get("mock").map(|entry| &entry.value) {
        Some(Value::Switch(true)) => Mock::On,
        Some(Value::Text(_)) => Mock::Auto,
        _ => Mock::Off,
    };
    let mock_allowed = mock == Mock::Off || reader.environment == Environment::Development;
    if !mock_allowed {
        reader.refuse(
            "mock",
            "mock mode is refused in production: give Twilio's credentials, or set environment = \"development\"",
        );
    }
    let sending = choose(reader, mock, profile, public_url);
    let is_inbox = matches!(sending, Some(Sending::Inbox(_)));
    let expose_codes = read_expose_codes(reader, mock, is_inbox);
    refuse_foreign_eyes(reader, profile, listen, is_inbox, expose_codes == Some(true));
    if !mock_allowed {
        return None;
    }
    Some(Read { sending: sending?, expose_codes: expose_codes?, deadline: deadline? })
}

fn choose(reader: &mut Reader<'_>, mock: Mock, profile: Profile, public_url: Option<&Url>) -> Option<Sending> {
    let credential = twilio::credential(reader);
    match (mock, credential) {
        (Mock::On, Some(path)) => {
            let by = if profile == Profile::Dev { "verifyd dev sends" } else { "mock mode sends" };
            let message = format!("not looked at: {by} to the inbox");
            reader.findings.remark(reader.field(path), message);
            Some(Sending::Inbox(InboxReason::MockMode))
        }
        (Mock::On, None) => Some(Sending::Inbox(InboxReason::MockMode)),
        (Mock::Auto, None) => {
            reader.findings.warn(
                reader.field("mock"),
                "no provider's credentials are given: NO MESSAGE REACHES A PHONE, all go to the inbox, and anybody who \
                 can open it reads the codes",
            );
            Some(Sending::Inbox(InboxReason::NoCredentials))
        }
        (Mock::Off, None) if profile == Profile::Data => Some(Sending::Inbox(InboxReason::NotServing)),
        // What was meant to be a way to send is refused already.
        (Mock::Off, None) if ["mock", "twilio."].iter().any(|path| reader.findings.is_refused(path)) => None,
        (Mock::Off, None) => {
            reader.findings.refuse(
                "twilio.account_sid (TWILIO_ACCOUNT_SID)",
                "there is no way to send: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER, or for \
                 development SMS_MOCK_MODE=true, which sends to the inbox",
            );
            None
        }
        (Mock::Off | Mock::Auto, Some(_)) => {
            twilio::read(reader, public_url).map(|config| Sending::Twilio(Box::new(config)))
        }
    }
}

fn read_expose_codes(reader: &mut Reader<'_>, mock: Mock, is_inbox: bool) -> Option<bool> {
    if !reader.switch("expose_codes")? {
        return Some(false);
    }
    if reader.environment == Environment::Production {
        reader.refuse("expose_codes", "refused in production: set it to false, or environment = \"development\"");
        return None;
    }
    if mock == Mock::Off {
        reader.refuse("expose_codes", "only in mock mode: set it to false, or mock = true");
        return None;
    }
    // With mock = "auto" and credentials messages reach phones, and no code is ever shown.
    Some(is_inbox)
}

/// Codes in replies need a listener that only this machine reaches; so does all of `verifyd dev`.
fn refuse_foreign_eyes(
    reader: &mut Reader<'_>,
    profile: Profile,
    listen: Option<SocketAddr>,
    is_inbox: bool,
    expose_codes: bool,
) {
    let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback()) else { return };
    let must_be_local = profile == Profile::Dev || expose_codes;
    if must_be_local && !reader.flags.i_expose_codes {
        let who = if profile == Profile::Dev { "verifyd dev shows codes" } else { "expose_codes shows codes" };
        reader.refuse(
            "listen",
            format_args!("{who} to everybody who reaches this address: listen on 127.0.0.1, or add --i-expose-codes"),
        );
    } else if is_inbox && profile != Profile::Data {
        let message = format!("everybody who reaches {listen} can read the codes in the inbox");
        reader.findings.warn(reader.field("listen"), message);
    }
}
