//! Where operations wait, and the task that hands them to the writer as groups.
//!
//! The task runs on the caller's runtime: woken by the first operation of a group, it yields once, so that every task that is ready can
//! add its own, then hands over all of it. One thread is woken a group, and waiters are answered from inside the runtime; waking
//! the writer and each waiter across threads costs 1.4 times the whole of this (measured, see the README).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use tokio::sync::{Notify, mpsc as async_mpsc, oneshot, watch};

use super::error::{CommitError, Rejected};
use super::frame::{Records, begin_group, has_changes};
use super::writer::{Committed, Job};
use super::{Durable, Journaled};

/// Operations wait up to this many bytes; beyond it, new ones are refused until the disk caught up.
pub(super) const MAX_QUEUE_BYTES: usize = 16 << 20;

/// One operation may write up to this many bytes. With [`MAX_QUEUE_BYTES`] it bounds a group to a third of what a record may have.
pub(super) const MAX_OPERATION_BYTES: usize = 8 << 20;

/// An operation that waits. One without an undo is a barrier: it waits for those before it.
#[derive(Debug)]
struct Waiting<U> {
    undo: Option<U>,
    done: oneshot::Sender<Result<(), CommitError>>,
}

/// Operations that share a commit.
#[derive(Debug)]
struct Group<U> {
    bytes: Vec<u8>,
    waiting: Vec<Waiting<U>>,
}

impl<U> Group<U> {
    fn new() -> Self {
        let mut bytes = Vec::new();
        begin_group(&mut bytes);
        Self { bytes, waiting: Vec::new() }
    }
}

#[derive(Debug)]
struct Inner<U> {
    group: Group<U>,
    /// Whether a group is with the writer.
    in_flight: bool,
    /// Why nothing is taken any more.
    closed: Option<CommitError>,
    /// Whether operations that the state holds were given up: what it says is then not what is on disk.
    abandoned: bool,
}

/// The queue, shared by callers, the task and the checkpoint.
#[derive(Debug)]
pub(super) struct Queue<U> {
    inner: Mutex<Inner<U>>,
    wake: Notify,
    fatal: watch::Sender<Option<Arc<str>>>,
    /// Counts undone groups: a snapshot taken across one is void.
    undone: AtomicU64,
    /// Whether the last commit found the disk full: said once, and once again when it is over.
    full: AtomicBool,
    groups: AtomicU64,
    operations: AtomicU64,
    journal_bytes: AtomicU64,
}

impl<U: Send + 'static> Queue<U> {
    pub(super) fn new(journal_bytes: u64) -> Self {
        Self {
            inner: Mutex::new(Inner { group: Group::new(), in_flight: false, closed: None, abandoned: false }),
            wake: Notify::new(),
            fatal: watch::Sender::new(None),
            undone: AtomicU64::new(0),
            full: AtomicBool::new(false),
            groups: AtomicU64::new(0),
            operations: AtomicU64::new(0),
            journal_bytes: AtomicU64::new(journal_bytes),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<U>> {
        // A caller's `write` may panic with the lock held; `submit` leaves the group whole before it runs and cuts what it wrote.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`super::Journal::submit`].
    pub(super) fn submit(&self, undo: U, write: impl FnOnce(&mut Records<'_>)) -> Result<Durable, Rejected<U>> {
        let mut inner = self.lock();
        let start = inner.group.bytes.len();
        if let Some(error) = inner.closed.clone() {
            return Err(Rejected { undo, error });
        }
        if start > MAX_QUEUE_BYTES {
            return Err(Rejected { undo, error: CommitError::Busy });
        }
        let mut bytes = Cut { bytes: &mut inner.group.bytes, keep: start };
        write(&mut Records::new(&mut *bytes.bytes));
        if bytes.bytes.len() - start > MAX_OPERATION_BYTES {
            return Err(Rejected { undo, error: CommitError::TooLarge });
        }
        bytes.keep = bytes.bytes.len();
        drop(bytes);
        Ok(self.wait(&mut inner, Some(undo)))
    }

    /// See [`super::Journal::barrier`].
    pub(super) fn barrier(&self) -> Option<Durable> {
        let mut inner = self.lock();
        if inner.abandoned {
            return Some(Durable::ready(Err(inner.closed.clone().unwrap_or(CommitError::Closed))));
        }
        if inner.group.waiting.is_empty() && !inner.in_flight {
            return None;
        }
        Some(self.wait(&mut inner, None))
    }

    fn wait(&self, inner: &mut Inner<U>, undo: Option<U>) -> Durable {
        let (done, durable) = oneshot::channel();
        inner.group.waiting.push(Waiting { undo, done });
        if inner.group.waiting.len() == 1 {
            self.wake.notify_one();
        }
        Durable(durable)
    }

    /// Whether a new operation would be taken.
    pub(super) fn check(&self) -> Result<(), CommitError> {
        let inner = self.lock();
        match &inner.closed {
            Some(error) => Err(error.clone()),
            None if inner.group.bytes.len() > MAX_QUEUE_BYTES => Err(CommitError::Busy),
            None => Ok(()),
        }
    }

    /// Takes nothing more; what waits is still committed.
    pub(super) fn close(&self) {
        self.lock().closed.get_or_insert(CommitError::Closed);
        self.wake.notify_one();
    }

    /// Takes nothing more and fails what waits.
    fn fail(&self, error: &CommitError) {
        let waiting = {
            let mut inner = self.lock();
            inner.in_flight = false;
            inner.closed = Some(error.clone());
            inner.abandoned = true;
            std::mem::take(&mut inner.group.waiting)
        };
        answer(waiting, &Err(error.clone()));
    }

    /// A write failed for good.
    pub(super) fn fail_for_good(&self, reason: &Arc<str>) {
        self.fail(&CommitError::Fatal(Arc::clone(reason)));
        self.fatal.send_replace(Some(Arc::clone(reason)));
    }

    pub(super) fn fatal(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.fatal.subscribe()
    }

    pub(super) fn undone(&self) -> u64 {
        self.undone.load(Ordering::Acquire)
    }

    pub(super) fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    pub(super) fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set_journal_bytes(&self, bytes: u64) {
        self.journal_bytes.store(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().group.waiting.len()
    }

    /// Takes what waits; `spare` takes its place. `Err` says whether the queue is closed.
    fn take(&self, spare: Group<U>) -> Result<Group<U>, (Group<U>, bool)> {
        let mut inner = self.lock();
        if inner.group.waiting.is_empty() {
            inner.in_flight = false;
            let closed = inner.closed.is_some();
            return Err((spare, closed));
        }
        inner.in_flight = true;
        Ok(std::mem::replace(&mut inner.group, spare))
    }

    /// Undoes a group that was not committed, and everything that was decided on top of it.
    fn undo<J: Journaled<Undo = U>>(&self, group: Group<U>, state: &J) {
        let mut all = group.waiting;
        state.undo(&mut || {
            let mut inner = self.lock();
            begin_group(&mut inner.group.bytes);
            all.append(&mut inner.group.waiting);
            self.undone.fetch_add(1, Ordering::AcqRel);
            all.iter_mut().filter_map(|waiting| waiting.undo.take()).collect()
        });
        answer(all, &Err(CommitError::Full));
    }
}

/// Cuts a buffer back to `keep` when it goes out of scope, by return or by panic.
struct Cut<'a> {
    bytes: &'a mut Vec<u8>,
    keep: usize,
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.keep);
    }
}

fn answer<U>(waiting: Vec<Waiting<U>>, result: &Result<(), CommitError>) {
    for waiting in waiting {
        // A caller that went away changes nothing about what was committed.
        let _gone = waiting.done.send(result.clone());
    }
}

/// Fails what waits when the task is dropped with its runtime, so that nobody waits for ever.
struct FailOnDrop<U: Send + 'static>(Arc<Queue<U>>);

impl<U: Send + 'static> Drop for FailOnDrop<U> {
    fn drop(&mut self) {
        let error = self.0.lock().closed.clone().unwrap_or(CommitError::Closed);
        self.0.fail(&error);
    }
}

/// Hands groups to the writer until the queue is closed and empty. `grown` is called after each commit.
pub(super) async fn run<J: Journaled>(
    queue: Arc<Queue<J::Undo>>,
    state: Arc<J>,
    writer: mpsc::Sender<Job>,
    mut committed: async_mpsc::UnboundedReceiver<Committed>,
    mut grown: impl FnMut(u64) + Send,
) {
    let queue = FailOnDrop(queue);
    let queue = &queue.0;
    let mut spare = Group::new();
    loop {
        queue.wake.notified().await;
        tokio::task::yield_now().await;
        loop {
            let mut group = match queue.take(spare) {
                Ok(group) => group,
                Err((unused, false)) => {
                    spare = unused;
                    break;
                }
                Err((_, true)) => return,
            };
            let mut result = Ok(());
            if has_changes(&group.bytes) {
                let bytes = std::mem::take(&mut group.bytes);
                if writer.send(Job::Commit(bytes)).is_err() {
                    return;
                }
                let Some(answer) = committed.recv().await else { return };
                (group.bytes, result) = (answer.group, answer.result);
                queue.set_journal_bytes(answer.journal_bytes);
                grown(answer.journal_bytes);
            }
            spare = finish(queue, group, result, &*state);
            // The tasks just answered may have more to do: they share the next commit.
            tokio::task::yield_now().await;
        }
    }
}

/// Answers a group and returns its buffers, emptied.
fn finish<J: Journaled>(
    queue: &Queue<J::Undo>,
    mut group: Group<J::Undo>,
    result: Result<(), CommitError>,
    state: &J,
) -> Group<J::Undo> {
    match result {
        Ok(()) => {
            if queue.full.swap(false, Ordering::Relaxed) {
                tracing::info!("the disk has space again");
            }
            queue.groups.fetch_add(1, Ordering::Relaxed);
            queue.operations.fetch_add(group.waiting.len() as u64, Ordering::Relaxed);
            for waiting in group.waiting.drain(..) {
                let _gone = waiting.done.send(Ok(()));
            }
            begin_group(&mut group.bytes);
            // One burst must not keep its memory for ever.
            if group.bytes.capacity() > MAX_QUEUE_BYTES / 16 {
                return Group::new();
            }
            group
        }
        Err(CommitError::Full) => {
            if !queue.full.swap(true, Ordering::Relaxed) {
                tracing::error!("the disk is full: operations are refused until there is space");
            }
            queue.undo(group, state);
            Group::new()
        }
        Err(error) => {
            tracing::error!(%error, "the journal cannot go on");
            if let CommitError::Fatal(reason) = &error {
                queue.fail_for_good(reason);
            } else {
                queue.fail(&error);
            }
            answer(group.waiting, &Err(error));
            Group::new()
        }
    }
}
