//! Form of a single source: header, size, names, leftovers, ambient time and randomness.

use super::Finding;
use super::source::Source;

/// Longest file, in lines, all in all.
const MAX_LINES: usize = 500;

/// Longest file without its tests.
const MAX_PRODUCTION_LINES: usize = 400;

/// Every file begins with what it is for.
pub(super) fn header(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Begin the file with `//!`: its purpose, its invariants, who calls it.";
    let header: Vec<&str> = source.text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let said = header.join(" ");
    if said.split_whitespace().count() >= 3 && !said.contains("Placeholder") {
        return Vec::new();
    }
    vec![Finding::new(source.at(1), "has no header", REMEDY)]
}

/// A file stays short enough to be read at once.
pub(super) fn size(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Split it by what changes together; long tests go to a sibling file `*_tests.rs`.";
    let all = source.text.lines().count();
    let production = source.production_lines();
    if all > MAX_LINES {
        return vec![Finding::new(source.at(all), format!("{all} lines are more than {MAX_LINES}"), REMEDY)];
    }
    if production > MAX_PRODUCTION_LINES {
        let what = format!("{production} lines of production code are more than {MAX_PRODUCTION_LINES}");
        return vec![Finding::new(source.at(all), what, REMEDY)];
    }
    Vec::new()
}

/// Nothing unfinished and no print for debugging is left.
pub(super) fn unfinished(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Finish it, or leave the feature out and file an issue.";
    let left = |name: &'static str| {
        let lines = source.lines_with(&[name, "!"]);
        lines.into_iter().map(move |line| Finding::new(source.at(line), format!("`{name}!` is left"), REMEDY))
    };
    ["todo", "unimplemented", "dbg"].into_iter().flat_map(left).collect()
}

/// An exception from a lint says why, and ends when its cause does.
pub(super) fn allowed_lints(source: &Source) -> Vec<Finding> {
    const REMEDY: &str =
        "Write `#[expect(lint, reason = \"…\")]`: it complains once the exception is no longer needed.";
    let outer = source.lines_with(&["#", "[", "allow", "("]);
    let inner = source.lines_with(&["#", "!", "[", "allow", "("]);
    outer.into_iter().chain(inner).map(|line| Finding::new(source.at(line), "`allow` for a lint", REMEDY)).collect()
}

/// Names say what a thing is.
pub(super) fn names(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Name what it does. Fakes are `FakeX` (works), `RecordingX` (remembers), `FaultyX` (breaks).";
    let empty = |keyword: &str, name: &str| match keyword {
        "struct" | "enum" | "trait" | "type" => {
            // Not every `Mock…`: mock mode is a word of the product, for messages that go to the inbox.
            const PORTS: [&str; 7] = ["Store", "Sender", "Clock", "Random", "Registry", "History", "Twilio"];
            let mock = name.strip_prefix("Mock").is_some_and(|rest| PORTS.iter().any(|port| rest.starts_with(port)));
            mock || ["Manager", "Helper", "Utils"].iter().any(|ending| name.ends_with(ending))
        }
        "mod" => ["util", "utils", "helper", "helpers", "misc"].contains(&name),
        _ => false,
    };
    let broken = source.words.windows(2).filter_map(|pair| match pair {
        [keyword, name] if empty(&keyword.text, &name.text) => Some(name),
        _ => None,
    });
    broken.map(|name| Finding::new(source.at(name.line), format!("`{}` says nothing", name.text), REMEDY)).collect()
}

/// Time and randomness are passed in: the system's are called at one place each, in tests too.
pub(super) fn ambient(source: &Source) -> Vec<Finding> {
    const REMEDY: &str = "Take the Clock or the Random port. SystemClock (core/clock.rs) and SystemRandom (core/random.rs) hold the one call.";
    const CLOCKS: &[&str] = &["SystemTime", "Utc", "Local", "Zoned"];
    let time = source.paths.iter().filter(|used| {
        source.path != "crates/core/src/clock.rs" && CLOCKS.iter().any(|clock| used.ends(&[clock, "now"]))
    });
    let random = source.paths.iter().filter(|used| {
        let generators: [&[&str]; 3] = [&["getrandom"], &["rand"], &["aws_lc_rs", "rand"]];
        source.path != "crates/core/src/random.rs" && generators.iter().any(|generator| used.begins(generator))
    });
    time.chain(random)
        .map(|used| Finding::new(source.at(used.line), format!("`{}` is ambient", used.written()), REMEDY))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rule: fn(&Source) -> Vec<Finding>, text: &str) -> usize {
        rule(&Source::parse("crates/core/src/a.rs", text).unwrap()).len()
    }

    #[test]
    fn a_file_begins_with_its_purpose() {
        assert_eq!(broken(header, "//! What it is for, in a line.\n"), 0);
        assert_eq!(broken(header, "//! Placeholder.\n"), 1);
        assert_eq!(broken(header, "// Not documentation of the file.\n"), 1);
        assert_eq!(broken(header, ""), 1);
    }

    #[test]
    fn files_end_at_their_limits() {
        let lines = |count: usize| "const A: u8 = 1;\n".repeat(count);
        let tests = |count: usize| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(count - 3));
        assert_eq!(broken(size, &lines(MAX_PRODUCTION_LINES)), 0);
        assert_eq!(broken(size, &lines(MAX_PRODUCTION_LINES + 1)), 1);
        assert_eq!(broken(size, &(lines(MAX_PRODUCTION_LINES) + &tests(MAX_LINES - MAX_PRODUCTION_LINES))), 0);
        assert_eq!(broken(size, &(lines(MAX_PRODUCTION_LINES) + &tests(MAX_LINES - MAX_PRODUCTION_LINES + 1))), 1);
    }

    #[test]
    fn leftovers_are_found_in_code_only() {
        assert_eq!(
            broken(unfinished, "fn a() { todo!() } fn b() { if c { unimplemented!(\"d\") } else { dbg!(e); } }"),
            3
        );
        assert_eq!(broken(unfinished, "// todo!()\nconst A: &str = \"dbg!(b)\";"), 0);
    }

    #[test]
    fn exceptions_are_expected_not_allowed() {
        assert_eq!(broken(allowed_lints, "#![allow(missing_docs)]\n#[allow(dead_code)] fn a() {}"), 2);
        assert_eq!(broken(allowed_lints, "#[expect(dead_code, reason = \"b\")] fn a() { allow(c) }"), 0);
    }

    #[test]
    fn empty_names_are_refused() {
        assert_eq!(broken(names, "struct StoreManager; enum MockSender {} trait SendHelper {} mod utils {}"), 4);
        assert_eq!(broken(names, "struct FakeSender; enum MockMode {} struct MockPages; fn helper() {}"), 0);
    }

    #[test]
    fn time_and_randomness_have_one_place() {
        let text = "use std::time::SystemTime; fn a() { SystemTime::now(); getrandom::fill(b); clock.now() }";
        assert_eq!(broken(ambient, text), 2);
        let clock = Source::parse("crates/core/src/clock.rs", "fn a() { std::time::SystemTime::now() }").unwrap();
        assert!(ambient(&clock).is_empty());
    }
}
