//! "Did you mean": the nearest known name to an unknown one.

use super::reference;

/// How far a name may be from one that is suggested.
const MAX_DISTANCE: usize = 3;
/// The longest name that is compared: a bound on the work an absurd input can cause.
const MAX_COMPARED_BYTES: usize = 80;

/// What to say of an unknown key: the nearest one of its section, or all of them.
pub(super) fn unknown_name(path: &str, pattern: &str) -> String {
    let section = pattern.rsplit_once('.').map_or("", |(section, _)| section);
    let known = reference::names_in(section);
    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => format!("unknown key; known here: {}", known.join(", ")),
    }
}

/// The nearest of `known`, if any is near at all.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_COMPARED_BYTES {
        return None;
    }
    known
        .map(|other| (distance(name, other), other))
        // A name of three letters is near to everything.
        .filter(|(distance, other)| *distance <= MAX_DISTANCE.min(other.len() / 3))
        .min()
        .map(|(_, other)| other)
}

/// Edits from `a` to `b` (Levenshtein), by the usual row of the table.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            let here = (diagonal + usize::from(from != *to)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("ttl", "ttl", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["listen", "data_dir", "ttl"];
        assert_eq!(nearest("lisen", known.into_iter()), Some("listen"));
        assert_eq!(nearest("datadir", known.into_iter()), Some("data_dir"));
        assert_eq!(nearest("xyz", known.into_iter()), None);
        assert_eq!(nearest(&"l".repeat(1000), known.into_iter()), None);
    }
}
