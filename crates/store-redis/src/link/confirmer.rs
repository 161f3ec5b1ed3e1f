//! Waits until replicas have a write: `WAIT`, for many callers at once.
//!
//! `WAIT` holds up everything else on its connection, so it has one of its own. It covers what that connection wrote, so a tiny
//! write goes before it, which comes after everything that was answered before. Whoever asks while one runs shares the next.

use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::connection::Connection;

/// Callers that wait for their turn; those behind it wait within their own time.
const WAITING: usize = 1024;
/// The tiny write is of no use once it was written.
const MARK_KEPT_MS: u32 = 1000;

/// Asks the replicas of one primary.
pub(super) struct Confirmer {
    requests: mpsc::Sender<Request>,
    task: AbortHandle,
}

struct Request {
    mark: Vec<u8>,
    answer: oneshot::Sender<bool>,
}

impl Confirmer {
    /// Uses `connection` for nothing else. `within` bounds what the replicas may take, `slack` the way to the primary.
    pub(super) fn new(connection: Connection, replicas: u32, within: Duration, slack: Duration) -> Self {
        let (requests, queue) = mpsc::channel(WAITING);
        let task = tokio::spawn(serve(connection, queue, replicas, within, slack)).abort_handle();
        Self { requests, task }
    }

    /// Whether the replicas have everything that was answered before. `mark` is a key of a slot that the primary owns.
    pub(super) async fn confirmed(&self, mark: Vec<u8>) -> bool {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { mark, answer }).await.is_ok() && answered.await.unwrap_or(false)
    }
}

impl Drop for Confirmer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    connection: Connection,
    mut queue: mpsc::Receiver<Request>,
    replicas: u32,
    within: Duration,
    slack: Duration,
) {
    while let Some(first) = queue.recv().await {
        let mut group = vec![first.answer];
        while let Ok(next) = queue.try_recv() {
            group.push(next.answer);
        }
        let mut commands = Pipeline::new();
        commands.cmd("SET").arg(&first.mark).arg("").arg("PX").arg(MARK_KEPT_MS);
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        commands.cmd("WAIT").arg(replicas).arg(within_ms);
        let count = timeout(within + slack, connection.send_all(&commands)).await;
        let confirmed = matches!(count, Ok(Ok(Value::Int(count))) if count >= i64::from(replicas));
        for answer in group {
            // Who has gone away needs no answer.
            answer.send(confirmed).ok();
        }
    }
}
