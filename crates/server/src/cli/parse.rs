//! `verifyd parse`: what libphonenumber and verifyd make of numbers, from arguments or one a line of standard input.
//!
//! Programs get JSON lines: with `--json`, and whenever standard output is no terminal. People get a line each. A line of input is
//! the input, or the input, a tab and a region; the last tab counts. Every line gives exactly one line of output, in order, so that
//! the two can be joined. `valid`, `e164`, `region` and `type` are libphonenumber's verdict on the input as given; `reason` says
//! why verifyd, under its default policy, refuses it.
//!
//! Memory is bounded: of a line over `MAX_LINE_BYTES` only the beginning is kept, echoed and refused as too long.

use std::io::{self, BufRead, BufWriter, Cursor, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::Args;
use serde::Serialize;
use verifyd_core::phone_number::{self, NumberPolicy, Region, Verdict};

use super::exit::{Failure, finish};
use super::progress::Progress;
use super::style::{BAD, GOOD, paint, plain};

/// `verifyd parse`
#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    /// Numbers; without any they are read from standard input, one a line.
    #[arg(value_name = "NUMBER")]
    numbers: Vec<String>,
    /// Region of numbers in national form, such as US; a line may name its own after a tab.
    #[arg(long)]
    region: Option<String>,
    /// Write JSON lines, one a number, in order; always so if standard output is no terminal.
    #[arg(long)]
    json: bool,
}

/// Runs the command to its exit code.
pub(super) fn command(args: &ParseArgs) -> ExitCode {
    let region = args.region.as_deref();
    if let Some(text) = region
        && let Err(error) = text.parse::<Region>()
    {
        return finish(&Err(Failure::usage(format_args!("--region: {error}"))), args.json);
    }
    let people = !args.json && io::stdout().is_terminal();
    let written = if args.numbers.is_empty() {
        if io::stdin().is_terminal() {
            super::say("Numbers, one a line; Ctrl-D ends.\n");
        }
        // At a terminal the lines themselves show how far it is.
        let quiet = people || io::stdin().is_terminal();
        let progress = if quiet { Progress::default() } else { Progress::start("parsing", "numbers") };
        let count = Arc::clone(&progress.count);
        let counted = || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        write(region, io::stdin().lock(), people, counted)
    } else {
        // A line end within an argument must not make two of one.
        let lines: String = args.numbers.iter().map(|number| number.replace(['\n', '\r'], " ") + "\n").collect();
        write(region, Cursor::new(lines), people, || {})
    };
    match written {
        // `verifyd parse | head` is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => finish(&Err(Failure::local(error)), args.json),
        _ => ExitCode::SUCCESS,
    }
}

fn write(region: Option<&str>, input: impl BufRead, people: bool, counted: impl FnMut()) -> io::Result<()> {
    if people {
        return each(region, input, counted, |line| anstream::stdout().write_all(line.to_text().as_bytes()));
    }
    let mut output = BufWriter::new(io::stdout().lock());
    each(region, input, counted, |line| write_line(&mut output, line))?;
    output.flush()
}

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

    /// A line for people.
    fn to_text(&self) -> String {
        let input = plain(self.input);
        match (self.e164, self.reason) {
            (Some(e164), reason) if self.valid => {
                let about = [self.region, self.r#type].into_iter().flatten().collect::<Vec<_>>().join(", ");
                let refused = reason.map(|reason| format!("; {} {reason}", paint(BAD, "refused:"))).unwrap_or_default();
                format!("{}  {e164}  {about}{refused}\n", paint(GOOD, "valid"))
            }
            (_, reason) => format!("{}  {input}  {}\n", paint(BAD, "invalid"), reason.unwrap_or("invalid")),
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
pub fn run(region: Option<&str>, input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    each(region, input, || {}, |line| write_line(&mut output, line))?;
    output.flush()
}

/// Gives every line of `input` to `told`.
fn each(
    region: Option<&str>,
    mut input: impl BufRead,
    mut counted: impl FnMut(),
    mut told: impl FnMut(&Line<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let policy = NumberPolicy::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let Some(whole) = read_line(&mut input, &mut line)? else { return Ok(()) };
        match std::str::from_utf8(&line) {
            Ok(text) if whole => {
                let (number, own_region) = match text.rsplit_once('\t') {
                    Some((number, own)) => (number, Some(own).filter(|own| !own.is_empty())),
                    None => (text, None),
                };
                let verdict = phone_number::verdict(number, own_region.or(region), &policy);
                told(&Line::of(number, &verdict))?;
            }
            checked => {
                let reason = if whole && checked.is_err() { "invalid_utf8" } else { "too_long" };
                told(&Line::refused(&String::from_utf8_lossy(&line), reason))?;
            }
        }
        counted();
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
