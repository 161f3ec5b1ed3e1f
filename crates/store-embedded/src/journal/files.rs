//! The names in a data directory, and which of them count.
//!
//! `journal-N.log` holds the commits of generation N, `checkpoint-N.dat` all records as they were before it. A name that ends in
//! `.tmp` is a file that was still being written when the process died.

use std::path::{Path, PathBuf};

use super::frame::Kind;

/// Digits of a generation in a name.
const DIGITS: usize = 10;

/// The file of this kind and generation.
pub(super) fn file_path(dir: &Path, kind: Kind, generation: u64) -> PathBuf {
    dir.join(match kind {
        Kind::Journal => format!("journal-{generation:0DIGITS$}.log"),
        Kind::Checkpoint => format!("checkpoint-{generation:0DIGITS$}.dat"),
    })
}

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// Generations of journals, rising.
    pub(super) journals: Vec<u64>,
    /// Generations of checkpoints, rising.
    pub(super) checkpoints: Vec<u64>,
    /// Files that were never finished.
    pub(super) unfinished: Vec<PathBuf>,
}

impl Inventory {
    /// Sorts names; those that are not ours are left alone.
    pub(super) fn new(dir: &Path, names: &[String]) -> Self {
        let mut inventory = Self::default();
        for name in names {
            let (stem, unfinished) = name.strip_suffix(".tmp").map_or((name.as_str(), false), |stem| (stem, true));
            match parse(stem) {
                Some(_) if unfinished => inventory.unfinished.push(dir.join(name)),
                Some((Kind::Journal, generation)) => inventory.journals.push(generation),
                Some((Kind::Checkpoint, generation)) => inventory.checkpoints.push(generation),
                None => {}
            }
        }
        inventory.journals.sort_unstable();
        inventory.checkpoints.sort_unstable();
        inventory
    }

    /// The files that a checkpoint of this generation makes superfluous.
    pub(super) fn superseded(&self, dir: &Path, generation: u64) -> Vec<PathBuf> {
        let older = |generations: &[u64], kind| {
            generations
                .iter()
                .filter(|found| **found < generation)
                .map(|found| file_path(dir, kind, *found))
                .collect::<Vec<_>>()
        };
        let mut files = older(&self.journals, Kind::Journal);
        files.extend(older(&self.checkpoints, Kind::Checkpoint));
        files
    }
}

fn parse(stem: &str) -> Option<(Kind, u64)> {
    let (kind, digits) = match stem.strip_prefix("journal-") {
        Some(rest) => (Kind::Journal, rest.strip_suffix(".log")?),
        None => (Kind::Checkpoint, stem.strip_prefix("checkpoint-")?.strip_suffix(".dat")?),
    };
    if digits.len() < DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((kind, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_strange_ones_left_alone() {
        let dir = Path::new("d");
        let names = [
            "journal-0000000003.log",
            "journal-0000000002.log",
            "checkpoint-0000000002.dat",
            "checkpoint-0000000003.dat.tmp",
            "LOCK",
            "journal-3.log",
            "journal-000000000x.log",
            "inbox.json",
            "notes.tmp",
        ];
        let inventory = Inventory::new(dir, &names.map(String::from));
        assert_eq!(inventory.journals, [2, 3]);
        assert_eq!(inventory.checkpoints, [2]);
        assert_eq!(inventory.unfinished, [dir.join("checkpoint-0000000003.dat.tmp")]);
        assert_eq!(
            inventory.superseded(dir, 3),
            [file_path(dir, Kind::Journal, 2), file_path(dir, Kind::Checkpoint, 2)]
        );
    }
}
