//! From TOML to [`Values`]: the file, and lists of tables in a variable.
//!
//! Messages never repeat a line of the file as the parser's own would: a secret may stand on it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use verifyd_core::service::ServiceName;

use super::findings::Findings;
use super::reference::{self, Key, Kind};
use super::sources::ConfigFile;
use super::suggest::unknown_name;
use super::value::{Entry, Origin, Value, Values, shown};

/// Reads the file.
pub(super) fn read(file: &ConfigFile, findings: &mut Findings) -> Values {
    let origin = |offset: usize| Origin::File { name: file.name.clone(), line: line_of(&file.text, offset) };
    let mut walk = Walk { text: &file.text, origin: &origin, values: Values::default(), findings };
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    for error in &errors {
        let line = line_of(&file.text, error.span().map_or(0, |span| span.start));
        walk.findings.refuse_syntax(format!("{}, line {line}", file.name), error.message());
    }
    // What the parser guessed after an error is nobody's configuration.
    if errors.is_empty() {
        walk.table(table.get_ref(), "", "");
    }
    walk.values
}

/// Reads a list of tables (`[{…}, {…}]`) from a variable.
pub(super) fn read_list(list: &'static str, variable: &str, text: &str, findings: &mut Findings) -> Values {
    let origin = |_offset: usize| Origin::Variable { name: variable.to_owned(), list: true };
    let mut walk = Walk { text, origin: &origin, values: Values::default(), findings };
    match DeValue::parse(text) {
        Ok(value) => walk.list(&value, list),
        Err(_) => walk.findings.refuse(variable, LIST_EXPECTED),
    }
    walk.values
}

const LIST_EXPECTED: &str = "expected a list of tables, such as [{name = \"a\"}]";

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.matches('\n').count() + 1
}

struct Walk<'a> {
    text: &'a str,
    origin: &'a dyn Fn(usize) -> Origin,
    values: Values,
    findings: &'a mut Findings,
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Walk<'_> {
    fn refuse(&mut self, path: &str, span: usize, value: Option<String>, problem: impl std::fmt::Display) {
        self.findings.refuse_at(path, &(self.origin)(span), value, problem);
    }

    fn table(&mut self, table: &DeTable<'_>, path: &str, pattern: &str) {
        // The parser sorts by name; people read by line.
        let mut members: Vec<_> = table.iter().collect();
        members.sort_unstable_by_key(|(name, _)| name.span().start);
        for (name, value) in members {
            let here = join(path, name.get_ref());
            let is_service = pattern == "service";
            let pattern = join(pattern, if is_service { "*" } else { name.get_ref() });
            let at = name.span().start;
            if is_service && let Err(error) = name.get_ref().parse::<ServiceName>() {
                self.refuse(&here, at, None, error);
            } else {
                self.member(&here, &pattern, at, value);
            }
        }
    }

    fn member(&mut self, path: &str, pattern: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        if let Some((key, is_secret_file)) = reference::find(pattern) {
            self.value(path, key, is_secret_file, at, value);
        } else if let Some((_, why)) = reference::REFUSED.iter().find(|(refused, _)| *refused == pattern) {
            self.refuse(path, at, None, why);
        } else if let Some(list) = reference::LISTS.iter().find(|list| **list == pattern) {
            self.list(value, list);
        } else if !reference::is_section(pattern) {
            self.refuse(path, at, None, unknown_name(path, pattern));
        } else if let DeValue::Table(table) = value.get_ref() {
            self.values.open(path.to_owned(), (self.origin)(at));
            self.table(table, path, pattern);
        } else if pattern == "service.*" {
            self.refuse(
                path,
                at,
                None,
                "expected a section: the keys of the default service stand under [service.default]",
            );
        } else {
            self.refuse(path, at, None, format_args!("expected a section, written as [{path}]"));
        }
    }

    fn value(&mut self, path: &str, key: &'static Key, is_secret_file: bool, at: usize, value: &Spanned<DeValue<'_>>) {
        let kind = if is_secret_file { Kind::Path } else { key.kind };
        let origin = (self.origin)(at);
        if let Some(value) = shape(kind, value.get_ref()) {
            self.values.put(path.to_owned(), Entry { key, is_secret_file, value, origin });
        } else {
            let written = self.text.get(value.span()).and_then(|text| text.lines().next());
            let written = written.filter(|_| kind.is_shown()).map(|text| shown(text, false));
            self.findings.refuse_at(path, &origin, written, kind.expected());
        }
    }

    fn list(&mut self, value: &Spanned<DeValue<'_>>, list: &'static str) {
        let DeValue::Array(items) = value.get_ref() else {
            return self.refuse(
                list,
                value.span().start,
                None,
                format_args!("expected entries, each under [[{list}]]"),
            );
        };
        for (index, item) in items.iter().enumerate() {
            let path = format!("{list}[{index}]");
            let at = item.span().start;
            if let DeValue::Table(table) = item.get_ref() {
                self.values.open(path.clone(), (self.origin)(at));
                self.table(table, &path, &format!("{list}[]"));
            } else {
                self.refuse(&path, at, None, LIST_EXPECTED);
            }
        }
    }
}

/// The value in the shape that `kind` wants, or `None`.
pub(super) fn shape(kind: Kind, value: &DeValue<'_>) -> Option<Value> {
    match (kind, value) {
        (Kind::Switch | Kind::Mock, DeValue::Boolean(on)) => Some(Value::Switch(*on)),
        (Kind::Mock, DeValue::String(text)) if text == "auto" => Some(Value::Text(text.to_string())),
        (Kind::Number, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Number)
        }
        (Kind::List | Kind::Durations, DeValue::Array(items)) => {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            items.iter().map(text).collect::<Option<Vec<_>>>().map(Value::List)
        }
        (Kind::Instant, DeValue::Datetime(instant)) => Some(Value::Text(instant.to_string())),
        (
            Kind::Text
            | Kind::Url
            | Kind::Secret
            | Kind::Private
            | Kind::Path
            | Kind::Duration
            | Kind::Rate
            | Kind::Instant,
            DeValue::String(text),
        ) => Some(Value::Text(text.to_string())),
        _ => None,
    }
}
