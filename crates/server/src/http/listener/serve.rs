//! The accept loop: takes connections in, within the limit, until it is told to stop; then drains.
//!
//! Nothing in the loop waits for a client, and no error of `accept` ends it: running out of file descriptors makes
//! idle connections give way and the loop back off.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::connection::Protocol;
use super::drain::{DrainSummary, drain};
use super::limits::ServerLimits;
use super::registry::Registry;
use super::tls::Tls;

/// Connections the kernel completes for us while we are busy. The system caps it (`net.core.somaxconn`, often 4096).
const BACKLOG: u32 = 4096;

/// The pauses after failed accepts: the first, doubled up to the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long connections that the kernel had already completed are still taken in at the end.
const LAST_CALL: Duration = Duration::from_millis(20);

/// How often a full listener looks for connections that have fallen idle since.
const FULL_CHECK: Duration = Duration::from_millis(100);

/// The address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// Opens a listener. Port 0 picks a free port; `local_addr()` of the listener tells which.
///
/// `SO_REUSEADDR` is set, so that a restart does not wait for old connections to fade.
///
/// # Errors
/// [`BindError`] if the address is taken, not this machine's, or not permitted.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source| BindError { address, source })
}

/// Serves `app` on `listener` until `shutdown` is cancelled, then drains, and returns how that went.
///
/// HTTP/1.1 and HTTP/2 are told apart by their first bytes (and by ALPN under TLS). Requests carry the connection's
/// address as a [`PeerAddr`](super::PeerAddr) extension. A readiness endpoint should answer "no" as soon as `shutdown`
/// is cancelled: that is before accepting ends, by [`ServerLimits::lame_duck`].
///
/// The future must be polled to its end; dropping it stops accepting but leaves open connections to themselves.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    app: Router,
    limits: ServerLimits,
    shutdown: CancellationToken,
) -> DrainSummary {
    if let Some(tls) = &tls {
        tokio::spawn(tls.clone().follow_files(limits.certificate_check, shutdown.clone()));
    }
    // A semaphore counts to usize::MAX >> 3, acquire_many to u32::MAX.
    let capacity = u32::try_from(limits.max_connections).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
    let mut door = Door {
        protocol: Protocol::new(app.with_state(()), tls, &limits),
        registry: Arc::default(),
        places: Arc::new(Semaphore::new(usize::try_from(capacity).unwrap_or(1))),
        limits: Arc::new(limits),
        pause: BACK_OFF.0,
    };
    let lame_duck = door.limits.lame_duck;
    {
        let stop = async {
            shutdown.cancelled().await;
            tokio::time::sleep(lame_duck).await;
        };
        tokio::select! {
            biased;
            () = stop => {}
            never = door.take_in(&listener) => match never {},
        }
    }
    door.take_in_waiting(&listener).await;
    drop(listener);
    drain(&door.registry, &door.places, capacity, &door.limits).await
}

/// Takes connections in and gives each a place and a task.
struct Door {
    protocol: Protocol,
    registry: Arc<Registry>,
    places: Arc<Semaphore>,
    limits: Arc<ServerLimits>,
    pause: Duration,
}

impl Door {
    async fn take_in(&mut self, listener: &TcpListener) -> std::convert::Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = BACK_OFF.0;
                    let permit = self.place().await;
                    self.admit(stream, peer, permit);
                }
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => self.back_off(&error).await,
            }
        }
    }

    /// Takes in what had connected before the listener closes, as far as there are places: these clients were told
    /// by the kernel that somebody listens.
    async fn take_in_waiting(&self, listener: &TcpListener) {
        let waiting = async {
            while let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                let Ok((stream, peer)) = listener.accept().await else { return };
                self.admit(stream, peer, permit);
            }
        };
        if tokio::time::timeout(LAST_CALL, waiting).await.is_ok() {
            tracing::debug!("the listener closes with connections waiting");
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        // Answers are small and written whole; waiting for more to send only adds delay (Nagle).
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "TCP_NODELAY was refused");
        }
        let activity = Arc::new(Activity::new(peer, Arc::clone(&self.limits), self.protocol.first_phase()));
        let place = self.registry.enter(Arc::clone(&activity), permit);
        let run: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(self.protocol.clone().run(stream, activity));
        tokio::spawn(async move {
            run.await;
            drop(place);
        });
    }

    /// A place for one more connection, made if need be.
    async fn place(&self) -> OwnedSemaphorePermit {
        let mut told = false;
        loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                return permit;
            }
            let closed = self.registry.make_room();
            if !told {
                told = true;
                tracing::debug!(closed, limit = self.limits.max_connections, "all connections are taken");
            }
            let freed = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(permit)) = tokio::time::timeout(FULL_CHECK, freed).await {
                return permit;
            }
        }
    }

    /// No descriptor or memory for another connection: idle ones give way, and the loop must not spin.
    async fn back_off(&mut self, error: &io::Error) {
        let closed = self.registry.make_room();
        if self.pause == BACK_OFF.0 {
            tracing::warn!(%error, closed, "cannot accept connections; is the limit of open files too low?");
        }
        tokio::time::sleep(self.pause).await;
        self.pause = self.pause.saturating_mul(2).min(BACK_OFF.1);
    }
}

/// An error of `accept` that says nothing about the listener (accept(2): treat these like "try again").
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::PermissionDenied
            | Kind::TimedOut
    )
}
