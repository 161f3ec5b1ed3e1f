//! Text for people: colours, aligned columns, times, and nothing that a terminal would obey.
//!
//! Commands always write styled text; `anstream` takes the styles out where they do not belong: no terminal, `NO_COLOR`, unless
//! `CLICOLOR_FORCE` asks for them. What came from elsewhere passes [`plain`] first: a name with an escape sequence in it must
//! not move the cursor of an operator.

use std::time::Duration;

use anstyle::{AnsiColor, Color, Style};
use verifyd_core::clock::{Clock, SystemClock};

use crate::http::rfc3339;

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// It is well.
pub(super) const GOOD: Style = colour(AnsiColor::Green).bold();
/// It is not.
pub(super) const BAD: Style = colour(AnsiColor::Red).bold();
/// It may be.
pub(super) const CARE: Style = colour(AnsiColor::Yellow).bold();
/// What matters in a line.
pub(super) const STRONG: Style = Style::new().bold();
/// Labels and heads of columns.
pub(super) const FAINT: Style = Style::new().dimmed();

/// `text` in a style.
pub(super) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// `text` without control characters and marks that turn the direction of writing: what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// Labels and values, one a line, the values below one another.
pub(super) fn fields(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let line =
        |(label, value): &(&str, String)| format!("  {}  {value}\n", paint(FAINT, format_args!("{label:width$}")));
    lines.iter().map(line).collect::<Vec<_>>().concat()
}

/// A table: heads, then rows. A column whose head begins with `>` is aligned to the right.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let length = |text: &str| anstream::adapter::strip_str(text).to_string().chars().count();
    let columns: Vec<(bool, &str, usize)> = heads
        .iter()
        .enumerate()
        .map(|(index, head)| {
            let name = head.strip_prefix('>').unwrap_or(head);
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| length(cell));
            (head.starts_with('>'), name, cells.max().unwrap_or_default().max(length(name)))
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let padded = cells.zip(&columns).map(|(cell, (right, _, width))| {
            let blank = " ".repeat(width.saturating_sub(length(&cell)));
            if *right { format!("{blank}{cell}") } else { format!("{cell}{blank}") }
        });
        format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = line(&mut columns.iter().map(|(_, name, _)| paint(FAINT, name)));
    for row in rows {
        text.push_str(&line(&mut row.iter().cloned()));
    }
    text
}

/// An instant of the API (RFC 3339, UTC, milliseconds) for people: `2026-11-22 18:41:42 UTC`.
pub(super) fn instant(text: &str) -> String {
    match text.get(..19).and_then(|head| head.split_once('T')) {
        Some((date, time)) if text.ends_with('Z') => plain(&format!("{date} {time} UTC")),
        _ => plain(text),
    }
}

/// Whether an instant of the API is still to come, by the clock here: it decides only whether a line of text mentions it.
pub(super) fn is_ahead(at: &str) -> bool {
    // Both are RFC 3339 in UTC with milliseconds, so their order is that of the text.
    *at > *rfc3339(SystemClock.now())
}

/// A wait in the two largest units that matter, rounded up: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(super) fn wait(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    let minutes = seconds.div_ceil(60);
    let hours = minutes.div_ceil(60);
    let two = |large: u64, unit: &str, small: u64, lower: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {lower}"),
    };
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{minutes} min"),
        7_200..172_800 => two(minutes / 60, "h", minutes % 60, "min"),
        _ => two(hours / 24, "d", hours % 24, "h"),
    }
}

/// `count` things: `1 verification`, `2 verifications`, `2 guesses`.
pub(super) fn counted(count: u64, thing: &str) -> String {
    let ending = match (count, thing.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {thing}{ending}")
}

/// Bytes in the largest binary unit with one digit behind the point.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if count >> shift > 0 {
            let tenths = (u128::from(count) * 10) >> shift;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    counted(count, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_are_aligned_with_and_without_styles() {
        let rows = vec![vec!["a".to_owned(), "10".to_owned()], vec![paint(BAD, "long"), "7".to_owned()]];
        assert_eq!(bare(&table(&["name", ">left"], &rows)), "  name  left\n  a       10\n  long     7\n");
        assert!(table(&["name", ">left"], &rows).contains("\u{1b}[31m"));
        assert_eq!(bare(&fields(&[("id", "x".to_owned()), ("status", "y".to_owned())])), "  id      x\n  status  y\n");
        assert_eq!(table(&["a"], &[]), format!("  {}\n", paint(FAINT, "a")));
    }

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        assert_eq!(plain("a\u{1b}[2J\u{7}\u{202e}b\n"), "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(plain("Zoë 東京"), "Zoë 東京");
    }

    #[test]
    fn waits_are_rounded_up_to_what_people_say() {
        let said = |seconds| wait(Duration::from_secs(seconds));
        assert_eq!(
            [0, 1, 119, 120, 121, 7_199, 7_200, 7_201, 172_799, 172_800, 176_401].map(said),
            ["0 s", "1 s", "119 s", "2 min", "3 min", "120 min", "2 h", "2 h 1 min", "48 h", "2 d", "2 d 2 h"]
        );
        assert_eq!(wait(Duration::from_millis(1)), "1 s");
    }

    #[test]
    fn sizes_and_instants() {
        assert_eq!(
            [0, 1, 1023, 1024, 1536, 10 << 30].map(bytes),
            ["0 bytes", "1 byte", "1023 bytes", "1.0 KiB", "1.5 KiB", "10.0 GiB"]
        );
        assert_eq!(instant("2026-11-22T18:41:42.621Z"), "2026-11-22 18:41:42 UTC");
        assert!(is_ahead("9999-12-31T23:59:59.999Z") && !is_ahead("2023-11-14T22:13:20.123Z") && !is_ahead(""));
        assert_eq!(instant("soon\u{1b}"), "soon\u{fffd}");
    }
}
