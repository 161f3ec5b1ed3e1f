//! One call on its way: to the owner of its slot, and on to another if that one says so.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
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
/// What Redis says in the middle of a script that touches a key which is on its way.
const NOT_ALL_HERE: &str = "non local key";

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
    },
    Failed(StoreError),
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
        let mut moved = false;
        loop {
            match self.attempt(request, deadline).await {
                Step::Done(value, office) => return Ok((value, office)),
                Step::Failed(error) => return Err(error),
                Step::Again { reason, pause } => {
                    // In the moment in which a slot changes hands each of the two names the other.
                    let resume = Instant::now() + if pause || moved { PAUSE } else { Duration::ZERO };
                    moved = true;
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

    async fn attempt(&self, request: &Request<'_>, deadline: Instant) -> Step {
        let routes = match self.routes_when_known(deadline).await {
            Ok(routes) => routes,
            Err(error) => return Step::Failed(error),
        };
        let place = slot(request.key);
        let Some(node) = routes.owner(place) else {
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
        let counting = routes.counting(place, &office);
        let mut answer = send(&node, &office, &request.command(&counting, false), deadline).await;
        if answer.as_ref().is_err_and(|error| error.as_ref().is_some_and(|error| error.code() == Some("NOSCRIPT"))) {
            answer = send(&node, &office, &request.command(&counting, true), deadline).await;
        }
        match answer {
            Ok(value) => Step::Done(value, office),
            Err(None) => Step::Failed(unavailable(
                format!("{}: no answer in {} ms", node.address(), self.settings.timeout.as_millis()),
                RETRY_AFTER,
            )),
            Err(Some(error)) => self.judge(&error, &node),
        }
    }

    /// What a server's "no" means.
    fn judge(&self, error: &RedisError, node: &Node) -> Step {
        let told_by = node.address();
        let code = error.code().unwrap_or_default();
        match code {
            // The way there broke while the command was on it.
            "" => Step::Failed(unavailable(format!("{told_by}: the connection was lost"), RETRY_AFTER)),
            "MOVED" => {
                if let Some((slot, address)) = error.detail().and_then(|detail| redirection(detail, told_by)) {
                    let make = |address| self.make(address);
                    self.routes.send_modify(|routes| *routes = Arc::new(routes.redirected(slot, &address, make)));
                }
                self.common.look.notify_one();
                Step::Again { reason: format!("{told_by}: moved"), pause: false }
            }
            // On the move. The other node has some of the slot's keys and not yet the others, and would take those for none.
            "ASK" | "TRYAGAIN" => again(format!("{told_by}: a slot is on its way")),
            "ERR" if error.detail().is_some_and(|detail| detail.contains(NOT_ALL_HERE)) => {
                again(format!("{told_by}: a slot is on its way"))
            }
            "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => {
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

    fn make(&self, address: Address) -> Arc<Node> {
        Arc::new(Node::new(address, Arc::clone(&self.common)))
    }
}

/// One command to one primary, without redirections.
pub(super) async fn plain(node: &Node, command: &Cmd, deadline: Instant) -> Result<Value, StoreError> {
    let failed = |reason: &str| unavailable(format!("{}: {reason}", node.address()), RETRY_AFTER);
    let office = node.office(deadline).await.map_err(|reason| failed(&reason))?;
    match send(node, &office, command, deadline).await {
        Ok(value) => Ok(value),
        Err(None) => Err(failed("no answer in time")),
        Err(Some(error)) => Err(refused(&error, node.address())),
    }
}

/// `Err(None)`: there was no answer in time.
async fn send(node: &Node, office: &Office, command: &Cmd, deadline: Instant) -> Result<Value, Option<RedisError>> {
    let answer = timeout_at(deadline, office.connection.send(command)).await;
    match &answer {
        Ok(Err(error)) if error.code().is_none() => node.failed(),
        Ok(_) => node.succeeded(),
        Err(_elapsed) => node.failed(),
    }
    answer.map_err(|_elapsed| None)?.map_err(Some)
}

fn again(reason: String) -> Step {
    Step::Again { reason, pause: true }
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
