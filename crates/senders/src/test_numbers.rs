//! Test numbers: phone numbers of the configuration with a code that is known beforehand.
//!
//! For reviewers of app stores and for automated tests. A [`TestNumber`] has an end, always; from that instant on its number
//! is an ordinary one. No message leaves: the sender only takes note. In production only numbers reserved for fiction
//! ([`is_fictional`]) may be test numbers, because a fixed code for a number that somebody holds is a back door to their
//! accounts.
//!
//! Wire [`TestNumbers`] as the first sender, so that it covers its numbers before any other.

mod fiction;

use std::collections::BTreeMap;

use async_trait::async_trait;
use verifyd_core::clock::Timestamp;
use verifyd_core::code::VerificationCode;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::sender::{DeliveryStatus, Message, Receipt, SendError, SendErrorKind, Sender};

pub use fiction::is_fictional;

/// The name of the sender in replies, logs and metrics.
pub const NAME: &str = "test_number";
/// The most test numbers of a configuration.
pub const MAX_TEST_NUMBERS: usize = 1_000;

/// A number whose code is known. Its `Debug` shows neither the code nor the whole number.
#[derive(Clone, Debug)]
pub struct TestNumber {
    /// The number.
    pub number: PhoneNumber,
    /// Its code.
    pub code: VerificationCode,
    /// The first instant at which it is an ordinary number again.
    pub until: Timestamp,
}

/// Why a list of test numbers is refused. The texts hold the last four digits of a number at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TestNumberError {
    /// Which of the two codes should hold?
    #[error("{number} is listed twice")]
    Duplicate {
        /// The number.
        number: PhoneNumber,
    },
    /// Somebody may hold it.
    #[error("{number} is not in a range reserved for fiction, and in production only those may be test numbers")]
    NotFictional {
        /// The number.
        number: PhoneNumber,
    },
    /// Over [`MAX_TEST_NUMBERS`].
    #[error("more than {MAX_TEST_NUMBERS} test numbers")]
    TooMany,
}

#[derive(Debug)]
struct Fixed {
    code: VerificationCode,
    until: Timestamp,
}

/// The sender of the test numbers.
#[derive(Debug, Default)]
pub struct TestNumbers {
    numbers: BTreeMap<PhoneNumber, Fixed>,
}

impl TestNumbers {
    /// For development: any valid number.
    ///
    /// # Errors
    /// [`TestNumberError::Duplicate`], [`TestNumberError::TooMany`].
    pub fn new(list: Vec<TestNumber>) -> Result<Self, TestNumberError> {
        if list.len() > MAX_TEST_NUMBERS {
            return Err(TestNumberError::TooMany);
        }
        let mut numbers = BTreeMap::new();
        for TestNumber { number, code, until } in list {
            if numbers.insert(number, Fixed { code, until }).is_some() {
                return Err(TestNumberError::Duplicate { number });
            }
        }
        Ok(Self { numbers })
    }

    /// For production: only numbers reserved for fiction.
    ///
    /// # Errors
    /// Those of [`Self::new`], and [`TestNumberError::NotFictional`].
    pub fn for_production(list: Vec<TestNumber>) -> Result<Self, TestNumberError> {
        match list.iter().find(|entry| !is_fictional(&entry.number)) {
            Some(entry) => Err(TestNumberError::NotFictional { number: entry.number }),
            None => Self::new(list),
        }
    }

    /// How many numbers are test numbers at `now`, for the warning at start and the metric.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> usize {
        self.numbers.values().filter(|fixed| now < fixed.until).count()
    }
}

#[async_trait]
impl Sender for TestNumbers {
    fn name(&self) -> &'static str {
        NAME
    }

    /// No message leaves. Whether a reply shows the code is still up to the switch that exposes codes.
    fn stays_here(&self) -> bool {
        true
    }

    fn covers(&self, to: &PhoneNumber, now: Timestamp) -> bool {
        self.numbers.get(to).is_some_and(|fixed| now < fixed.until)
    }

    /// Ask [`Self::covers`] first, as a route does: the end of a number is not looked at here.
    fn fixed_code(&self, to: &PhoneNumber) -> Option<VerificationCode> {
        self.numbers.get(to).map(|fixed| fixed.code.clone())
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        if !self.covers(&message.to, message.at) {
            return Err(SendError::new(SendErrorKind::Unavailable, "not a test number, or no longer"));
        }
        Ok(Receipt {
            message_id: None,
            status: DeliveryStatus::Delivered,
            segments: Some(message.segments.count),
            price: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use verifyd_core::id::{DeliveryId, VerificationId};
    use verifyd_core::message::{MessageText, segments};
    use verifyd_core::routing::{RouteReason, Senders};
    use verifyd_core::sender::Channel;

    use super::*;
    use crate::inbox::{Inbox, InboxSender};

    const UNTIL: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
    const MS: Duration = Duration::from_millis(1);
    const FICTIONAL: &str = "+14155550142";

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse_e164(text).unwrap()
    }

    fn entry(text: &str) -> TestNumber {
        TestNumber { number: number(text), code: VerificationCode::parse("834105").unwrap(), until: UNTIL }
    }

    fn message(to: &str, at: Timestamp) -> Message {
        Message {
            delivery_id: DeliveryId::from_bytes([1; 16]),
            verification_id: VerificationId::from_bytes([2; 16]),
            service: "default".to_owned(),
            to: number(to),
            channel: Channel::Sms,
            text: MessageText::new("834105".to_owned()),
            code: VerificationCode::parse("834105").unwrap(),
            segments: segments::count("834105"),
            at,
            validity: Duration::from_secs(600),
            deadline: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn a_test_number_is_one_until_its_end_and_ordinary_from_then_on() {
        let tests: Arc<TestNumbers> = Arc::new(TestNumbers::new(vec![entry(FICTIONAL)]).unwrap());
        let inbox = Arc::new(InboxSender::new(Arc::new(Inbox::new())));
        let senders = Senders::new(vec![Arc::<TestNumbers>::clone(&tests), inbox]);
        let to = number(FICTIONAL);
        let before = senders.route(&to, UNTIL - MS).unwrap();
        assert_eq!((before.sender.name(), before.reason), (NAME, RouteReason::TestNumber));
        assert_eq!(before.sender.fixed_code(&to).unwrap().expose(), "834105");
        let receipt = before.sender.send(&message(FICTIONAL, UNTIL - MS)).await.unwrap();
        assert_eq!((receipt.status, receipt.message_id), (DeliveryStatus::Delivered, None));
        for at in [UNTIL, UNTIL + MS] {
            let after = senders.route(&to, at).unwrap();
            assert_eq!((after.sender.name(), after.reason), ("inbox", RouteReason::FirstSender));
            assert!(after.sender.fixed_code(&to).is_none());
            assert_eq!(tests.send(&message(FICTIONAL, at)).await.unwrap_err().kind, SendErrorKind::Unavailable);
        }
        assert_eq!((tests.in_force(UNTIL - MS), tests.in_force(UNTIL)), (1, 0));
        assert!(!tests.covers(&number("+14155550143"), UNTIL - MS));
    }

    #[test]
    fn production_takes_numbers_of_fiction_and_no_other() {
        assert!(TestNumbers::for_production(vec![entry(FICTIONAL), entry("+442079460123")]).is_ok());
        let error = TestNumbers::for_production(vec![entry(FICTIONAL), entry("+442079470123")]).unwrap_err();
        assert_eq!(error, TestNumberError::NotFictional { number: number("+442079470123") });
    }

    #[test]
    fn lists_are_checked_and_errors_mask_the_number() {
        let twice = TestNumbers::new(vec![entry(FICTIONAL), entry(FICTIONAL)]).unwrap_err();
        assert_eq!(twice.to_string(), "+*******0142 is listed twice");
        let held = vec![entry(FICTIONAL), entry("+14155552671")];
        assert!(TestNumbers::new(held.clone()).is_ok());
        assert_eq!(
            TestNumbers::for_production(held).unwrap_err().to_string(),
            "+*******2671 is not in a range reserved for fiction, and in production only those may be test numbers"
        );
        let many = |n: usize| (0..n).map(|i| entry(&format!("+1415555{i:04}"))).collect::<Vec<_>>();
        assert!(TestNumbers::new(many(MAX_TEST_NUMBERS)).is_ok());
        assert_eq!(TestNumbers::new(many(MAX_TEST_NUMBERS + 1)).unwrap_err(), TestNumberError::TooMany);
    }

    #[test]
    fn debug_shows_neither_code_nor_number() {
        let shown = format!("{:?} {:?}", entry(FICTIONAL), TestNumbers::new(vec![entry(FICTIONAL)]).unwrap());
        assert!(!shown.contains("834105") && !shown.contains("4155550142"), "{shown}");
    }
}
