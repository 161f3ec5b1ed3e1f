//! What is wrong with a configuration, and what is worth a remark.
//!
//! Every error is collected, so that one run shows them all. A message names the key as it was written, the file's line,
//! the value unless it is a secret or a person's, and what to do.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::value::{Entry, Origin, Value, shown};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// The key, variable or flag as it was written.
    pub field: String,
    /// The value, if it may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The file and its line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.field)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// Everything that is wrong; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// One error that stands before everything else.
    pub(super) fn of(field: &str, problem: impl fmt::Display) -> Self {
        Self(vec![ConfigError { field: field.to_owned(), value: None, place: None, problem: problem.to_string() }])
    }

    /// The errors, in the order of the sections.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// How loudly a note is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteLevel {
    /// Good to know.
    Remark,
    /// Weakens the server, or surprises: logged as a warning at start.
    Warning,
}

/// Something worth knowing that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// How loudly.
    pub level: NoteLevel,
    /// The key, variable or flag.
    pub field: String,
    /// What about it.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Errors and notes as they are found.
#[derive(Default)]
pub(super) struct Findings {
    errors: Vec<ConfigError>,
    is_unreadable: bool,
    /// Keys that were given and refused, so that their absence is not told as well.
    refused: BTreeSet<String>,
    pub(super) notes: Vec<Note>,
}

impl Findings {
    /// An error about `field`, without value or place.
    pub(super) fn refuse(&mut self, field: impl Into<String>, problem: impl fmt::Display) {
        self.push(ConfigError { field: field.into(), value: None, place: None, problem: problem.to_string() });
    }

    /// An error about what was written at `path`.
    pub(super) fn refuse_entry(&mut self, path: &str, entry: &Entry, problem: impl fmt::Display) {
        let value = entry.is_shown().then(|| match &entry.value {
            Value::Text(text) => shown(text, true),
            other => shown(&other.to_toml(), false),
        });
        self.refuse_at(path, &entry.origin, value, problem);
    }

    /// An error about `path`, which `origin` wrote.
    pub(super) fn refuse_at(&mut self, path: &str, origin: &Origin, value: Option<String>, problem: impl fmt::Display) {
        let (field, place) = written(path, origin);
        self.mark_refused(path);
        self.push(ConfigError { field, value, place, problem: problem.to_string() });
    }

    /// Remembers that something was given at `path` and refused.
    pub(super) fn mark_refused(&mut self, path: &str) {
        self.refused.insert(path.to_owned());
    }

    /// Whether something at `path`, or below it if it ends with a dot, was given and refused.
    pub(super) fn is_refused(&self, path: &str) -> bool {
        let below = |refused: &String| path.ends_with('.') && refused.starts_with(path);
        self.refused.iter().any(|refused| refused == path || below(refused))
    }

    /// An error, unless it is known: a shared limit is read once for every service.
    fn push(&mut self, error: ConfigError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Something good to know.
    pub(super) fn remark(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.note(NoteLevel::Remark, field.into(), message.into());
    }

    /// Something that should be heard.
    pub(super) fn warn(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.note(NoteLevel::Warning, field.into(), message.into());
    }

    fn note(&mut self, level: NoteLevel, field: String, message: String) {
        let note = Note { level, field, message };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// An error of the file's syntax.
    pub(super) fn refuse_syntax(&mut self, field: String, problem: &str) {
        self.is_unreadable = true;
        self.refuse(field, problem);
    }

    /// What was found so far, if the file could not be read.
    pub(super) fn syntax_errors(&self) -> Option<ConfigErrors> {
        self.is_unreadable.then(|| ConfigErrors(self.errors.clone()))
    }

    /// `value` with the notes, or the errors. A value that is missing without an error would be a defect of a section;
    /// it is told as one instead of starting a server on half a configuration.
    pub(super) fn outcome<T>(mut self, value: Option<T>) -> Result<(T, Vec<Note>), ConfigErrors> {
        match value {
            Some(value) if self.errors.is_empty() => Ok((value, self.notes)),
            _ => {
                if self.errors.is_empty() {
                    self.refuse(
                        "configuration",
                        "cannot be read, for a reason that was not recorded; please report this",
                    );
                }
                Err(ConfigErrors(self.errors))
            }
        }
    }
}

/// The name under which `origin` wrote `path`, and the place in the file.
pub(super) fn written(path: &str, origin: &Origin) -> (String, Option<String>) {
    match origin {
        Origin::File { name, line } => (path.to_owned(), Some(format!("{name}, line {line}"))),
        Origin::Variable { name, list: false } => (name.clone(), None),
        Origin::Variable { name, list: true } => (path.to_owned(), Some(name.clone())),
        Origin::Flag(flag) => ((*flag).to_owned(), None),
        Origin::Profile => (path.to_owned(), Some("verifyd dev".to_owned())),
        Origin::Default => (path.to_owned(), None),
    }
}
