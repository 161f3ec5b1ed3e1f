//! Rules on documents in Markdown: a link leads somewhere, a snippet is what the file says.
//!
//! Addresses of other sites are not asked: a check must not fail because the network does.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::Finding;

/// The files of the project that are text, by their path relative to the root.
pub(super) type Texts = BTreeMap<String, String>;

/// Every relative link leads to a file or directory that exists, and every fragment to a heading of that file.
pub(super) fn links(texts: &Texts, files: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in documents(texts) {
        for (line, target) in links_of(text) {
            if let Some(what) = broken(path, &target, texts, files) {
                findings.push(Finding::new(
                    format!("{path}:{line}"),
                    what,
                    "Mend the link, or what it should lead to.",
                ));
            }
        }
    }
    findings
}

/// A block of code that names a file behind its language (```` ```python examples/a.py ````) stands in that file as it is.
pub(super) fn snippets(texts: &Texts) -> Vec<Finding> {
    const REMEDY: &str = "Copy the lines from the file: what a reader pastes must be what the tests run.";
    let mut findings = Vec::new();
    for (path, text) in documents(texts) {
        for block in blocks(text) {
            let Some(file) = block.file else { continue };
            let place = format!("{path}:{}", block.line);
            match texts.get(file) {
                None => findings.push(Finding::new(place, format!("there is no {file}"), REMEDY)),
                Some(source) if !format!("\n{source}").contains(&format!("\n{}", block.code)) => {
                    findings.push(Finding::new(place, format!("these lines are not in {file}"), REMEDY));
                }
                Some(_) => {}
            }
        }
    }
    findings
}

/// The page that names a test for each threat.
const THREATS: &str = "docs/security.md";

/// Every test that the last column of a table of the threat page names exists.
pub(super) fn named_tests(texts: &Texts) -> Vec<Finding> {
    let Some(page) = texts.get(THREATS) else { return Vec::new() };
    let mut findings = Vec::new();
    for (number, line) in prose(page).filter(|(_, line)| line.starts_with('|')) {
        let proof = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let is_name = |name: &&str| {
            name.contains('_') && name.chars().all(|sign| sign.is_ascii_lowercase() || "_0123456789".contains(sign))
        };
        for name in proof.split('`').skip(1).step_by(2).filter(is_name) {
            let definition = format!("fn {name}(");
            if !texts.iter().any(|(path, text)| ends_with(path, "rs") && text.contains(&definition)) {
                let what = format!("there is no test `{name}`");
                findings.push(Finding::new(format!("{THREATS}:{number}"), what, "Name the test that shows it now."));
            }
        }
    }
    findings
}

fn documents(texts: &Texts) -> impl Iterator<Item = (&String, &String)> {
    texts.iter().filter(|(path, _)| ends_with(path, "md"))
}

fn ends_with(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == wanted)
}

/// A fenced block of code.
struct Block<'a> {
    line: usize,
    file: Option<&'a str>,
    code: String,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(info), None) => {
                let file = info.split_whitespace().nth(1);
                open = Some(Block { line: number + 1, file, code: String::new() });
            }
            (None, Some(block)) => {
                block.code.push_str(line);
                block.code.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The lines outside of fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        (!inside && !fence).then_some((number + 1, line))
    })
}

/// The targets of `[text](target)` and of `src="target"`, outside of code.
fn links_of(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Every second piece between backquotes is code.
        let plain: Vec<&str> = line.split('`').step_by(2).collect();
        let plain = plain.join("`");
        let marked = plain.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let embedded = plain.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        found.extend(marked.chain(embedded).map(|(target, _)| (number, target.to_owned())));
    }
    found
}

/// What is wrong with a link in the document at `path`; `None` if nothing is, or if it leads out of the project.
fn broken(path: &str, target: &str, texts: &Texts, files: &[String]) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, fragment) = target.split_once('#').map_or((target, None), |(file, fragment)| (file, Some(fragment)));
    let full = if file.is_empty() { path.to_owned() } else { beside(path, file)? };
    let exists = files.iter().any(|known| *known == full || known.starts_with(&format!("{full}/")));
    if !exists {
        return Some(format!("leads to {full}, which does not exist"));
    }
    let fragment = fragment?;
    let has = texts.get(&full).is_some_and(|text| anchors(text).iter().any(|anchor| anchor == fragment));
    (!has).then(|| format!("{full} has no heading #{fragment}"))
}

/// The path that `file` means in the document at `path`.
fn beside(path: &str, file: &str) -> Option<String> {
    let mut full = PathBuf::new();
    for part in Path::new(path).parent()?.join(file).components() {
        match part {
            Component::Normal(name) => full.push(name),
            Component::ParentDir => drop(full.pop()),
            _ => {}
        }
    }
    full.to_str().map(str::to_owned)
}

/// The anchors of a document's headings, as GitHub makes them: lower case, without signs, hyphens for spaces. The second
/// heading of a name gets `-1` behind it.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'))
            .map(|sign| if sign == ' ' { '-' } else { sign })
            .collect();
        let same = |anchor: &&String| anchor.strip_prefix(&slug).is_some_and(is_counter);
        let before = anchors.iter().filter(same).count();
        anchors.push(if before == 0 { slug } else { format!("{slug}-{before}") });
    }
    anchors
}

/// Nothing, or a hyphen and a number.
fn is_counter(rest: &str) -> bool {
    rest.is_empty() || rest.strip_prefix('-').is_some_and(|number| number.parse::<usize>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(files: &[(&str, &str)]) -> Texts {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    fn broken_links(text: &str) -> usize {
        let texts = texts(&[("docs/a.md", text), ("docs/b.md", "# One thing\n## It's *here*: `x`\n"), ("c/d.rs", "")]);
        let files: Vec<String> = texts.keys().cloned().collect();
        links(&texts, &files).len()
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        assert_eq!(broken_links("[a](b.md) [b](../c/d.rs) ![c](../c) [d](https://example.com/x#y) [e](#f)\n# f\n"), 0);
        assert_eq!(broken_links("[a](b.md#one-thing) and [b](b.md#its-here-x)"), 0);
        assert_eq!(broken_links("[a](c.md)\n<img src=\"no.svg\">\n[b](b.md#two-things) [c](#g)\n"), 4);
    }

    #[test]
    fn links_in_code_are_none() {
        assert_eq!(broken_links("`[a](c.md)`\n```\n[a](c.md)\n```\n"), 0);
    }

    #[test]
    fn headings_of_one_name_are_numbered() {
        assert_eq!(anchors("# A\n## B b\n## B b\n```\n# no\n```\n#no\n"), ["a", "b-b", "b-b-1"]);
    }

    #[test]
    fn tests_that_a_page_names_exist() {
        let page = "| a | `not_a_test` | `it_is_shown`, `it_was_shown` |\n|---|---|---|\n`elsewhere_it_is_text`\n";
        let found = named_tests(&texts(&[(THREATS, page), ("a.rs", "fn it_is_shown() {}")]));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("it_was_shown"), "{}", found[0]);
    }

    #[test]
    fn snippets_are_whole_lines_of_their_file() {
        let found = |code: &str| {
            let guide = format!("```py x/y.py\n{code}```\n```py\nelse\n```\n");
            snippets(&texts(&[("a.md", &guide), ("x/y.py", "one\n  two\nthree\n")])).len()
        };
        assert_eq!([found("  two\nthree\n"), found("one\n"), found("two\n"), found("one\nthree\n")], [0, 0, 1, 1]);
        assert_eq!(snippets(&texts(&[("a.md", "```py gone.py\none\n```\n")])).len(), 1);
    }
}
