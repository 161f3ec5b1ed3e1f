//! How instants are written in replies: RFC 3339, UTC, with milliseconds, which the rules are exact to.

use verifyd_core::clock::Timestamp;

/// `at` as `2026-11-22T17:44:35.123Z`.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let ms = i64::try_from(at.unix_ms()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_out_of_range| "9999-12-31T23:59:59.999Z".to_owned(), |at| format!("{at:.3}"))
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
        assert_eq!(rfc3339(Timestamp::from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp::from_unix_ms(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
        assert_eq!(rfc3339(Timestamp::from_unix_ms(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
