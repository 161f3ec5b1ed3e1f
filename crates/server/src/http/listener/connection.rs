//! One connection from accept to close: handshake, HTTP, farewell.
//!
//! A connection is one task. It polls hyper and, after each poll, asks the [`Activity`] for the command in force and
//! for the next deadline. Nothing here spawns or aborts work of a handler: closing a connection drops the futures that
//! would have written its answers, and nothing else.

use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, Command, Phase};
use super::gate;
use super::limits::{DEFAULT_MAX_HEADERS, ServerLimits, after};
use super::tls::Tls;
use super::wire::Wire;

/// What is thrown away at most of a refused client's input. Beyond it the client is not listening anyway.
const LINGER_BYTES: usize = 1024 * 1024;

/// The least time between two looks at an undisturbed connection.
const SHORTEST_LOOK: Duration = Duration::from_millis(10);

/// What all connections of a listener share.
#[derive(Debug, Clone)]
pub(super) struct Protocol {
    http: Builder<TokioExecutor>,
    app: Router,
    tls: Option<Tls>,
}

impl Protocol {
    /// Prepares hyper within the limits.
    pub(super) fn new(app: Router, tls: Option<Tls>, limits: &ServerLimits) -> Self {
        Self { http: http_builder(limits), app, tls }
    }

    /// Where a new connection begins.
    pub(super) fn first_phase(&self) -> Phase {
        if self.tls.is_some() { Phase::Handshake } else { Phase::Http }
    }

    /// Serves a connection to its end.
    pub(super) async fn run(self, stream: TcpStream, activity: Arc<Activity>) {
        let Some(tls) = &self.tls else {
            return self.speak_http(stream, activity).await;
        };
        let handshake = pin!(tls.acceptor().accept(stream));
        match supervise(&activity, handshake, |_| AfterDrain::Stop).await {
            Some(Ok(stream)) => {
                activity.enter(Phase::Http);
                self.speak_http(stream, activity).await;
            }
            Some(Err(error)) => tracing::debug!(peer = %activity.peer(), %error, "TLS handshake failed"),
            None => {}
        }
    }

    async fn speak_http<T>(&self, stream: T, activity: Arc<Activity>)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (wire, slot) = Wire::new(stream, Arc::clone(&activity));
        let outcome = {
            let service = service_fn(|request| gate::pass(&activity, &self.app, request));
            let http = pin!(self.http.serve_connection(TokioIo::new(wire), service));
            supervise(&activity, http, |http| {
                http.graceful_shutdown();
                AfterDrain::Continue
            })
            .await
        };
        let Some(ended) = outcome else { return };
        if let Err(error) = &ended {
            tracing::debug!(peer = %activity.peer(), %error, "connection ended in an error");
        }
        let stream = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stream) = stream
            && activity.has_unread_input(ended.is_err())
        {
            linger(stream, &activity).await;
        }
    }
}

fn http_builder(limits: &ServerLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1
        .timer(TokioTimer::new())
        // hyper's timer starts when the connection falls idle, which would make it the keep-alive limit as well;
        // the Activity times both, each by its own limit.
        .header_read_timeout(None)
        .max_buf_size(limits.head_buffer_bytes());
    if limits.max_headers > DEFAULT_MAX_HEADERS {
        http1.max_headers(limits.max_headers);
    }
    // hyper counts 32 bytes for each field besides its text (RFC 9113 §6.5.2); the gate counts the text alone.
    let header_list = limits.head_buffer_bytes().saturating_add(limits.max_headers.saturating_mul(32));
    let body_bytes = u32::try_from(limits.max_body_bytes).unwrap_or(u32::MAX);
    // The largest body and one byte more fit a stream's window, so that "too large" shows without a round trip.
    let stream_window = body_bytes.saturating_add(1).clamp(16 * 1024, 1024 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .max_pending_accept_reset_streams(usize::try_from(limits.max_streams).unwrap_or(usize::MAX).min(20))
        .max_local_error_reset_streams(usize::try_from(limits.max_stream_resets).unwrap_or(usize::MAX).max(1))
        .max_header_list_size(u32::try_from(header_list).unwrap_or(u32::MAX))
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(stream_window.saturating_mul(16).max(65_535))
        .max_send_buf_size(64 * 1024);
    builder
}

/// Reads and forgets until the client has seen our end of the stream and closed its own.
async fn linger<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T, activity: &Activity) {
    activity.enter(Phase::Linger);
    let discard = pin!(async {
        // hyper has closed its side in most cases; a second time does no harm and its failure says nothing new.
        if stream.shutdown().await.is_err() {
            tracing::trace!("already shut down");
        }
        let mut waste = [0; 4096];
        let mut left = LINGER_BYTES;
        while let Ok(read) = stream.read(&mut waste).await {
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                break;
            }
        }
    });
    supervise(activity, discard, |_| AfterDrain::Continue).await;
}

/// What a future does once it is told to drain.
enum AfterDrain {
    Continue,
    Stop,
}

/// Runs a future until it ends (`Some`), or until a deadline, a command to close, or a drain that stops it (`None`).
async fn supervise<F: Future>(
    activity: &Activity,
    mut future: Pin<&mut F>,
    mut on_drain: impl FnMut(Pin<&mut F>) -> AfterDrain,
) -> Option<F::Output> {
    let mut timer = pin!(tokio::time::sleep_until(next_look(activity.due(), activity.limits())));
    let mut draining = false;
    std::future::poll_fn(move |cx| {
        // First of all, so that a request which has arrived in full is taken in before a drain closes the door.
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let (mut command, mut due) = activity.watch(cx.waker());
        if command == Command::Drain && !draining {
            draining = true;
            if let AfterDrain::Stop = on_drain(future.as_mut()) {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            (command, due) = activity.watch(cx.waker());
        }
        if command == Command::Close {
            return Poll::Ready(None);
        }
        match poll_timer(activity, timer.as_mut(), due, cx) {
            Poll::Ready(()) => {
                tracing::debug!(peer = %activity.peer(), "connection closed: the client was too slow");
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Ready when a deadline has passed. The timer is moved forward at once and back only when it fires, so that requests
/// on a busy connection do not touch it.
fn poll_timer(activity: &Activity, mut timer: Pin<&mut Sleep>, due: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
    if let Some(due) = due
        && due < timer.deadline()
    {
        timer.as_mut().reset(due);
    }
    while timer.as_mut().poll(cx).is_ready() {
        let due = activity.due();
        if due.is_some_and(|due| due <= Instant::now()) {
            return Poll::Ready(());
        }
        timer.as_mut().reset(next_look(due, activity.limits()));
    }
    Poll::Pending
}

/// When to look again. Without a deadline: after one write stall, because HTTP/2 answers run in tasks of their own and
/// can fall silent without this one being polled. So a stalled answer is cut after one to two stalls.
fn next_look(due: Option<Instant>, limits: &ServerLimits) -> Instant {
    // A limit of zero must not make this a busy loop.
    let at_most = after(Instant::now(), limits.write_stall.max(SHORTEST_LOOK));
    due.map_or(at_most, |due| due.min(at_most))
}
