//! How instants and ids are written in replies and log lines: without a heap, because each reply has ten of them.
//!
//! Instants are RFC 3339, UTC, with milliseconds, which the rules are exact to.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};
use verifyd_core::clock::Timestamp;

const MS_PER_DAY: u64 = 24 * 3600 * 1000;
/// `2026-11-22T17:44:35.123Z`.
const INSTANT_BYTES: usize = 24;
const DATE_BYTES: usize = 10;
/// Two capitals and 32 hex digits.
const ID_BYTES: usize = 34;
/// What cannot be written in four digits of a year.
const LATEST: &[u8; INSTANT_BYTES] = b"9999-12-31T23:59:59.999Z";

/// Text of at most `N` bytes, by value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

/// An instant, written.
pub(crate) type InstantText = Text<INSTANT_BYTES>;
/// An id, written.
pub(crate) type IdText = Text<ID_BYTES>;

impl<const N: usize> Text<N> {
    const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl<const N: usize> std::ops::Deref for Text<N> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An id as it is written: two capitals and 32 hex digits.
pub(crate) fn id_text(id: impl fmt::Display) -> IdText {
    let mut text = IdText::EMPTY;
    // Every id has its length; another thing would come out empty and fail its schema.
    let _written = write!(text, "{id}");
    text
}

/// `at` as `2026-11-22T17:44:35.123Z`.
pub(crate) fn rfc3339(at: Timestamp) -> InstantText {
    let ms = at.unix_ms();
    let bytes = date_of(ms / MS_PER_DAY).map_or(*LATEST, |date| written(date, ms % MS_PER_DAY));
    InstantText { bytes, len: INSTANT_BYTES }
}

/// The calendar is the library's; a thread asks it once a day, because all instants of a reply are hours apart at most.
fn date_of(day: u64) -> Option<[u8; DATE_BYTES]> {
    thread_local! {
        static LAST: Cell<Option<(u64, [u8; DATE_BYTES])>> = const { Cell::new(None) };
    }
    if let Some((_, date)) = LAST.get().filter(|(known, _)| *known == day) {
        return Some(date);
    }
    let ms = i64::try_from(day.checked_mul(MS_PER_DAY)?).ok()?;
    let whole = jiff::Timestamp::from_millisecond(ms).ok()?.to_string();
    let date = whole.as_bytes().first_chunk().copied()?;
    LAST.set(Some((day, date)));
    Some(date)
}

fn written(date: [u8; DATE_BYTES], ms_of_day: u64) -> [u8; INSTANT_BYTES] {
    let seconds = ms_of_day / 1000;
    let [hour_tens, hour] = two_digits(seconds / 3600);
    let [minute_tens, minute] = two_digits(seconds / 60 % 60);
    let [second_tens, second] = two_digits(seconds % 60);
    let [hundreds, tens, ones] = [ms_of_day / 100, ms_of_day / 10, ms_of_day].map(digit);
    let [y0, y1, y2, y3, _, m0, m1, _, d0, d1] = date;
    #[rustfmt::skip]
    let text = [
        y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T',
        hour_tens, hour, b':', minute_tens, minute, b':', second_tens, second, b'.', hundreds, tens, ones, b'Z',
    ];
    text
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value % 10).unwrap_or_default()
}

fn two_digits(value: u64) -> [u8; 2] {
    [digit(value / 10), digit(value)]
}

/// An instant as RFC 3339 writes it, with any offset; one before 1970 is 1970, and `None` is what is no instant.
pub(crate) fn parse_instant(text: &str) -> Option<Timestamp> {
    // In a query a plus sign stands for a space, and everybody forgets to write %2B.
    let at: jiff::Timestamp = text.replace(' ', "+").parse().ok()?;
    Some(Timestamp::from_unix_ms(u64::try_from(at.as_millisecond()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use verifyd_core::id::VerificationId;

    fn text(ms: u64) -> String {
        rfc3339(Timestamp::from_unix_ms(ms)).as_str().to_owned()
    }

    #[test]
    fn instants_are_read_with_any_offset() {
        let read = |text| parse_instant(text).map(Timestamp::unix_ms);
        assert_eq!(read("2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
        assert_eq!(read("2023-11-15T00:13:20.123 02:00"), Some(1_700_000_000_123));
        assert_eq!(read("0001-01-01T00:00:00Z"), Some(0));
        for bad in ["", "now", "2023-11-14", "2023-11-14T22:13:20"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn instants_are_written_with_milliseconds() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(text(1_700_006_399_999), "2023-11-14T23:59:59.999Z");
        assert_eq!(text(1_700_006_400_000), "2023-11-15T00:00:00.000Z");
        assert_eq!(text(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn every_instant_is_written_as_the_library_would() {
        for step in 0..20_000_u64 {
            let ms = step * 12_345_678_901;
            let whole = jiff::Timestamp::from_millisecond(ms.try_into().unwrap()).unwrap();
            assert_eq!(text(ms), format!("{whole:.3}"));
        }
    }

    #[test]
    fn ids_are_written_as_they_show() {
        let id = VerificationId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id_text(id).as_str(), id.to_string());
    }
}
