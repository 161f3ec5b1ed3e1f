//! Messages and senders for the tests of the Twilio sender.

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::clock::Timestamp;
use verifyd_core::code::VerificationCode;
use verifyd_core::id::{DeliveryId, VerificationId};
use verifyd_core::message::MessageText;
use verifyd_core::message::segments::count;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::random::SystemRandom;
use verifyd_core::sender::{Channel, Message};
use verifyd_senders::twilio::{TwilioConfig, TwilioSender, TwilioSettings};

/// A number for fiction; its last four digits may be shown, the others never.
pub(crate) const NUMBER: &str = "+14155550123";
/// The code in every message.
pub(crate) const CODE: &str = "918273";
/// The text of every message.
pub(crate) const TEXT: &str = "Zanzibar & Söhne: your code is 918273";

/// A message that leaves the sender ample time.
pub(crate) fn message() -> Message {
    message_to(NUMBER)
}

/// A message to this number.
pub(crate) fn message_to(to: &str) -> Message {
    Message {
        delivery_id: DeliveryId::from_bytes([7; 16]),
        verification_id: VerificationId::from_bytes([8; 16]),
        service: "Zanzibar".to_owned(),
        to: PhoneNumber::parse_e164(to).unwrap(),
        channel: Channel::Sms,
        text: MessageText::new(TEXT.to_owned()),
        code: VerificationCode::parse(CODE).unwrap(),
        segments: count(TEXT),
        at: Timestamp::from_unix_ms(1_700_000_000_000),
        validity: Duration::from_secs(600),
        deadline: Duration::from_secs(30),
    }
}

/// A message whose sender has to end soon.
pub(crate) fn hurried() -> Message {
    Message { deadline: Duration::from_millis(400), ..message() }
}

/// A sender with these settings.
pub(crate) fn sender(settings: TwilioSettings) -> TwilioSender {
    TwilioSender::new(TwilioConfig::new(settings).unwrap(), Arc::new(SystemRandom)).unwrap()
}
