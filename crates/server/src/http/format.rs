//! How instants are written in replies: RFC 3339, UTC, with milliseconds, which the rules are exact to.

use verifyd_core::clock::Timestamp;

/// `at` as `2026-11-22T17:44:35.123Z`.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let ms = i64::try_from(at.unix_ms()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_out_of_range| "9999-12-31T23:59:59.999Z".to_owned(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_milliseconds() {
        assert_eq!(rfc3339(Timestamp::from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp::from_unix_ms(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
        assert_eq!(rfc3339(Timestamp::from_unix_ms(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
