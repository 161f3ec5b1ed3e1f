//! The listener over real sockets: a small router, a raw client, limits shrunk until they show.
//!
//! Deadlines under test are tens of milliseconds to a second; a test gives up after [`PATIENCE`]. Nothing asserts
//! that something is fast, only that it happens, and that it does not happen before its time.

mod bodies;
mod connections;
mod draining;
mod framing;
mod heads;
mod http2;
mod over_tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{BodyError, DrainSummary, PeerAddr, ServerLimits, Tls, bind, read_body, serve};

/// When a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the handlers share with the test.
#[derive(Clone)]
struct Shared {
    /// `/wait` answers once per permit.
    gate: Arc<Semaphore>,
    /// Handlers that have begun.
    begun: Arc<Semaphore>,
    /// Handlers given up before their end.
    dropped: Arc<AtomicUsize>,
    /// Work spawned by `/spawn` that ran to its end.
    spawned_done: Arc<Semaphore>,
    /// What `/echo` found wrong with bodies.
    body_errors: mpsc::UnboundedSender<BodyError>,
}

struct Server {
    address: SocketAddr,
    shared: Shared,
    body_errors: mpsc::UnboundedReceiver<BodyError>,
    shutdown: CancellationToken,
    done: JoinHandle<DrainSummary>,
}

impl Server {
    fn start(limits: ServerLimits) -> Self {
        Self::start_with(limits, None)
    }

    fn start_with(limits: ServerLimits, tls: Option<Tls>) -> Self {
        let (sender, body_errors) = mpsc::unbounded_channel();
        let shared = Shared {
            gate: Arc::new(Semaphore::new(0)),
            begun: Arc::new(Semaphore::new(0)),
            dropped: Arc::default(),
            spawned_done: Arc::new(Semaphore::new(0)),
            body_errors: sender,
        };
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let done =
            tokio::spawn(serve(listener, tls, router(shared.clone(), limits.max_body_bytes), limits, shutdown.clone()));
        Self { address, shared, body_errors, shutdown, done }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends the bytes on a connection of their own and reads until the server closes.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    /// The server still answers somebody who behaves.
    async fn assert_alive(&self) {
        let answer = self.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
    }

    async fn begun(&self, handlers: u32) {
        within(self.shared.begun.acquire_many(handlers)).await.unwrap().forget();
    }

    async fn stop(self) -> DrainSummary {
        self.shutdown.cancel();
        within(self.done).await.unwrap()
    }
}

struct Client(TcpStream);

impl Client {
    /// Sends; a connection closed by the server meanwhile is no failure.
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = within(self.0.write_all(bytes.as_ref())).await {
            assert!(is_hang_up(&error), "{error}");
        }
    }

    /// Reads one answer with a Content-Length.
    async fn answer(&mut self) -> String {
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let lower = head.to_ascii_lowercase();
                let length =
                    lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if body.len() >= length.unwrap_or(0) {
                    return text;
                }
            }
            let mut chunk = [0; 4096];
            let count = within(self.0.read(&mut chunk)).await.unwrap();
            assert!(count > 0, "closed in the middle of an answer: {text:?}");
            read.extend_from_slice(&chunk[..count]);
        }
    }

    /// Reads until the server closes.
    async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        if let Err(error) = within(self.0.read_to_end(&mut read)).await {
            assert!(is_hang_up(&error), "{error}");
        }
        String::from_utf8_lossy(&read).into_owned()
    }
}

fn is_hang_up(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("this should have happened by now")
}

/// Counts a handler that is dropped before it is done.
struct DropNote(Option<Arc<AtomicUsize>>);

impl DropNote {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for DropNote {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn router(shared: Shared, max_body_bytes: usize) -> Router {
    let echo = move |State(shared): State<Shared>, body: Body| async move {
        shared.begun.add_permits(1);
        match read_body(body, max_body_bytes).await {
            Ok(bytes) => (StatusCode::OK, format!("{} bytes", bytes.len())),
            Err(error) => {
                shared.body_errors.send(error).unwrap();
                (error.status(), error.to_string())
            }
        }
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(|Extension(PeerAddr(peer)): Extension<PeerAddr>| async move { peer.to_string() }))
        .route("/echo", post(echo))
        .route("/ignore", post(|| async { "not read" }))
        .route("/large", get(|| async { vec![b'x'; 32 * 1024 * 1024] }))
        .route("/panic", get(|| async { std::hint::black_box(None::<&'static str>).expect("a handler's mistake") }))
        .route("/wait", get(wait))
        .route("/spawn", get(spawn))
        .with_state(shared)
}

/// Answers when the test lets it.
async fn wait(State(shared): State<Shared>) -> &'static str {
    let note = DropNote(Some(Arc::clone(&shared.dropped)));
    shared.begun.add_permits(1);
    shared.gate.acquire().await.unwrap().forget();
    note.done();
    "done"
}

/// Spawns work that ends when the test lets it, and waits for it.
async fn spawn(State(shared): State<Shared>) -> &'static str {
    let note = DropNote(Some(Arc::clone(&shared.dropped)));
    shared.begun.add_permits(1);
    let work = tokio::spawn(async move {
        shared.gate.acquire().await.unwrap().forget();
        shared.spawned_done.add_permits(1);
    });
    work.await.unwrap();
    note.done();
    "done"
}
