//! A provider that takes messages at once, but those to some numbers never: it reads the request and keeps silent.
//!
//! As `cargo xtask bench provider` it is a process of its own, so that its connections have file descriptors of their own.
//! It knows as much of HTTP/1.1 as verifyd's sender speaks.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Result;

/// Numbers that begin so hang. In the form body the plus is escaped.
pub(super) const HANGING_PREFIX: &str = "+1206";
const HANGING: &[u8] = b"To=%2B1206";
const BACKLOG: u32 = 4096;
/// More than any request of the bench.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// Serves until it is killed.
pub(super) fn run() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("127.0.0.1:0".parse()?)?;
        let listener = socket.listen(BACKLOG)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "the provider is ready on http://{}", listener.local_addr()?)?;
        out.flush()?;
        drop(out);
        let silent = Arc::new(AtomicUsize::new(0));
        loop {
            let (stream, _) = listener.accept().await?;
            let silent = Arc::clone(&silent);
            // A connection that breaks concerns nobody else.
            tokio::spawn(async move { drop(answer(stream, &silent).await) });
        }
    })
}

async fn answer(mut stream: TcpStream, silent: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(1024);
    while stream.read_buf(&mut request).await? > 0 && request.len() <= MAX_REQUEST_BYTES {
        if !is_whole(&request) {
            continue;
        }
        if request.windows(HANGING.len()).any(|window| window == HANGING) {
            silent.fetch_add(1, Ordering::Relaxed);
            // Until the other side gives up.
            let ended = stream.read(&mut [0]).await;
            silent.fetch_sub(1, Ordering::Relaxed);
            return ended.map(drop);
        }
        let body = if request.starts_with(b"GET /silent") {
            silent.load(Ordering::Relaxed).to_string()
        } else {
            TAKEN.to_owned()
        };
        request.clear();
        stream.write_all(reply(&body).as_bytes()).await?;
    }
    Ok(())
}

/// Whether head and body are there.
fn is_whole(request: &[u8]) -> bool {
    let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(request.get(..head).unwrap_or_default()).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
    request.len() >= head + 4 + length
}

/// As Twilio takes a message; with 200 in place of its 201, so that it answers the question for readiness, too.
const TAKEN: &str =
    r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"queued","num_segments":"1","error_code":null}"#;

fn reply(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        let wire = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b";
        for cut in 0..wire.len() {
            assert!(!is_whole(&wire[..cut]), "{cut}");
        }
        assert!(is_whole(wire) && is_whole(b"GET / HTTP/1.1\r\n\r\n"));
    }
}
