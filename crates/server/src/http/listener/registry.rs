//! The open connections: who is there, who makes room, who is told to go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::activity::{Activity, Command, Idleness};

/// All connections of one listener.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    open: HashMap<u64, Arc<Activity>>,
}

/// A connection's place: its entry and its permit, given back when the connection's task ends in whatever way.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Registry {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a connection.
    pub(super) fn enter(self: &Arc<Self>, activity: Arc<Activity>, permit: OwnedSemaphorePermit) -> Place {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        entries.open.insert(number, activity);
        Place { registry: Arc::clone(self), number, _permit: permit }
    }

    /// Gives every connection a command and tells how many there are.
    pub(super) fn order_all(&self, command: Command) -> usize {
        let entries = self.entries();
        for activity in entries.open.values() {
            activity.order(command);
        }
        entries.open.len()
    }

    /// How many connections have a request open.
    pub(super) fn busy(&self) -> usize {
        self.entries().open.values().filter(|activity| activity.is_busy()).count()
    }

    /// Closes the connections that have waited longest without an open request: those that never sent one first.
    ///
    /// One hundredth of all go at a time, so that the search through all costs each newcomer little. A connection whose
    /// request is open is never closed.
    pub(super) fn make_room(&self) -> usize {
        let entries = self.entries();
        let mut idle: Vec<(Idleness, &Arc<Activity>)> =
            entries.open.values().filter_map(|activity| Some((activity.idleness()?, activity))).collect();
        let wanted = (entries.open.len() / 100).max(1);
        if wanted < idle.len() {
            idle.select_nth_unstable_by_key(wanted, |(idleness, _)| *idleness);
            idle.truncate(wanted);
        }
        for (_, activity) in &idle {
            activity.order(Command::Close);
        }
        idle.len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.entries().open.remove(&self.number);
    }
}
