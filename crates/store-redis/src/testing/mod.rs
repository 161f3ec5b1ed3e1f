//! Real servers for tests: one, a primary and its replicas, Sentinels, a Cluster; and a wire that breaks on command.
//!
//! Everything runs on free ports in directories of its own and ends with its value. Without `redis-server` on the machine a test says so
//! loudly and passes, unless `VERIFYD_TESTS_NEED_REDIS=1`, which `cargo xtask test` sets.
//!
//! ```no_run
//! # use verifyd_store_redis::testing::{self, Server};
//! if testing::no_redis_here() {
//!     return;
//! }
//! let server = Server::start(&[]);
//! server.run("SET a b");
//! ```

#![expect(clippy::expect_used, clippy::panic, reason = "a fixture that cannot start ends the test")]

mod cluster;
mod proxy;
mod sentinel;
mod server;

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub use cluster::Cluster;
pub use proxy::{Proxy, Wire};
pub use sentinel::Sentinels;
pub use server::{Server, free_port};

/// Set to `1` where a test must not pass without Redis.
pub const NEED_REDIS: &str = "VERIFYD_TESTS_NEED_REDIS";

/// Whether a test that needs Redis has to be left out, which it says.
///
/// # Panics
/// If there is no Redis and [`NEED_REDIS`] asks for it.
#[must_use]
pub fn no_redis_here() -> bool {
    let found = |program: &str| {
        let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    if found("redis-server") && found("redis-cli") {
        return false;
    }
    assert!(
        std::env::var_os(NEED_REDIS).is_none_or(|need| need != "1"),
        "redis-server and redis-cli are not installed"
    );
    eprintln!("*** LEFT OUT: this test needs redis-server and redis-cli, and they are not installed ***");
    true
}

/// Waits until `done`, for half a minute at most.
///
/// # Panics
/// If that is not enough.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        sleep(Duration::from_millis(20));
    }
}
