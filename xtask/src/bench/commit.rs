//! One durable commit of this disk: the least that a start or a check must wait for with the embedded store.
//!
//! Written as the journal writes: at a known place of a file that was filled with zeros before, then `fdatasync`. Called by the
//! ratio bench between its rounds, in the directory of the embedded store, while no server has anything to do.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::figures::Latencies;
use crate::Result;

/// What one start puts into the journal, about: two records.
const RECORD_BYTES: usize = 400;
/// The file, filled before: 4096 commits, then from the beginning.
const FILE_BYTES: u64 = 4096 * RECORD_BYTES as u64;

/// Commits one record after the other for `span`.
pub(super) fn measure(directory: &Path, span: Duration) -> Result<Latencies> {
    let path = directory.join("bench-commit");
    let measured = commits(&path, span);
    std::fs::remove_file(&path)?;
    measured
}

fn commits(path: &Path, span: Duration) -> Result<Latencies> {
    let mut file = File::options().create(true).truncate(true).write(true).open(path)?;
    file.write_all(&vec![0; usize::try_from(FILE_BYTES)?])?;
    file.sync_all()?;
    let record = [b'r'; RECORD_BYTES];
    let mut latencies = Latencies::default();
    let (until, mut offset) = (Instant::now() + span, 0);
    while Instant::now() < until {
        let began = Instant::now();
        file.write_all_at(&record, offset)?;
        file.sync_data()?;
        latencies.push(began.elapsed());
        offset = (offset + RECORD_BYTES as u64) % FILE_BYTES;
    }
    latencies.sort();
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_counted_and_leave_nothing_behind() {
        let directory = std::env::temp_dir().join(format!("verifyd-bench-commit-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        assert!(measure(&directory, Duration::from_millis(20)).unwrap().count() > 0);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        std::fs::remove_dir(&directory).unwrap();
    }
}
