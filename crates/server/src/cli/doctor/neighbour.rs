//! Who listens at the server's address: nobody, this server already, or another program.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use super::Report;
use crate::cli::client::server::reach;
use crate::config::Config;

const CHECK: &str = "port";
/// A server on this machine answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of an answer that is read: a problem document has some hundred bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Neighbour {
    /// Nobody, or nobody can be asked.
    Nobody,
    /// A verifyd server that is ready.
    Ready,
    /// A verifyd server that is not, with its reason.
    NotReady(String),
    /// Somebody else.
    Other,
}

/// Tries to listen where the server will, and asks whoever is there already.
pub(super) async fn find(report: &mut Report, config: &Config) -> Neighbour {
    let listen = config.listen;
    let error = match TcpListener::bind(listen) {
        Ok(_free) => {
            report.fine(CHECK, format_args!("{listen} is free"));
            return Neighbour::Nobody;
        }
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => {}
        io::ErrorKind::AddrNotAvailable => {
            report.problem(CHECK, format_args!("this machine has no address {}", listen.ip()), "mend `listen`");
            return Neighbour::Nobody;
        }
        io::ErrorKind::PermissionDenied => {
            let remedy = "take a port of 1024 and above, or give the service the capability CAP_NET_BIND_SERVICE";
            report.problem(CHECK, format_args!("port {} needs a privilege", listen.port()), remedy);
            return Neighbour::Nobody;
        }
        _ => {
            report.problem(CHECK, format_args!("{listen} cannot be listened on: {error}"), "mend `listen`");
            return Neighbour::Nobody;
        }
    }
    let found = ask(config).await;
    match &found {
        Neighbour::Ready => report.fine(CHECK, format_args!("a verifyd server answers on {listen} and is ready")),
        Neighbour::NotReady(reason) => {
            let remedy = "see the lines below and the log of the server";
            report.problem(
                CHECK,
                format_args!("a verifyd server answers on {listen} and is not ready: {reason}"),
                remedy,
            );
        }
        Neighbour::Nobody | Neighbour::Other => {
            let remedy = "stop the other program, or take another port: `listen`; `ss -ltnp` says which it is";
            report.problem(CHECK, format_args!("another program listens on {listen}"), remedy);
        }
    }
    found
}

/// What `/readyz` says. No secret is sent, so no certificate is looked at: it is for the public name, not for this address.
async fn ask(config: &Config) -> Neighbour {
    let Some(url) = reach(config.listen, config.tls.is_some()).and_then(|url| url.join("readyz").ok()) else {
        return Neighbour::Other;
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(true)
        .timeout(PATIENCE);
    let Ok(client) = client.build() else { return Neighbour::Other };
    let Ok(mut answer) = client.get(url).send().await else { return Neighbour::Other };
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Neighbour::Other;
        }
    }
    judge(status, &body)
}

fn judge(status: u16, body: &[u8]) -> Neighbour {
    match (status, body) {
        (200, b"ready\n") => Neighbour::Ready,
        (503, b"draining\n") => Neighbour::NotReady("it is stopping".to_owned()),
        (503, body) => {
            let problem: Value = serde_json::from_slice(body).unwrap_or_default();
            let word = |field: &str| problem.get(field).and_then(Value::as_str).map(str::to_owned);
            word("code").map_or(Neighbour::Other, |code| Neighbour::NotReady(word("reason").unwrap_or(code)))
        }
        _ => Neighbour::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let not_ready = |reason: &str| Neighbour::NotReady(reason.to_owned());
        assert_eq!(judge(200, b"ready\n"), Neighbour::Ready);
        assert_eq!(judge(200, b"<html>"), Neighbour::Other);
        assert_eq!(judge(503, b"draining\n"), not_ready("it is stopping"));
        assert_eq!(
            judge(503, br#"{"code":"store_unavailable","reason":"clock_went_back"}"#),
            not_ready("clock_went_back")
        );
        assert_eq!(judge(503, b"Service Unavailable"), Neighbour::Other);
    }
}
