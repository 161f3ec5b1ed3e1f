//! Files: the data directory, the master keys, the certificate, and the room on the disk.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfs, access, statvfs};
use rustix::process::geteuid;

use super::Report;
use crate::cli::exit::chain;
use crate::cli::style::{bytes, counted};
use crate::config::{Config, KeySource};
use crate::http::listener::Tls;
use crate::key_file;
use crate::wiring::examine;

/// Below this a busy server may find the disk full within the hour.
const LITTLE_ROOM: u64 = 1 << 30;
/// Below this the next checkpoint may not fit.
const NO_ROOM: u64 = 64 << 20;

/// The data directory as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directory {
    /// Not there yet.
    Absent,
    /// It can be used.
    Usable,
    /// It must not be touched by this user.
    Untouchable,
}

/// Whether the data directory is there, this user's, and nobody else's to read.
pub(super) fn data_directory(report: &mut Report, config: &Config) -> Directory {
    const CHECK: &str = "directory";
    let dir = &config.data_dir;
    let shown = dir.display();
    let found = match std::fs::metadata(dir) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            match access(existing(dir), Access::WRITE_OK | Access::EXEC_OK) {
                Ok(()) => report.fine(CHECK, format_args!("{shown} does not exist yet; the first start makes it")),
                Err(_) => report.problem(
                    CHECK,
                    format_args!("{shown} does not exist, and this user cannot make it"),
                    format!("make it for the user of the service: install -d -m 700 -o USER {shown}"),
                ),
            }
            return Directory::Absent;
        }
        Err(error) => {
            report.problem(CHECK, format_args!("{shown}: {error}"), "run doctor as the user of the service");
            return Directory::Untouchable;
        }
    };
    if !found.is_dir() {
        report.problem(CHECK, format_args!("{shown} is no directory"), "mend `data_dir`");
        return Directory::Untouchable;
    }
    if let Some(stranger) = foreign(&found) {
        report.problem(
            CHECK,
            format_args!("{shown} {stranger}"),
            "run doctor, and the server, as the user it belongs to",
        );
        return Directory::Untouchable;
    }
    if access(dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        report.problem(CHECK, format_args!("{shown} cannot be written"), format!("chmod 700 {shown}"));
        return Directory::Untouchable;
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        report.warn(CHECK, format_args!("{shown} is open to others (mode {mode:03o})"), format!("chmod 700 {shown}"));
    } else {
        report.fine(CHECK, format_args!("{shown}, for its owner only"));
    }
    private(report, &dir.join("registry.json"));
    private(report, &dir.join("store"));
    Directory::Usable
}

/// Says whose a directory is, if it is neither this user's nor nobody's to mind: files that doctor would leave there belong to the
/// wrong user.
fn foreign(found: &Metadata) -> Option<String> {
    let me = geteuid().as_raw();
    (found.uid() != me).then(|| format!("belongs to user {}, and this is user {me}", found.uid()))
}

/// Warns if a file or folder that is made for its owner only is open to others.
fn private(report: &mut Report, path: &Path) {
    let Ok(found) = std::fs::metadata(path) else { return };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let (shown, wanted) = (path.display(), if found.is_dir() { "700" } else { "600" });
        report.warn(
            "directory",
            format_args!("{shown} is open to others (mode {mode:03o})"),
            format!("chmod {wanted} {shown}"),
        );
    }
}

/// The nearest directory above `path` that exists.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|above| !above.as_os_str().is_empty() && above.exists());
    found.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Whether the master keys are there and nobody else's to read.
pub(super) fn master_keys(report: &mut Report, config: &Config) {
    const CHECK: &str = "master keys";
    let dir = match &config.keys {
        KeySource::DataDirectory(dir) => dir,
        KeySource::Given(keys) => {
            let count = counted(keys.len() as u64, "key");
            return report.fine(CHECK, format_args!("{count} given by the configuration"));
        }
        KeySource::Process => return report.fine(CHECK, "made anew at every start"),
    };
    let path = dir.join(key_file::KEY_FILE);
    match key_file::load(&path) {
        Ok(Some(keys)) => {
            let count = counted(keys.len() as u64, "key");
            report.fine(CHECK, format_args!("{count} in {}; keep a copy apart from the store", path.display()));
        }
        Ok(None) if examine::has_store(dir) => report.problem(
            CHECK,
            format_args!("{} is missing, and there is a store beside it that only these keys open", path.display()),
            "restore the file from your backup",
        ),
        Ok(None) => report.fine(CHECK, "not there yet; the first start makes them"),
        Err(error) => {
            report.problem(
                CHECK,
                chain(&error),
                "keep the file for its owner only (chmod 600), or restore it from your backup",
            );
        }
    }
}

/// Whether certificate and key are a pair that can be served.
pub(super) fn tls(report: &mut Report, config: &Config) {
    const CHECK: &str = "certificate";
    let Some(files) = &config.tls else { return };
    match Tls::load(&files.cert_file, &files.key_file) {
        Ok(_) => report.fine(CHECK, format_args!("{} and its key can be served", files.cert_file.display())),
        Err(error) => {
            report.problem(CHECK, chain(&error), "mend the files; a running server keeps its old certificate");
        }
    }
    let mode = std::fs::metadata(&files.key_file).map(|found| found.permissions().mode() & 0o777).unwrap_or_default();
    if mode & 0o007 != 0 {
        let shown = files.key_file.display();
        report.warn(
            CHECK,
            format_args!("{shown} can be read by everybody (mode {mode:03o})"),
            format!("chmod 600 {shown}"),
        );
    }
}

/// Whether there is room to write.
pub(super) fn disk(report: &mut Report, config: &Config) {
    match statvfs(existing(&config.data_dir)) {
        Ok(found) => told_disk(report, &found),
        Err(error) => report.warn("disk", format_args!("its room cannot be told: {error}"), "look with df"),
    }
}

fn told_disk(report: &mut Report, found: &StatVfs) {
    const CHECK: &str = "disk";
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let remedy = "make room: a full disk answers 503 until there is some";
    if free < NO_ROOM {
        report.problem(CHECK, format_args!("{} free", bytes(free)), remedy);
    } else if free < LITTLE_ROOM {
        report.warn(CHECK, format_args!("{} free", bytes(free)), remedy);
    } else {
        report.fine(CHECK, format_args!("{} free", bytes(free)));
    }
    // Some file systems count no inodes and say 0 of 0.
    if found.f_files > 0 && found.f_favail < 100 {
        report.problem(
            CHECK,
            format_args!("{} left", counted(found.f_favail, "inode")),
            "remove small files: the store needs a few new ones",
        );
    }
}
