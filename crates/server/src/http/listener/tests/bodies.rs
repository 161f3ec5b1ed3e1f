//! Request bodies: too large, too slow, broken off, not wanted.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::*;

fn post(path: &str, rest: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{rest}")
}

fn chunked(body: &str, chunk_bytes: usize) -> String {
    let mut text = String::from("Transfer-Encoding: chunked\r\n\r\n");
    for chunk in body.as_bytes().chunks(chunk_bytes) {
        write!(text, "{:x}\r\n{}\r\n", chunk.len(), str::from_utf8(chunk).unwrap()).unwrap();
    }
    text + "0\r\n\r\n"
}

#[tokio::test]
async fn the_size_limit_is_exact_in_both_framings() {
    let server = Server::start(ServerLimits::default());
    let limit = 16 * 1024;
    for (bytes, status) in [(0, 200), (limit - 1, 200), (limit, 200), (limit + 1, 413), (40 * limit, 413)] {
        let body = "b".repeat(bytes);
        for framed in [format!("Content-Length: {bytes}\r\n\r\n{body}"), chunked(&body, 1000)] {
            let answer = server.exchange(post("/echo", &framed)).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}: {answer}");
            if status == 200 {
                assert!(answer.ends_with(&format!("{bytes} bytes")), "{answer}");
            }
        }
    }
}

/// The listener's limit holds for handlers that read by other means, and [`BodyError`] is still what they find.
#[tokio::test]
async fn the_limit_holds_whoever_reads() {
    let server = Server::start(ServerLimits { max_body_bytes: 10, ..ServerLimits::default() });
    let router = Router::new().route("/", axum::routing::post(|body: axum::body::Bytes| async move { body }));
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ServerLimits { max_body_bytes: 10, ..ServerLimits::default() };
    tokio::spawn(serve(listener, None, router, limits, server.shutdown.clone()));
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    client.send(post("/", "Content-Length: 11\r\n\r\nhello world")).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("larger than 10 bytes"), "{answer}");
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_is_sent() {
    let server = Server::start(ServerLimits::default());
    let answer = server.exchange(post("/echo", "Content-Length: 16385\r\nExpect: 100-continue\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let mut client = server.connect().await;
    client.send(post("/echo", "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")).await;
    assert!(client.answer().await.starts_with("HTTP/1.1 100 Continue"));
    client.send("hello").await;
    assert!(client.rest().await.ends_with("5 bytes"));
}

#[tokio::test]
async fn a_body_that_drips_is_408_and_timed_as_a_whole() {
    let (body_timeout, linger) = (Duration::from_millis(400), Duration::from_millis(100));
    let limits = ServerLimits { body_timeout, linger, ..ServerLimits::default() };
    for framing in ["Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
        let mut server = Server::start(limits.clone());
        let began = Instant::now();
        let (mut read, mut write) = server.connect().await.0.into_split();
        write.write_all(post("/echo", framing).as_bytes()).await.unwrap();
        let drip = tokio::spawn(async move {
            while write.write_all(if framing.starts_with('C') { b"x" } else { b"1\r\nx\r\n" }).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        let mut answer = String::new();
        let end = within(read.read_to_string(&mut answer)).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{end:?} {answer}");
        assert!(began.elapsed() >= Duration::from_millis(390));
        assert_eq!(within(server.body_errors.recv()).await, Some(BodyError::TimedOut));
        drop(read);
        within(drip).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_aborted() {
    let mut server = Server::start(ServerLimits::default());
    for rest in [
        "Content-Length: 10\r\n\r\nhal",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "Transfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloNO\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(post("/echo", rest)).await;
        server.begun(1).await;
        drop(client);
        assert_eq!(within(server.body_errors.recv()).await, Some(BodyError::Aborted), "{rest:?}");
    }
    server.assert_alive().await;
}

/// Without the lingering close the kernel's reset destroys the answer while the client is still sending.
#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = Server::start(ServerLimits::default());
    for (path, status) in [("/echo", 413), ("/ignore", 200)] {
        let mut client = server.connect().await;
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..90 {
            within(client.0.write_all(&[b'x'; 10_000])).await.expect("the server listens to the end");
        }
        let answer = client.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

/// Or else it would send its next request into the end of the connection.
#[tokio::test]
async fn a_client_whose_body_was_left_unread_is_told_that_the_connection_ends() {
    let server = Server::start(ServerLimits::default());
    for (bytes, told) in [(0, false), (100, false), (16_000, true)] {
        let mut client = server.connect().await;
        let head = format!("POST /nothing-here HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
        client.send(format!("{head}{}", "b".repeat(bytes))).await;
        let answer = client.answer().await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 404 ") || answer.starts_with("http/1.1 405 "), "{answer}");
        assert_eq!(answer.contains("connection: close"), told, "{bytes}: {answer}");
    }
}

#[tokio::test]
async fn lingering_has_an_end() {
    let limits = ServerLimits { linger: Duration::from_millis(300), max_connections: 1, ..ServerLimits::default() };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nx").await;
    let began = Instant::now();
    let sending = async {
        while client.0.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(sending).await;
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    server.assert_alive().await;
}
