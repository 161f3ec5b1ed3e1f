//! What the machine allows and whom the listener lets in.

use rustix::process::{Resource, getrlimit};

use super::Report;
use crate::config::{Config, Sending};

/// Files that a server needs beside its connections: store, log, TLS, sends to the provider and a reserve.
const FILES_BESIDE: u64 = 256;

/// Whether the addresses are open to more than they should be.
pub(super) fn listener(report: &mut Report, config: &Config) {
    const CHECK: &str = "exposure";
    let before = report.0.len();
    if !config.listen.ip().is_loopback() {
        if config.tls.is_none() {
            report.warn(
                CHECK,
                format_args!(
                    "{} is reached by other machines in plain http: API keys and numbers cross the network readable",
                    config.listen
                ),
                "set tls.cert_file and tls.key_file, or listen on 127.0.0.1 behind a proxy that speaks TLS",
            );
        }
        if matches!(config.sending, Sending::Inbox(_)) {
            report.warn(
                CHECK,
                format_args!("everybody who reaches {} can read the codes in the inbox", config.listen),
                "listen on 127.0.0.1 while messages go to the inbox",
            );
        }
    }
    if let Some(metrics) = config.metrics_listen.filter(|metrics| !metrics.ip().is_loopback()) {
        report.warn(
            CHECK,
            format_args!("the metrics on {metrics} need no key and are reached by other machines"),
            "listen on a loopback or private address: metrics.listen",
        );
    }
    if report.0.len() == before {
        let who = if config.listen.ip().is_loopback() { "only this machine reaches" } else { "over TLS, others reach" };
        report.fine(CHECK, format_args!("{who} {}", config.listen));
    }
}

/// Whether as many connections fit as the configuration promises.
pub(super) fn descriptors(report: &mut Report, config: &Config) {
    let limit = getrlimit(Resource::Nofile).current;
    told_descriptors(report, limit, config.server.max_connections as u64);
}

fn told_descriptors(report: &mut Report, limit: Option<u64>, connections: u64) {
    const CHECK: &str = "open files";
    let needed = connections.saturating_add(FILES_BESIDE);
    match limit {
        None => report.fine(CHECK, "no limit"),
        Some(limit) if limit >= needed => report.fine(CHECK, format_args!("at most {limit}, {needed} are enough")),
        Some(limit) => report.warn(
            CHECK,
            format_args!("at most {limit} here, but server.max_connections = {connections} needs {needed}"),
            format!("ulimit -n {needed} (LimitNOFILE={needed} for systemd), or a smaller server.max_connections"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_held_against_the_connections() {
        for (limit, level) in
            [(Some(FILES_BESIDE + 999), Level::Warning), (Some(FILES_BESIDE + 1000), Level::Fine), (None, Level::Fine)]
        {
            let mut report = Report::default();
            told_descriptors(&mut report, limit, 1000);
            assert_eq!(report.0[0].level, level, "{limit:?}");
        }
    }
}
