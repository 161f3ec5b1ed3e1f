//! One call on its way: to the owner of its slot, and on to another if that one says so.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::time::{Instant, sleep_until, timeout_at};
use verifyd_core::store::StoreError;

use super::node::Node;
use super::office::Office;
use super::routes::{Counting, Routes};
use super::scout::redirection;
use super::script::Script;
use super::slot::slot;
use super::url::Address;
use super::{Link, RETRY_AFTER, RETRY_AFTER_FULL, unavailable};

/// Before a server that cannot just now is asked again.
const PAUSE: Duration = Duration::from_millis(15);

/// What is to be run, and the key that says where.
pub(super) struct Request<'a> {
    pub(super) key: &'a [u8],
    pub(super) body: Body<'a>,
}

/// What is to be run.
pub(super) enum Body<'a> {
    Script { script: &'a Script, keys: &'a [Vec<u8>], args: &'a [Vec<u8>] },
    Plain { parts: &'a [&'a [u8]] },
}

/// What became of one attempt.
enum Step {
    Done(Value, Arc<Office>),
    /// It certainly did not run.
    Again {
        reason: String,
        pause: bool,
        ask: Option<Asking>,
    },
    Failed(StoreError),
}

/// Another node that has what the owner no longer has.
struct Asking {
    address: Address,
    from: Arc<Office>,
}

impl Request<'_> {
    /// A key of the same slot, for [`Confirmer`](super::confirmer::Confirmer).
    pub(super) fn mark(&self) -> Vec<u8> {
        [self.key, b":w"].concat()
    }

    fn command(&self, counting: &Counting, whole_script: bool) -> Cmd {
        let mut command = Cmd::new();
        match &self.body {
            Body::Plain { parts } => {
                command.arg(*parts);
            }
            Body::Script { script, keys, args } => {
                if whole_script {
                    command.arg("EVAL").arg(script.text());
                } else {
                    command.arg("EVALSHA").arg(script.sha());
                }
                command.arg(keys.len()).arg(*keys).arg(&counting.eras).arg(counting.incomplete_since_ms).arg(*args);
            }
        }
        command
    }
}

impl Link {
    /// Runs a request, within the timeout.
    pub(super) async fn run(&self, request: &Request<'_>) -> Result<(Value, Arc<Office>), StoreError> {
        let deadline = Instant::now() + self.settings.timeout;
        let mut asking = None;
        loop {
            match self.attempt(request, asking.take(), deadline).await {
                Step::Done(value, office) => return Ok((value, office)),
                Step::Failed(error) => return Err(error),
                Step::Again { reason, pause, ask } => {
                    asking = ask;
                    let resume = Instant::now() + if pause { PAUSE } else { Duration::ZERO };
                    if resume >= deadline {
                        return Err(unavailable(reason, RETRY_AFTER));
                    }
                    sleep_until(resume).await;
                }
            }
        }
    }

    /// The routes, as soon as there are any.
    pub(super) async fn routes_when_known(&self, deadline: Instant) -> Result<Arc<Routes>, StoreError> {
        let known = Arc::clone(&self.routes.borrow());
        if !known.nodes().is_empty() {
            return Ok(known);
        }
        let mut routes = self.routes.subscribe();
        let found = timeout_at(deadline, routes.wait_for(|routes| !routes.nodes().is_empty())).await;
        match found {
            Ok(Ok(routes)) => Ok(Arc::clone(&routes)),
            _ => Err(unavailable("no primary is known", RETRY_AFTER)),
        }
    }

    async fn attempt(&self, request: &Request<'_>, asking: Option<Asking>, deadline: Instant) -> Step {
        let routes = match self.routes_when_known(deadline).await {
            Ok(routes) => routes,
            Err(error) => return Step::Failed(error),
        };
        let place = slot(request.key);
        let node = match &asking {
            Some(asking) => Some(self.node_at(&routes, &asking.address)),
            None => routes.owner(place),
        };
        let Some(node) = node else {
            self.common.look.notify_one();
            return again(format!("nobody owns slot {place}"));
        };
        let office = match node.office(deadline).await {
            Ok(office) => office,
            Err(reason) => return Step::Failed(unavailable(format!("{}: {reason}", node.address()), RETRY_AFTER)),
        };
        if !office.still_trusted(deadline).await {
            node.distrust();
            return again(format!("{}: not known to be the primary", node.address()));
        }
        let counting = routes.counting(place, &office, asking.as_ref().map(|asking| &*asking.from));
        let mut answer = send(&node, &office, request.command(&counting, false), asking.is_some(), deadline).await;
        if answer.as_ref().is_err_and(|error| error.as_ref().is_some_and(|error| error.code() == Some("NOSCRIPT"))) {
            answer = send(&node, &office, request.command(&counting, true), asking.is_some(), deadline).await;
        }
        match answer {
            Ok(value) => Step::Done(value, office),
            Err(None) => Step::Failed(unavailable(
                format!("{}: no answer in {} ms", node.address(), self.settings.timeout.as_millis()),
                RETRY_AFTER,
            )),
            Err(Some(error)) => self.judge(&error, &node, office),
        }
    }

    /// What a server's "no" means.
    fn judge(&self, error: &RedisError, node: &Node, office: Arc<Office>) -> Step {
        let told_by = node.address();
        let code = error.code().unwrap_or_default();
        let target = || redirection(error.detail()?, told_by);
        match code {
            // The way there broke while the command was on it.
            "" => Step::Failed(unavailable(format!("{told_by}: the connection was lost"), RETRY_AFTER)),
            "MOVED" => {
                if let Some((slot, address)) = target() {
                    let make = |address| self.make(address);
                    self.routes.send_modify(|routes| *routes = Arc::new(routes.redirected(slot, &address, make)));
                }
                self.common.look.notify_one();
                Step::Again { reason: format!("{told_by}: moved"), pause: false, ask: None }
            }
            "ASK" => {
                let ask = target().map(|(_, address)| Asking { address, from: office });
                Step::Again { reason: format!("{told_by}: on the move"), pause: ask.is_none(), ask }
            }
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => {
                self.common.look.notify_one();
                again(format!("{told_by}: {code}"))
            }
            "READONLY" => {
                node.distrust();
                again(format!("{told_by}: it is a replica"))
            }
            _ => Step::Failed(refused(error, told_by)),
        }
    }

    fn node_at(&self, routes: &Routes, address: &Address) -> Arc<Node> {
        if let Some(node) = routes.node(address) {
            return node;
        }
        // A node without a slot yet: known from now on, so that its connection is kept.
        let make = |address| self.make(address);
        let mut added = None;
        self.routes.send_modify(|routes| {
            let next = routes.with_node(address, make);
            added = next.node(address);
            *routes = Arc::new(next);
        });
        added.unwrap_or_else(|| self.make(address.clone()))
    }

    fn make(&self, address: Address) -> Arc<Node> {
        Arc::new(Node::new(address, Arc::clone(&self.common)))
    }
}

/// One command to one primary, without redirections.
pub(super) async fn plain(node: &Node, command: &Cmd, deadline: Instant) -> Result<Value, StoreError> {
    let failed = |reason: &str| unavailable(format!("{}: {reason}", node.address()), RETRY_AFTER);
    let office = node.office(deadline).await.map_err(|reason| failed(&reason))?;
    match send(node, &office, command.clone(), false, deadline).await {
        Ok(value) => Ok(value),
        Err(None) => Err(failed("no answer in time")),
        Err(Some(error)) => Err(refused(&error, node.address())),
    }
}

/// `Err(None)`: there was no answer in time.
async fn send(
    node: &Node,
    office: &Office,
    command: Cmd,
    asking: bool,
    deadline: Instant,
) -> Result<Value, Option<RedisError>> {
    let answer = async {
        if asking {
            let mut commands = Pipeline::new();
            commands.cmd("ASKING").add_command(command);
            office.connection.send_all(&commands).await
        } else {
            office.connection.send(&command).await
        }
    };
    let answer = timeout_at(deadline, answer).await;
    match &answer {
        Ok(Err(error)) if error.code().is_none() => node.failed(),
        Ok(_) => node.succeeded(),
        Err(_elapsed) => node.failed(),
    }
    answer.map_err(|_elapsed| None)?.map_err(Some)
}

fn again(reason: String) -> Step {
    Step::Again { reason, pause: true, ask: None }
}

/// Scripts' errors of servers before 7.0 hold the real code in their text.
fn refused(error: &RedisError, by: &Address) -> StoreError {
    let code = error.code().unwrap_or_else(|| error.category());
    let detail = error.detail().unwrap_or_default();
    if code == "OOM" || detail.contains("-OOM ") {
        return unavailable(format!("{by}: its memory is full"), RETRY_AFTER_FULL);
    }
    tracing::error!(server = %by, code, detail, "Redis refused a command");
    unavailable(format!("{by}: {code}"), RETRY_AFTER)
}
