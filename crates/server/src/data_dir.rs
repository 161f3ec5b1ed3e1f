//! The data directory: made for its owner only; small files in it are replaced whole.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Makes `dir` (mode 0700) if it does not exist.
///
/// # Errors
/// What the system says.
pub fn create(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Replaces the file at `path` (mode 0600): a reader sees the old or the new content, also after a loss of power.
///
/// # Errors
/// What the system says.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

/// Keeps the development clock's offset, so that a restart does not turn the time back.
///
/// # Errors
/// What the system says.
pub fn keep_offset(path: &Path, offset: Duration) -> io::Result<()> {
    replace(path, offset.as_millis().to_string().as_bytes())
}

/// The offset that was kept; none if no file was.
///
/// # Errors
/// What the system says, or that the file holds no number.
pub fn kept_offset(path: &Path) -> io::Result<Duration> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let ms = text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            Ok(Duration::from_millis(ms))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Duration::ZERO),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_offset_is_kept_privately_and_a_damaged_one_is_no_zero() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dev-clock");
        assert_eq!(kept_offset(&path).unwrap(), Duration::ZERO);
        keep_offset(&path, Duration::from_secs(600)).unwrap();
        assert_eq!(kept_offset(&path).unwrap(), Duration::from_secs(600));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "soon").unwrap();
        assert!(kept_offset(&path).is_err());
    }
}
