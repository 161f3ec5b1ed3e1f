//! `verifyd serve` and `verifyd dev`: run until told to stop, then drain.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use verifyd_core::phone_number;

use super::exit::chain;
use super::{failed, print_notes, sources};
use crate::config::{Config, DEV_API_KEY, Flags, InboxReason, Sending, StoreKind};
use crate::http::listener::{self, ServerLimits, Tls};
use crate::http::{self, MockPages};
use crate::telemetry;
use crate::wiring::Server;

/// How much longer than a send's own deadline its record is waited for at the end.
const DRAIN_GRACE: Duration = Duration::from_secs(5);
/// How long the history may take over what is still to be written at the end.
const HISTORY_DRAIN: Duration = Duration::from_secs(5);

/// `verifyd serve`
pub(super) fn serve(flags: Flags) -> ExitCode {
    match sources(flags).and_then(|sources| Config::load(&sources)) {
        Ok((config, notes)) => {
            print_notes(&notes);
            start(config, false)
        }
        Err(errors) => failed(&errors),
    }
}

/// `verifyd dev`
pub(super) fn dev(flags: Flags) -> ExitCode {
    match sources(flags).and_then(|sources| Config::development(&sources)) {
        Ok((config, notes)) => {
            print_notes(&notes);
            start(config, true)
        }
        Err(errors) => failed(&errors),
    }
}

fn start(config: Config, development: bool) -> ExitCode {
    telemetry::init(&config.log);
    // Compiling the patterns of every country takes tens of milliseconds; nobody's first number should.
    let warm = std::thread::Builder::new().name("warm-up".to_owned()).spawn(phone_number::warm_up);
    if let Err(error) = warm {
        tracing::warn!(%error, "numbers are not warmed up");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(config, development)),
        Err(error) => failed(&error),
    }
}

/// What a server needs of its configuration once it is put together.
struct Frame {
    listen: SocketAddr,
    metrics_listen: Option<SocketAddr>,
    tls: Option<Tls>,
    limits: ServerLimits,
    send_deadline: Duration,
    development: bool,
    /// Whether what is stored outlives the process, in words.
    kept: &'static str,
    loudly: bool,
    public_host: Option<String>,
}

impl Frame {
    fn of(config: &Config, development: bool) -> Result<Self, String> {
        let tls = match &config.tls {
            Some(files) => Some(Tls::load(&files.cert_file, &files.key_file).map_err(|error| chain(&error))?),
            None => None,
        };
        Ok(Self {
            listen: config.listen,
            metrics_listen: config.metrics_listen,
            tls,
            limits: config.server.clone(),
            send_deadline: config.send_deadline,
            development,
            kept: match config.store.kind {
                StoreKind::Memory => "and gone when it stops",
                StoreKind::Embedded | StoreKind::Redis => "and kept over restarts",
            },
            loudly: matches!(config.sending, Sending::Inbox(InboxReason::NoCredentials)),
            public_host: config.public_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned),
        })
    }
}

async fn run(config: Config, development: bool) -> ExitCode {
    let frame = match Frame::of(&config, development) {
        Ok(frame) => frame,
        Err(error) => return failed(&error),
    };
    let shutdown = CancellationToken::new();
    let server = match Server::assemble(config, shutdown.clone()).await {
        Ok(server) => server,
        Err(error) => return failed(&chain(&error)),
    };
    let listener = match listener::bind(frame.listen) {
        Ok(listener) => listener,
        Err(error) => return failed(&chain(&error)),
    };
    let address = listener.local_addr().unwrap_or(frame.listen);
    let metrics_listener = match frame.metrics_listen.map(listener::bind).transpose() {
        Ok(listener) => listener,
        Err(error) => return failed(&chain(&error)),
    };
    stop_on_signals(shutdown.clone());
    stop_on_fatal(&server);
    server.start_chores();
    announce(&frame, address);
    serve_until_stopped(frame, server, listener, metrics_listener, shutdown).await
}

async fn serve_until_stopped(
    frame: Frame,
    server: Server,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    shutdown: CancellationToken,
) -> ExitCode {
    let pages = server.mock.clone().map(|mock| MockPages {
        mock,
        hosts: frame.public_host.into_iter().collect(),
        tls: frame.tls.is_some(),
        example_key: if frame.development { DEV_API_KEY } else { "$VERIFYD_API_KEY" }.to_owned(),
    });
    let router = http::router(&server.app, pages);
    if let Some(listener) = metrics_listener {
        let router = http::metrics_router(Arc::clone(&server.app));
        tokio::spawn(listener::serve(listener, None, router, frame.limits.clone(), shutdown.clone()));
    }
    let summary = listener::serve(listener, frame.tls, router, frame.limits, shutdown).await;
    // What was admitted runs to its recorded end, whether or not its client was cut off.
    let drained = tokio::time::timeout(frame.send_deadline + DRAIN_GRACE, server.app.verifier.drain()).await;
    let history = server.recorder.drain(HISTORY_DRAIN).await;
    server.backend.close().await;
    let sends_left = if drained.is_err() { server.app.verifier.in_flight() } else { 0 };
    tracing::info!(
        drained = summary.drained,
        cut_off = summary.cut_off,
        sends_left,
        history_left = history.queued,
        "stopped"
    );
    ExitCode::SUCCESS
}

/// Catches signals from its return on: whoever has read that the server is ready may stop it at once.
fn stop_on_signals(shutdown: CancellationToken) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be caught; stop the process by force");
        return;
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::info!("stopping: no new connections, open requests finish");
        shutdown.cancel();
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        // A second signal means now. What was acknowledged is on disk already.
        telemetry::exit(130);
    });
}

/// A failed sync leaves no way to know what is on disk: the process ends, and its next start reads what is there.
fn stop_on_fatal(server: &Server) {
    let backend = Arc::clone(&server.backend);
    tokio::spawn(async move {
        let reason = backend.fatal().await;
        tracing::error!(%reason, "the store failed for good; stopping");
        telemetry::exit(74);
    });
}

fn announce(frame: &Frame, address: SocketAddr) {
    let scheme = if frame.tls.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{address}");
    let mut text = format!("verifyd is ready on {base}\n");
    if frame.loudly {
        text.push_str("MOCK MODE: no provider credentials were given, so NO message reaches a phone.\n");
    }
    if frame.development {
        text.push_str(&development_help(&base, frame.kept));
    }
    let mut out = io::stdout().lock();
    // A closed standard output is no reason not to serve.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn development_help(base: &str, kept: &str) -> String {
    format!(
        "
Messages land in the inbox ({base}/inbox); everything is stored {kept}. Try it:

  curl -s {base}/v1/verifications -H 'Authorization: Bearer {DEV_API_KEY}' \\
    -H 'Content-Type: application/json' -d '{{\"to\": \"+14155552671\"}}'

then check the code it shows:

  curl -s {base}/v1/verifications/check -H 'Authorization: Bearer {DEV_API_KEY}' \\
    -H 'Content-Type: application/json' -d '{{\"to\": \"+14155552671\", \"code\": \"THE CODE\"}}'

or, without curl:

  verifyd start --url {base} +14155552672
  verifyd check --url {base} +14155552672

Stop with Ctrl-C.
"
    )
}
