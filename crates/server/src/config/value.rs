//! Values as they were given, before they mean anything: what, for which key, and where it was written.
//!
//! Later sources replace earlier ones by [`Values::put`]; [`super::reader`] makes sense of the result.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::reference::{Key, Kind};

/// The prefix of limits.
pub(super) const SECTION_LIMITS: &str = "limits.";
/// The prefix of rules on numbers.
pub(super) const SECTION_NUMBERS: &str = "numbers.";

/// The most characters of a value that a message repeats.
const MAX_SHOWN_CHARS: usize = 80;

/// A value of the shape that its key wants.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text, also durations, limits, paths and instants.
    Text(String),
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// A list of texts.
    List(Vec<String>),
}

impl Value {
    /// As the file would write it.
    pub(super) fn to_toml(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Switch(on) => on.to_string(),
            Self::Number(number) => number.to_string(),
            Self::List(items) => format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ")),
        }
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Switch(on) => (*on).into(),
            Self::Number(number) => (*number).into(),
            Self::List(items) => items.as_slice().into(),
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_direction_mark(c) => {
                // Writing to a String cannot fail.
                if write!(out, "\\u{:04X}", u32::from(c)).is_err() {
                    return out;
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Marks that would let a value rewrite the line it is shown in.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// A value as a message shows it: quoted if it is text, escaped, bounded.
pub(super) fn shown(text: &str, is_text: bool) -> String {
    let text: String = if is_text { quoted(text) } else { text.to_owned() };
    if text.chars().count() <= MAX_SHOWN_CHARS {
        return text;
    }
    text.chars().take(MAX_SHOWN_CHARS).chain("…".chars()).collect()
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nowhere: the table of keys.
    Default,
    /// `verifyd dev`.
    Profile,
    /// A line of the file.
    File {
        /// The file as it was named.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
        /// Whether it holds the whole list of which this is a part.
        list: bool,
    },
    /// A flag of the command line.
    Flag(&'static str),
}

/// A value, its key and its place.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: &'static Key,
    /// Whether this is the `…_file` of a secret, and so a path.
    pub(super) is_secret_file: bool,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

impl Entry {
    /// Whether the value may stand in messages.
    pub(super) fn is_shown(&self) -> bool {
        match (&self.value, self.key.kind) {
            _ if self.is_secret_file => true,
            (Value::Text(text), Kind::Url) => !holds_secret(text),
            (_, kind) => kind.is_shown(),
        }
    }

    /// What this value is.
    pub(super) fn kind(&self) -> Kind {
        if self.is_secret_file { Kind::Path } else { self.key.kind }
    }
}

/// Whether a URL has a place in which a user, a password or a password among its options can stand. Rather once too often: what is no
/// URL at all may be a password in the wrong place.
pub(super) fn holds_secret(url: &str) -> bool {
    url.contains(['@', '?', '%'])
}

/// Everything that was given, by path (`service.default.ttl`, `api_keys[0].name`).
#[derive(Clone, Default)]
pub(super) struct Values {
    entries: BTreeMap<String, Entry>,
    /// Sections that were opened, even if empty: services, entries of lists.
    sections: BTreeMap<String, Origin>,
}

impl Values {
    /// Sets the value at `path`, whatever was there.
    pub(super) fn put(&mut self, path: String, entry: Entry) {
        self.entries.insert(path, entry);
    }

    /// Notes that a section was opened.
    pub(super) fn open(&mut self, path: String, origin: Origin) {
        self.sections.insert(path, origin);
    }

    /// Forgets a list of tables, for a source that brings its own.
    pub(super) fn clear_list(&mut self, list: &str) {
        let within = |path: &str| path.strip_prefix(list).is_some_and(|rest| rest.starts_with('['));
        self.entries.retain(|path, _| !within(path));
        self.sections.retain(|path, _| !within(path));
    }

    /// The value at `path`.
    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Where a section was opened.
    pub(super) fn section(&self, path: &str) -> Option<&Origin> {
        self.sections.get(path)
    }

    /// Every value, by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter()
    }

    /// Everything of `other` over this.
    pub(super) fn overlay(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.sections.extend(other.sections);
    }

    /// The names of services, `default` always among them.
    pub(super) fn services(&self) -> Vec<String> {
        let paths = self.entries.keys().chain(self.sections.keys());
        let mut names: Vec<String> = paths
            .filter_map(|path| path.strip_prefix("service."))
            .map(|rest| rest.split('.').next().unwrap_or(rest).to_owned())
            .chain([super::DEFAULT_SERVICE.to_owned()])
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The paths of the entries of a list (`api_keys[0]`, …), in order.
    pub(super) fn list(&self, list: &str) -> Vec<String> {
        let mut found: Vec<(usize, String)> = self
            .sections
            .keys()
            .filter_map(|path| {
                let index = path.strip_prefix(list)?.strip_prefix('[')?.strip_suffix(']')?;
                Some((index.parse().ok()?, path.clone()))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, path)| path).collect()
    }
}
