//! The store that several nodes share: opens it over Redis, joins the fleet, and keeps the clock of mock mode together.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use verifyd_core::clock::DevelopmentClock;
use verifyd_core::keys::KeyRing;
use verifyd_core::random::{Random as _, SystemRandom};
use verifyd_core::registry::Registry;
use verifyd_store_redis::fleet::{AdvanceError, Fleet, JOIN_EVERY, JoinError};
use verifyd_store_redis::link::Severity;
use verifyd_store_redis::{Link, RedisHistory, RedisOptions, RedisRegistry, RedisStore};

use super::stores::{Backend, Opened, development_clock, master_keys, mock};
use super::{WiringError, part};
use crate::config::{Config, LinkSettings, Sending};
use crate::mock::{MoveClock, MoveClockError};

/// How often the offset of the development clock is looked at. Two rounds are within a second.
const CLOCK_EVERY: Duration = Duration::from_millis(300);

/// This node as the fleet knows it.
pub struct Member {
    fleet: Arc<Fleet>,
    node: String,
    keys: Arc<KeyRing>,
    /// Only in mock mode.
    clock: Option<FleetClock>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Member {
    /// Says again and again that this node is there, and follows the clock.
    pub(super) async fn stay(self: Arc<Self>) {
        let (mut join, mut clock) = (tokio::time::interval(JOIN_EVERY), tokio::time::interval(CLOCK_EVERY));
        for tick in [&mut join, &mut clock] {
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = join.tick() => self.join().await,
                _ = clock.tick(), if self.clock.is_some() => self.follow_clock().await,
            }
        }
    }

    async fn join(&self) {
        match self.fleet.join(&self.node, &self.keys).await {
            // How the store does is told elsewhere.
            Ok(()) | Err(JoinError::Store(_)) => {}
            Err(error) => tracing::error!(%error, "this node does not fit the others any more"),
        }
    }

    async fn follow_clock(&self) {
        if let (Some(clock), Ok(offset)) = (&self.clock, self.fleet.clock_offset().await) {
            clock.advance_to(offset);
        }
    }

    /// Says that this node is gone.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.fleet.leave(&self.node).await {
            tracing::warn!(%error, "the fleet was not told that this node stops; it will notice");
        }
    }
}

/// The clock of mock mode: this node's, and the store's beside it.
#[derive(Clone, Debug)]
struct FleetClock {
    clock: Arc<DevelopmentClock>,
    store: Arc<RedisStore>,
}

impl FleetClock {
    fn advance_to(&self, offset: Duration) {
        self.store.set_ahead(offset);
        self.clock.advance_to(offset);
    }
}

/// Moves the clock of mock mode for all nodes.
#[derive(Debug)]
struct FleetMover {
    fleet: Arc<Fleet>,
    clock: FleetClock,
}

#[async_trait]
impl MoveClock for FleetMover {
    async fn move_by(&self, by: Duration, furthest: Duration) -> Result<(), MoveClockError> {
        match self.fleet.advance_clock(by, furthest).await {
            Ok(offset) => self.clock.advance_to(offset),
            Err(AdvanceError::Bound) => return Err(MoveClockError::Bound),
            Err(AdvanceError::Store(error)) => return Err(MoveClockError::NotKept(error.to_string())),
        }
        // Whoever moved the clock and then asks another node finds it moved there, too.
        tokio::time::sleep(2 * CLOCK_EVERY).await;
        Ok(())
    }
}

/// A name for this node that no other has.
fn node_name(config: &Config) -> Result<String, WiringError> {
    let mut bytes = [0; 4];
    SystemRandom.fill(&mut bytes).map_err(part)?;
    let mut name = format!("{}-", config.listen);
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(name, "{byte:02x}").map_err(part)?;
    }
    Ok(name)
}

/// Looks at Redis and refuses one whose answers would be wrong.
pub(super) async fn examine(link: &Link) -> Result<(), WiringError> {
    for finding in link.examine().await.map_err(part)? {
        match finding.severity {
            Severity::Refuse => return Err(part(finding)),
            Severity::Warn => tracing::warn!(code = finding.code, "{finding}"),
        }
    }
    Ok(())
}

pub(super) fn link_to(settings: LinkSettings) -> Result<Arc<Link>, WiringError> {
    Ok(Arc::new(Link::open(settings)?))
}

pub(super) fn store_over(config: &Config, link: &Arc<Link>) -> Result<Arc<RedisStore>, WiringError> {
    let options = RedisOptions { retention: config.store.options.retention, ..RedisOptions::default() };
    Ok(Arc::new(RedisStore::new(Arc::clone(link), options, &SystemRandom).map_err(part)?))
}

/// Opens the store of a fleet, unless this node does not fit the others.
pub(super) async fn open(config: &Config, settings: LinkSettings) -> Result<Opened, WiringError> {
    let link = link_to(settings)?;
    examine(&link).await?;
    let fleet = Arc::new(Fleet::new(Arc::clone(&link)));
    let index = fleet.index_key().await.map_err(part)?;
    let keys = Arc::new(KeyRing::new(&master_keys(&config.keys)?, index.as_deref())?);
    let node = node_name(config)?;
    fleet.join(&node, &keys).await.map_err(part)?;
    let store = store_over(config, &link)?;
    let is_mock = matches!(config.sending, Sending::Inbox(_));
    let offset = if is_mock { fleet.clock_offset().await.map_err(part)? } else { Duration::ZERO };
    let clock = FleetClock { clock: development_clock(offset), store: Arc::clone(&store) };
    clock.advance_to(offset);
    let mover = FleetMover { fleet: Arc::clone(&fleet), clock: clock.clone() };
    let mock = mock(config, Arc::clone(&clock.clock), Arc::new(mover));
    let member = Member { fleet, node, keys: Arc::clone(&keys), clock: is_mock.then_some(clock) };
    let registry = Arc::new(RedisRegistry::new(Arc::clone(&link)));
    let history = Arc::new(RedisHistory::new(link, config.history));
    Ok(Opened { store, registry, history, keys, mock, backend: Backend::Fleet(Arc::new(member)) })
}

/// The registry in Redis.
pub(super) fn registry(settings: LinkSettings) -> Result<Arc<dyn Registry>, WiringError> {
    Ok(Arc::new(RedisRegistry::new(link_to(settings)?)))
}
