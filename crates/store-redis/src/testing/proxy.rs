//! A wire to a server that breaks on command.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// They arrive.
    Whole,
    /// Requests arrive, answers are thrown away.
    SwallowsAnswers,
    /// Answers arrive late by this.
    Slow(Duration),
    /// Nothing arrives, and nobody is told: the other side is gone without a word.
    Dead,
    /// Connections are closed, new ones at once.
    Cut,
}

/// A wire to a server on this machine; gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    wire: watch::Sender<Wire>,
    listener: AbortHandle,
}

impl Proxy {
    /// Lays a wire to `server_port`.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (wire, state) = watch::channel(Wire::Whole);
        let accepting = async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server_port, state.clone()));
            }
        };
        let listener = tokio::spawn(accepting).abort_handle();
        Self { port, wire, listener }
    }

    /// The URL through it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Changes what becomes of bytes from now on.
    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.wire.send_replace(Wire::Cut);
    }
}

async fn carry(client: TcpStream, server_port: u16, mut wire: watch::Receiver<Wire>) {
    let (requests, answers) = (wire.clone(), wire.clone());
    let both = async {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await.ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = pump(from_client, to_server, requests, false) => {}
            () = pump(from_server, to_client, answers, true) => {}
        }
        Some(())
    };
    tokio::select! {
        _ = both => {}
        _ = wire.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>, answers: bool) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let now = *wire.borrow_and_update();
        match now {
            Wire::SwallowsAnswers if answers => continue,
            Wire::Slow(delay) if answers => sleep(delay).await,
            // What a dead wire was given never arrives: this connection is lost for good.
            Wire::Dead => std::future::pending().await,
            _ => {}
        }
        let Some(read) = bytes.get(..count) else { return };
        if to.write_all(read).await.is_err() {
            return;
        }
    }
}
