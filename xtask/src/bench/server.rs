//! A `verifyd dev` as a child process: on a free port, with its data where the bench says, ended when it goes out of scope.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use crate::Result;

/// A server that is not ready after this long never will be.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often readiness is asked for: below what is measured by far.
const POLL: Duration = Duration::from_millis(1);

/// A server whose memory has not changed for so long is at rest: warming up takes less, its steps far less.
const REST: Duration = Duration::from_millis(500);
/// It is measured after this long even if it never rests.
const REST_AT_MOST: Duration = Duration::from_secs(20);

/// A running server.
pub(super) struct Server {
    child: Child,
    /// Its address, `127.0.0.1:port`.
    pub(super) address: String,
    /// From the start of the process to the first 200 of `/readyz`.
    pub(super) ready_after: Duration,
}

impl Server {
    /// Starts `verifyd dev` with these variables and no others of verifyd or its senders; returns when it is ready. What it
    /// complains about goes to a file beside `data`.
    pub(super) fn start(binary: &Path, data: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(data.with_extension("log"))?;
        let mut command = Command::new(binary);
        let foreign = std::env::vars_os().map(|(name, _)| name);
        for name in foreign.filter(|name| ["VERIFYD_", "TWILIO_", "SMS_"].iter().any(|begin| begins(name, begin))) {
            command.env_remove(name);
        }
        command.args(["dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).envs(variables.iter().copied());
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        // From here on the process is ended whatever happens.
        let mut server = Self { child, address: String::new(), ready_after: Duration::ZERO };
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

    /// CPU time it has had so far, of all its threads: what holds on a busy machine; `None` where the system does not tell.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The second field is the name in brackets; user and system time are the fields 14 and 15, in hundredths of a second.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(Duration::from_millis((user + system) * 10))
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
