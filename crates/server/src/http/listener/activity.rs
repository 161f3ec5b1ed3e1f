//! What one connection is doing, since when, and when it has done so for too long.
//!
//! The wire, the gate and the bodies note what happens; the connection's task asks for the next deadline; the accept
//! loop gives commands. All of it is one small lock per connection, held for a few comparisons and never across an await.
//!
//! The rule in one sentence: while a request is open the handler has the time it wants and only a *client* that does not
//! take its answer is timed; while none is open, every state has a deadline.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::framing::HeadScanner;
use super::limits::{ServerLimits, after};

/// A connection without an open request gets this long to say goodbye during a drain (an HTTP/2 client has to
/// acknowledge the GOAWAY).
const FAREWELL: Duration = Duration::from_secs(1);

/// The shared record of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    peer: SocketAddr,
    limits: Arc<ServerLimits>,
    state: Mutex<State>,
}

/// What the accept loop wants of a connection. Later variants win over earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Command {
    /// Carry on.
    Serve,
    /// Finish what is open, then close.
    Drain,
    /// Close now.
    Close,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the TLS handshake.
    Handshake,
    /// Speaking HTTP.
    Http,
    /// Answered and closed; what still comes is thrown away.
    Linger,
}

/// What the gate learns about a request besides its head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    /// Its head was seen to announce a chunked body and no length.
    pub(super) plainly_chunked: bool,
    /// It came during a drain, so its connection closes after it.
    pub(super) draining: bool,
}

/// How good a candidate a connection is for making room: the smaller, the better.
pub(super) type Idleness = (bool, Instant);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    scanner: HeadScanner,
    head_since: Option<Instant>,
    heads_taken: u64,
    open: u32,
    answered_any: bool,
    answers_with_client: u32,
    client_took_at: Instant,
    write_blocked_since: Option<Instant>,
    resets: u32,
    received_any: bool,
    unread_input: bool,
    command: Command,
    waker: Option<Waker>,
}

impl Activity {
    /// A connection accepted just now.
    pub(super) fn new(peer: SocketAddr, limits: Arc<ServerLimits>, phase: Phase) -> Self {
        let now = Instant::now();
        let state = State {
            phase,
            since: now,
            scanner: HeadScanner::new(),
            head_since: None,
            heads_taken: 0,
            open: 0,
            answered_any: false,
            answers_with_client: 0,
            client_took_at: now,
            write_blocked_since: None,
            resets: 0,
            received_any: false,
            unread_input: false,
            command: Command::Serve,
            waker: None,
        };
        Self { peer, limits, state: Mutex::new(state) }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection moved on; its clock starts anew.
    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
        state.write_blocked_since = None;
    }

    // The wire.

    /// Bytes of HTTP arrived.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.received_any = true;
        state.scanner.scan(bytes);
        if !state.scanner.head_open() {
            state.head_since = None;
        } else if state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// A write, flush or close went through, or has to wait for the client.
    pub(super) fn write_blocked(&self, blocked: bool) {
        let mut state = self.state();
        state.write_blocked_since =
            if blocked { state.write_blocked_since.or_else(|| Some(Instant::now())) } else { None };
    }

    // The gate and the bodies.

    /// hyper has a request for us.
    pub(super) fn request_opened(&self) -> Opened {
        let mut state = self.state();
        state.open += 1;
        state.heads_taken += 1;
        Opened {
            plainly_chunked: state.scanner.plainly_chunked(state.heads_taken),
            draining: state.command != Command::Serve,
        }
    }

    /// An answer is ready and is now for the client to take.
    pub(super) fn answer_ready(&self) {
        let mut state = self.state();
        state.answered_any = true;
        state.answers_with_client += 1;
        state.client_took_at = Instant::now();
    }

    /// The client asked for more of an answer; `waiting` if the handler has no more of it yet.
    pub(super) fn answer_polled(&self, was_with_client: bool, waiting: bool) {
        let mut state = self.state();
        match (was_with_client, waiting) {
            (true, true) => state.answers_with_client = state.answers_with_client.saturating_sub(1),
            (false, false) => state.answers_with_client += 1,
            _ => {}
        }
        state.client_took_at = Instant::now();
    }

    /// A request is over. `answered` is false if it was given up before its handler was done.
    pub(super) fn request_closed(&self, answered: bool, was_with_client: bool) {
        let now = Instant::now();
        let mut state = self.state();
        state.open = state.open.saturating_sub(1);
        if was_with_client {
            state.answers_with_client = state.answers_with_client.saturating_sub(1);
            state.client_took_at = now;
        }
        if state.open == 0 {
            state.since = now;
            state.head_since = state.head_since.map(|_before_we_could_read_it| now);
        }
        if answered {
            state.resets = state.resets.saturating_sub(1);
        } else if state.scanner.is_http2() {
            state.resets += 1;
            if state.resets > self.limits.max_stream_resets {
                state.order(Command::Close);
            }
        }
    }

    /// A request body was given up before its end, so the client may still be sending.
    pub(super) fn body_left_unread(&self) {
        self.state().unread_input = true;
    }

    /// The client may still be sending what nobody will read: the rest of a body, or what follows bytes that hyper gave
    /// up on (`failed`).
    pub(super) fn has_unread_input(&self, failed: bool) -> bool {
        let state = self.state();
        state.unread_input || (failed && state.received_any)
    }

    // The accept loop.

    /// Tells the connection's task what to do.
    pub(super) fn order(&self, command: Command) {
        self.state().order(command);
    }

    /// A request is open (its handler runs, or its answer is on the way).
    pub(super) fn is_busy(&self) -> bool {
        self.state().open > 0
    }

    /// How long nothing has been open: connections that never sent a request first, then the longest idle. `None` while
    /// a request is open.
    pub(super) fn idleness(&self) -> Option<Idleness> {
        let state = self.state();
        (state.open == 0 && state.command != Command::Close).then_some((state.answered_any, state.since))
    }

    // The connection's task.

    /// The command to follow now and the next deadline; the waker is called when the command changes.
    pub(super) fn watch(&self, waker: &Waker) -> (Command, Option<Instant>) {
        let mut state = self.state();
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        // hyper would drop a half-received head with the connection; it may still become a request that is answered.
        let head_first = state.command == Command::Drain && state.open == 0 && state.head_since.is_some();
        let command = if head_first { Command::Serve } else { state.command };
        (command, state.due(&self.limits))
    }

    /// The next deadline.
    pub(super) fn due(&self) -> Option<Instant> {
        self.state().due(&self.limits)
    }
}

impl State {
    fn order(&mut self, command: Command) {
        if command > self.command {
            self.command = command;
            if self.open == 0 && self.head_since.is_none() {
                self.since = Instant::now();
            }
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }

    fn due(&self, limits: &ServerLimits) -> Option<Instant> {
        let blocked = self.write_blocked_since.map(|since| after(since, limits.write_stall));
        let untaken = (self.answers_with_client > 0).then(|| after(self.client_took_at, limits.write_stall));
        let waiting = (self.open == 0).then(|| self.wait_due(limits));
        [blocked, untaken, waiting].into_iter().flatten().min()
    }

    fn wait_due(&self, limits: &ServerLimits) -> Instant {
        let idle =
            if self.command == Command::Serve { limits.keep_alive_idle } else { limits.keep_alive_idle.min(FAREWELL) };
        match (self.phase, self.head_since) {
            (Phase::Handshake, _) => after(self.since, limits.handshake_timeout),
            (Phase::Linger, _) => after(self.since, limits.linger),
            (Phase::Http, _) if self.scanner.is_http2() => after(self.since, idle),
            // The first head is timed from the accept, so that neither silence nor a late first byte gains time.
            (Phase::Http, _) if !self.answered_any => after(self.since, limits.header_timeout),
            (Phase::Http, Some(head_since)) => after(head_since, limits.header_timeout),
            (Phase::Http, None) => after(self.since, idle),
        }
    }
}
