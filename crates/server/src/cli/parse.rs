//! `verifyd parse`: what libphonenumber and verifyd make of numbers, one a line, as JSON lines.
//!
//! A line is the input, or the input, a tab and a region; the last tab counts. Every line gives exactly one line of
//! output, in order, so that the two can be joined. `valid`, `e164`, `region` and `type` are libphonenumber's verdict
//! on the input as given; `reason` says why verifyd, under its default policy, refuses it.
//!
//! Memory is bounded: of a line over `MAX_LINE_BYTES` only the beginning is kept, echoed and refused as too long.

use std::io::{self, BufRead, Read, Write};

use serde::Serialize;
use verifyd_core::phone_number::{self, NumberPolicy, Verdict};

/// The longest line that is echoed whole, in bytes.
const MAX_LINE_BYTES: usize = 4096;

/// One line of output. The input is echoed as it came; bytes that are no UTF-8 become U+FFFD.
#[derive(Serialize)]
struct Line<'a> {
    input: &'a str,
    valid: bool,
    e164: Option<&'a str>,
    region: Option<&'a str>,
    r#type: Option<&'static str>,
    reason: Option<&'static str>,
}

impl<'a> Line<'a> {
    fn of(input: &'a str, verdict: &'a Verdict) -> Self {
        Self {
            input,
            valid: verdict.valid,
            e164: verdict.e164.as_deref(),
            region: verdict.region.as_ref().map(phone_number::Region::as_str),
            r#type: verdict.number_type.map(phone_number::NumberType::as_str),
            reason: verdict.reason,
        }
    }

    fn refused(input: &'a str, reason: &'static str) -> Self {
        Self { input, valid: false, e164: None, region: None, r#type: None, reason: Some(reason) }
    }
}

/// Reads numbers from `input` to its end and writes a JSON line for each; `region` holds for lines without their own.
///
/// # Errors
/// What reading or writing gives; a bad number or line is output, not an error.
pub fn run(region: Option<&str>, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let policy = NumberPolicy::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let Some(whole) = read_line(&mut input, &mut line)? else {
            return output.flush();
        };
        match std::str::from_utf8(&line) {
            Ok(text) if whole => {
                let (number, own_region) = match text.rsplit_once('\t') {
                    Some((number, own)) => (number, Some(own).filter(|own| !own.is_empty())),
                    None => (text, None),
                };
                let verdict = phone_number::verdict(number, own_region.or(region), &policy);
                write_line(&mut output, &Line::of(number, &verdict))?;
            }
            checked => {
                let reason = if whole && checked.is_err() { "invalid_utf8" } else { "too_long" };
                write_line(&mut output, &Line::refused(&String::from_utf8_lossy(&line), reason))?;
            }
        }
    }
}

fn write_line(output: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")
}

/// Reads one line without its end (`\n` or `\r\n`) into `line`: `None` at the end of input, `Some(false)` if the line
/// was too long and its rest was skipped.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    // One byte more for the end of line, and one to tell a line of exactly the limit from a longer one.
    const READ_LIMIT: u64 = MAX_LINE_BYTES as u64 + 2;
    if input.by_ref().take(READ_LIMIT).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    let ended = line.last() == Some(&b'\n');
    if ended {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else {
        input.skip_until(b'\n')?;
    }
    let whole = line.len() <= MAX_LINE_BYTES;
    line.truncate(MAX_LINE_BYTES);
    Ok(Some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(region: Option<&str>, input: &[u8]) -> Vec<serde_json::Value> {
        let mut written = Vec::new();
        run(region, input, &mut written).unwrap();
        String::from_utf8(written).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_gives_one_line_of_json() {
        let mut written = Vec::new();
        run(Some("US"), "(415) 555-2671\n020 7946 0958\tGB\n\nnonsense\n".as_bytes(), &mut written).unwrap();
        let expected = concat!(
            r#"{"input":"(415) 555-2671","valid":true,"e164":"+14155552671","region":"US","type":"fixed_line_or_mobile","reason":null}"#,
            "\n",
            r#"{"input":"020 7946 0958","valid":true,"e164":"+442079460958","region":"GB","type":"fixed_line","reason":null}"#,
            "\n",
            r#"{"input":"","valid":false,"e164":null,"region":null,"type":null,"reason":"empty"}"#,
            "\n",
            r#"{"input":"nonsense","valid":false,"e164":null,"region":null,"type":null,"reason":"letters"}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn our_policy_shows_in_the_reason_only() {
        for (number, kind, reason) in [
            ("+18002345678", "toll_free", "type_not_allowed"),
            ("+881612345678", "mobile", "prefix_not_allowed"),
            ("+1 415 555 2671 ext. 5", "fixed_line_or_mobile", "extension"),
            ("1-415-KLM-2671", "fixed_line_or_mobile", "letters"),
        ] {
            let lines = output(Some("US"), number.as_bytes());
            assert_eq!(lines.len(), 1);
            assert_eq!(lines[0]["valid"], true, "{number}");
            assert_eq!(lines[0]["type"], kind, "{number}");
            assert_eq!(lines[0]["reason"], reason, "{number}");
        }
    }

    #[test]
    fn a_line_may_end_with_its_region_with_a_carriage_return_or_with_the_input() {
        let lines = output(None, b"4155552671\tUS\r\n4155552671\t\r\n+14155552671\r\n4155552671\tXX\n4155552671\tUS");
        let valid: Vec<_> = lines.iter().map(|line| line["valid"].as_bool().unwrap()).collect();
        assert_eq!(valid, [true, false, true, false, true]);
        assert_eq!(lines[1]["reason"], "region_required");
        assert_eq!(lines[3]["reason"], "unknown_region");
        assert_eq!(lines[2]["input"], "+14155552671");
    }

    #[test]
    fn lines_that_are_no_text_and_lines_without_end_are_answered() {
        let mut input = b"\xff\xfe+1415\n".to_vec();
        input.extend(std::iter::repeat_n(b'1', 3 * MAX_LINE_BYTES));
        input.extend(b"\n+14155552671\n");
        let lines = output(None, &input);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["reason"], "invalid_utf8");
        assert_eq!(lines[0]["input"], "\u{fffd}\u{fffd}+1415");
        assert_eq!(lines[1]["reason"], "too_long");
        assert_eq!(lines[1]["input"].as_str().unwrap().len(), MAX_LINE_BYTES);
        assert_eq!(lines[2]["valid"], true);
    }

    #[test]
    fn the_bound_on_a_line_is_exact() {
        for (len, echoed) in [
            (MAX_LINE_BYTES - 1, MAX_LINE_BYTES - 1),
            (MAX_LINE_BYTES, MAX_LINE_BYTES),
            (MAX_LINE_BYTES + 1, MAX_LINE_BYTES),
        ] {
            for end in ["", "\n", "\r\n"] {
                let lines = output(None, format!("{}{end}", "1".repeat(len)).as_bytes());
                assert_eq!(lines.len(), 1, "{len} {end:?}");
                assert_eq!(lines[0]["input"].as_str().unwrap().len(), echoed, "{len} {end:?}");
                assert_eq!(lines[0]["reason"], "too_long");
            }
        }
    }
}
