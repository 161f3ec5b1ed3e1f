//! Redis for the tests that start servers of their own: installed if it is missing, without a service that stays.

use xshell::{Shell, cmd};

use crate::Result;
use crate::project;

/// Makes a test fail, rather than be left out, where there is no Redis. The fixtures of store-redis read it.
pub(crate) const NEED_REDIS: &str = "VERIFYD_TESTS_NEED_REDIS";
/// What Debian asks before a package starts its service; 101 says no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing.
pub(crate) fn provide(shell: &Shell) -> Result<()> {
    if here(shell) {
        return Ok(());
    }
    let root = cmd!(shell, "id -u").quiet().read().is_ok_and(|id| id == "0");
    let ours = root && !shell.path_exists(POLICY);
    if ours {
        shell.write_file(POLICY, "#!/bin/sh\nexit 101\n")?;
        cmd!(shell, "chmod 755 {POLICY}").run()?;
    }
    // Sentinel is the same program: `redis-server --sentinel`.
    let installed = project::install(shell, &["redis-server", "redis-tools"]);
    if ours {
        shell.remove_path(POLICY)?;
    }
    installed?;
    if project::answers(shell, "systemctl", &["--version"]) {
        // Where systemd is not running there is nothing that could start it.
        cmd!(shell, "systemctl disable --now redis-server").quiet().ignore_status().run()?;
    }
    if here(shell) { Ok(()) } else { Err("redis-server and redis-cli are installed but do not run".into()) }
}

fn here(shell: &Shell) -> bool {
    project::answers(shell, "redis-server", &["--version"]) && project::answers(shell, "redis-cli", &["--version"])
}
