//! The byte stream under hyper: passes everything through, notes it, and hands the socket back at the end.
//!
//! hyper drops its stream as soon as the answer is written. If the client was still sending, the kernel then answers
//! with a reset, which can destroy the answer before the client reads it. So a dropped wire leaves its stream in a
//! slot for the connection's task, which can linger on it (RFC 9112 §9.6).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// Where the stream is found after hyper has let go of it.
pub(super) type Slot<T> = Arc<Mutex<Option<T>>>;

/// A stream whose traffic is noted in an [`Activity`].
#[derive(Debug)]
pub(super) struct Wire<T> {
    stream: Option<T>,
    slot: Slot<T>,
    activity: Arc<Activity>,
    blocked: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// Wraps a stream.
    pub(super) fn new(stream: T, activity: Arc<Activity>) -> (Self, Slot<T>) {
        let slot = Slot::default();
        (Self { stream: Some(stream), slot: Arc::clone(&slot), activity, blocked: false }, slot)
    }

    fn stream(&mut self) -> io::Result<Pin<&mut T>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn noted<R>(&mut self, poll: Poll<R>) -> Poll<R> {
        if poll.is_pending() != self.blocked {
            self.blocked = poll.is_pending();
            self.activity.write_blocked(self.blocked);
        }
        poll
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = self.stream()?.poll_read(cx, buf);
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if !fresh.is_empty() {
            self.activity.received(fresh);
        }
        poll
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = self.stream()?.poll_write(cx, bytes);
        self.noted(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = self.stream()?.poll_flush(cx);
        self.noted(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = self.stream()?.poll_shutdown(cx);
        self.noted(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = self.stream()?.poll_write_vectored(cx, slices);
        self.noted(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

impl<T> Drop for Wire<T> {
    fn drop(&mut self) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}
