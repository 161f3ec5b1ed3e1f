//! Whether a Redis may carry verifications: looked at before a server starts, and by `verifyd doctor`.

use std::fmt;
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, timeout};
use verifyd_core::store::StoreError;

use super::connection::{Access, Connection, DialError, info_text};
use super::info::Info;
use super::scout::slot_ranges;
use super::slot::SLOTS;
use super::url::{Address, Kind};
use super::{Link, RETRY_AFTER, unavailable};

/// Each server may take so long to be looked at.
const PATIENCE: Duration = Duration::from_secs(3);
/// The oldest versions whose scripts can do what ours need.
const OLDEST_REDIS: (u64, u64) = (6, 2);
const OLDEST_VALKEY: (u64, u64) = (7, 2);

/// One thing that is wrong with a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What follows from it.
    pub severity: Severity,
    /// A bounded name, for machines.
    pub code: &'static str,
    /// One sentence with the server's address and what to do.
    pub text: String,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Do not start: answers would be wrong.
    Refuse,
    /// Start, and say it.
    Warn,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Finding {
    fn refuse(code: &'static str, text: String) -> Self {
        Self { severity: Severity::Refuse, code, text }
    }

    fn warn(code: &'static str, text: String) -> Self {
        Self { severity: Severity::Warn, code, text }
    }
}

impl Link {
    /// Looks at every primary, over connections of its own, and tells all that is wrong.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: there is nothing to look at.
    pub async fn examine(&self) -> Result<Vec<Finding>, StoreError> {
        let access = &self.common.access;
        let mut findings = Vec::new();
        let primaries = match &self.settings.target.kind {
            Kind::Single => self.settings.target.hosts.clone(),
            Kind::Sentinel { .. } => {
                let routes = self.routes_when_known(Instant::now() + PATIENCE).await?;
                routes.nodes().iter().map(|node| node.address().clone()).collect()
            }
            Kind::Cluster => self.examine_cluster(access, &mut findings).await?,
        };
        for address in primaries {
            let (text, save) = look(&address, access).await.map_err(|error| cannot(&address, &error))?;
            let cluster = self.settings.target.kind == Kind::Cluster;
            findings.extend(of_server(
                &address,
                Info::parse(&text),
                save.as_deref(),
                cluster,
                self.settings.wait_replicas,
            ));
        }
        Ok(findings)
    }

    /// What the Cluster as a whole says; gives its primaries.
    async fn examine_cluster(&self, access: &Access, findings: &mut Vec<Finding>) -> Result<Vec<Address>, StoreError> {
        let mut last = None;
        for seed in &self.settings.target.hosts {
            match timeout(PATIENCE, look_at_cluster(seed, access)).await.unwrap_or_else(|_elapsed| Err(silent())) {
                Ok((state, slots)) => {
                    let ranges = slot_ranges(&slots, seed);
                    findings.extend(of_cluster(seed, Info::parse(&state), &ranges));
                    let mut primaries: Vec<_> = ranges.into_iter().map(|(address, _, _)| address).collect();
                    primaries.sort();
                    primaries.dedup();
                    return Ok(primaries);
                }
                // A server that is no Cluster says ERR: the wrong kind of URL, not a server that is away.
                Err(DialError::Redis(error)) if error.code() == Some("ERR") => {
                    let text = format!("{seed} is no Cluster: use redis://, or redis+sentinel://");
                    findings.push(Finding::refuse("no_cluster", text));
                    return Ok(Vec::new());
                }
                Err(error) => last = Some(cannot(seed, &error)),
            }
        }
        Err(last.unwrap_or_else(|| unavailable("no seed is known", RETRY_AFTER)))
    }
}

fn silent() -> DialError {
    DialError::Io(std::io::ErrorKind::TimedOut.into())
}

fn cannot(address: &Address, error: &DialError) -> StoreError {
    unavailable(format!("{address}: {error}"), RETRY_AFTER)
}

/// Its `INFO`, and its save points if it tells them: managed servers may forbid `CONFIG`.
async fn look(address: &Address, access: &Access) -> Result<(String, Option<String>), DialError> {
    let looked = async {
        let (connection, _driver) = Connection::dial(address, access).await?;
        let text = info_text(connection.send(&redis::cmd("INFO")).await?)?;
        let save = connection.send(redis::cmd("CONFIG").arg("GET").arg("save")).await.ok();
        let save = save.and_then(|answer| redis::from_redis_value::<Vec<String>>(answer).ok());
        Ok((text, save.and_then(|pair| pair.into_iter().nth(1))))
    };
    timeout(PATIENCE, looked).await.unwrap_or_else(|_elapsed| Err(silent()))
}

async fn look_at_cluster(seed: &Address, access: &Access) -> Result<(String, Value), DialError> {
    let (connection, _driver) = Connection::dial(seed, access).await?;
    let state = info_text(connection.send(redis::cmd("CLUSTER").arg("INFO")).await?)?;
    let slots = connection.send(redis::cmd("CLUSTER").arg("SLOTS")).await?;
    Ok((state, slots))
}

fn of_cluster(seed: &Address, state: Info<'_>, ranges: &[(Address, u16, u16)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let owned: u32 = ranges.iter().map(|(_, first, last)| u32::from(last.saturating_sub(*first)) + 1).sum();
    let missing = u32::from(SLOTS).saturating_sub(owned);
    if missing > 0 {
        let text = format!("the Cluster of {seed} has {missing} slots without an owner: `redis-cli --cluster fix`");
        findings.push(Finding::refuse("missing_slots", text));
    }
    let state = state.get("cluster_state").unwrap_or("unknown");
    if state != "ok" {
        findings.push(Finding::refuse(
            "cluster_state",
            format!("the Cluster of {seed} is not ok but in the state {state}"),
        ));
    }
    findings
}

fn of_server(address: &Address, info: Info<'_>, save: Option<&str>, cluster: bool, wait_replicas: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(version(address, info));
    match info.get("maxmemory_policy") {
        Some("noeviction") => {}
        policy => {
            let policy = policy.unwrap_or("unknown");
            let text =
                format!("{address} has maxmemory-policy {policy} and would drop counters when full: set noeviction");
            findings.push(Finding::refuse("eviction", text));
        }
    }
    if info.get("role") != Some("master") {
        let text = format!("{address} is a replica: name its primary, or the Sentinels (redis+sentinel://)");
        findings.push(Finding::refuse("replica", text));
    }
    if info.get("cluster_enabled") == Some("1") && !cluster {
        let text = format!("{address} is part of a Cluster: use redis+cluster://");
        findings.push(Finding::refuse("is_cluster", text));
    }
    if info.get("aof_enabled") == Some("0") && save.is_some_and(str::is_empty) {
        let text =
            format!("{address} keeps nothing on disk: after a restart every pending code is void; set appendonly yes");
        findings.push(Finding::warn("no_persistence", text));
    }
    let replicas = info.number("connected_slaves").unwrap_or(0);
    if replicas < u64::from(wait_replicas) {
        let text =
            format!("{address} has {replicas} replicas and {wait_replicas} must confirm: nothing can be admitted");
        findings.push(Finding::refuse("too_few_replicas", text));
    } else if replicas == 0 {
        let text = format!("{address} has no replica: while it is down there are no verifications");
        findings.push(Finding::warn("no_replica", text));
    } else if info.get("min_slaves_good_slaves").is_none() {
        // It is shown only where the option is set.
        let text = format!(
            "{address} goes on alone when it is cut off from its replicas, and what it answers then is lost: set min-replicas-to-write 1"
        );
        findings.push(Finding::warn("not_fenced", text));
    }
    findings
}

fn version(address: &Address, info: Info<'_>) -> Option<Finding> {
    let (name, oldest, version) = match info.get("valkey_version") {
        Some(version) => ("Valkey", OLDEST_VALKEY, version),
        None => ("Redis", OLDEST_REDIS, info.get("redis_version").unwrap_or("unknown")),
    };
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let known = (numbers.next().flatten(), numbers.next().flatten());
    let enough = matches!(known, (Some(major), Some(minor)) if (major, minor) >= oldest);
    let (major, minor) = oldest;
    (!enough).then(|| {
        Finding::refuse(
            "version",
            format!("{address} runs {name} {version}; {major}.{minor} is the oldest that will do"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "redis_version:7.0.15\nmaxmemory_policy:noeviction\nrole:master\ncluster_enabled:0\naof_enabled:1\nconnected_slaves:1\nmin_slaves_good_slaves:1\n";

    fn found(info: &str, save: Option<&str>, cluster: bool, wait_replicas: u32) -> Vec<(&'static str, Severity)> {
        let address = Address { host: "a".to_owned(), port: 1 };
        let findings = of_server(&address, Info::parse(info), save, cluster, wait_replicas);
        findings.iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    type Expected = &'static [(&'static str, Severity)];

    #[test]
    fn each_fault_of_a_server_is_found_and_a_good_one_has_none() {
        use Severity::{Refuse, Warn};
        assert_eq!(found(GOOD, Some("3600 1"), false, 1), []);
        let table: [(&str, &str, Expected); 9] = [
            ("redis_version:7.0.15", "redis_version:6.2.0", &[]),
            ("redis_version:7.0.15", "redis_version:6.0.20", &[("version", Refuse)]),
            ("redis_version:7.0.15", "redis_version:7.2.4\nvalkey_version:7.2.0", &[]),
            ("redis_version:7.0.15", "redis_version:7.2.4\nvalkey_version:7.1.9", &[("version", Refuse)]),
            ("policy:noeviction", "policy:allkeys-lru", &[("eviction", Refuse)]),
            ("role:master", "role:slave", &[("replica", Refuse)]),
            ("cluster_enabled:0", "cluster_enabled:1", &[("is_cluster", Refuse)]),
            ("connected_slaves:1", "connected_slaves:0", &[("no_replica", Warn)]),
            ("min_slaves_good_slaves:1", "", &[("not_fenced", Warn)]),
        ];
        for (good, other, expected) in table {
            assert_eq!(found(&GOOD.replace(good, other), None, false, 0), expected, "{other}");
        }
        assert_eq!(
            found(&GOOD.replace("aof_enabled:1", "aof_enabled:0"), Some(""), false, 0),
            [("no_persistence", Warn)]
        );
        assert_eq!(found(&GOOD.replace("aof_enabled:1", "aof_enabled:0"), Some("3600 1"), false, 0), []);
        assert_eq!(found(&GOOD.replace("aof_enabled:1", "aof_enabled:0"), None, false, 0), []);
        assert_eq!(found(&GOOD.replace("cluster_enabled:0", "cluster_enabled:1"), None, true, 0), []);
        assert_eq!(found(GOOD, None, false, 2), [("too_few_replicas", Refuse)]);
        assert_eq!(found("role:master", None, false, 0).len(), 3, "what is not told is not good");
    }

    #[test]
    fn a_cluster_must_be_whole() {
        let at = |port| Address { host: "a".to_owned(), port };
        let codes = |state: &str, ranges: &[(Address, u16, u16)]| -> Vec<_> {
            of_cluster(&at(1), Info::parse(state), ranges).iter().map(|finding| finding.code).collect()
        };
        let whole = [(at(1), 0, 8000), (at(2), 8001, 16383)];
        assert_eq!(codes("cluster_state:ok", &whole), Vec::<&str>::new());
        assert_eq!(codes("cluster_state:fail", &whole), ["cluster_state"]);
        assert_eq!(codes("cluster_state:ok", &[(at(1), 0, 8000), (at(2), 8002, 16383)]), ["missing_slots"]);
        assert_eq!(codes("", &[]), ["missing_slots", "cluster_state"]);
    }
}
