//! `Rate`: "N per window", as written in configuration (`5/1h`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The largest N: the exact log keeps N instants a key, so N is small by design; GCRA limits share the bound.
pub const MAX_RATE_COUNT: u32 = 100_000;
/// The longest window.
pub const MAX_RATE_WINDOW: Duration = Duration::from_secs(366 * 24 * 3600);

/// At most `count` in any `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    window: Duration,
}

/// A rate that is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseRateError {
    /// Not of the form `N/duration`.
    #[error("a limit is written as N/duration, such as 5/1h")]
    Form,
    /// The count is out of bounds.
    #[error("the count of a limit is 1 to 100000")]
    Count,
    /// The window is out of bounds.
    #[error("the window of a limit is 1ms to 366 days")]
    Window,
}

impl Rate {
    /// `count` per `window`.
    ///
    /// # Errors
    /// [`ParseRateError`] if the count is not 1 to [`MAX_RATE_COUNT`] or the window not 1 ms to [`MAX_RATE_WINDOW`].
    pub fn new(count: u32, window: Duration) -> Result<Self, ParseRateError> {
        if count == 0 || count > MAX_RATE_COUNT {
            return Err(ParseRateError::Count);
        }
        if window < Duration::from_millis(1) || window > MAX_RATE_WINDOW {
            return Err(ParseRateError::Window);
        }
        Ok(Self { count, window })
    }

    /// The most per window.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The window.
    #[must_use]
    pub const fn window(self) -> Duration {
        self.window
    }

    /// The same window with `factor` times the count, for wider networks.
    #[must_use]
    pub fn times(self, factor: u32) -> Self {
        Self { count: self.count.saturating_mul(factor).min(MAX_RATE_COUNT), window: self.window }
    }
}

/// Reads `90s`, `10m`, `24h`, `7d` or `500ms`: a whole number and one unit.
///
/// # Errors
/// [`ParseDurationError`] for anything else.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(ParseDurationError)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_source| ParseDurationError)?;
    let ms_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(ParseDurationError),
    };
    number.checked_mul(ms_per_unit).map(Duration::from_millis).ok_or(ParseDurationError)
}

/// Text that is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number and a unit, such as 90s, 10m or 24h")]
pub struct ParseDurationError;

/// Writes a duration as [`parse_duration`] reads it, in the largest unit that divides it.
#[must_use]
pub fn format_duration(span: Duration) -> String {
    let ms = crate::clock::duration_ms(span);
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        // A day is written as 24h: the form of the documentation.
        if ms.is_multiple_of(size) && ms / size > 0 && (unit != "d" || ms / size > 1) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let (count, window) = text.split_once('/').ok_or(ParseRateError::Form)?;
        if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseRateError::Form);
        }
        let count = count.parse().map_err(|_source| ParseRateError::Count)?;
        let window = parse_duration(window).map_err(|_source| ParseRateError::Form)?;
        Self::new(count, window)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, format_duration(self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_trip() {
        for text in ["5/1h", "10/24h", "30/90s", "1/1ms", "100000/366d", "3/2d", "7/1500ms"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("10/1d".parse::<Rate>().unwrap().to_string(), "10/24h");
    }

    #[test]
    fn bad_rates_say_what_is_wrong() {
        for (text, error) in [
            ("", ParseRateError::Form),
            ("5", ParseRateError::Form),
            ("5/h", ParseRateError::Form),
            ("/1h", ParseRateError::Form),
            ("-5/1h", ParseRateError::Form),
            ("+5/1h", ParseRateError::Form),
            ("5/1w", ParseRateError::Form),
            ("5/1.5h", ParseRateError::Form),
            ("0/1h", ParseRateError::Count),
            ("100001/1h", ParseRateError::Count),
            ("99999999999/1h", ParseRateError::Count),
            ("5/0s", ParseRateError::Window),
            ("5/367d", ParseRateError::Window),
            ("5/99999999999999999999h", ParseRateError::Form),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap_err(), error, "{text:?}");
        }
    }
}
