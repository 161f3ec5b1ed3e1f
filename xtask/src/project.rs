//! Where the project is and what belongs to it: the root, `cargo metadata`, the files that git knows, installed programs.

use std::path::PathBuf;

use cargo_metadata::{Metadata, MetadataCommand, Package};
use xshell::{Shell, cmd};

use crate::Result;

/// A shell whose directory is the root of the workspace.
pub(crate) fn shell() -> Result<Shell> {
    let root = MetadataCommand::new().no_deps().exec()?.workspace_root;
    let shell = Shell::new()?;
    shell.change_dir(root);
    Ok(shell)
}

/// Everything cargo knows of the workspace and its dependencies.
pub(crate) fn metadata(shell: &Shell) -> Result<Metadata> {
    Ok(MetadataCommand::new().current_dir(shell.current_dir()).exec()?)
}

/// The packages of the workspace, ordered by name.
pub(crate) fn members(metadata: &Metadata) -> Vec<&Package> {
    let mut members = metadata.workspace_packages();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    members
}

/// Paths, relative to the root, of the files that are committed or would be: what is ignored is left out.
pub(crate) fn files(shell: &Shell) -> Result<Vec<String>> {
    let listed = cmd!(shell, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    // A file deleted in the work tree is still in the index.
    Ok(listed.lines().filter(|path| shell.path_exists(path)).map(str::to_owned).collect())
}

/// Whether a program answers to a call that has no effect.
pub(crate) fn answers(shell: &Shell, program: &str, arguments: &[&str]) -> bool {
    cmd!(shell, "{program} {arguments...}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Installs packages of the system, or says what to install: only root on a Debian-like system can be served.
pub(crate) fn install(shell: &Shell, packages: &[&str]) -> Result<()> {
    let root = cmd!(shell, "id -u").quiet().read().is_ok_and(|id| id == "0");
    if !root || !answers(shell, "apt-get", &["--version"]) {
        return Err(
            format!("please install with your package manager: {} (names of Debian)", packages.join(" ")).into()
        );
    }
    let quiet = ["-y", "-q", "--no-install-recommends"];
    cmd!(shell, "apt-get update -q").run()?;
    cmd!(shell, "apt-get install {quiet...} {packages...}").env("DEBIAN_FRONTEND", "noninteractive").run()?;
    Ok(())
}

/// The directory for what the chores make: beside cargo's own artefacts, so that `cargo clean` takes it away.
pub(crate) fn scratch(metadata: &Metadata, name: &str) -> PathBuf {
    metadata.target_directory.join("xtask").join(name).into_std_path_buf()
}
