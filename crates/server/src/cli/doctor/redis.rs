//! The Redis of a fleet: whether it answers, whether it may carry verifications, whether the keys fit it, and its clock.

use std::time::Duration;

use super::Report;
use crate::cli::exit::chain;
use crate::cli::style::{counted, wait};
use crate::config::Config;
use crate::wiring::examine::{self, FleetReport};

const CHECK: &str = "redis";
/// Scripts go by the clock of Redis; a larger difference is told because one of the two clocks is wrong.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// Looks at it as a start does.
pub(super) async fn examine(report: &mut Report, config: &Config) {
    match examine::fleet(config).await {
        Ok(found) => told(report, &found),
        Err(error) => report.problem(
            CHECK,
            chain(&error),
            "a server does not start so; see that it runs, that this machine reaches it, and that user and password are right",
        ),
    }
}

fn told(report: &mut Report, found: &FleetReport) {
    for (refused, text) in &found.findings {
        if *refused {
            report.problem(CHECK, text, "a server does not start so; docs/FLEET.md shows a configuration that fits");
        } else {
            report.warn(CHECK, text, "docs/FLEET.md tells what follows from it");
        }
    }
    if found.findings.is_empty() {
        report.fine(CHECK, format_args!("{} answers and is set up well", found.place));
    }
    match &found.fits {
        Ok(()) => report.fine("keys", "those of the fleet"),
        Err(problem) => report.problem("keys", problem, "docs/FLEET.md tells how keys are rotated"),
    }
    match found.nodes.len() {
        0 => report.fine("nodes", "none is running"),
        running => {
            let names = found.nodes.join(", ");
            report.fine("nodes", format_args!("{}: {names}", counted(running as u64, "node")));
        }
    }
    clocks(report, found);
}

fn clocks(report: &mut Report, found: &FleetReport) {
    let (theirs, ours) = found.clocks;
    let apart = theirs.since(ours).max(ours.since(theirs));
    if apart <= CLOCKS_APART {
        return report.fine("clocks", "this machine and Redis agree");
    }
    let which = if theirs > ours { "ahead of" } else { "behind" };
    report.warn(
        "clocks",
        format_args!("Redis is {} {which} this machine; limits and expiry go by the clock of Redis", wait(apart)),
        "let NTP keep the clocks of all machines",
    );
}
