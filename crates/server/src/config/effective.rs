//! The configuration as text: what `verifyd config print` shows.
//!
//! It can be loaded again where the secrets come from the same place: a secret stands in a comment, masked, because a mask
//! that is read as a secret would be one that everybody knows. A `…_file` names where a secret lies and is shown.

use std::fmt::Write;

use super::findings::written;
use super::reference::{FILE_SUFFIX, KEYS, LISTS};
use super::value::{Origin, Values};

/// What stands for a secret.
const MASK: &str = "****";

/// Every value in force, secrets masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// `""`, `store`, `service.default`, `api_keys[0]`.
    section: String,
    name: String,
    toml: String,
    json: serde_json::Value,
    is_masked: bool,
    /// Where it was written, unless it is a default.
    origin: Option<String>,
}

impl Effective {
    pub(super) fn new(values: &Values) -> Self {
        let mut lines: Vec<(usize, Line)> = Vec::new();
        for (path, entry) in values.iter() {
            let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
            let from_file = values.get(&format!("{path}{FILE_SUFFIX}"));
            if entry.origin == Origin::Default && from_file.is_some_and(|file| file.is_secret_file) {
                // Not in force, and beside the file it would be one value too many.
                continue;
            }
            let is_masked = !entry.is_shown();
            let origin = match &entry.origin {
                Origin::Default => None,
                origin => Some(match written(path, origin) {
                    (_, Some(place)) => place,
                    (field, None) => field,
                }),
            };
            let line = Line {
                section: section.to_owned(),
                name: name.to_owned(),
                toml: if is_masked { format!("\"{MASK}\"") } else { entry.value.to_toml() },
                json: if is_masked { MASK.into() } else { entry.value.to_json() },
                is_masked,
                origin,
            };
            let rank = KEYS.iter().position(|key| std::ptr::eq(key, entry.key)).unwrap_or(usize::MAX);
            lines.push((rank, line));
        }
        lines.sort_by(|(rank, line), (other_rank, other)| {
            (order(&line.section), *rank, &line.name).cmp(&(order(&other.section), *other_rank, &other.name))
        });
        Self { lines: lines.into_iter().map(|(_, line)| line).collect() }
    }

    /// As a configuration file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut page = String::new();
        let mut section = "";
        for line in &self.lines {
            if line.section != section {
                section = &line.section;
                let header = match LISTS.iter().find(|list| section.starts_with(&format!("{list}["))) {
                    Some(list) => format!("\n[[{list}]]\n"),
                    None => format!("\n[{section}]\n"),
                };
                page.push_str(&header);
            }
            let mask = if line.is_masked { "# " } else { "" };
            let origin = line.origin.as_ref().map(|origin| format!("  # {origin}")).unwrap_or_default();
            // Writing to a String cannot fail.
            if writeln!(page, "{mask}{} = {}{origin}", line.name, line.toml).is_err() {
                break;
            }
        }
        page
    }

    /// As one JSON object, with the sections of the file as objects and lists.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut root = serde_json::Map::new();
        for line in &self.lines {
            if let Some(section) = open(&mut root, &line.section) {
                section.insert(line.name.clone(), line.json.clone());
            }
        }
        root.into()
    }
}

/// Top-level keys first, as TOML wants them; then the sections as the table of keys has them, services by name.
fn order(section: &str) -> (usize, &str) {
    let top = section.split(['.', '[']).next().unwrap_or(section);
    let rank = KEYS.iter().position(|key| key.path.strip_prefix(top).is_some_and(|rest| rest.starts_with(['.', '['])));
    (if section.is_empty() { 0 } else { rank.map_or(usize::MAX, |rank| rank + 1) }, section)
}

type Object = serde_json::Map<String, serde_json::Value>;

/// The object of `section`, made on the way.
fn open<'a>(root: &'a mut Object, section: &str) -> Option<&'a mut Object> {
    let mut object = root;
    for name in section.split('.').filter(|name| !name.is_empty()) {
        let next = match name.split_once('[') {
            None => object.entry(name).or_insert_with(|| Object::new().into()),
            Some((list, index)) => {
                let index: usize = index.strip_suffix(']')?.parse().ok()?;
                let items =
                    object.entry(list).or_insert_with(|| serde_json::Value::Array(Vec::new())).as_array_mut()?;
                if items.len() <= index {
                    items.resize(index + 1, Object::new().into());
                }
                items.get_mut(index)?
            }
        };
        object = next.as_object_mut()?;
    }
    Some(object)
}
