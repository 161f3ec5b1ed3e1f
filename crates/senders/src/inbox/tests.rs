//! Tests of the inbox: bounds, scripts, magic numbers, and that nothing prints what it holds.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use verifyd_core::clock::Timestamp;
use verifyd_core::code::VerificationCode;
use verifyd_core::id::{DeliveryId, VerificationId};
use verifyd_core::message::{MessageText, segments};
use verifyd_core::phone_number::{NumberPolicy, PhoneNumber};
use verifyd_core::sender::{Channel, DeliveryStatus, Message, SendErrorKind, Sender as _};

use super::*;

const CODE: &str = "834105";

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse_e164(text).unwrap()
}

fn message(to: &str, delivery: u16) -> Message {
    let text = format!("Your Acme verification code is: {CODE}");
    let [high, low] = delivery.to_be_bytes();
    Message {
        delivery_id: DeliveryId::from_bytes([high, low, 0xab, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]),
        verification_id: VerificationId::from_bytes([7; 16]),
        service: "default".to_owned(),
        to: number(to),
        channel: Channel::Sms,
        segments: segments::count(&text),
        text: MessageText::new(text),
        code: VerificationCode::parse(CODE).unwrap(),
        at: Timestamp::from_unix_ms(1_700_000_000_123),
        validity: Duration::from_secs(600),
        deadline: Duration::from_secs(10),
    }
}

fn fixture() -> (Arc<Inbox>, InboxSender) {
    let inbox = Arc::new(Inbox::new());
    let sender = InboxSender::new(Arc::clone(&inbox)).with_delay(Duration::ZERO);
    (inbox, sender)
}

#[tokio::test]
async fn a_message_is_in_the_inbox_as_it_was_sent() {
    let (inbox, sender) = fixture();
    let receipt = sender.send(&message("+14155552671", 1)).await.unwrap();
    assert_eq!(receipt.message_id.as_deref(), Some("SM0001ab000000000000000000000000ff"));
    assert_eq!((receipt.status, receipt.segments, receipt.price), (DeliveryStatus::Sent, Some(1), None));
    let messages = inbox.messages(None);
    let [got] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((got.id.as_str(), got.to.e164()), ("SM0001ab000000000000000000000000ff", "+14155552671"));
    assert_eq!((got.body.expose(), got.code.expose()), ("Your Acme verification code is: 834105", CODE));
    assert_eq!((got.service.as_str(), got.verification), ("default", VerificationId::from_bytes([7; 16])));
    assert_eq!((got.sent_at.unix_ms(), got.segments.count), (1_700_000_000_123, 1));
    assert!(sender.stays_here());
    assert_eq!(sender.name(), "inbox");
}

#[tokio::test]
async fn messages_come_oldest_first_and_by_number() {
    let (inbox, sender) = fixture();
    for (to, delivery) in [("+14155552671", 1), ("+447911123456", 2), ("+14155552671", 3)] {
        sender.send(&message(to, delivery)).await.unwrap();
    }
    let ids = |to: Option<&str>| -> Vec<String> {
        let to = to.map(number);
        inbox.messages(to.as_ref()).iter().map(|message| message.id[..6].to_owned()).collect()
    };
    assert_eq!(ids(None), ["SM0001", "SM0002", "SM0003"]);
    assert_eq!(ids(Some("+14155552671")), ["SM0001", "SM0003"]);
    assert_eq!(ids(Some("+14155552672")), [""; 0]);
    inbox.forget(&number("+14155552671"));
    assert_eq!(ids(None), ["SM0002"]);
    inbox.clear();
    assert_eq!(ids(None), [""; 0]);
}

#[tokio::test]
async fn the_oldest_makes_room_at_the_bound() {
    let (inbox, sender) = fixture();
    let max = u16::try_from(MAX_MESSAGES).unwrap();
    for (sent, kept, first) in [(max - 1, max - 1, 0), (1, max, 0), (1, max, 1)] {
        let start = u16::try_from(inbox.revision()).unwrap();
        for delivery in start..start + sent {
            sender.send(&message("+14155552671", delivery)).await.unwrap();
        }
        let messages = inbox.messages(None);
        assert_eq!(messages.len(), usize::from(kept));
        assert!(messages[0].id.starts_with(&format!("SM{first:04x}")), "{}", messages[0].id);
    }
}

#[tokio::test]
async fn magic_numbers_do_what_the_table_says() {
    for (to, outcome) in MAGIC_NUMBERS {
        assert!(NumberPolicy::default().check(&number(to)).is_ok(), "{to}");
        let (inbox, sender) = fixture();
        let result = sender.send(&message(to, 1)).await;
        let kind = result.err().map(|error| error.kind);
        let expected = match outcome {
            Outcome::Delivered | Outcome::Delayed | Outcome::Lost => None,
            Outcome::Rejected => Some(SendErrorKind::Rejected),
            Outcome::SuspectedFraud => Some(SendErrorKind::SuspectedFraud),
            Outcome::Unsupported => Some(SendErrorKind::Unsupported),
            Outcome::Throttled => Some(SendErrorKind::Throttled { retry_after: Some(Duration::from_secs(30)) }),
            Outcome::Unavailable => Some(SendErrorKind::Unavailable),
            Outcome::Unknown => Some(SendErrorKind::Unknown),
        };
        assert_eq!(kind, expected, "{to}");
        let arrives = !matches!(kind, Some(kind) if kind != SendErrorKind::Unknown) && outcome != Outcome::Lost;
        assert_eq!(inbox.messages(None).len(), usize::from(arrives), "{to}");
    }
    let mut shown: Vec<&str> = MAGIC_NUMBERS.iter().map(|(_, outcome)| outcome.as_str()).collect();
    shown.sort_unstable();
    shown.dedup();
    assert_eq!(shown.len(), Outcome::ALL.len(), "every outcome has a magic number");
}

#[tokio::test]
async fn a_script_counts_down_and_goes_before_the_magic_number() {
    let (inbox, sender) = fixture();
    let magic = number("+15005550001");
    inbox.script(magic, Outcome::Delivered, NonZeroU32::new(2)).unwrap();
    for (delivery, taken) in [(1, true), (2, true), (3, false)] {
        assert_eq!(sender.send(&message(magic.e164(), delivery)).await.is_ok(), taken, "{delivery}");
    }
    let plain = number("+14155552671");
    inbox.script(plain, Outcome::Unavailable, None).unwrap();
    for delivery in 4..7 {
        let error = sender.send(&message(plain.e164(), delivery)).await.unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Unavailable);
    }
    assert!(sender.send(&message("+14155552672", 7)).await.is_ok(), "another number is not touched");
    assert_eq!(inbox.scripts(), [Script { to: plain, outcome: Outcome::Unavailable, times: None }]);
    inbox.clear_scripts(Some(&magic));
    assert_eq!(inbox.scripts().len(), 1);
    inbox.clear_scripts(Some(&plain));
    assert!(sender.send(&message(plain.e164(), 8)).await.is_ok());
}

#[test]
fn scripts_are_bounded_and_replacing_one_needs_no_room() {
    let inbox = Inbox::new();
    let at = |n: usize| number(&format!("+1415555{n:04}"));
    for n in 0..MAX_SCRIPTS {
        assert_eq!(inbox.script(at(n), Outcome::Lost, None), Ok(()));
    }
    assert_eq!(inbox.script(at(MAX_SCRIPTS), Outcome::Lost, None), Err(TooManyScripts));
    assert_eq!(inbox.script(at(3), Outcome::Unknown, None), Ok(()));
    inbox.clear_scripts(None);
    assert_eq!(inbox.scripts(), []);
}

#[tokio::test]
async fn delayed_takes_its_delay_but_never_more_than_the_deadline() {
    let inbox = Arc::new(Inbox::new());
    let began = Instant::now();
    let sender = InboxSender::new(Arc::clone(&inbox)).with_delay(Duration::from_millis(40));
    sender.send(&message("+15005550008", 1)).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(40));
    let sender = sender.with_delay(Duration::from_secs(3_600));
    let mut late = message("+15005550008", 2);
    late.deadline = Duration::from_millis(5);
    let ended = tokio::time::timeout(Duration::from_secs(60), sender.send(&late)).await;
    assert!(ended.is_ok_and(|result| result.is_ok()));
    assert_eq!(inbox.messages(None).len(), 2);
}

#[tokio::test]
async fn every_change_moves_the_revision() {
    let (inbox, sender) = fixture();
    let to = number("+14155552671");
    let mut last = inbox.revision();
    let mut moved = |what: &str| {
        assert!(inbox.revision() > last, "{what}");
        last = inbox.revision();
    };
    sender.send(&message(to.e164(), 1)).await.unwrap();
    moved("a message");
    inbox.script(to, Outcome::Rejected, NonZeroU32::new(1)).unwrap();
    moved("a script");
    assert!(sender.send(&message(to.e164(), 2)).await.is_err());
    moved("a used up script");
    inbox.clear_scripts(None);
    moved("no scripts");
    inbox.forget(&to);
    moved("a forgotten number");
    inbox.clear();
    moved("an empty inbox");
}

#[tokio::test]
async fn debug_shows_neither_code_nor_number() {
    let (inbox, sender) = fixture();
    inbox.script(number("+14155552671"), Outcome::Delivered, None).unwrap();
    sender.send(&message("+14155552671", 1)).await.unwrap();
    let shown = format!("{inbox:?} {sender:?} {:?} {:?}", inbox.messages(None), inbox.scripts());
    assert!(shown.contains("2671"), "{shown}");
    for secret in [CODE, "4155552671", "Acme"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn outcomes_are_read_as_they_are_written() {
    for outcome in Outcome::ALL {
        assert_eq!(outcome.as_str().parse(), Ok(outcome));
        assert!(ParseOutcomeError.to_string().contains(&format!(" {outcome}")), "{outcome}");
    }
    for bad in ["", "Rejected", "reject", " rejected"] {
        assert_eq!(bad.parse::<Outcome>(), Err(ParseOutcomeError), "{bad:?}");
    }
}
