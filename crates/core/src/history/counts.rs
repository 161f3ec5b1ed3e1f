//! What is counted of deliveries, and how it is written field by field.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sender::{DeliveryStatus, Price};

/// An ISO 4217 code; three X, which ISO keeps for "no currency", where a provider wrote none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Currency([u8; 3]);

impl Currency {
    /// What `text` says, three X if it is no three letters.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match *text.as_bytes() {
            [a, b, c] if text.bytes().all(|letter| letter.is_ascii_alphabetic()) => {
                Self([a, b, c].map(|letter| letter.to_ascii_uppercase()))
            }
            _ => Self([b'X'; 3]),
        }
    }

    /// Three capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A decimal amount in billionths; digits beyond are cut off. `None` for what is no decimal number.
fn nanos(amount: &str) -> Option<i64> {
    let (sign, digits) = amount.strip_prefix('-').map_or((1, amount), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits == "." || !decimal(whole) || !decimal(fraction) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let fraction = padded.fold(0, |sum: i64, digit| sum * 10 + i64::from(digit - b'0'));
    whole.checked_mul(1_000_000_000)?.checked_add(fraction)?.checked_mul(sign)
}

/// The upper ends of the classes in which times to approval are counted, in seconds; a last class has no end.
pub const WAIT_BOUNDS_S: [u32; 15] = [2, 4, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600];

/// Times from the admission of a delivery to the right code, counted in classes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Their sum in milliseconds.
    pub sum_ms: i64,
    /// How many lie in each class of [`WAIT_BOUNDS_S`], and behind the last.
    pub classes: [i64; 16],
}

impl Waits {
    fn class(wait_ms: u64) -> usize {
        WAIT_BOUNDS_S.iter().position(|bound| wait_ms < u64::from(*bound) * 1000).unwrap_or(WAIT_BOUNDS_S.len())
    }

    /// Counts one.
    pub fn add(&mut self, wait_ms: u64) {
        self.sum_ms = self.sum_ms.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX));
        if let Some(count) = self.classes.get_mut(Self::class(wait_ms)) {
            *count += 1;
        }
    }

    /// The mean in milliseconds, exact to the millisecond.
    #[must_use]
    pub fn mean_ms(&self) -> Option<u64> {
        let count: i64 = self.classes.iter().sum();
        u64::try_from(self.sum_ms.checked_div(count)?).ok()
    }

    /// The median in milliseconds, as exact as the classes: taken as even within one, and as its beginning in the last.
    #[must_use]
    pub fn median_ms(&self) -> Option<u64> {
        let count = u64::try_from(self.classes.iter().sum::<i64>()).ok().filter(|count| *count > 0)?;
        let (mut before, mut from_ms) = (0, 0);
        for (index, class) in self.classes.iter().enumerate() {
            let inside = u64::try_from(*class).unwrap_or_default();
            let until_ms = WAIT_BOUNDS_S.get(index).map_or(from_ms, |bound| u64::from(*bound) * 1000);
            if (before + inside) * 2 >= count && inside > 0 {
                // Half of `count`, less what lies before, of the class's width.
                return Some(from_ms + (until_ms - from_ms) * (count - (before * 2).min(count)) / (2 * inside));
            }
            (before, from_ms) = (before + inside, until_ms);
        }
        None
    }
}

/// What is counted by hour, service, country, sender and channel. Counts are signed: news can take back what was counted before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Deliveries, whatever became of them.
    pub attempts: i64,
    /// Those that the handset has.
    pub delivered: i64,
    /// Those that the carrier says did not arrive.
    pub undelivered: i64,
    /// Those that did not leave.
    pub failed: i64,
    /// Those of which nobody knows whether they left.
    pub unknown: i64,
    /// Those whose verification was approved, counted for its last message.
    pub approved: i64,
    /// Segments.
    pub segments: i64,
    /// Starts and resends that were refused before anything was sent, by reason.
    pub refused: BTreeMap<Box<str>, i64>,
    /// What it cost, in billionths of the currency.
    pub cost: BTreeMap<Currency, i64>,
    /// Times to approval.
    pub waits: Waits,
}

impl Counts {
    /// Those that left, or may have.
    #[must_use]
    pub const fn sent(&self) -> i64 {
        self.attempts - self.failed
    }

    /// Adds `by` to the count of deliveries that stand at `status`, if there is one.
    pub fn stand(&mut self, status: DeliveryStatus, by: i64) {
        match status {
            DeliveryStatus::Delivered => self.delivered += by,
            DeliveryStatus::Undelivered => self.undelivered += by,
            DeliveryStatus::Failed => self.failed += by,
            DeliveryStatus::Unknown => self.unknown += by,
            DeliveryStatus::Accepted | DeliveryStatus::Queued | DeliveryStatus::Sent => {}
        }
    }

    /// Adds a price, or takes it back; one that is no number is not counted.
    pub fn pay(&mut self, price: &Price, by: i64) {
        if let Some(nanos) = nanos(&price.amount).filter(|nanos| *nanos != 0) {
            let sum = self.cost.entry(Currency::of(&price.currency)).or_default();
            *sum = sum.saturating_add(nanos.saturating_mul(by));
        }
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        for (field, value) in other.fields() {
            self.add_field(&field, value);
        }
    }

    /// Every count that is not zero, by a name that is the same for ever: how a history keeps them field by field.
    pub fn fields(&self) -> impl Iterator<Item = (Field<'_>, i64)> {
        let plain = [
            (Field::Attempts, self.attempts),
            (Field::Delivered, self.delivered),
            (Field::Undelivered, self.undelivered),
            (Field::Failed, self.failed),
            (Field::Unknown, self.unknown),
            (Field::Approved, self.approved),
            (Field::Segments, self.segments),
            (Field::WaitMs, self.waits.sum_ms),
        ];
        let refused = self.refused.iter().map(|(reason, count)| (Field::Refused(reason), *count));
        let cost = self.cost.iter().map(|(currency, sum)| (Field::Cost(*currency), *sum));
        let waits = self.waits.classes.iter().enumerate().map(|(class, count)| (Field::Wait(class), *count));
        plain.into_iter().chain(refused).chain(cost).chain(waits).filter(|(_, value)| *value != 0)
    }

    /// Adds to one count.
    pub fn add_field(&mut self, field: &Field<'_>, value: i64) {
        let count = match field {
            Field::Attempts => &mut self.attempts,
            Field::Delivered => &mut self.delivered,
            Field::Undelivered => &mut self.undelivered,
            Field::Failed => &mut self.failed,
            Field::Unknown => &mut self.unknown,
            Field::Approved => &mut self.approved,
            Field::Segments => &mut self.segments,
            Field::WaitMs => &mut self.waits.sum_ms,
            Field::Refused(reason) => self.refused.entry((*reason).into()).or_default(),
            Field::Cost(currency) => self.cost.entry(*currency).or_default(),
            Field::Wait(class) => match self.waits.classes.get_mut(*class) {
                Some(count) => count,
                None => return,
            },
        };
        *count = count.saturating_add(value);
    }
}

/// One count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// Deliveries.
    Attempts,
    /// Delivered.
    Delivered,
    /// Not delivered.
    Undelivered,
    /// Did not leave.
    Failed,
    /// Unknown.
    Unknown,
    /// Approved.
    Approved,
    /// Segments.
    Segments,
    /// Sum of the times to approval.
    WaitMs,
    /// Refused, for a reason.
    Refused(&'a str),
    /// Billionths of a currency.
    Cost(Currency),
    /// Times to approval of a class.
    Wait(usize),
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempts => f.write_str("a"),
            Self::Delivered => f.write_str("d"),
            Self::Undelivered => f.write_str("u"),
            Self::Failed => f.write_str("f"),
            Self::Unknown => f.write_str("k"),
            Self::Approved => f.write_str("y"),
            Self::Segments => f.write_str("s"),
            Self::WaitMs => f.write_str("t"),
            Self::Refused(reason) => write!(f, "r:{reason}"),
            Self::Cost(currency) => write!(f, "c:{}", currency.as_str()),
            Self::Wait(class) => write!(f, "w:{class}"),
        }
    }
}

impl<'a> Field<'a> {
    /// The count that [`Display`](fmt::Display) named so.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        Some(match text.split_once(':') {
            Some(("r", reason)) => Self::Refused(reason),
            Some(("c", currency)) => Self::Cost(Currency::of(currency)),
            Some(("w", class)) => Self::Wait(class.parse().ok()?),
            Some(_) => return None,
            None => match text {
                "a" => Self::Attempts,
                "d" => Self::Delivered,
                "u" => Self::Undelivered,
                "f" => Self::Failed,
                "k" => Self::Unknown,
                "y" => Self::Approved,
                "s" => Self::Segments,
                "t" => Self::WaitMs,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        let cases = [
            ("0.0079", Some(7_900_000)),
            ("-0.0079", Some(-7_900_000)),
            ("12", Some(12_000_000_000)),
            (".5", Some(500_000_000)),
            ("1.0000000019", Some(1_000_000_001)),
            ("", None),
            (".", None),
            ("-", None),
            ("1e3", None),
            ("1,5", None),
            ("99999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(nanos(text), expected, "{text}");
        }
        assert_eq!((Currency::of("usd").as_str(), Currency::of("dollars").as_str()), ("USD", "X".repeat(3).as_str()));
    }

    #[test]
    fn mean_and_median_follow_the_times() {
        let mut waits = Waits::default();
        assert_eq!((waits.mean_ms(), waits.median_ms()), (None, None));
        for wait in [1_000, 5_000, 5_000, 5_000, 9_000] {
            waits.add(wait);
        }
        assert_eq!(waits.mean_ms(), Some(5_000));
        // Three of five lie between 4 s and 6 s; the half of five is the 1.5th of them.
        assert_eq!(waits.median_ms(), Some(5_000));
        let mut late = Waits::default();
        late.add(3_600_000);
        assert_eq!((late.mean_ms(), late.median_ms()), (Some(3_600_000), Some(600_000)));
        assert_eq!((Waits::class(1_999), Waits::class(2_000), Waits::class(600_000)), (0, 1, 15));
    }

    #[test]
    fn counts_come_back_field_by_field() {
        let mut counts = Counts { attempts: 7, failed: 2, ..Counts::default() };
        counts.stand(DeliveryStatus::Unknown, -1);
        counts.pay(&Price { amount: "0.0079".into(), currency: "USD".into(), estimated: false }, 2);
        counts.refused.insert("sends_per_phone".into(), 3);
        counts.waits.add(2_500);
        let mut read = Counts::default();
        for (field, value) in counts.fields() {
            let name = field.to_string();
            read.add_field(&Field::parse(&name).unwrap(), value);
        }
        assert_eq!(read, counts);
        assert_eq!(counts.sent(), 5);
        for bad in ["", "x", "z:1", "w:x", "aa"] {
            assert_eq!(Field::parse(bad), None, "{bad}");
        }
    }
}
