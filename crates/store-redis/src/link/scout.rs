//! Finds the primaries: asks the Sentinels, or the Cluster's nodes, every second and whenever a call or a keeper saw a change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::{Access, Connection};
use super::node::{Common, Node};
use super::routes::Routes;
use super::url::{Address, Kind, Target, address};

/// How often it looks unasked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it looks at most.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(50);

/// Looks for the primaries of one target.
pub(super) struct Scout {
    pub(super) target: Target,
    pub(super) common: Arc<Common>,
    pub(super) sentinel_access: Access,
    pub(super) routes: watch::Sender<Arc<Routes>>,
    /// Connections to Sentinels, or to nodes of a Cluster that are asked while no primary is known.
    pub(super) open: HashMap<Address, Arc<Connection>>,
    /// Whom to ask first next time, so that one that knows wrong is not asked for ever.
    pub(super) turn: usize,
}

impl Scout {
    /// Looks until its task ends.
    pub(super) async fn run(mut self) {
        loop {
            match self.target.kind.clone() {
                Kind::Single => return,
                Kind::Sentinel { name } => self.ask_sentinels(&name).await,
                Kind::Cluster => self.ask_cluster().await,
            }
            sleep(LOOK_AT_MOST_EVERY).await;
            // Whether it was asked to look or the time has come is the same.
            timeout(LOOK_EVERY, self.common.look.notified()).await.ok();
        }
    }

    /// Asks all Sentinels at once and believes the one that knows of the latest fail-over: one that was cut off knows an older one.
    async fn ask_sentinels(&mut self, name: &str) {
        let mut asked = JoinSet::new();
        for sentinel in &self.target.hosts {
            let open = self.open.remove(sentinel);
            let (sentinel, access, name) = (sentinel.clone(), self.sentinel_access.clone(), name.to_owned());
            let within = self.common.timeout * 2;
            asked.spawn(async move {
                let mut command = redis::cmd("SENTINEL");
                command.arg("MASTER").arg(name);
                timeout(within, ask(sentinel, open, &access, &command)).await.ok().flatten()
            });
        }
        let mut best: Option<(u64, Address)> = None;
        while let Some(answer) = asked.join_next().await {
            let Ok(Some((connection, answer))) = answer else { continue };
            self.open.insert(connection.address.clone(), connection);
            let found = sentinel_answer(answer);
            best = best.into_iter().chain(found).max_by_key(|(epoch, _)| *epoch);
        }
        let Some((_, primary)) = best else { return };
        let known = self.routes.borrow().nodes().first().is_some_and(|node| *node.address() == primary);
        if !known {
            tracing::info!(server = %primary, "the Sentinels name the primary");
            let node = Arc::new(Node::new(primary, Arc::clone(&self.common)));
            self.routes.send_replace(Arc::new(Routes::single(node)));
        }
    }

    /// Asks one node after the other until one tells the slots.
    async fn ask_cluster(&mut self) {
        let routes = self.routes.borrow().clone();
        let primaries: Vec<_> = routes.nodes().iter().filter_map(|node| node.ready_office()).collect();
        self.turn = self.turn.wrapping_add(1);
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        for at in 0..primaries.len() {
            let Some(office) = primaries.get((at + self.turn) % primaries.len()) else { continue };
            let answer = timeout(self.common.timeout, office.connection.send(&command)).await;
            if let Ok(Ok(answer)) = answer
                && self.take(&answer, &office.connection.address)
            {
                self.open.clear();
                return;
            }
        }
        let seeds = self.target.hosts.clone();
        for at in 0..seeds.len() {
            let Some(seed) = seeds.get((at + self.turn) % seeds.len()) else { continue };
            let open = self.open.remove(seed);
            let asked = ask(seed.clone(), open, &self.common.access, &command);
            let Ok(Some((connection, answer))) = timeout(self.common.timeout * 2, asked).await else { continue };
            self.open.insert(seed.clone(), connection);
            if self.take(&answer, seed) {
                return;
            }
        }
    }

    /// Takes over what a node told; `false` if it told no slots.
    fn take(&self, answer: &Value, told_by: &Address) -> bool {
        let found = slot_ranges(answer, told_by);
        if found.is_empty() {
            return false;
        }
        let make = |address| Arc::new(Node::new(address, Arc::clone(&self.common)));
        self.routes.send_modify(|routes| *routes = Arc::new(routes.surveyed(&found, make)));
        true
    }
}

/// Sends a command to a server that may be anything, over a connection that may be there.
async fn ask(
    to: Address,
    open: Option<Arc<Connection>>,
    access: &Access,
    command: &Cmd,
) -> Option<(Arc<Connection>, Value)> {
    if let Some(connection) = open
        && let Ok(answer) = connection.send(command).await
    {
        return Some((connection, answer));
    }
    // The connection ends its driver.
    let (connection, _driver) = Connection::dial(&to, access).await.ok()?;
    let answer = connection.send(command).await.ok()?;
    Some((Arc::new(connection), answer))
}

/// Of `SENTINEL MASTER`: the epoch of its configuration, and the primary.
fn sentinel_answer(answer: Value) -> Option<(u64, Address)> {
    let fields: HashMap<String, String> = redis::from_redis_value(answer).ok()?;
    let epoch = fields.get("config-epoch")?.parse().ok()?;
    let port = fields.get("port")?.parse().ok()?;
    Some((epoch, Address { host: fields.get("ip")?.clone(), port }))
}

/// Of `CLUSTER SLOTS`: each range and its primary. An empty host is the one that was asked.
pub(super) fn slot_ranges(answer: &Value, told_by: &Address) -> Vec<(Address, u16, u16)> {
    let ranges = answer.as_sequence().unwrap_or_default();
    ranges.iter().filter_map(|range| slot_range(range, told_by)).collect()
}

fn slot_range(range: &Value, told_by: &Address) -> Option<(Address, u16, u16)> {
    let number = |value: &Value| redis::from_redis_value_ref::<u16>(value).ok();
    let [first, last, primary, ..] = range.as_sequence()? else { return None };
    let [host, port, ..] = primary.as_sequence()? else { return None };
    let host = redis::from_redis_value_ref::<Option<String>>(host).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| told_by.host.clone());
    Some((Address { host, port: number(port)? }, number(first)?, number(last)?))
}

/// Of `MOVED` and `ASK`: `SLOT HOST:PORT`; an empty host is the one that was asked.
pub(super) fn redirection(detail: &str, told_by: &Address) -> Option<(u16, Address)> {
    let (slot, place) = detail.split_once(' ')?;
    // IPv6 comes without brackets.
    let (host, port) = place.rsplit_once(':')?;
    let host = if host.is_empty() { &told_by.host } else { host };
    let port = port.parse().ok()?;
    let known = address(&format!("[{host}]:{port}"), port)?;
    Some((slot.parse().ok()?, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    #[test]
    fn redirections_are_read_as_redis_writes_them() {
        let told_by = at("10.0.0.9", 1);
        assert_eq!(redirection("3999 10.0.0.1:6381", &told_by), Some((3999, at("10.0.0.1", 6381))));
        assert_eq!(redirection("3999 ::1:6381", &told_by), Some((3999, at("::1", 6381))));
        assert_eq!(redirection("3999 :6381", &told_by), Some((3999, at("10.0.0.9", 6381))));
        for broken in ["", "3999", "3999 host", "x host:1", "3999 host:99999"] {
            assert_eq!(redirection(broken, &told_by), None, "{broken}");
        }
    }

    #[test]
    fn slots_without_a_host_are_of_the_node_that_told() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let range = |host: Value| {
            let primary = Value::Array(vec![host, Value::Int(7000), text("id")]);
            Value::Array(vec![Value::Int(5), Value::Int(9), primary, Value::Array(vec![])])
        };
        let answer = Value::Array(vec![range(text("10.0.0.1")), range(text("")), range(Value::Nil)]);
        let told_by = at("10.0.0.9", 1);
        let expected = [(at("10.0.0.1", 7000), 5, 9), (at("10.0.0.9", 7000), 5, 9), (at("10.0.0.9", 7000), 5, 9)];
        assert_eq!(slot_ranges(&answer, &told_by), expected);
        assert_eq!(slot_ranges(&Value::Okay, &told_by), []);
    }
}
