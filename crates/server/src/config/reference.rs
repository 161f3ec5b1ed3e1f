//! The table of every key of the configuration: its kind, default and meaning.
//!
//! The one place a key is declared. The file, the environment and unknown keys are read by it, defaults come from it, and
//! the reference page is [`markdown`]. In a path `*` stands for a service's name and `[]` for an entry of a list of tables.

use std::fmt::Write;

pub use super::key_table::KEYS;
use super::value::{SECTION_LIMITS, SECTION_NUMBERS};

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Text that no message and no print may show. Every such key has a sibling `…_file`.
    Secret,
    /// Text that may be a URL with a password in it, which is shown without. Such a key has a sibling `…_file`, too.
    Url,
    /// Text about a person, which no message and no print may show whole.
    Private,
    /// The path of a file or directory, relative to the working directory.
    Path,
    /// `true` or `false`.
    Switch,
    /// `true`, `false` or `"auto"`.
    Mock,
    /// A whole number.
    Number,
    /// A span of time such as `"90s"`.
    Duration,
    /// A limit such as `"5/1h"`.
    Rate,
    /// A list of texts.
    List,
    /// A list of spans of time.
    Durations,
    /// A date, or a date and time with its offset (RFC 3339).
    Instant,
}

impl Kind {
    /// What the reference page calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Private | Self::Url => "text",
            Self::Secret => "secret",
            Self::Path => "path",
            Self::Switch => "true or false",
            Self::Mock => "true, false or \"auto\"",
            Self::Number => "whole number",
            Self::Duration => "duration",
            Self::Rate => "limit",
            Self::List => "list of text",
            Self::Durations => "list of durations",
            Self::Instant => "date or time",
        }
    }

    /// How a value of the wrong shape is told what was wanted.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Text | Self::Url | Self::Secret | Self::Private | Self::Path => "expected text in quotes",
            Self::Switch => "expected true or false",
            Self::Mock => "expected true, false or \"auto\"",
            Self::Number => "expected a whole number",
            Self::Duration => "expected a duration in quotes, such as \"90s\", \"10m\" or \"24h\"",
            Self::Rate => "expected a limit in quotes, such as \"5/1h\"",
            Self::List => "expected a list of texts, such as [\"a\", \"b\"]",
            Self::Durations => "expected a list of durations, such as [\"30s\", \"60s\"]",
            Self::Instant => "expected a date such as 2030-12-31, or a time such as 2030-12-31T12:00:00Z",
        }
    }

    /// Whether any value may stand in messages.
    pub(super) const fn is_shown(self) -> bool {
        !matches!(self, Self::Secret | Self::Private | Self::Url)
    }

    /// Whether a value can come from a file that a sibling `…_file` names.
    pub(super) const fn has_file(self) -> bool {
        matches!(self, Self::Secret | Self::Url)
    }
}

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands in the file, such as `service.*.ttl`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default as it would be written in the file; `None` if it is unset without one.
    pub default: Option<&'static str>,
    /// Further names in the environment, beside `VERIFYD_<SECTION>__<KEY>`.
    pub variables: &'static [&'static str],
    /// One line for the reference page.
    pub doc: &'static str,
}

impl Key {
    /// Whether it stands under a service's name or in an entry of a list.
    pub(super) fn is_pattern(&self) -> bool {
        self.path.contains(['*', '['])
    }

    /// Its name in the environment; for an entry of a list that of the whole list.
    #[must_use]
    pub fn variable(&self) -> String {
        let path = self.path.split_once("[]").map_or(self.path, |(list, _)| list);
        variable_of(&path.replace('*', "<name>"))
    }
}

/// The name in the environment of the key at `path`.
pub(super) fn variable_of(path: &str) -> String {
    format!("VERIFYD_{}", path.replace('.', "__").to_ascii_uppercase())
}

/// Keys that somebody may well try, and why they are refused.
pub(super) static REFUSED: &[(&str, &str)] = &[
    ("guard", "the guard is not built yet; remove it"),
    ("service.*.guard", "the guard is not built yet; remove it"),
    ("service.*.home_countries", "it drives budgets and the guard, which are not built yet; remove it"),
    (
        "service.*.limits.sends_per_phone_all_services",
        "it holds over all services and has no value per service; set limits.sends_per_phone_all_services",
    ),
];

/// Lists of tables: `[[api_keys]]`.
pub(super) static LISTS: &[&str] = &["api_keys", "test_numbers"];

/// What `…_file` adds to the path of a secret.
pub(super) const FILE_SUFFIX: &str = "_file";

/// The key at a path in which names and indexes are replaced by `*` and `[]`, and whether it is the secret's `…_file`.
pub(super) fn find(pattern: &str) -> Option<(&'static Key, bool)> {
    let exact = |pattern: &str| KEYS.iter().find(|key| key.path == pattern);
    if let Some(key) = exact(pattern) {
        return Some((key, false));
    }
    let secret = exact(pattern.strip_suffix(FILE_SUFFIX)?)?;
    secret.kind.has_file().then_some((secret, true))
}

/// Whether keys stand below `pattern`.
pub(super) fn is_section(pattern: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.')))
}

/// What may stand directly in the section `pattern` (`""` for the top), for a suggestion.
pub(super) fn names_in(pattern: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for key in KEYS {
        let rest = if pattern.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(pattern).and_then(|rest| rest.strip_prefix('.'))
        };
        let Some(rest) = rest else { continue };
        let name = rest.split(['.', '[']).next().unwrap_or(rest);
        names.push(name.to_owned());
        if key.kind.has_file() && name == rest {
            names.push(format!("{name}{FILE_SUFFIX}"));
        }
    }
    names.dedup();
    names
}

/// The path whose value counts where a service has none of its own: `limits.x` for `service.a.limits.x`.
pub(super) fn shared_path(path: &str) -> Option<&str> {
    let (_, rest) = path.strip_prefix("service.")?.split_once('.')?;
    let shared = [SECTION_LIMITS, SECTION_NUMBERS].iter().any(|section| rest.starts_with(section));
    shared.then_some(rest)
}

/// The reference page: every key with its kind, default, names in the environment and meaning.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from("| key | kind | default | environment | meaning |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let default = key.default.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        let mut variables = format!("`{}`", key.variable());
        for other in key.variables {
            variables.push_str(", `");
            variables.push_str(other);
            variables.push('`');
        }
        let path =
            if key.kind.has_file() { format!("`{0}` or `{0}_file`", key.path) } else { format!("`{}`", key.path) };
        // Writing to a String cannot fail.
        if writeln!(page, "| {path} | {} | {default} | {variables} | {} |", key.kind.name(), key.doc).is_err() {
            return page;
        }
    }
    page
}
