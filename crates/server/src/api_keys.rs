//! API keys of a running server: those of the configuration and those of the registry, which it follows, behind one lookup.
//!
//! Secrets are looked up by their SHA-256, so the time of a lookup says nothing about a secret.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use verifyd_core::id::ServiceId;
use verifyd_core::registry::{Scope, SecretHash, Snapshot, api_key};
use verifyd_core::service::ServiceName;

use crate::registry_view::Follower;

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key's id or name, for logs.
    pub key: Arc<str>,
    /// The one service the key is for; `None` for all.
    pub service: Option<ServiceId>,
    scopes: Arc<[Scope]>,
}

impl Caller {
    /// A caller with these rights.
    #[must_use]
    pub fn new(key: &str, service: Option<&ServiceName>, scopes: &[Scope]) -> Self {
        Self { key: Arc::from(key), service: service.map(ServiceName::stable_id), scopes: Arc::from(scopes) }
    }

    /// Who it is, for what is remembered of it: a key that is given to another tenant is another caller.
    #[must_use]
    pub fn identity(&self) -> String {
        self.service.map_or_else(|| self.key.to_string(), |service| format!("{} {service}", self.key))
    }

    /// Whether it may do what `scope` covers.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

type Table = HashMap<SecretHash, Caller>;

/// Every live key.
pub struct ApiKeys {
    fixed: Table,
    made: RwLock<Arc<Table>>,
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("fixed", &self.fixed.len()).finish_non_exhaustive()
    }
}

impl ApiKeys {
    /// The keys of the configuration: hash of the secret, and whose it is.
    #[must_use]
    pub fn new(fixed: Vec<(SecretHash, Caller)>) -> Self {
        Self { fixed: fixed.into_iter().collect(), made: RwLock::default() }
    }

    /// Who holds `secret`, if anybody does.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<Caller> {
        let hash = SecretHash::of(secret);
        let made = Arc::clone(&self.made.read().unwrap_or_else(PoisonError::into_inner));
        self.fixed.get(&hash).or_else(|| made.get(&hash)).cloned()
    }
}

impl Follower for ApiKeys {
    fn follow(&self, snapshot: &Snapshot) {
        let keys = match api_key::in_snapshot(snapshot) {
            Ok(keys) => keys,
            Err(error) => return tracing::error!(%error, "API keys cannot be read; the known ones stay"),
        };
        let live = keys.into_iter().filter(|key| key.revoked_at.is_none());
        let table: Table =
            live.map(|key| (key.secret, Caller::new(&key.id.to_string(), key.service.as_ref(), &key.scopes))).collect();
        *self.made.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
