//! The rules of a registry on a map: what the memory and the file registry share. Pure.

use std::collections::BTreeMap;

use super::{Change, Entry, EntryName, MAX_CHANGES, RegistryBounds, RegistryError, Written};

/// Entries and the version of the last write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    version: u64,
    entries: BTreeMap<EntryName, Entry>,
}

fn bytes_of(name: &EntryName, entry: &Entry) -> usize {
    name.kind().len() + name.id().len() + entry.document.text().len()
}

impl Book {
    /// What was written before: the version of the last write and the entries.
    #[must_use]
    pub const fn new(version: u64, entries: BTreeMap<EntryName, Entry>) -> Self {
        Self { version, entries }
    }

    /// The version of the last write.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Every entry.
    #[must_use]
    pub const fn entries(&self) -> &BTreeMap<EntryName, Entry> {
        &self.entries
    }

    /// Makes all changes or none.
    ///
    /// # Errors
    /// [`RegistryError::Full`] or [`RegistryError::TooLarge`]; nothing is changed then.
    pub fn write(&mut self, changes: Vec<Change>, bounds: RegistryBounds) -> Result<Written, RegistryError> {
        if changes.len() > MAX_CHANGES {
            return Err(RegistryError::TooLarge);
        }
        for change in &changes {
            let found = self.entries.get(change.name()).map(|entry| entry.version);
            if found != change.expected() {
                return Ok(Written::Conflict { name: change.name().clone(), found });
            }
        }
        let version = self.version + 1;
        let mut next = self.entries.clone();
        for change in changes {
            match change {
                Change::Put { name, document, .. } => {
                    next.insert(name, Entry { version, document });
                }
                Change::Remove { name, .. } => {
                    next.remove(&name);
                }
            }
        }
        let bytes = |entries: &BTreeMap<_, _>| entries.iter().map(|(name, entry)| bytes_of(name, entry)).sum::<usize>();
        // Above the bounds, which may have been lowered, it may still shrink.
        let (count, size) = (next.len(), bytes(&next));
        let grows = count > self.entries.len() || size > bytes(&self.entries);
        if grows && (count > bounds.max_entries || size > bounds.max_bytes) {
            return Err(RegistryError::Full(bounds));
        }
        *self = Self { version, entries: next };
        Ok(Written::Done { version })
    }
}
