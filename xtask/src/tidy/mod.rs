//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy knows.
//!
//! Each rule is one function from what was read to findings, with a test on a small bad example. Sources are read as
//! tokens, so that comments, strings and documentation are never mistaken for code. What is *not* here is clippy's:
//! the length of functions, ambient calls by their type, `expect` without a reason.

mod arrows;
mod documents;
mod paths;
mod rooms;
mod source;
mod style;
mod supply;
mod text;

use std::fmt;
use std::path::Path;

use xshell::Shell;

use crate::Result;
use crate::project;
use source::Source;

/// One broken rule: where, what, and what to do about it.
#[derive(Debug)]
struct Finding {
    place: String,
    what: String,
    remedy: &'static str,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>, remedy: &'static str) -> Self {
        Self { place: place.into(), what: what.into(), remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}\n    {}", self.place, self.what, self.remedy)
    }
}

/// The rules on one Rust source.
const SOURCE_RULES: &[fn(&Source) -> Vec<Finding>] = &[
    rooms::core_rooms,
    rooms::core_does_no_io,
    rooms::http_knows_no_adapter,
    rooms::adapters_are_named_in_wiring,
    style::header,
    style::size,
    style::unfinished,
    style::allowed_lints,
    style::names,
    style::ambient,
];

/// Checks every rule and prints what is broken; an error if anything is.
pub(crate) fn run() -> Result<()> {
    let shell = project::shell()?;
    let findings = findings(&shell)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        broken => Err(format!("{broken} broken rules of the house").into()),
    }
}

fn findings(shell: &Shell) -> Result<Vec<Finding>> {
    let metadata = project::metadata(shell)?;
    let files = project::files(shell)?;
    let mut findings = arrows::between_crates(&arrows::of(&metadata));
    findings.extend(supply::core_pulls_in(&supply::crates_below_core(shell)?));
    for (path, manifest) in supply::manifests(shell, &metadata)? {
        findings.extend(supply::manifest_inherits(&path, &manifest));
    }
    findings.extend(text::documents_exist(&files));
    let mut texts = documents::Texts::new();
    for path in &files {
        // Pictures and the like are not text and have no lines to read.
        let Ok(text) = shell.read_file(path) else { continue };
        findings.extend(text::machine_paths(path, &text));
        findings.extend(text::markers(path, &text));
        findings.extend(text::map_leads_somewhere(path, &text, &files));
        if Path::new(path).extension().is_some_and(|ending| ending == "rs") {
            match Source::parse(path, &text) {
                Ok(source) => findings.extend(SOURCE_RULES.iter().flat_map(|rule| rule(&source))),
                Err(error) => findings.push(error),
            }
        }
        texts.insert(path.clone(), text);
    }
    findings.extend(documents::links(&texts, &files));
    findings.extend(documents::snippets(&texts));
    findings.extend(documents::named_tests(&texts));
    println!("{} files read, {} broken rules", files.len(), findings.len());
    Ok(findings)
}
