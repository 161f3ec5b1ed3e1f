//! The contract suite of the sender port: one function a property, each on a sender of its own.
//!
//! `sender_contract_tests!(factory)` stamps out one test for each in the calling module; the calling crate needs tokio with
//! `macros`, `time` and `rt-multi-thread`. The factory gives senders whose provider, a fake of yours, does as [`Fate`] says. A
//! sender that has no provider (it writes a file, say) answers `None` for what cannot happen to it, and only for that.

#![expect(clippy::expect_used, reason = "a property that does not hold must stop the test")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::code::VerificationCode;
use crate::id::{DeliveryId, VerificationId};
use crate::message::MessageText;
use crate::message::segments::count;
use crate::phone_number::PhoneNumber;
use crate::sender::{Channel, DeliveryStatus, Message, SendError, SendErrorKind, Sender};

/// The number that the suite sends to: one for fiction, whose last four digits may be shown and the others never.
pub const NUMBER: &str = "+14155550123";
/// The code in every message.
pub const CODE: &str = "918273";
/// The text of every message.
pub const TEXT: &str = "Zanzibar: your code is 918273";

/// How long a sender has in the suite when its provider says nothing.
const SHORT_DEADLINE: Duration = Duration::from_millis(400);
/// What a busy machine may add to it.
const SLACK: u32 = 25;
const PARALLEL: u8 = 50;

/// What the provider does with every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It takes it.
    Takes,
    /// It says that this number cannot be sent to, ever.
    Rejects,
    /// It reads the request and never answers.
    Hangs,
    /// It is not there: no connection can be made.
    IsAbsent,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 4] = [Self::Takes, Self::Rejects, Self::Hangs, Self::IsAbsent];
}

/// A sender and the count of messages that its provider has seen, whatever it answered.
pub struct SenderUnderTest {
    /// The sender.
    pub sender: Arc<dyn Sender>,
    /// How many arrived. It may own the fake provider, and so keep it alive.
    pub arrivals: Box<dyn Fn() -> usize + Send + Sync>,
}

impl fmt::Debug for SenderUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderUnderTest").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Makes the senders that the suite tests.
#[async_trait]
pub trait SenderFactory: Send + Sync {
    /// A sender whose provider does `fate`; `None` if that cannot happen to this sender.
    async fn fresh(&self, fate: Fate) -> Option<SenderUnderTest>;
}

/// A message of the suite; `serial` tells its delivery from others.
///
/// # Panics
/// Never: number and code are valid.
#[must_use]
pub fn message(serial: u8, deadline: Duration) -> Message {
    Message {
        delivery_id: DeliveryId::from_bytes([serial; 16]),
        verification_id: VerificationId::from_bytes([serial; 16]),
        service: "zanzibar".to_owned(),
        to: PhoneNumber::parse_e164(NUMBER).unwrap(),
        channel: Channel::Sms,
        text: MessageText::new(TEXT.to_owned()),
        code: VerificationCode::parse(CODE).unwrap(),
        segments: count(TEXT),
        at: Timestamp::from_unix_ms(1_767_225_600_000),
        validity: Duration::from_secs(600),
        deadline,
    }
}

fn in_time() -> Message {
    message(1, Duration::from_secs(60))
}

async fn error_of(under_test: &SenderUnderTest, message: &Message) -> SendError {
    let answer = tokio::time::timeout(message.deadline * SLACK, under_test.sender.send(message)).await;
    answer.expect("an answer within the deadline").expect_err("no receipt for a message that was not taken")
}

/// Replies, logs and metrics know a sender by its name.
pub async fn the_name_is_a_short_word_and_stays(factory: &dyn SenderFactory) {
    let one = factory.fresh(Fate::Takes).await.expect("every sender can take a message").sender;
    let other = factory.fresh(Fate::Takes).await.expect("every sender can take a message").sender;
    let name = one.name();
    assert!((1..=20).contains(&name.len()), "{name:?} has 1 to 20 characters");
    assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name:?}: a-z 0-9 _");
    assert_eq!(name, other.name());
}

/// A receipt means that the provider has it, once, and that it is on its way.
pub async fn a_taken_message_arrives_once(factory: &dyn SenderFactory) {
    let under_test = factory.fresh(Fate::Takes).await.expect("every sender can take a message");
    let receipt = under_test.sender.send(&in_time()).await.expect("a receipt");
    let on_its_way =
        [DeliveryStatus::Accepted, DeliveryStatus::Queued, DeliveryStatus::Sent, DeliveryStatus::Delivered];
    assert!(on_its_way.contains(&receipt.status), "{:?} in a receipt", receipt.status);
    assert!(receipt.message_id.is_none_or(|id| !id.is_empty()), "an empty message id");
    assert_eq!((under_test.arrivals)(), 1);
}

/// Sends do not get into each other's way.
pub async fn parallel_messages_arrive_once_each(factory: &dyn SenderFactory) {
    let under_test = factory.fresh(Fate::Takes).await.expect("every sender can take a message");
    let tasks: Vec<_> = (0..PARALLEL)
        .map(|serial| {
            let sender = Arc::clone(&under_test.sender);
            tokio::spawn(async move { sender.send(&message(serial, Duration::from_secs(60))).await })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.extend(task.await.unwrap().expect("a receipt").message_id);
    }
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "two messages with one id");
    assert_eq!((under_test.arrivals)(), usize::from(PARALLEL));
}

/// What will never work is told as such and not tried again.
pub async fn a_rejection_is_told_and_not_repeated(factory: &dyn SenderFactory) {
    let Some(under_test) = factory.fresh(Fate::Rejects).await else { return };
    let error = error_of(&under_test, &in_time()).await;
    let for_good = [SendErrorKind::Rejected, SendErrorKind::Unsupported, SendErrorKind::SuspectedFraud];
    assert!(for_good.contains(&error.kind), "{:?} for a number that can never be sent to", error.kind);
    assert!((under_test.arrivals)() <= 1, "a rejected message was repeated");
}

/// What may have been sent is `Unknown`, is told within the deadline, and is never repeated.
pub async fn silence_is_unknown_within_the_deadline_and_not_repeated(factory: &dyn SenderFactory) {
    let Some(under_test) = factory.fresh(Fate::Hangs).await else { return };
    let error = error_of(&under_test, &message(1, SHORT_DEADLINE)).await;
    assert_eq!(error.kind, SendErrorKind::Unknown, "{error}");
    assert_eq!((under_test.arrivals)(), 1, "a message that may have been sent was repeated");
}

/// What certainly did not leave gives the caller their limits back, and another sender a try.
pub async fn an_absent_provider_is_unavailable(factory: &dyn SenderFactory) {
    let Some(under_test) = factory.fresh(Fate::IsAbsent).await else { return };
    let error = error_of(&under_test, &message(1, Duration::from_secs(5))).await;
    let certain = matches!(error.kind, SendErrorKind::Unavailable | SendErrorKind::Throttled { .. });
    assert!(certain, "{:?} although no request left", error.kind);
    assert_eq!((under_test.arrivals)(), 0);
}

/// Errors go to logs and sender names to metrics: neither shows what is secret.
pub async fn nothing_shows_the_number_the_text_or_the_code(factory: &dyn SenderFactory) {
    for fate in Fate::ALL {
        let Some(under_test) = factory.fresh(fate).await else { continue };
        let mut shown = Vec::new();
        if let Err(error) = under_test.sender.send(&message(1, SHORT_DEADLINE)).await {
            shown.push(format!("{error} {error:?} {:?}", error.detail));
            let mut source = error.source();
            while let Some(error) = source {
                shown.push(format!("{error} {error:?}"));
                source = error.source();
            }
        }
        shown.push(format!("{:?}", under_test.sender));
        for text in shown {
            for secret in [CODE, NUMBER, NUMBER.trim_start_matches('+'), "4155550123", TEXT] {
                assert!(!text.contains(secret), "{fate:?}: {secret:?} is in {text}");
            }
        }
    }
}

/// Stamps out every property of the sender contract as a test on senders made by the factory that the expression gives.
#[macro_export]
macro_rules! sender_contract_tests {
    ($factory:expr) => {
        $crate::sender_contract_tests! { $factory;
            the_name_is_a_short_word_and_stays, a_taken_message_arrives_once, parallel_messages_arrive_once_each,
            a_rejection_is_told_and_not_repeated, silence_is_unknown_within_the_deadline_and_not_repeated,
            an_absent_provider_is_unavailable, nothing_shows_the_number_the_text_or_the_code
        }
    };
    ($factory:expr; $($property:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                $crate::testing::sender_contract::$property(&$factory).await;
            }
        )+
    };
}
