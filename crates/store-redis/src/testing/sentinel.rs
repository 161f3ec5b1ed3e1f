//! Three Sentinels that watch one primary.

use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::server::{Server, free_port, run};
use super::wait_until;

/// The name by which they know the primary.
const NAME: &str = "main";

/// Running Sentinels; killed when dropped.
#[derive(Debug)]
pub struct Sentinels {
    children: Vec<Child>,
    ports: Vec<u16>,
    directory: TempDir,
}

impl Sentinels {
    /// Starts three that replace `primary` within seconds once it is gone, and waits until they know each other and its replicas.
    ///
    /// # Panics
    /// If they do not start.
    #[must_use]
    pub fn watch(primary: &Server, replicas: usize) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ports = [free_port(), free_port(), free_port()];
        let mut sentinels = Self { children: Vec::new(), ports: ports.to_vec(), directory };
        for port in ports {
            let file = sentinels.directory.path().join(format!("{port}.conf"));
            let watched = primary.port();
            let text = format!(
                "port {port}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {watched} 2\n\
                 sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 5000\n"
            );
            fs::write(&file, text).expect("a file in a temporary directory");
            let mut command = Command::new("redis-server");
            command.arg(&file).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            sentinels.children.push(command.spawn().expect("redis-server --sentinel"));
        }
        for port in ports {
            wait_until("the Sentinels know each other", || {
                let knows = |count: &str, least: usize| {
                    let answer = run(port, &format!("SENTINEL MASTER {NAME}")).ok();
                    let fields = answer.and_then(|answer| redis::from_redis_value::<Vec<String>>(answer).ok());
                    let fields = fields.unwrap_or_default();
                    let value = fields.iter().skip_while(|field| *field != count).nth(1);
                    value.and_then(|value| value.parse::<usize>().ok()).is_some_and(|value| value >= least)
                };
                knows("num-other-sentinels", 2) && knows("num-slaves", replicas)
            });
        }
        sentinels
    }

    /// The URL by which the primary is found through them.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// The port of the primary as they see it now.
    #[must_use]
    pub fn primary_port(&self) -> Option<u16> {
        let port = *self.ports.first()?;
        let answer = run(port, &format!("SENTINEL GET-MASTER-ADDR-BY-NAME {NAME}")).ok()?;
        let (_host, port): (String, u16) = redis::from_redis_value(answer).ok()?;
        Some(port)
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
