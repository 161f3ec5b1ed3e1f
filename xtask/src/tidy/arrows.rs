//! Which crate of ours may depend on which.

use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;
use crate::project;

const REMEDY: &str = "Dependencies point inward: server → stores, senders → core. Move the code to the room that may know both, \
                      or give core a port. A new crate gets a row in xtask's table and a line in ARCHITECTURE.md.";

/// Every crate of the workspace and what it may depend on, in code and in tests. `verifyd`, the library, wires core to the
/// adapters in a caller's process as the server does in its own; the server does not use it.
const MAY_USE: &[(&str, &[&str])] = &[
    ("verifyd-core", &[]),
    ("verifyd-store-embedded", &["verifyd-core"]),
    ("verifyd-store-redis", &["verifyd-core"]),
    ("verifyd-senders", &["verifyd-core"]),
    ("verifyd-sim", &["verifyd-core"]),
    ("verifyd", &["verifyd-core", "verifyd-senders", "verifyd-store-embedded", "verifyd-store-redis"]),
    ("verifyd-server", &["verifyd-core", "verifyd-senders", "verifyd-store-embedded", "verifyd-store-redis"]),
    ("xtask", &["verifyd-core", "verifyd-senders", "verifyd-store-embedded", "verifyd-store-redis"]),
];

/// One dependency between two crates of the workspace.
pub(super) struct Arrow {
    from: String,
    to: String,
    in_tests_only: bool,
}

/// The arrows of the workspace; a crate without one is listed too, as an arrow to itself in tests.
pub(super) fn of(metadata: &Metadata) -> Vec<Arrow> {
    let members = project::members(metadata);
    let ours = |name: &str| members.iter().any(|member| member.name.as_str() == name);
    let mut arrows = Vec::new();
    for member in &members {
        let from = member.name.to_string();
        arrows.push(Arrow { from: from.clone(), to: from.clone(), in_tests_only: true });
        for dependency in member.dependencies.iter().filter(|dependency| ours(&dependency.name)) {
            let in_tests_only = dependency.kind == DependencyKind::Development;
            arrows.push(Arrow { from: from.clone(), to: dependency.name.clone(), in_tests_only });
        }
    }
    arrows
}

/// Arrows that the table does not have, and crates that it does not know.
pub(super) fn between_crates(arrows: &[Arrow]) -> Vec<Finding> {
    let allowed = |arrow: &Arrow| {
        let row = MAY_USE.iter().find(|(name, _)| *name == arrow.from);
        // Tests may use their own crate with the feature `testing`.
        let own_tests = arrow.from == arrow.to && arrow.in_tests_only;
        row.is_some_and(|(_, may_use)| own_tests || may_use.contains(&arrow.to.as_str()))
    };
    let broken = arrows.iter().filter(|arrow| !allowed(arrow));
    broken
        .map(|arrow| {
            Finding::new("Cargo.toml", format!("the arrow {} → {} is not allowed", arrow.from, arrow.to), REMEDY)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(from: &str, to: &str, in_tests_only: bool) -> usize {
        between_crates(&[Arrow { from: from.to_owned(), to: to.to_owned(), in_tests_only }]).len()
    }

    #[test]
    fn arrows_point_inward() {
        assert_eq!(broken("verifyd-server", "verifyd-senders", false), 0);
        assert_eq!(broken("verifyd-senders", "verifyd-core", true), 0);
        assert_eq!(broken("verifyd-core", "verifyd-senders", false), 1);
        assert_eq!(broken("verifyd-core", "verifyd-senders", true), 1);
        assert_eq!(broken("verifyd-senders", "verifyd-store-embedded", true), 1);
    }

    #[test]
    fn a_crate_may_test_itself_with_its_own_features_and_an_unknown_crate_is_refused() {
        assert_eq!(broken("verifyd-core", "verifyd-core", true), 0);
        assert_eq!(broken("verifyd-cellar", "verifyd-cellar", true), 1);
        assert_eq!(broken("verifyd-cellar", "verifyd-core", false), 1);
    }
}
