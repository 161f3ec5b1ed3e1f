//! Numbers with a code that is known beforehand, `[[test_numbers]]`.
//!
//! A fixed code for a number that somebody holds is a back door to their accounts: production takes only numbers that are
//! reserved for fiction, and every entry has an end.

use std::collections::BTreeSet;
use std::time::Duration;

use verifyd_core::clock::Timestamp;
use verifyd_core::code::VerificationCode;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_senders::test_numbers::{MAX_TEST_NUMBERS, TestNumber, is_fictional};

use super::Environment;
use super::reader::Reader;

const EXPECTED_INSTANT: &str =
    "expected a date such as 2030-12-31, or a time with its offset such as 2030-12-31T12:00:00Z";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// An end so far away is none in practice.
const LONG: Duration = Duration::from_secs(366 * 24 * 3600);

pub(super) fn read(reader: &mut Reader<'_>, now: Timestamp) -> Option<Vec<TestNumber>> {
    let sections = reader.values.list("test_numbers");
    if sections.len() > MAX_TEST_NUMBERS {
        reader.findings.refuse("test_numbers", format_args!("at most {MAX_TEST_NUMBERS} entries"));
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(sections.len());
    for section in &sections {
        let entry = read_one(reader, section, now);
        if let Some(entry) = &entry
            && !seen.insert(entry.number)
        {
            reader.refuse(&format!("{section}.number"), "listed twice; keep one of the entries");
        }
        all.push(entry);
    }
    let all: Option<Vec<TestNumber>> = all.into_iter().collect();
    let all = all?;
    let in_force = all.iter().filter(|entry| now < entry.until).count();
    if in_force > 0 {
        let message = format!("{in_force} in force: whoever knows their codes passes for their numbers");
        reader.findings.warn("test_numbers", message);
    }
    Some(all)
}

fn read_one(reader: &mut Reader<'_>, section: &str, now: Timestamp) -> Option<TestNumber> {
    let path = |key: &str| format!("{section}.{key}");
    let number = read_number(reader, &path("number"));
    let code = if present(reader, &path("code"), "its code, 4 to 10 digits") {
        reader.parsed_by(&path("code"), VerificationCode::parse)
    } else {
        None
    };
    let until = if present(reader, &path("until"), "the day on which it ends; a test number never lasts for ever") {
        reader.parsed_by(&path("until"), instant)
    } else {
        None
    };
    if let Some(until) = until {
        if until <= now {
            reader.findings.remark(reader.field(&path("until")), "over: an ordinary number again; remove the entry");
        } else if until.since(now) > LONG {
            reader.findings.remark(reader.field(&path("until")), "more than a year away");
        }
    }
    Some(TestNumber { number: number?, code: code?, until: until? })
}

fn present(reader: &mut Reader<'_>, path: &str, what: &str) -> bool {
    let given = reader.values.get(path).is_some() || reader.values.get(&format!("{path}_file")).is_some();
    if !given {
        reader.refuse(path, format_args!("missing; give {what}"));
    }
    given
}

fn read_number(reader: &mut Reader<'_>, path: &str) -> Option<PhoneNumber> {
    if !present(reader, path, "a number in E.164, such as +14155550142") {
        return None;
    }
    let number = reader.parsed_by(path, |text| PhoneNumber::parse(text, None))?;
    if reader.environment == Environment::Production && !is_fictional(&number) {
        reader.refuse(
            path,
            format_args!(
                "{number} is not in a range reserved for fiction, and production takes no other; use one such as \
                 +14155550142"
            ),
        );
        return None;
    }
    Some(number)
}

/// The first instant after what is written: a date ends with its day, in UTC.
fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let (instant, more) = match text.parse::<jiff::civil::Date>() {
        // Text with a time is read as a date, too; only what is nothing else counts.
        Ok(date) if text.len() == "2030-12-31".len() => (date.to_string() + "T00:00:00Z", DAY),
        _ => (text.to_owned(), Duration::ZERO),
    };
    let instant: jiff::Timestamp = instant.parse().map_err(|_source| EXPECTED_INSTANT)?;
    let ms = u64::try_from(instant.as_millisecond()).map_err(|_source| EXPECTED_INSTANT)?;
    Ok(Timestamp::from_unix_ms(ms) + more)
}
