//! A Cluster of six: three primaries, each with a replica.

use std::process::{Command, Stdio};

use super::server::Server;
use super::wait_until;

/// A running Cluster; killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Server>,
}

impl Cluster {
    /// Starts one whose replicas take over within seconds, and waits until every node knows every slot and has its replica.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        let servers: Vec<_> = (0..6).map(|_| Server::start(&arguments)).collect();
        let cluster = Self { servers };
        let mut create = vec!["--cluster".to_owned(), "create".to_owned()];
        create.extend(cluster.servers.iter().map(|server| format!("127.0.0.1:{}", server.port())));
        create.extend(["--cluster-replicas", "1", "--cluster-yes"].map(str::to_owned));
        Self::cli(&create);
        wait_until("the Cluster is whole", || cluster.servers.iter().all(whole));
        cluster
    }

    /// Its URL: three of the nodes as seeds.
    #[must_use]
    pub fn url(&self) -> String {
        let seeds: Vec<_> = self.servers.iter().take(3).map(|server| format!("127.0.0.1:{}", server.port())).collect();
        format!("redis+cluster://{}", seeds.join(","))
    }

    /// All nodes.
    #[must_use]
    pub fn servers(&mut self) -> &mut [Server] {
        &mut self.servers
    }

    /// The place of the primary that owns the slot of `key`.
    ///
    /// # Panics
    /// If no node owns it.
    #[must_use]
    pub fn owner_of(&self, key: &str) -> usize {
        let owns = |server: &Server| {
            server.info("role").as_deref() == Some("master") && server.try_run(&format!("EXISTS {key}")).is_ok()
        };
        self.servers.iter().position(owns).expect("an owner of the key")
    }

    /// The place of the replica of a primary.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn replica_of(&self, primary: usize) -> usize {
        let port = self.servers.get(primary).map(|server| server.port().to_string());
        let follows = |server: &Server| server.info("master_port") == port;
        self.servers.iter().position(follows).expect("a replica")
    }

    /// Whether a replica has everything that its primary has.
    ///
    /// # Panics
    /// If the primary has no replica.
    #[must_use]
    pub fn has_replicated(&self, primary: usize) -> bool {
        let replica = self.replica_of(primary);
        let offset = |place: usize, name| self.servers.get(place).and_then(|server| server.info(name));
        offset(primary, "master_repl_offset") == offset(replica, "slave_repl_offset")
    }

    /// Moves `slots` slots from one primary to another, as an operator would, and waits until they are there.
    ///
    /// # Panics
    /// If that fails.
    pub fn reshard(&self, from: usize, to: usize, slots: u16) {
        let id = |place: usize| {
            let id = self.servers.get(place).map(|server| server.run("CLUSTER MYID")).expect("a node");
            redis::from_redis_value::<String>(id).expect("an id")
        };
        let entry = self.servers.first().map(|server| format!("127.0.0.1:{}", server.port())).expect("a node");
        let arguments = ["--cluster", "reshard", &entry, "--cluster-from", &id(from), "--cluster-to", &id(to)];
        let mut arguments: Vec<_> = arguments.map(str::to_owned).to_vec();
        arguments.extend(["--cluster-slots".to_owned(), slots.to_string(), "--cluster-yes".to_owned()]);
        Self::cli(&arguments);
    }

    fn cli(arguments: &[String]) {
        let output = Command::new("redis-cli").args(arguments).stdin(Stdio::null()).output().expect("redis-cli");
        assert!(output.status.success(), "redis-cli {arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

fn whole(server: &Server) -> bool {
    let Ok(state) = server.try_run("CLUSTER INFO").and_then(|state| Ok(redis::from_redis_value::<String>(state)?))
    else {
        return false;
    };
    let has = |line: &str| state.lines().any(|found| found == line);
    let in_step = server.info("master_link_status").is_none_or(|link| link == "up");
    let followed =
        server.info("role").as_deref() != Some("master") || server.info("connected_slaves").as_deref() == Some("1");
    has("cluster_state:ok")
        && has("cluster_slots_assigned:16384")
        && has("cluster_known_nodes:6")
        && in_step
        && followed
}
