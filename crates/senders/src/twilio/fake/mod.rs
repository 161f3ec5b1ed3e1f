//! A Twilio of our own on a local port: real wire format, real checks, magic numbers, and faults on demand.
//!
//! For the tests of this crate and of the server. It answers the create of a message and a few reads as Twilio does; whatever
//! arrives is recorded before anything else happens, so that tests can count what was sent, not what was answered.
//!
//! ```
//! use verifyd_senders::twilio::fake::{FakeTwilio, Fault};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let twilio = FakeTwilio::start().await?;
//! twilio.fault_next(Fault::Error { status: 400, code: 21614 });
//! assert!(twilio.base_url().starts_with("http://127.0.0.1:"));
//! assert_eq!(twilio.requests().len(), 0);
//! # Ok::<(), std::io::Error>(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod account;
mod faults;
mod http;
mod rules;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::BufStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

pub use faults::Fault;
use faults::Next;
pub use http::RecordedRequest;

use super::TwilioSettings;

/// The account that the fake knows, and its sender numbers besides the magic `+15005550006`.
#[derive(Clone, Debug)]
pub struct FakeAccount {
    /// `AC…`.
    pub account_sid: String,
    /// Its auth token.
    pub auth_token: String,
    /// `SK…`.
    pub api_key_sid: String,
    /// The API key's secret.
    pub api_key_secret: String,
    /// Numbers and short codes that may send.
    pub own_numbers: Vec<String>,
    /// Numbers of the account that can only call.
    pub voice_numbers: Vec<String>,
    /// `active`, `suspended` or `closed`.
    pub status: String,
    /// Whether it is a trial account.
    pub is_trial: bool,
}

impl Default for FakeAccount {
    fn default() -> Self {
        Self {
            account_sid: format!("AC{}", "0a".repeat(16)),
            auth_token: "fake5auth7token0fake5auth7token0".to_owned(),
            api_key_sid: format!("SK{}", "0b".repeat(16)),
            api_key_secret: "FakeApiKeySecretFakeApiKeySecret".to_owned(),
            own_numbers: Vec::new(),
            voice_numbers: Vec::new(),
            status: "active".to_owned(),
            is_trial: false,
        }
    }
}

/// A running fake; it ends with this value, and its connections with it.
#[derive(Debug)]
pub struct FakeTwilio {
    address: SocketAddr,
    state: Arc<State>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    account: FakeAccount,
    requests: Mutex<Vec<RecordedRequest>>,
    next: Mutex<VecDeque<Fault>>,
    by_recipient: Mutex<HashMap<String, Fault>>,
    connections: AtomicUsize,
    open_connections: AtomicUsize,
    connection_closed: Notify,
    body_bytes: AtomicUsize,
    silent: AtomicBool,
}

impl FakeTwilio {
    /// Starts on a free port of the loopback interface, with the default account.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(FakeAccount::default()).await
    }

    /// Starts with this account.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start_with(account: FakeAccount) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { account, ..State::default() });
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, acceptor })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value for `base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account it knows.
    #[must_use]
    pub fn account(&self) -> &FakeAccount {
        &self.state.account
    }

    /// Settings with which a sender works against it: auth token and the magic sender number.
    #[must_use]
    pub fn settings(&self) -> TwilioSettings {
        TwilioSettings {
            account_sid: self.state.account.account_sid.clone(),
            auth_token: Some(self.state.account.auth_token.clone().into()),
            from: Some("+15005550006".to_owned()),
            base_url: self.base_url(),
            ..TwilioSettings::default()
        }
    }

    /// Every request that arrived whole, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.state.requests).clone()
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many bytes of answers' bodies the faults wrote.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.state.body_bytes.load(Ordering::SeqCst)
    }

    /// The next request that no recipient's fault claims meets this one; several queue up.
    pub fn fault_next(&self, fault: Fault) {
        lock(&self.state.next).push_back(fault);
    }

    /// Every request for `to` meets this fault from now on.
    pub fn fault_for(&self, to: &str, fault: Fault) {
        lock(&self.state.by_recipient).insert(to.to_owned(), fault);
    }

    /// From now on connections are accepted and never read.
    pub fn fall_silent(&self) {
        self.state.silent.store(true, Ordering::SeqCst);
    }

    /// Waits until no connection is open.
    pub async fn all_connections_closed(&self) {
        loop {
            let closed = self.state.connection_closed.notified();
            if self.state.open_connections.load(Ordering::SeqCst) == 0 {
                return;
            }
            closed.await;
        }
    }
}

impl Drop for FakeTwilio {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connections' tasks live in this one, so that aborting it ends them.
async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                state.connections.fetch_add(1, Ordering::SeqCst);
                state.open_connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    if state.silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let mut stream = BufStream::new(stream);
    // A malformed request or a peer that is gone ends the connection; the tests see it in what was recorded.
    while let Ok(Next::Read) = exchange(&mut stream, &state).await {}
    drop(stream);
    state.open_connections.fetch_sub(1, Ordering::SeqCst);
    state.connection_closed.notify_waiters();
}

/// Reads, records and answers one request.
async fn exchange(stream: &mut BufStream<TcpStream>, state: &State) -> io::Result<Next> {
    let Some(request) = http::read_request(stream).await? else {
        return Ok(Next::Close);
    };
    let serial = {
        let mut requests = lock(&state.requests);
        requests.push(request.clone());
        requests.len()
    };
    let to = request.parameter("To").unwrap_or_default();
    let claimed = lock(&state.by_recipient).get(&to).cloned();
    let fault = claimed.or_else(|| lock(&state.next).pop_front());
    let answer = rules::answer(&state.account, &request, serial)
        .with_header("Twilio-Request-Id", format!("RQ{serial:032x}"))
        .with_header("Twilio-Concurrent-Requests", "1".to_owned());
    let next = match fault {
        Some(fault) => fault.perform(&request, answer, stream, &state.body_bytes).await?,
        None => faults::write_whole(&answer, stream).await?,
    };
    let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(if close { Next::Close } else { next })
}
