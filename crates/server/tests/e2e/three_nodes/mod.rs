//! Three processes that serve one store: everybody at once, nodes that die, stop and lose their Redis, and what their callers may
//! have seen. Over one Redis and over a Cluster.

mod crowds;
mod history;
mod mixed;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tempfile::TempDir;
use verifyd_senders::twilio::fake::FakeTwilio;
use verifyd_store_redis::testing::{Cluster, Server};

use crate::api::Api;
use crate::program::{Program, Running};
use crate::twilio::serve;

/// How many processes a fleet has.
const NODES: usize = 3;

/// What a fleet keeps its data in.
enum Backing {
    Single(Server),
    Cluster(Cluster),
}

impl Backing {
    /// One Redis, and a Cluster.
    fn both() -> [Self; 2] {
        [Self::Single(Server::start(&[])), Self::Cluster(Cluster::start())]
    }

    fn url(&self) -> String {
        match self {
            Self::Single(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }
}

/// The processes, their provider and their directories.
struct Fleet {
    programs: Vec<Program>,
    nodes: Vec<Running>,
    twilio: FakeTwilio,
    _dirs: Vec<TempDir>,
}

impl Fleet {
    /// One node for each URL, which waits for Redis as long as `redis.timeout` says.
    async fn start(urls: &[String], timeout: &str) -> Self {
        let twilio = FakeTwilio::start().await.unwrap();
        let dirs: Vec<_> = urls.iter().map(|_| tempfile::tempdir().unwrap()).collect();
        let keys = format!("fleet:{}", BASE64_STANDARD.encode([7; 32]));
        let program = |(dir, url): (&TempDir, &String)| {
            serve(dir.path(), &twilio)
                .with("VERIFYD_STORE", url)
                .with("VERIFYD_KEYS", &keys)
                .with("VERIFYD_REDIS__TIMEOUT", timeout)
                .with("VERIFYD_SERVICE__DEFAULT__CUSTOM_CODES", "true")
        };
        let programs: Vec<_> = dirs.iter().zip(urls).map(program).collect();
        let nodes = programs.iter().map(Program::start).collect();
        Self { programs, nodes, twilio, _dirs: dirs }
    }

    /// Three nodes over one store that wait for it as long as they may: ten thousand at once are more than a slow machine does
    /// in the usual quarter of a second, and then some are told to come back.
    async fn over(backing: &Backing) -> Self {
        Self::start(&vec![backing.url(); NODES], "10s").await
    }

    /// A caller of each node.
    fn apis(&self) -> Vec<Api> {
        self.nodes.iter().map(Api::of).collect()
    }

    /// Ends every node in good order.
    fn stop(self) {
        for node in self.nodes {
            node.stop();
        }
    }
}
