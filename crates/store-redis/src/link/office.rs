//! A primary in office: a connection, the era that its handshake told, and since when data may be missing.
//!
//! The era of a call is that of the very connection that it runs on. A primary that loses its office and gets it back on a connection
//! that stays open would pass for the old era; so the standing is asked for twice a second, and a connection that was not
//! asked for [`TRUSTED_FOR`] (this process was stopped) is asked before it is used.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::confirmer::Confirmer;
use super::connection::{Connection, DialError};
use super::era::Era;
use super::node::Common;
use super::routes::Routes;
use super::slot::slot;

/// A standing is believed for so long.
const TRUSTED_FOR: Duration = Duration::from_secs(2);
/// As long as the longest-lived counter.
const BOOK_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);

/// Where eras are entered: one hash for the whole fleet.
pub(super) struct Book {
    pub(super) key: Vec<u8>,
    /// Whether there can be but one primary.
    pub(super) only: bool,
    pub(super) routes: watch::Receiver<std::sync::Arc<Routes>>,
}

/// A primary in office.
pub(super) struct Office {
    pub(super) connection: Connection,
    pub(super) era: Era,
    /// This era is known to have lasted since then, without a break.
    pub(super) unbroken_since: Instant,
    another_before: bool,
    incomplete_since_ms: AtomicU64,
    entered: AtomicBool,
    pub(super) confirmer: Option<Confirmer>,
}

impl Office {
    pub(super) async fn enter(
        connection: Connection,
        era: Era,
        unbroken_since: Instant,
        another_before: bool,
        common: &Common,
    ) -> Result<Self, DialError> {
        let confirmer = if common.wait_replicas == 0 { None } else { Some(confirmer(&connection, common).await?) };
        let office = Self {
            connection,
            era,
            unbroken_since,
            another_before,
            incomplete_since_ms: AtomicU64::new(0),
            entered: AtomicBool::new(false),
            confirmer,
        };
        office.enter_book(common).await?;
        Ok(office)
    }

    /// Milliseconds since 1970, by Redis' clock, since when data may be missing; zero if none is.
    pub(super) fn incomplete_since_ms(&self) -> u64 {
        self.incomplete_since_ms.load(Ordering::Relaxed)
    }

    /// Whether this is still the office that it was. Also looks whether the book still says so: a book that lost the era was emptied, and
    /// with it the data.
    pub(super) async fn confirm(&self, common: &Common) -> Result<bool, DialError> {
        let same = self.connection.confirm().await?;
        if same {
            self.enter_book(common).await?;
        }
        Ok(same)
    }

    /// As [`confirm`](Self::confirm), but only if nobody asked for too long. `false` also if there is no answer in time.
    pub(super) async fn still_trusted(&self, deadline: Instant) -> bool {
        if self.connection.unconfirmed_for() <= TRUSTED_FOR {
            return true;
        }
        matches!(timeout_at(deadline, self.connection.confirm()).await, Ok(Ok(true)))
    }

    /// Enters the era, wherever the book is. As long as that cannot be done, data counts as incomplete from now on: the safe side.
    async fn enter_book(&self, common: &Common) -> Result<(), DialError> {
        let command = self.entry(&common.book);
        let since = match self.connection.send(&command).await {
            Err(error) if error.code() == Some("MOVED") => elsewhere(&command, common).await,
            // A server's "no": the slot of the book is on its way, memory is full.
            Err(error) if error.code().is_some() => None,
            answer => Some(answer?),
        };
        if let Some(since) = since.and_then(|since| redis::from_redis_value::<u64>(since).ok()) {
            self.incomplete_since_ms.store(since, Ordering::Relaxed);
            self.entered.store(true, Ordering::Relaxed);
        } else if !self.entered.load(Ordering::Relaxed) && self.incomplete_since_ms() == 0 {
            let time = self.connection.send(&redis::cmd("TIME")).await?;
            let (seconds, _micros): (u64, u64) = redis::from_redis_value(time).map_err(RedisError::from)?;
            self.incomplete_since_ms.store(seconds.saturating_mul(1000), Ordering::Relaxed);
        }
        Ok(())
    }

    fn entry(&self, book: &Book) -> Cmd {
        let predecessor = self.connection.standing.predecessor.map(|era| era.to_string()).unwrap_or_default();
        let past = match (self.another_before || self.entered.load(Ordering::Relaxed), book.only) {
            (true, _) => "seen",
            (false, true) => "only",
            (false, false) => "",
        };
        let kept_ms = u64::try_from(BOOK_KEPT.as_millis()).unwrap_or(u64::MAX);
        let mut command = redis::cmd("EVAL");
        command.arg(include_str!("eras.lua")).arg(1).arg(&book.key).arg(self.era.to_string()).arg(predecessor);
        command.arg(self.connection.address.to_string()).arg(past).arg(kept_ms);
        command
    }
}

/// The book is with another primary of the Cluster, which may be just as new to us. An owner enters its own era without waiting for anybody.
async fn elsewhere(command: &Cmd, common: &Common) -> Option<Value> {
    let deadline = Instant::now() + common.timeout / 2;
    let place = slot(&common.book.key);
    let mut routes = common.book.routes.clone();
    let answer = async {
        let owner = routes.wait_for(|routes| routes.owner(place).is_some()).await.ok()?.owner(place)?;
        owner.office(deadline).await.ok()?.connection.send(command).await.ok()
    };
    timeout_at(deadline, answer).await.ok().flatten()
}

async fn confirmer(connection: &Connection, common: &Common) -> Result<Confirmer, DialError> {
    let (second, driver) = Connection::dial(&connection.address, &common.access).await?;
    // The connection ends its driver.
    drop(driver);
    if second.standing != connection.standing {
        return Err(DialError::NotPrimary);
    }
    Ok(Confirmer::new(second, common.wait_replicas, common.wait_timeout, common.timeout))
}
