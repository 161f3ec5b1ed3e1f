//! From variables and flags to [`Values`].
//!
//! A value is TOML or a bare text, read by what its key wants; an empty variable counts as unset. `VERIFYD_A__B` is the key
//! `a.b`, `VERIFYD_SERVICE__SHOP__TTL` the key `ttl` of the service `shop` (or of the file's `sh-op` for `SH_OP`), and a list
//! of tables is one variable (`VERIFYD_TEST_NUMBERS='[{…}]'`). The variables of the seed mean what they meant there.

use std::collections::BTreeMap;

use toml::de::DeValue;
use verifyd_core::limits::{MAX_RATE_WINDOW, Rate};
use verifyd_core::service::ServiceName;

use super::file::{read_list, shape};
use super::findings::Findings;
use super::limits::MAX_LOG_COUNT;
use super::reference::{self, FILE_SUFFIX, KEYS, Key, Kind, variable_of};
use super::sources::{FILE_VARIABLE, Flags, URL_VARIABLE};
use super::suggest::nearest;
use super::value::{Entry, Origin, Value, Values};

const PREFIX: &str = "VERIFYD_";
/// The seed's limit, its default and its key.
const SEED_COUNT: &str = "SMS_RATE_LIMIT_PER_PHONE";
const SEED_WINDOW: &str = "SMS_RATE_LIMIT_WINDOW";
const SEED_DEFAULTS: (u64, u64) = (5, 3600);
const SEED_PATH: &str = "limits.sends_per_phone";
/// The usual variable of Rust programs, which counts where nothing else is said.
pub(super) const LOG_FALLBACK: &str = "RUST_LOG";

/// What one variable sets.
struct Target {
    path: String,
    key: &'static Key,
    is_secret_file: bool,
}

/// Reads the environment. `file` is what the file says: names of services with hyphens are found in it.
pub(super) fn read(variables: &BTreeMap<String, String>, file: &Values, findings: &mut Findings) -> Values {
    let mut values = Values::default();
    let mut given: BTreeMap<String, Vec<(String, Entry)>> = BTreeMap::new();
    let mut note =
        |path: String, name: &str, entry: Entry| given.entry(path).or_default().push((name.to_owned(), entry));
    for (name, text) in variables.iter().filter(|(_, text)| !text.is_empty()) {
        if let Some(list) = reference::LISTS.iter().find(|list| variable_of(list) == **name) {
            values.overlay(read_list(list, name, text, findings));
        } else if let Some(target) = target(name, file) {
            let origin = Origin::Variable { name: name.clone(), list: false };
            if let Some((path, entry)) = entry(target, text, origin, findings) {
                note(path, name, entry);
            }
        } else {
            unknown(name, findings);
        }
    }
    if let Some((name, entry)) = seed_limit(variables, findings) {
        note(SEED_PATH.to_owned(), &name, entry);
    }
    for (path, same) in given {
        if let Some(entry) = agreed(&path, same, findings) {
            values.put(path, entry);
        }
    }
    values
}

/// Reads the flags.
pub(super) fn read_flags(flags: &Flags, findings: &mut Findings) -> Values {
    let mut values = Values::default();
    for (flag, path, text) in flags.given() {
        let Some((key, is_secret_file)) = reference::find(path) else { continue };
        let target = Target { path: path.to_owned(), key, is_secret_file };
        if let Some((path, entry)) = entry(target, text, Origin::Flag(flag), findings) {
            values.put(path, entry);
        }
    }
    values
}

/// `RUST_LOG`, as the filter of the log.
pub(super) fn log_fallback(variables: &BTreeMap<String, String>) -> Values {
    let mut values = Values::default();
    let text = variables.get(LOG_FALLBACK).filter(|text| !text.is_empty());
    if let (Some(text), Some((key, is_secret_file))) = (text, reference::find("log.filter")) {
        let origin = Origin::Variable { name: LOG_FALLBACK.to_owned(), list: false };
        values.put(key.path.to_owned(), Entry { key, is_secret_file, value: Value::Text(text.clone()), origin });
    }
    values
}

fn entry(target: Target, text: &str, origin: Origin, findings: &mut Findings) -> Option<(String, Entry)> {
    let Target { path, key, is_secret_file } = target;
    let kind = if is_secret_file { Kind::Path } else { key.kind };
    let Some(value) = parse(kind, text) else {
        let raw = Entry { key, is_secret_file, value: Value::Text(text.to_owned()), origin };
        findings.refuse_entry(&path, &raw, kind.expected());
        return None;
    };
    Some((path, Entry { key, is_secret_file, value, origin }))
}

/// The value of a variable in the shape that `kind` wants.
fn parse(kind: Kind, text: &str) -> Option<Value> {
    let toml = |text: &str| DeValue::parse(text).ok().and_then(|value| shape(kind, value.get_ref()));
    match kind {
        Kind::Switch | Kind::Number => toml(text.trim()),
        // The seed's language writes True and False.
        Kind::Mock => match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Some(Value::Text("auto".to_owned())),
            word => toml(word),
        },
        Kind::List | Kind::Durations if text.trim_start().starts_with('[') => toml(text.trim()),
        Kind::List | Kind::Durations => {
            let items = toml_text(text).unwrap_or_else(|| text.to_owned());
            let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::List(items.map(str::to_owned).collect()))
        }
        Kind::Text
        | Kind::Url
        | Kind::Secret
        | Kind::Private
        | Kind::Path
        | Kind::Duration
        | Kind::Rate
        | Kind::Instant => Some(Value::Text(toml_text(text).unwrap_or_else(|| text.to_owned()))),
    }
}

/// The text inside quotes, if all of it is a TOML string.
fn toml_text(text: &str) -> Option<String> {
    let quoted = text.trim();
    if !quoted.starts_with(['"', '\'']) {
        return None;
    }
    DeValue::parse(quoted).ok().and_then(|value| value.get_ref().as_str().map(str::to_owned))
}

/// Which key `name` sets.
fn target(name: &str, file: &Values) -> Option<Target> {
    let fixed = KEYS.iter().filter(|key| !key.is_pattern());
    for key in fixed {
        let canonical = variable_of(key.path);
        let names = std::iter::once(canonical.as_str()).chain(key.variables.iter().copied());
        for known in names {
            if name == known {
                return Some(Target { path: key.path.to_owned(), key, is_secret_file: false });
            }
            let secret_file = key.kind.has_file() && name.strip_suffix("_FILE") == Some(known);
            if secret_file {
                return Some(Target { path: format!("{}{FILE_SUFFIX}", key.path), key, is_secret_file: true });
            }
        }
    }
    service_target(name, file)
}

/// The key of a service: what stands between `SERVICE__` and the longest known ending is its name.
fn service_target(name: &str, file: &Values) -> Option<Target> {
    let rest = name.strip_prefix("VERIFYD_SERVICE__")?;
    let of_service = KEYS.iter().filter_map(|key| Some((key, key.path.strip_prefix("service.*.")?)));
    let (key, ending, service) = of_service
        .filter_map(|(key, ending)| {
            let suffix = format!("__{}", ending.replace('.', "__").to_ascii_uppercase());
            let service = rest.strip_suffix(&suffix).filter(|service| !service.is_empty())?;
            Some((key, ending, service))
        })
        .max_by_key(|(_, ending, _)| ending.len())?;
    let service = service.to_ascii_lowercase();
    service.parse::<ServiceName>().ok()?;
    let mut named = file.services().into_iter().filter(|known| known.replace('-', "_") == service);
    let service = named.next().unwrap_or(service);
    Some(Target { path: format!("service.{service}.{ending}"), key, is_secret_file: false })
}

/// One value of all the names that were given, if they agree.
fn agreed(path: &str, mut same: Vec<(String, Entry)>, findings: &mut Findings) -> Option<Entry> {
    let (first, entry) = same.pop()?;
    let mut agree = true;
    for (name, other) in &same {
        if comparable(other) != comparable(&entry) {
            findings.mark_refused(path);
            findings.refuse(
                format!("{name} and {first}"),
                format_args!("two names of {path} with different values; unset one of them"),
            );
            agree = false;
        }
    }
    agree.then_some(entry)
}

/// A limit is the same however its window is written.
fn comparable(entry: &Entry) -> Value {
    match (&entry.value, entry.kind()) {
        (Value::Text(text), Kind::Rate) => {
            Value::Text(text.parse::<Rate>().map_or_else(|_bad| text.clone(), |rate| rate.to_string()))
        }
        (value, _) => value.clone(),
    }
}

/// The seed's limit: a count and a window in seconds, either of which may be left to its default.
fn seed_limit(variables: &BTreeMap<String, String>, findings: &mut Findings) -> Option<(String, Entry)> {
    let given = |name: &str| variables.get(name).filter(|text| !text.is_empty());
    let name = [SEED_COUNT, SEED_WINDOW].into_iter().find(|name| given(name).is_some())?;
    let (key, is_secret_file) = reference::find(SEED_PATH)?;
    let origin = |name: &str| Origin::Variable { name: name.to_owned(), list: false };
    let mut number = |name: &str, default: u64, max: u64, what: &str| match given(name) {
        None => Some(default),
        Some(text) => text.trim().parse().ok().filter(|number| (1..=max).contains(number)).or_else(|| {
            let raw = Entry { key, is_secret_file, value: Value::Text(text.clone()), origin: origin(name) };
            findings.refuse_entry(SEED_PATH, &raw, format_args!("expected a whole number of {what}, 1 to {max}"));
            None
        }),
    };
    let count = number(SEED_COUNT, SEED_DEFAULTS.0, u64::from(MAX_LOG_COUNT), "sends");
    let window = number(SEED_WINDOW, SEED_DEFAULTS.1, MAX_RATE_WINDOW.as_secs(), "seconds");
    let text = format!("{}/{}s", count?, window?);
    let text = text.parse::<Rate>().map_or(text, |rate| rate.to_string());
    Some((name.to_owned(), Entry { key, is_secret_file, value: Value::Text(text), origin: origin(name) }))
}

/// A variable that sets nothing: an error if it was surely meant for us, else a remark, since orchestrators inject some.
fn unknown(name: &str, findings: &mut Findings) {
    let Some(rest) = name.strip_prefix(PREFIX) else { return };
    // The second is for commands that talk to a server.
    if [FILE_VARIABLE, URL_VARIABLE].contains(&name) {
        return;
    }
    let suggestion = suggest(rest).map(|near| format!("; did you mean {near}?"));
    if let Some(why) = refused(rest) {
        findings.refuse(name, why);
    } else if rest.contains("__") {
        findings.refuse(name, format_args!("no such key{}", suggestion.as_deref().unwrap_or("; unset it")));
    } else {
        findings.remark(name, format!("unknown variable, not looked at{}", suggestion.unwrap_or_default()));
    }
}

/// The nearest variable to an unknown one; of services that of the same service.
fn suggest(rest: &str) -> Option<String> {
    let service = rest.strip_prefix("SERVICE__").and_then(|rest| rest.split("__").next()).unwrap_or_default();
    let known: Vec<String> = KEYS.iter().map(|key| key.variable().replace("<NAME>", service)).collect();
    // The common beginning would make every name near to every other.
    let near = nearest(rest, known.iter().filter_map(|name| name.strip_prefix(PREFIX)))?;
    Some(format!("{PREFIX}{near}"))
}

/// Why a key that somebody may well try is refused.
fn refused(rest: &str) -> Option<&'static str> {
    let found = reference::REFUSED.iter().find(|(pattern, _)| {
        let upper = pattern.replace('.', "__").to_ascii_uppercase();
        match upper.split_once('*') {
            Some((start, end)) => rest.starts_with(start) && rest.contains(end),
            None => rest.strip_prefix(&upper).is_some_and(|rest| rest.starts_with("__")),
        }
    });
    found.map(|(_, why)| *why)
}
