//! One `redis-server` on a free port.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use redis::Value;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::wait_until;

/// Below the ports that systems give to clients, and with room for a Cluster's second port, ten thousand above.
const PORTS: std::ops::Range<u16> = 11000..22000;

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    directory: TempDir,
}

impl Server {
    /// Starts one that keeps nothing on disk; `arguments` as for `redis-server`, for example `["--appendonly", "yes"]`.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        for _ in 0..20 {
            let port = free_port();
            let mut child = spawn(port, &arguments, &directory);
            if answers(port, &mut child) {
                return Self { child, port, arguments, directory };
            }
            stop(&mut child);
        }
        panic!("no redis-server would start with {arguments:?}");
    }

    /// Starts a replica of `primary` and waits until it is one.
    #[must_use]
    pub fn replica_of(primary: &Self, arguments: &[&str]) -> Self {
        let replica = Self::start(arguments);
        replica.follow(primary);
        replica
    }

    /// Makes it a replica of `primary` and waits until it has everything.
    pub fn follow(&self, primary: &Self) {
        self.run(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
        wait_until("the replica is in step", || self.info("master_link_status").as_deref() == Some("up"));
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command; its parts are separated by spaces.
    ///
    /// # Panics
    /// If the server refuses it or does not answer within some seconds.
    #[expect(clippy::must_use_candidate, reason = "most commands are run for what they do")]
    pub fn run(&self, command: &str) -> Value {
        self.try_run(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Runs a command that may be refused.
    ///
    /// # Errors
    /// What the server or the connection says.
    pub fn try_run(&self, command: &str) -> Result<Value, redis::RedisError> {
        run(self.port, command)
    }

    /// One value of `INFO`.
    #[must_use]
    pub fn info(&self, name: &str) -> Option<String> {
        let text: String = redis::from_redis_value(self.try_run("INFO everything").ok()?).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim_end().to_owned())
    }

    /// How often a command ran.
    ///
    /// # Panics
    /// If the server tells something that is no number.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        let Some(stat) = self.info(&format!("cmdstat_{command}")) else { return 0 };
        let calls = stat.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
        calls.and_then(|calls| calls.parse().ok()).expect("a number of calls")
    }

    /// Stops it where it stands: it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a stopped one go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        stop(&mut self.child);
    }

    /// Starts it again where it was, with what is in its directory.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.arguments, &self.directory);
        assert!(answers(self.port, &mut self.child), "the server did not come back");
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("the id of a process");
        kill_process(pid, signal).expect("a signal to a process of our own");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Runs a command at a port.
pub(super) fn run(port: u16, command: &str) -> Result<Value, redis::RedisError> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut parts = redis::Cmd::new();
    for part in command.split(' ') {
        parts.arg(part);
    }
    parts.query(&mut connection)
}

/// A port that nobody uses now, with room for a Cluster's second one ten thousand above.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    // Tests run in many processes at once: each begins elsewhere.
    let first = u16::try_from(std::process::id() * 97 % u32::from(count)).unwrap_or(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + first.wrapping_add(step) % count;
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if free(port) && free(port + 10000) {
            return port;
        }
    }
}

fn spawn(port: u16, arguments: &[String], directory: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--repl-diskless-sync-delay", "0"]);
    command.args(["--port", &port.to_string(), "--dir"]).arg(directory.path()).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server")
}

/// Whether it is up, rather than ended because somebody else has its port.
fn answers(port: u16, child: &mut Child) -> bool {
    let mut up = false;
    wait_until("redis-server answers or ends", || {
        up = run(port, "PING").is_ok_and(|_| true);
        up || child.try_wait().is_ok_and(|ended| ended.is_some())
    });
    up && child.try_wait().is_ok_and(|ended| ended.is_none())
}

fn stop(child: &mut Child) {
    // It may have ended already.
    child.kill().ok();
    child.wait().ok();
}
