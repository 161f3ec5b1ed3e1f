//! A small state above the journal, with the history of what it decided: after a crash the records must be those after some prefix of
//! the history that holds every acknowledged operation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::sim_disk::SimDisk;
use crate::journal::disk::Disk;
use crate::journal::{
    Change, CommitError, Durable, FileSystem, Journal, Journaled, OpenError, Options, Records, Recovery, open_on,
};

/// Records by key.
pub(super) type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// The record that every operation writes its number to.
const NUMBER: &[u8] = b"number";

/// One operation: records written or deleted.
pub(super) type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

#[derive(Default)]
pub(super) struct Model {
    pub(super) records: Map,
    /// What each operation still in effect did, oldest first.
    pub(super) history: Vec<(u64, Changes)>,
    next: u64,
}

fn apply(records: &mut Map, changes: &Changes) -> Changes {
    let mut before = Changes::new();
    for (key, value) in changes {
        let old = match value {
            Some(value) => records.insert(key.clone(), value.clone()),
            None => records.remove(key),
        };
        before.push((key.clone(), old));
    }
    before.reverse();
    before
}

/// The state that the journal sees.
#[derive(Default)]
pub(super) struct State(pub(super) Mutex<Model>, pub(super) Pause);

/// Stops a snapshot in its middle: `reached` is notified there, and it goes on when `go` is.
#[derive(Default)]
pub(super) struct Pause {
    pub(super) on: AtomicBool,
    pub(super) reached: Notify,
    pub(super) go: Notify,
}

impl Journaled for State {
    type Undo = Changes;

    fn undo(&self, take: &mut dyn FnMut() -> Vec<Changes>) {
        let mut model = self.0.lock().unwrap();
        for undo in take().into_iter().rev() {
            apply(&mut model.records, &undo);
            model.history.pop().unwrap();
        }
    }

    fn snapshot(&self, cursor: u64, records: &mut Records<'_>) -> Option<u64> {
        if cursor == u64::from(b'm') && self.1.on.load(Ordering::SeqCst) {
            self.1.reached.notify_one();
            tokio::runtime::Handle::current().block_on(self.1.go.notified());
        }
        // One piece a first byte: records may come and go between the calls.
        let model = self.0.lock().unwrap();
        for (key, value) in model.records.iter().filter(|(key, _)| u64::from(key[0]) == cursor) {
            records.put(key, value);
        }
        (cursor < 255).then_some(cursor + 1)
    }
}

/// A running journal over a model.
pub(super) struct Running {
    pub(super) state: Arc<State>,
    pub(super) journal: Journal<State>,
    pub(super) found: Recovery,
}

pub(super) fn options(dir: &Path) -> Options {
    Options { checkpoint_bytes: u64::MAX / 4, ..Options::new(dir, 1) }
}

/// What a disk holds.
pub(super) fn read(disk: Arc<dyn Disk>, options: Options) -> Result<Map, OpenError> {
    let mut records = Map::new();
    open_on(disk, options, &mut |change| collect(&mut records, change))?;
    Ok(records)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that open wants")]
fn collect(records: &mut Map, change: Change<'_>) -> Result<(), &'static str> {
    match change.value {
        Some(value) => records.insert(change.key.to_vec(), value.to_vec()),
        None => records.remove(change.key),
    };
    Ok(())
}

impl Running {
    /// Opens a disk and goes on with `history`, which the records must agree with.
    pub(super) fn start(
        disk: Arc<dyn Disk>,
        options: Options,
        mut history: Vec<(u64, Changes)>,
        acknowledged: u64,
    ) -> Result<Self, OpenError> {
        let mut records = Map::new();
        let opened = open_on(disk, options, &mut |change| collect(&mut records, change))?;
        let last = last_number(&records);
        assert!(
            last >= acknowledged,
            "operation {acknowledged} was acknowledged and is lost; the last one left is {last}"
        );
        let kept = if last == 0 {
            0
        } else {
            history.iter().position(|(number, _)| *number == last).expect("an operation that was undone came back") + 1
        };
        history.truncate(kept);
        let mut expected = Map::new();
        for (_, changes) in &history {
            apply(&mut expected, changes);
        }
        assert_eq!(records, expected, "the records are not those after operation {last}");
        let state = Arc::new(State(Mutex::new(Model { records, history, next: last + 1_000 }), Pause::default()));
        let found = opened.recovery();
        let journal = opened.start(Arc::clone(&state), &tokio::runtime::Handle::current())?;
        Ok(Self { state, journal, found })
    }

    pub(super) fn on_files(dir: &Path) -> Result<Self, OpenError> {
        let mut records = Map::new();
        let opened = open_on(Arc::new(FileSystem), options(dir), &mut |change| collect(&mut records, change))?;
        let found = opened.recovery();
        let next = last_number(&records) + 1;
        let state = Arc::new(State(Mutex::new(Model { records, history: Vec::new(), next }), Pause::default()));
        let journal = opened.start(Arc::clone(&state), &tokio::runtime::Handle::current())?;
        Ok(Self { state, journal, found })
    }

    pub(super) fn on_sim(disk: &SimDisk) -> Result<Self, OpenError> {
        Self::start(Arc::new(disk.clone()), options(Path::new("sim")), Vec::new(), 0)
    }

    /// Decides an operation and submits it.
    pub(super) fn submit(&self, mut changes: Changes) -> Result<(u64, Durable), CommitError> {
        let mut model = self.state.0.lock().unwrap();
        let number = model.next;
        model.next += 1;
        changes.push((NUMBER.to_vec(), Some(number.to_le_bytes().to_vec())));
        let undo = apply(&mut model.records, &changes);
        model.history.push((number, changes.clone()));
        let submitted = self.journal.submit(undo, |records| {
            for (key, value) in &changes {
                match value {
                    Some(value) => records.put(key, value),
                    None => records.delete(key),
                }
            }
        });
        submitted.map(|durable| (number, durable)).map_err(|rejected| {
            apply(&mut model.records, &rejected.undo);
            model.history.pop().unwrap();
            rejected.error
        })
    }

    /// Submits and waits.
    pub(super) async fn put(&self, key: &str, value: &[u8]) -> Result<u64, CommitError> {
        self.commit(vec![(key.into(), Some(value.to_vec()))]).await
    }

    /// Submits and waits.
    pub(super) async fn commit(&self, changes: Changes) -> Result<u64, CommitError> {
        let (number, durable) = self.submit(changes)?;
        durable.wait().await.map(|()| number)
    }

    pub(super) fn records(&self) -> Map {
        self.state.0.lock().unwrap().records.clone()
    }

    pub(super) fn history(&self) -> Vec<(u64, Changes)> {
        self.state.0.lock().unwrap().history.clone()
    }
}

fn last_number(records: &Map) -> u64 {
    records.get(NUMBER).map_or(0, |number| u64::from_le_bytes(number.as_slice().try_into().unwrap()))
}
