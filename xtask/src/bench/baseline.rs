//! The server that ratios are relative to: axum, bare, giving the replies that `verifyd` gave.
//!
//! As `cargo xtask bench baseline` it is a process of its own, started by the bench. What it shares with `verifyd`: the version
//! and features of axum and hyper, tokio's multi-threaded runtime (one worker, because it sees one core), the two routes,
//! the size and the header fields of the replies. What it does not do: anything with the request but read its body.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use super::client::{Reply, read_reply};
use crate::Result;

/// The options of `cargo xtask bench baseline`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// File with the whole reply to a start
    #[arg(long)]
    start: PathBuf,
    /// File with the whole reply to a check
    #[arg(long)]
    check: PathBuf,
}

/// A reply that is given to everything.
struct Canned {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Canned {
    fn of(reply: Reply) -> Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in reply.headers {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(Self { status: StatusCode::from_u16(reply.status)?, headers, body: reply.body.into() })
    }
}

async fn answer(State(canned): State<Arc<Canned>>, _body: Bytes) -> Response {
    (canned.status, canned.headers.clone(), Body::from(canned.body.clone())).into_response()
}

/// Serves until it is killed.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let canned = |path| -> Result<_> { Ok(Arc::new(Canned::of(read_reply(&mut std::fs::read(path)?.as_slice())?)?)) };
    let app = Router::new()
        .route("/readyz", get(|| async { "ready\n" }))
        .route("/v1/verifications", post(answer).with_state(canned(&arguments.start)?))
        .route("/v1/verifications/{id}/check", post(answer).with_state(canned(&arguments.check)?));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "the baseline is ready on http://{}", listener.local_addr()?)?;
        out.flush()?;
        drop(out);
        // As verifyd does; a failure only delays.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, app).await?;
        Ok(())
    })
}
