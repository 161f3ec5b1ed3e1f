//! A server as a child process: `verifyd`, or the bare one it is compared with. On a free port, with its data where the bench
//! says, on the core the bench says, ended when it goes out of scope.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::machine;
use crate::Result;

/// A server that is not ready after this long never will be.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often readiness is asked for: below what is measured by far.
const POLL: Duration = Duration::from_millis(1);

/// A server whose memory has not changed for so long is at rest: warming up takes less, its steps far less.
const REST: Duration = Duration::from_millis(500);
/// It is measured after this long even if it never rests.
const REST_AT_MOST: Duration = Duration::from_secs(20);
/// How a server is started.
pub(super) struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    log: PathBuf,
    core: Option<u32>,
    descriptors: Option<u64>,
}

impl Launch {
    /// `program` with these arguments; what it writes to standard error goes to `log`.
    pub(super) fn of(program: &Path, arguments: &[&str], log: PathBuf) -> Self {
        let arguments = arguments.iter().map(OsString::from).collect();
        Self { program: program.to_owned(), arguments, variables: Vec::new(), log, core: None, descriptors: None }
    }

    /// `verifyd` with `command` (`dev`, `serve`), which takes a free port; its log goes to a file beside `data`.
    pub(super) fn verifyd(binary: &Path, command: &str, data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut launch =
            Self::of(binary, &[command, "--listen", "127.0.0.1:0", "--data-dir"], data.with_extension("log"));
        launch.arguments.push(data.as_os_str().to_owned());
        launch.variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        launch
    }

    /// On this core alone.
    pub(super) fn on_core(mut self, core: u32) -> Self {
        self.core = Some(core);
        self
    }

    /// With so many file descriptors at least.
    pub(super) fn with_descriptors(mut self, descriptors: u64) -> Self {
        self.descriptors = Some(descriptors);
        self
    }

    /// Starts it without the variables of verifyd and its senders that happen to be set; returns when it is ready.
    pub(super) fn start(self) -> Result<Server> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut words: Vec<OsString> = Vec::new();
        if let Some(core) = self.core {
            words.extend(["taskset".into(), "-c".into(), core.to_string().into()]);
        }
        if let Some(descriptors) = self.descriptors {
            // Only the soft limit: up to the hard one that needs no privilege.
            words.extend(["prlimit".into(), format!("--nofile={descriptors}:").into()]);
        }
        words.push(self.program.into_os_string());
        words.extend(self.arguments);
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().ok_or("no program")?);
        let foreign = std::env::vars_os().map(|(name, _)| name);
        for name in foreign.filter(|name| ["VERIFYD_", "TWILIO_", "SMS_"].iter().any(|begin| begins(name, begin))) {
            command.env_remove(name);
        }
        command.args(words).envs(self.variables);
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        // From here on the process is ended whatever happens.
        let mut server = Server { child, address: String::new(), ready_after: Duration::ZERO };
        server.address = server.announced_address()?;
        while Client::connect(&server.address)?.get("/readyz")?.status != 200 {
            if began.elapsed() > PATIENCE {
                return Err(format!("not ready after {} s", PATIENCE.as_secs()).into());
            }
            std::thread::sleep(POLL);
        }
        server.ready_after = began.elapsed();
        Ok(server)
    }
}

/// A running server.
pub(super) struct Server {
    child: Child,
    /// Its address, `127.0.0.1:port`.
    pub(super) address: String,
    /// From the start of the process to the first 200 of `/readyz`.
    pub(super) ready_after: Duration,
}

impl Server {
    /// The first line of output names it, once the server accepts connections.
    fn announced_address(&mut self) -> Result<String> {
        let output = self.child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let first = lines.next().ok_or("the server ended before it was ready")??;
        // Read to the end, so that the server never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = first.split_once("http://").map(|(_, address)| address.trim().to_owned());
        address.ok_or_else(|| format!("no address in: {first}").into())
    }

    /// Memory in use once it no longer changes, in bytes; `None` where the system does not tell.
    pub(super) fn memory_bytes_at_rest(&self) -> Option<u64> {
        let mut before = self.memory_bytes()?;
        for _ in 0..REST_AT_MOST.as_millis() / REST.as_millis() {
            std::thread::sleep(REST);
            let now = self.memory_bytes()?;
            if now == before {
                break;
            }
            before = now;
        }
        Some(before)
    }

    /// Memory in use (resident set), in bytes; `None` where the system does not tell.
    fn memory_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    /// CPU time it and the children it has waited for have had so far, all threads: what holds on a busy machine; `None`
    /// where the system does not tell.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        machine::cpu_time(self.child.id())
    }

    /// Ends it as `kill -9` does: nothing is flushed, nothing is closed.
    pub(super) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or it ends now: in both cases there is nothing left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn begins(name: &std::ffi::OsStr, begin: &str) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(begin))
}
