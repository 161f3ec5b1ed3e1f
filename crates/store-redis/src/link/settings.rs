//! Where Redis is and how long to wait for it: what an operator sets. No password is ever shown.

use std::fmt;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

/// How long an answer may take unless the operator says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
/// What every key begins with unless the operator says otherwise.
pub const DEFAULT_PREFIX: &str = "verifyd";

/// Everything that a [`Link`](super::Link) is made from.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Where Redis is.
    pub target: Target,
    /// What every key begins with, so that several fleets can share a server.
    pub prefix: String,
    /// How long an answer may take before the call fails.
    pub timeout: Duration,
    /// How many replicas must have confirmed a write that spends or approves, before it is answered. Zero: none.
    pub wait_replicas: u32,
    /// How long they may take.
    pub wait_timeout: Duration,
}

/// Where Redis is, as its URL says.
#[derive(Clone)]
pub struct Target {
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) db: u32,
}

impl LinkSettings {
    /// The defaults for `target`.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            prefix: DEFAULT_PREFIX.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            wait_replicas: 0,
            wait_timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// Why a URL names no Redis. Never repeats what it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL.
    #[error("it is not a URL")]
    Syntax,
    /// It begins with something else than is known.
    #[error("it must begin with redis:// or rediss://")]
    Scheme,
    /// It names no host.
    #[error("it names no host")]
    Host,
    /// What follows the host is not a number of a database.
    #[error("the database must be a number")]
    Database,
}

impl Target {
    /// Reads `redis://[user:password@]host[:port][/db]`.
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong, without a part of the URL.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let url = Url::parse(url).map_err(|_source| UrlError::Syntax)?;
        if url.scheme() != "redis" {
            return Err(UrlError::Scheme);
        }
        let host = url.host_str().ok_or(UrlError::Host)?;
        let db = match url.path().trim_start_matches('/') {
            "" => 0,
            db => db.parse().map_err(|_source| UrlError::Database)?,
        };
        Ok(Self {
            hosts: vec![(host.to_owned(), url.port().unwrap_or(6379))],
            user: Some(url.username()).filter(|user| !user.is_empty()).map(str::to_owned),
            password: url.password().map(|password| Zeroizing::new(password.to_owned())),
            db,
        })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("hosts", &self.hosts).field("db", &self.db).finish_non_exhaustive()
    }
}
