//! One server and the connection to it: kept up in the background, given up when it does not answer.
//!
//! A keeper dials, watches, and dials again. Callers take the connection that is there, wait while one is being made, and are
//! refused at once while the server is down: after [`TRIP`] failures in a row it counts as down until a new connection has proved
//! itself, which the keeper tries every [`RETRY`]. So a stopped or half-dead server costs each caller at most its own time, and most none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};

use super::connection::{Access, Connection, DialError};
use super::era::Era;
use super::office::{Book, Office};
use super::url::Address;

/// So many failures in a row and the server is down.
const TRIP: u32 = 3;
/// How often a server that is down is tried.
const RETRY: Duration = Duration::from_millis(250);
/// After the first failed try; doubled up to [`RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(10);
/// How often a server is asked where it stands.
const BEAT: Duration = Duration::from_millis(500);
/// Connecting may take longer than a call: TLS has more round trips. Callers do not wait for it.
const SLOWEST_DIAL: Duration = Duration::from_secs(1);

/// What all nodes of a link share.
pub(super) struct Common {
    pub(super) access: Access,
    pub(super) timeout: Duration,
    pub(super) wait_replicas: u32,
    pub(super) wait_timeout: Duration,
    /// Asks for another look at who the primaries are.
    pub(super) look: Notify,
    pub(super) book: Book,
    /// The eras last seen, by address: a node may be dropped and come back.
    pub(super) seen: Mutex<HashMap<Address, Seen>>,
}

/// The era last seen at an address, and since when it has lasted as far as we know.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) era: Era,
    pub(super) unbroken_since: Instant,
}

/// Where a server stands with us.
#[derive(Clone)]
enum State {
    Connecting,
    Ready(Arc<Office>),
    Down(Arc<str>),
}

/// One server.
pub(super) struct Node {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    address: Address,
    common: Arc<Common>,
    state: watch::Sender<State>,
    failures: AtomicU32,
    distrusted: AtomicBool,
    /// There were too many failures, or the server is distrusted.
    tripped: Notify,
}

/// Why a watch over a connection ended.
enum End {
    Closed,
    Tripped,
    Changed,
}

impl Node {
    pub(super) fn new(address: Address, common: Arc<Common>) -> Self {
        let (state, _) = watch::channel(State::Connecting);
        let shared = Arc::new(Shared {
            address,
            common,
            state,
            failures: AtomicU32::new(0),
            distrusted: AtomicBool::new(false),
            tripped: Notify::new(),
        });
        let keeper = tokio::spawn(Arc::clone(&shared).keep()).abort_handle();
        Self { shared, keeper }
    }

    pub(super) fn address(&self) -> &Address {
        &self.shared.address
    }

    /// The primary's connection, as soon as there is one. The error says why not.
    pub(super) async fn office(&self, deadline: Instant) -> Result<Arc<Office>, Arc<str>> {
        if let Some(known) = self.known_office() {
            return known;
        }
        let mut state = self.shared.state.subscribe();
        let settled = timeout_at(deadline, state.wait_for(|state| !matches!(state, State::Connecting))).await;
        match settled.map(|state| state.map(|state| state.clone())) {
            Ok(Ok(State::Ready(office))) => Ok(office),
            Ok(Ok(State::Down(reason))) => Err(reason),
            _ => Err("no connection in time".into()),
        }
    }

    /// The connection that is there, without waiting.
    pub(super) fn ready_office(&self) -> Option<Arc<Office>> {
        self.known_office()?.ok()
    }

    fn known_office(&self) -> Option<Result<Arc<Office>, Arc<str>>> {
        match &*self.shared.state.borrow() {
            State::Ready(office) => Some(Ok(Arc::clone(office))),
            State::Down(reason) => Some(Err(Arc::clone(reason))),
            State::Connecting => None,
        }
    }

    /// A call was answered.
    pub(super) fn succeeded(&self) {
        if self.shared.failures.load(Ordering::Relaxed) != 0 {
            self.shared.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A call was not answered.
    pub(super) fn failed(&self) {
        if self.shared.failed() {
            self.shared.tripped.notify_one();
        }
    }

    /// The server is not what it was: dial anew.
    pub(super) fn distrust(&self) {
        self.shared.distrusted.store(true, Ordering::Relaxed);
        self.shared.tripped.notify_one();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    async fn keep(self: Arc<Self>) {
        let mut tries = 0;
        loop {
            match self.dial().await {
                Ok((office, driver)) => {
                    tries = 0;
                    self.failures.store(0, Ordering::Relaxed);
                    self.distrusted.store(false, Ordering::Relaxed);
                    let office = Arc::new(office);
                    self.publish(State::Ready(Arc::clone(&office)));
                    match self.watch(&office, driver).await {
                        End::Closed | End::Changed => self.publish(State::Connecting),
                        End::Tripped => self.publish(State::Down("no answer in time".into())),
                    }
                    self.common.look.notify_one();
                }
                Err(reason) => {
                    tries += 1;
                    if tries >= TRIP {
                        self.publish(State::Down(reason));
                        self.common.look.notify_one();
                    }
                }
            }
            sleep(RETRY.min(FIRST_RETRY * 2_u32.pow(tries.min(8)))).await;
        }
    }

    /// A new connection to a primary. Whoever waits longer than a call may take is told so.
    async fn dial(&self) -> Result<(Office, JoinHandle<()>), Arc<str>> {
        let attempt = async {
            let (connection, driver) = Connection::dial(&self.address, &self.common.access).await?;
            self.enter(connection).await.map(|office| (office, driver))
        };
        tokio::pin!(attempt);
        let dialed = match timeout(self.common.timeout, &mut attempt).await {
            Ok(dialed) => dialed,
            Err(_elapsed) => {
                self.publish(State::Down("no connection in time".into()));
                timeout(SLOWEST_DIAL.max(self.common.timeout * 4), attempt)
                    .await
                    .unwrap_or_else(|_elapsed| Err(DialError::Io(std::io::ErrorKind::TimedOut.into())))
            }
        };
        dialed.map_err(|error| error.to_string().into())
    }

    /// Makes a connection to a primary usable: its era is known and entered into the book.
    async fn enter(&self, connection: Connection) -> Result<Office, DialError> {
        let standing = connection.standing;
        let era = standing.era.filter(|_| standing.primary).ok_or(DialError::NotPrimary)?;
        let before = self.seen().get(&self.address).copied();
        let unbroken_since = match before {
            Some(seen) if seen.era == era => seen.unbroken_since,
            // A primary that never took over has been one since it started.
            None if standing.predecessor.is_none() => {
                connection.made_at.checked_sub(connection.uptime).unwrap_or(connection.made_at)
            }
            _ => connection.made_at,
        };
        let another_before = before.is_some_and(|seen| seen.era != era);
        if another_before {
            tracing::warn!(server = %self.address, %era, "Redis is in a new era: what was pending is void");
        }
        let office = Office::enter(connection, era, unbroken_since, another_before, &self.common).await?;
        self.seen().insert(self.address.clone(), Seen { era, unbroken_since });
        Ok(office)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<Address, Seen>> {
        self.common.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn watch(&self, office: &Office, mut driver: JoinHandle<()>) -> End {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut driver => return End::Closed,
                () = self.tripped.notified() => {
                    if self.distrusted.load(Ordering::Relaxed) {
                        return End::Changed;
                    }
                    // A notice of the connection before is none of this one.
                    if self.failures.load(Ordering::Relaxed) >= TRIP {
                        return End::Tripped;
                    }
                }
                _ = beat.tick() => match timeout(self.common.timeout, office.confirm(&self.common)).await {
                    Ok(Ok(true)) => {}
                    Ok(Ok(false)) => return End::Changed,
                    Ok(Err(_)) | Err(_) => if self.failed() { return End::Tripped },
                },
            }
        }
    }

    /// Counts a failure; `true` if it was one too many.
    fn failed(&self) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= TRIP
    }

    fn publish(&self, state: State) {
        let server = &self.address;
        self.state.send_if_modified(|now| {
            match (&*now, &state) {
                (State::Down(_), State::Down(_)) => {}
                (_, State::Down(reason)) => tracing::warn!(%server, %reason, "Redis is down"),
                (State::Down(_), State::Ready(_)) => tracing::info!(%server, "Redis answers again"),
                _ => {}
            }
            *now = state;
            true
        });
    }
}
