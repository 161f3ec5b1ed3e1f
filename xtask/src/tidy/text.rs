//! Rules on any text file, and on which files there are.

use super::Finding;

/// What a newcomer looks for first.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "deny.toml",
    ".ci/run",
    "Cargo.lock",
];

/// Endings of files that hold code or configuration; prose may speak of unfinished work.
const CODE: &[&str] =
    &[".rs", ".py", ".sh", ".lua", ".js", ".mjs", ".css", ".html", ".toml", ".yml", ".yaml", ".ci/run"];

/// The directories of a single machine. Put together here, so that this file does not break its own rule.
const MACHINE_ROOTS: [&str; 3] = ["work", "home", "root"];

/// The documents that every project has.
pub(super) fn documents_exist(files: &[String]) -> Vec<Finding> {
    let missing = DOCUMENTS.iter().filter(|document| !files.iter().any(|file| file == *document));
    missing
        .map(|document| Finding::new(*document, "is missing", "Write it; HOUSE and the issue say what belongs in it."))
        .collect()
}

/// A page that maps things to files: the last cell of every row of its tables holds paths, separated by commas.
const MAP: &str = "docs/SEED.md";

/// Every path in the map leads somewhere.
pub(super) fn map_leads_somewhere(path: &str, text: &str, files: &[String]) -> Vec<Finding> {
    const REMEDY: &str = "Write where it is now, relative to the repository.";
    if path != MAP {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut heading = true;
    for (number, line) in text.lines().enumerate() {
        let Some(row) = line.strip_prefix('|').and_then(|row| row.trim_end().strip_suffix('|')) else {
            heading = true;
            continue;
        };
        if heading || row.starts_with("---") {
            heading = false;
            continue;
        }
        let cell = row.rsplit('|').next().unwrap_or_default();
        for place in cell.split(',').map(str::trim).filter(|place| !files.iter().any(|file| file == place)) {
            findings.push(Finding::new(format!("{path}:{}", number + 1), format!("`{place}` is no file"), REMEDY));
        }
    }
    findings
}

/// No absolute path of a machine: it works nowhere else and tells of where it was written.
pub(super) fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    const REMEDY: &str = "Write a path relative to the repository, or take it from the environment.";
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for root in MACHINE_ROOTS {
            let directory = format!("/{root}/");
            // Behind a letter, a dot or a slash it is the middle of a longer path or of an address.
            let absolute = |(at, _): (usize, &str)| !line.get(..at).is_some_and(|before| before.ends_with(continues));
            if line.match_indices(&directory).any(absolute) {
                findings.push(Finding::new(
                    format!("{path}:{}", number + 1),
                    format!("names the machine's `{directory}`"),
                    REMEDY,
                ));
            }
        }
    }
    findings
}

fn continues(character: char) -> bool {
    character.is_alphanumeric() || "._-/~}*".contains(character)
}

/// No mark of unfinished work in code, but those that name their issue.
pub(super) fn markers(path: &str, text: &str) -> Vec<Finding> {
    const REMEDY: &str = "Finish it, or file an issue and write the mark with its number in brackets: (#12).";
    if !CODE.iter().any(|ending| path.ends_with(ending)) {
        return Vec::new();
    }
    let later = concat!("TO", "DO");
    let never = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for mark in never.into_iter().chain([later]) {
            let bad = words(line, mark).any(|after| mark != later || !names_issue(after));
            if bad {
                findings.push(Finding::new(format!("{path}:{}", number + 1), format!("`{mark}` is left"), REMEDY));
            }
        }
    }
    findings
}

/// What follows each occurrence of a mark as a whole word.
fn words<'a>(line: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    let inside = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(mark).filter_map(move |(at, _)| {
        let (before, after) = (line.get(..at)?, line.get(at + mark.len()..)?);
        (!before.ends_with(inside) && !after.starts_with(inside)).then_some(after)
    })
}

/// `(#12)` directly behind the mark.
fn names_issue(after: &str) -> bool {
    let number = after.strip_prefix("(#").and_then(|rest| rest.split_once(')'));
    number.is_some_and(|(number, _)| !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_documents_are_named() {
        let files: Vec<String> = DOCUMENTS.iter().skip(1).map(|document| (*document).to_owned()).collect();
        let findings = documents_exist(&files);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().starts_with("README.md: is missing"));
    }

    #[test]
    fn the_map_leads_to_files() {
        let files = ["a.rs".to_owned(), "b.rs".to_owned()];
        let found = |text: &str| map_leads_somewhere(MAP, text, &files).len();
        let head = "| what | where |\n|---|---|\n";
        assert_eq!(found(&format!("{head}| x | a.rs, b.rs |\n| y | b.rs |\n")), 0);
        assert_eq!(found(&format!("{head}| x | a.rs, c.rs |\n| y | |\n\ntext\n\n{head}| z | d.rs |\n")), 3);
        assert_eq!(map_leads_somewhere("docs/api.md", &format!("{head}| x | c.rs |\n"), &files).len(), 0);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for root in MACHINE_ROOTS {
            assert_eq!(machine_paths("a.md", &format!("first\nsee /{root}/project/a\n")).len(), 1);
            assert_eq!(machine_paths("a.md", &format!("\"/{root}/a\"")).len(), 1);
            assert_eq!(machine_paths("a.md", &format!("https://example.com/{root}/a and ./{root}/a")).len(), 0);
        }
    }

    #[test]
    fn marks_need_an_issue() {
        let mark = |mark: &str, after: &str| markers("a.rs", &format!("// {mark}{after}\n")).len();
        assert_eq!(mark(concat!("TO", "DO"), ": later"), 1);
        assert_eq!(mark(concat!("TO", "DO"), "(#12): later"), 0);
        assert_eq!(mark(concat!("TO", "DO"), "(#n)"), 1);
        assert_eq!(mark(concat!("FIX", "ME"), "(#12)"), 1);
        assert_eq!(mark(concat!("XX", "X"), "X"), 0);
        assert_eq!(mark(concat!("SHA", "CK"), ""), 0);
        assert_eq!(markers("a.md", concat!("TO", "DO")).len(), 0);
    }
}
