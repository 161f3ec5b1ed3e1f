//! A directory with pinned packages of npm, made once and made anew when the pins change.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::Result;
use crate::project;

/// What pins the packages, beside `package.json`.
pub(crate) const LOCK: &str = "package-lock.json";
/// Beside the packages: the lock that they were installed from, written last. Without it, or with another text, the
/// directory is incomplete or stale.
const STAMP: &str = "installed.txt";
/// Exits with 0 if Node is new enough for the examples; Debian 12 and later have such a one.
const NEW_ENOUGH: &str = "process.exit(Number(process.versions.node.split('.')[0]) >= 18 ? 0 : 1)";

/// The directory, in `home`, whose `node_modules` has the packages of `packages`. A module is found by those beside it.
pub(crate) fn environment(shell: &Shell, home: &Path, packages: &Path) -> Result<PathBuf> {
    let wanted = shell.read_file(packages.join(LOCK))?;
    let stamp = home.join(STAMP);
    let ready = project::answers(shell, "node", &["--eval", NEW_ENOUGH]);
    if ready && shell.read_file(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(home.to_owned());
    }
    if !ready || !project::answers(shell, "npm", &["--version"]) {
        project::install(shell, &["nodejs", "npm"])?;
    }
    if !project::answers(shell, "node", &["--eval", NEW_ENOUGH]) {
        return Err("Node 18 or newer is needed; this system's package is older".into());
    }
    shell.remove_path(home)?;
    shell.create_dir(home)?;
    for name in ["package.json", LOCK] {
        shell.copy_file(packages.join(name), home)?;
    }
    let quiet = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
    cmd!(shell, "npm ci {quiet...} --prefix {home}").run()?;
    shell.write_file(&stamp, wanted)?;
    Ok(home.to_owned())
}
