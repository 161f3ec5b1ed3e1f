//! Bytes that are no requests, requests that never end, bodies without bound: the server stays up and serves others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::api::Api;
use crate::program::{API_KEY, PATIENCE, Program, Running};

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the server closes; a reset is an end, too. A server that leaves the connection open fails the test.
fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the connection stays open")
            }
            Err(_reset) => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes as much as the server takes.
fn pour(stream: &mut TcpStream, piece: &[u8], times: usize) {
    for _ in 0..times {
        if stream.write_all(piece).is_err() {
            return;
        }
    }
}

fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_ends_its_own_connection_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path())
        .with("VERIFYD_SERVER__HEADER_TIMEOUT", "1s")
        .with("VERIFYD_SERVER__BODY_TIMEOUT", "1s")
        .start();
    let api = Api::of(&server);

    // Slow heads and slow bodies: all at once, while others are served.
    let mut slow: Vec<TcpStream> = (0..50).map(|_| connect(&server)).collect();
    for (index, stream) in slow.iter_mut().enumerate() {
        let head = "POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        let rest = if index % 2 == 0 {
            String::new()
        } else {
            format!("Authorization: Bearer {API_KEY}\r\nContent-Length: 40\r\n\r\n{{")
        };
        stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
    }
    api.start("+14155550190").await.expect(201);
    for stream in slow {
        let answer = read_to_end(stream);
        assert!(answer.is_empty() || status(&answer).is_some_and(|status| (400..=408).contains(&status)), "{answer}");
    }

    let garbage: &[&[u8]] = &[
        b"\x00\x01\x02\x03\xff\xfe\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello to a plain port",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /\x7f\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\r\n\r\n\r\n\r\nnothing\r\n\r\n",
    ];
    for bytes in garbage {
        let mut stream = connect(&server);
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = read_to_end(stream);
        assert!(status(&answer).is_none_or(|status| status >= 400), "{answer}");
    }
    assert_eq!(api.get("/healthz").await.status, 200);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_are_refused_however_they_come() {
    const MEGABYTE: usize = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let server = Program::serve(dir.path()).start();
    let start = format!(
        "POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer {API_KEY}\r\n"
    );
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; MEGABYTE], b"\r\n"].concat();
    let cases: [(String, Vec<u8>, u16); 4] = [
        (format!("{start}Content-Length: {}\r\n\r\n", 10 * MEGABYTE), vec![b' '; MEGABYTE], 413),
        (format!("{start}Transfer-Encoding: chunked\r\n\r\n"), chunk, 413),
        (start.replace("Host: localhost", "Host: localhost\r\nX-Large: "), vec![b'x'; MEGABYTE], 431),
        ("GET /".to_owned(), vec![b'x'; MEGABYTE], 431),
    ];
    for (head, piece, expected) in cases {
        let mut stream = connect(&server);
        stream.write_all(head.as_bytes()).unwrap();
        pour(&mut stream, &piece, 10);
        let answer = read_to_end(stream);
        // A reset can overtake the answer once far more was sent than is read; what does come must be the refusal.
        assert!(status(&answer).is_none_or(|status| status == expected), "{expected}: {answer}");
    }
    let api = Api::of(&server);
    api.start("+14155550191").await.expect(201);
    let large = serde_json::json!({ "to": "+14155550192", "nonce": "x".repeat(17_000) });
    api.post("/v1/verifications", large).await.problem(413, "payload_too_large");
    tokio::time::timeout(Duration::from_secs(60), api.get("/healthz")).await.unwrap();
    server.stop();
}
