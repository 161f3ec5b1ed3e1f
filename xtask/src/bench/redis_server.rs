//! A `redis-server` of the bench's own: on a free port, in memory alone, on one core, ended when it goes out of scope.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::machine;
use crate::Result;

const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// A running server.
pub(super) struct RedisServer {
    child: Child,
    port: u16,
}

impl RedisServer {
    /// Starts one on `core`.
    pub(super) fn start(core: u32) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new("taskset")
            .args(["-c", &core.to_string(), "redis-server", "--bind", "127.0.0.1", "--save", ""])
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server (Debian: redis-server) and taskset are needed: {error}"))?;
        // From here on the process is ended whatever happens.
        let server = Self { child, port };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("redis-server does not answer; is it installed?".into());
            }
            std::thread::sleep(GLANCE);
        }
        Ok(server)
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// CPU time it has had so far.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        machine::cpu_time(self.child.id()).ok_or_else(|| "the CPU time of Redis cannot be read".into())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It has ended already, or it ends now: in both cases there is nothing left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
