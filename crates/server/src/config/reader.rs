//! From [`Values`] to typed values: the one way a section reads its keys.
//!
//! Every method answers `None` if the key is unset or its value is refused; a refusal is recorded on the way, so a section
//! that misses something just returns.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use verifyd_core::limits::{format_duration, parse_duration};

use super::Environment;
use super::findings::{Findings, written};
use super::reference::{self, shared_path};
use super::sources::{Flags, ReadFile};
use super::value::{Entry, Value, Values, shown};

/// What sections read from.
pub(super) struct Reader<'a> {
    pub(super) values: &'a Values,
    pub(super) findings: &'a mut Findings,
    pub(super) environment: Environment,
    pub(super) flags: &'a Flags,
    pub(super) read_file: ReadFile,
}

impl<'a> Reader<'a> {
    /// The value at `path`, or the shared one that counts instead, with the path it stands at.
    fn entry<'p>(&self, path: &'p str) -> Option<(&'p str, &'a Entry)> {
        let own = self.values.get(path).map(|entry| (path, entry));
        own.or_else(|| shared_path(path).and_then(|shared| self.values.get(shared).map(|entry| (shared, entry))))
    }

    /// Whether anything was given at `path`, defaults aside.
    pub(super) fn is_given(&self, path: &str) -> bool {
        self.values.get(path).is_some_and(|entry| entry.origin != super::value::Origin::Default)
    }

    /// An error about the value at `path`, or about its absence.
    pub(super) fn refuse(&mut self, path: &str, problem: impl Display) {
        match self.entry(path) {
            Some((path, entry)) => self.findings.refuse_entry(path, entry, problem),
            None => self.findings.refuse(self.absent(path), problem),
        }
    }

    /// The same without the value, which may be a secret in the wrong place.
    pub(super) fn refuse_unshown(&mut self, path: &str, problem: impl Display) {
        match self.entry(path) {
            Some((path, entry)) => self.findings.refuse_at(path, &entry.origin, None, problem),
            None => self.findings.refuse(self.absent(path), problem),
        }
    }

    /// How a key that is unset is named: its path, the line of its list entry, its usual variable.
    fn absent(&self, path: &str) -> String {
        if let Some(origin) = path.rsplit_once('.').and_then(|(section, _)| self.values.section(section))
            && let (_, Some(place)) = written(path, origin)
        {
            return format!("{path} ({place})");
        }
        let variable = reference::find(path).and_then(|(key, _)| key.variables.first());
        variable.map_or_else(|| path.to_owned(), |variable| format!("{path} ({variable})"))
    }

    /// How the key at `path` was written, for notes.
    pub(super) fn field(&self, path: &str) -> String {
        self.entry(path).map_or_else(|| path.to_owned(), |(path, entry)| written(path, &entry.origin).0)
    }

    /// The text at `path`.
    pub(super) fn text(&self, path: &str) -> Option<&'a str> {
        match &self.entry(path)?.1.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text at `path`, read by its type's own door.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, path: &str) -> Option<T> {
        self.parsed_by(path, str::parse)
    }

    /// The text at `path`, read by `door`.
    pub(super) fn parsed_by<T, E: Display>(
        &mut self,
        path: &str,
        door: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let outcome = door(self.text(path)?);
        outcome.map_err(|error| self.refuse(path, error)).ok()
    }

    /// One of `words`.
    pub(super) fn word<T: Copy>(&mut self, path: &str, words: &[(&str, T)]) -> Option<T> {
        let expected = || words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
        self.parsed_by(path, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| format!("expected {}", expected()))
        })
    }

    /// The switch at `path`.
    pub(super) fn switch(&self, path: &str) -> Option<bool> {
        match self.entry(path)?.1.value {
            Value::Switch(on) => Some(on),
            _ => None,
        }
    }

    /// The number at `path`, within `range`.
    pub(super) fn number<T>(&mut self, path: &str, range: &RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let Value::Number(number) = self.entry(path)?.1.value else { return None };
        let number = T::try_from(number).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.refuse(path, format_args!("expected {} to {}", range.start(), range.end()));
        }
        number
    }

    /// The span at `path`, within `range`.
    pub(super) fn duration(&mut self, path: &str, range: &RangeInclusive<Duration>) -> Option<Duration> {
        let within = |text: &str| span(text, range);
        self.parsed_by(path, within)
    }

    /// The texts at `path`, each read by `door`.
    pub(super) fn list<T, E: Display>(&mut self, path: &str, door: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
        let Value::List(items) = &self.entry(path)?.1.value else { return None };
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            match door(item) {
                Ok(value) => read.push(value),
                Err(error) => self.refuse_unshown(path, format_args!("{}: {error}", shown(item, true))),
            }
        }
        (read.len() == items.len()).then_some(read)
    }
}

/// A span within `range`; an error says which.
pub(super) fn span(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    if range.contains(&span) {
        return Ok(span);
    }
    Err(format!("expected {} to {}", bound(*range.start()), bound(*range.end())))
}

fn bound(span: Duration) -> String {
    if span.is_zero() { "0s".to_owned() } else { format_duration(span) }
}
