//! What the crates are made of: core's dependencies, and manifests that inherit what the workspace fixes.
//!
//! Licences, sources and bans are cargo-deny's (`deny.toml`).

use cargo_metadata::Metadata;
use xshell::{Shell, cmd};

use super::Finding;
use crate::Result;
use crate::project;

/// Crates that speak HTTP, TLS or Redis, or keep files: none may be below core.
const OUTSIDE: &[&str] = &[
    "axum",
    "h2",
    "http",
    "hyper",
    "hyper-util",
    "reqwest",
    "tower-http",
    "ureq", // HTTP
    "native-tls",
    "openssl",
    "rustls",
    "tokio-rustls", // TLS
    "fred",
    "redis", // Redis
    "fjall",
    "redb",
    "rusqlite",
    "wal-db", // files
];

/// The names of all crates that core is built from, with all its features.
pub(super) fn crates_below_core(shell: &Shell) -> Result<Vec<String>> {
    let what = ["--all-features", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = cmd!(shell, "cargo tree --package verifyd-core {what...}");
    let lines = tree.quiet().read()?;
    Ok(lines.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Proof that core has no HTTP, TLS, Redis or file below it.
pub(super) fn core_pulls_in(crates: &[String]) -> Vec<Finding> {
    const REMEDY: &str =
        "`cargo tree --package verifyd-core --all-features --invert THAT` shows by what. It belongs behind a port.";
    let mut found: Vec<&String> = crates.iter().filter(|name| OUTSIDE.contains(&name.as_str())).collect();
    found.sort();
    found.dedup();
    found
        .into_iter()
        .map(|name| Finding::new("crates/core/Cargo.toml", format!("core pulls in `{name}`"), REMEDY))
        .collect()
}

/// The manifest of every crate of the workspace, with its path.
pub(super) fn manifests(shell: &Shell, metadata: &Metadata) -> Result<Vec<(String, String)>> {
    let read = |package: &cargo_metadata::Package| {
        let path = package.manifest_path.strip_prefix(&metadata.workspace_root)?;
        Ok((path.to_string(), shell.read_file(&package.manifest_path)?))
    };
    project::members(metadata).into_iter().map(read).collect()
}

/// Version, licence, minimum Rust and lints are said once, in the workspace.
pub(super) fn manifest_inherits(path: &str, manifest: &str) -> Vec<Finding> {
    const REMEDY: &str = "Write `<key>.workspace = true`.";
    let table: toml::Table = match manifest.parse() {
        Ok(table) => table,
        Err(error) => return vec![Finding::new(path, format!("is not TOML: {error}"), "Mend the syntax.")],
    };
    let inherits = |value: Option<&toml::Value>| {
        value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    let package = |key: &str| table.get("package").and_then(|package| package.get(key));
    let mut missing: Vec<&str> =
        ["version", "edition", "rust-version", "license"].into_iter().filter(|key| !inherits(package(key))).collect();
    if !inherits(table.get("lints")) {
        missing.push("lints");
    }
    missing.into_iter().map(|key| Finding::new(path, format!("`{key}` is not the workspace's"), REMEDY)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_stays_free_of_the_outside() {
        let below =
            |names: &[&str]| core_pulls_in(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).len();
        assert_eq!(below(&["serde", "tokio", "aws-lc-rs"]), 0);
        assert_eq!(below(&["serde", "hyper", "h2", "hyper"]), 2);
    }

    #[test]
    fn the_tree_of_core_can_be_read() {
        let below = crates_below_core(&project::shell().unwrap()).unwrap();
        for name in ["verifyd-core", "serde"] {
            assert!(below.iter().any(|below| below == name), "{name} is missing in {below:?}");
        }
    }

    #[test]
    fn a_manifest_says_nothing_that_the_workspace_says() {
        let good = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
                    license.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(manifest_inherits("Cargo.toml", good).len(), 0);
        assert_eq!(
            manifest_inherits("Cargo.toml", &good.replace("license.workspace = true", "license = \"MIT\"")).len(),
            1
        );
        assert_eq!(manifest_inherits("Cargo.toml", "[package]\nname = \"a\"\n").len(), 5);
        assert_eq!(manifest_inherits("Cargo.toml", "[package").len(), 1);
    }
}
