//! A virtual environment of Python with pinned packages, made once and made anew when the pins change.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::Result;
use crate::project;

/// Beside the packages: the requirements that they were installed from, written last. Without it, or with another text,
/// the environment is incomplete or stale.
const STAMP: &str = "installed.txt";

/// The interpreter of an environment in `home` that has the packages of `requirements`.
pub(crate) fn environment(shell: &Shell, home: &Path, requirements: &Path) -> Result<PathBuf> {
    let wanted = shell.read_file(requirements)?;
    let python = home.join("bin").join("python");
    let stamp = home.join(STAMP);
    if shell.read_file(&stamp).is_ok_and(|installed| installed == wanted) && answers(shell, &python) {
        return Ok(python);
    }
    if !can_make_environments(shell) {
        project::install(shell, &["python3", "python3-venv"])?;
    }
    shell.remove_path(home)?;
    cmd!(shell, "python3 -m venv {home}").run()?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    cmd!(shell, "{python} {pip...} {requirements}").run()?;
    shell.write_file(&stamp, wanted)?;
    Ok(python)
}

fn answers(shell: &Shell, python: &Path) -> bool {
    python.to_str().is_some_and(|python| project::answers(shell, python, &["--version"]))
}

/// Debian splits `ensurepip` from Python: `venv` alone can be imported and then fails.
fn can_make_environments(shell: &Shell) -> bool {
    project::answers(shell, "python3", &["-c", "import ensurepip, venv"])
}
