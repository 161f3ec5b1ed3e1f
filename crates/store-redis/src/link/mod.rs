//! The way to Redis: finds the primary that owns a key, runs a script there, and says in time that it cannot.
//!
//! # What holds
//! A call ends within the configured timeout (and that for replicas, where it waits for them). It is repeated only when it
//! certainly did not run: no connection, no script of that name, another owner, a Cluster that is electing. Whatever may have run is
//! [`StoreError::Unavailable`], and its effects stand. The cluster connection of the `redis` crate repeats a call whose answer
//! was lost, or follows no redirection at all, so the routes are ours.
//!
//! A slot that moves to another node is served again when it is there: until then a node has some of its keys and takes the others for
//! none, which would be a second set of counters.
//!
//! # What a script must hold to
//! - All keys share a hash tag. It reads every key that it may write before it writes the first: while the slot is on its way
//!   Redis stops a script at a key that is not there (any more, or at all), and then nothing must have been written.
//! - Its first write is one that Redis refuses when memory is full or the server a replica (`SET`, `HSET`, …; not `DEL` or
//!   `EXPIRE`), so that such a script has done nothing.
//! - Codes of an era that is not among those of `ARGV[1]` are void: guesses may be missing. What `ARGV[2]` says is missing halves each
//!   limit for one of its windows.

mod confirmer;
mod connection;
mod era;
mod examine;
mod info;
mod node;
mod office;
mod request;
mod routes;
mod scout;
mod script;
mod settings;
mod slot;
mod tls;
mod url;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::Value;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use verifyd_core::store::StoreError;

pub use era::ERA_BYTES;
pub use examine::{Finding, Severity};
pub use script::Script;
pub use settings::{DEFAULT_PREFIX, DEFAULT_TIMEOUT, LinkSettings};
pub use tls::TlsError;
pub use url::{Target, UrlError};

use connection::Access;
use node::{Common, Node};
use office::Book;
use request::{Body, Request};
use routes::Routes;
use scout::Scout;
use url::Kind;

/// When a caller may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// When there may be memory again.
const RETRY_AFTER_FULL: Duration = Duration::from_secs(10);

/// The way to Redis. Share it behind an `Arc`.
pub struct Link {
    settings: LinkSettings,
    common: Arc<Common>,
    routes: watch::Sender<Arc<Routes>>,
    scout: AbortHandle,
}

impl Link {
    /// Begins to connect, in the background; must be called inside a runtime.
    ///
    /// # Errors
    /// [`TlsError`] if the files for TLS cannot be used.
    pub fn open(settings: LinkSettings) -> Result<Self, TlsError> {
        let target = &settings.target;
        let tls = target.tls.as_ref().map(tls::connector).transpose()?;
        let (routes, seen_routes) = watch::channel(Arc::new(Routes::default()));
        let book = Book {
            key: format!("{}:eras", settings.prefix).into_bytes(),
            only: target.kind != Kind::Cluster,
            routes: seen_routes,
        };
        let common = Arc::new(Common {
            access: Access { login: target.login.clone(), db: target.db, tls: tls.clone() },
            timeout: settings.timeout,
            wait_replicas: settings.wait_replicas,
            wait_timeout: settings.wait_timeout,
            look: Notify::new(),
            book,
            seen: Mutex::default(),
        });
        if let (Kind::Single, Some(address)) = (&target.kind, target.hosts.first()) {
            let node = Node::new(address.clone(), Arc::clone(&common));
            routes.send_replace(Arc::new(Routes::single(Arc::new(node))));
        }
        let scout = Scout {
            target: target.clone(),
            common: Arc::clone(&common),
            sentinel_access: Access { login: target.sentinel_login.clone(), db: 0, tls },
            routes: routes.clone(),
            open: HashMap::new(),
            turn: 0,
        };
        let scout = tokio::spawn(scout.run()).abort_handle();
        Ok(Self { settings, common, routes, scout })
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &LinkSettings {
        &self.settings
    }

    /// Runs `script` on the primary that owns the slot of `keys`, all of which share one.
    ///
    /// The link puts two arguments before `args`. `ARGV[1]` is the eras that count here, [`ERA_BYTES`] bytes each: the first is the
    /// present one and belongs into what is written; data of any era that is not listed may have lost later writes. `ARGV[2]` is since
    /// when (milliseconds since 1970, by Redis' clock) counters may be incomplete, in decimal digits; `0` if they are not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: there was no good answer in time; it may have run.
    pub async fn call(&self, script: &Script, keys: &[Vec<u8>], args: Vec<Vec<u8>>) -> Result<Value, StoreError> {
        let key = keys.first().map(Vec::as_slice).unwrap_or_default();
        let request = Request { key, body: Body::Script { script, keys, args: &args } };
        let (value, office) = self.run(&request).await?;
        let Some(confirmer) = office.confirmer.as_ref().filter(|_| script.confirmed_by_replicas()) else {
            return Ok(value);
        };
        let by_replicas = confirmer.confirmed(request.mark());
        match tokio::time::timeout(self.settings.wait_timeout, by_replicas).await {
            Ok(true) => Ok(value),
            _ => Err(unavailable("the replicas did not confirm in time", RETRY_AFTER)),
        }
    }

    /// Runs one command on the primary that owns the slot of `key`; `parts` is the whole command.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: there was no good answer in time; it may have run.
    pub async fn command(&self, key: &[u8], parts: &[&[u8]]) -> Result<Value, StoreError> {
        let request = Request { key, body: Body::Plain { parts } };
        self.run(&request).await.map(|(value, _)| value)
    }

    /// Runs one command on every primary, one after the other: for what goes over all keys.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: one of them gave no good answer in time.
    pub async fn on_every_primary(&self, parts: &[&[u8]]) -> Result<Vec<Value>, StoreError> {
        let deadline = Instant::now() + self.settings.timeout;
        let routes = self.routes_when_known(deadline).await?;
        let mut answers = Vec::with_capacity(routes.nodes().len());
        for node in routes.nodes() {
            let deadline = Instant::now() + self.settings.timeout;
            let mut command = redis::Cmd::new();
            command.arg(parts);
            answers.push(request::plain(node, &command, deadline).await?);
        }
        Ok(answers)
    }

    /// Whether calls can be answered: there are routes, and some primary is up. Asks nobody.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says why not.
    pub fn ready(&self) -> Result<(), StoreError> {
        let routes = self.routes.borrow();
        if !routes.whole() {
            return Err(unavailable("no primary is known for every slot", RETRY_AFTER));
        }
        if routes.nodes().iter().any(|node| node.ready_office().is_some()) {
            Ok(())
        } else {
            Err(unavailable("no primary answers", RETRY_AFTER))
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.scout.abort();
        // Nodes know the routes and the routes the nodes: this lets go of both.
        self.routes.send_replace(Arc::new(Routes::default()));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn unavailable(reason: impl Into<String>, retry_after: Duration) -> StoreError {
    StoreError::Unavailable { reason: format!("Redis: {}", reason.into()), retry_after }
}
