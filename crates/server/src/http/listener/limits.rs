//! The bounds of the transport: how many connections, how large a request, how long anything may take.
//!
//! Every wait in this folder has its limit here, so that no client can hold a connection, a buffer or a shutdown
//! for longer than an operator can read in one table. Configuration builds this value; tests shrink it.

use std::time::Duration;

use tokio::time::Instant;

/// No wait is longer, whatever the configuration says: the clock's arithmetic panics beyond some centuries.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The end of a span that begins at `since`.
pub(super) fn after(since: Instant, span: Duration) -> Instant {
    since + span.min(LONGEST)
}

/// hyper's own bound on the number of header fields. While ours is not larger, hyper parses on the stack.
pub(super) const DEFAULT_MAX_HEADERS: usize = 100;

/// Bounds for everything a client can make the listener do. `Default` is meant for the open internet.
///
/// ```
/// use std::time::Duration;
/// use verifyd_server::http::listener::ServerLimits;
///
/// let limits = ServerLimits { drain_limit: Duration::from_secs(5), ..ServerLimits::default() };
/// assert_eq!(limits.max_body_bytes, 16 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections served at once (10,000). One more is accepted: it makes the connection that has waited longest
    /// without an open request give way; if every connection has one, it waits, and the rest wait in the kernel's backlog.
    pub max_connections: usize,
    /// Time for a whole request head, from its first byte; for the first request from the accept (10 s).
    pub header_timeout: Duration,
    /// Request line and header fields together (16 KiB); beyond: 431.
    pub max_head_bytes: usize,
    /// Header fields of one request (100); beyond: 431.
    pub max_headers: usize,
    /// The request target (8 KiB); beyond: 414.
    pub max_uri_bytes: usize,
    /// How long a connection may stay open between two requests (75 s: longer than the pools of common clients
    /// keep theirs, because the side that closes first loses the race with a request just sent).
    pub keep_alive_idle: Duration,
    /// The request body (16 KiB); beyond: [`BodyError::TooLarge`](super::BodyError::TooLarge).
    pub max_body_bytes: usize,
    /// Time for a whole request body, from the end of its head (10 s); beyond: [`BodyError::TimedOut`](super::BodyError::TimedOut).
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer that is ready (30 s).
    pub write_stall: Duration,
    /// Time for a TLS handshake (10 s).
    pub handshake_timeout: Duration,
    /// HTTP/2 requests open at once on one connection (100).
    pub max_streams: u32,
    /// HTTP/2 requests that a client may cancel, beyond those it let finish, before its connection is closed
    /// (100; rapid reset, CVE-2023-44487).
    pub max_stream_resets: u32,
    /// Between the shutdown signal and the end of accepting (0): time for a load balancer to notice that
    /// readiness turned false while this node still answers.
    pub lame_duck: Duration,
    /// How long open requests may take to finish once accepting has ended (25 s).
    pub drain_limit: Duration,
    /// How long what a refused client still sends is read and thrown away, so that the refusal reaches it and is
    /// not destroyed by a reset (2 s).
    pub linger: Duration,
    /// How often the certificate files are looked at for a change (60 s).
    pub certificate_check: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            max_head_bytes: 16 * 1024,
            max_headers: DEFAULT_MAX_HEADERS,
            max_uri_bytes: 8 * 1024,
            keep_alive_idle: Duration::from_secs(75),
            max_body_bytes: 16 * 1024,
            body_timeout: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            max_streams: 100,
            max_stream_resets: 100,
            lame_duck: Duration::ZERO,
            drain_limit: Duration::from_secs(25),
            linger: Duration::from_secs(2),
            certificate_check: Duration::from_secs(60),
        }
    }
}

impl ServerLimits {
    /// What hyper may buffer of one head. Larger than the head limit by one target, so that a target somewhat too long
    /// still gets the answer that names it (414) from the gate; hyper's own answer to a full buffer is 431.
    pub(super) fn head_buffer_bytes(&self) -> usize {
        // hyper panics below 8 KiB.
        self.max_head_bytes.saturating_add(self.max_uri_bytes).max(8 * 1024)
    }
}
