//! Request heads: slow ones, large ones, odd ones, and the pauses between them.

use std::time::{Duration, Instant};

use super::*;

fn quick_heads() -> ServerLimits {
    ServerLimits { header_timeout: Duration::from_millis(300), ..ServerLimits::default() }
}

#[tokio::test]
async fn a_request_knows_its_peer_and_a_connection_serves_many() {
    let server = Server::start(ServerLimits::default());
    let mut client = server.connect().await;
    let own = client.0.local_addr().unwrap().to_string();
    for _ in 0..3 {
        client.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = client.answer().await;
        assert!(answer.ends_with(&own), "{answer}");
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answers = client.rest().await;
    assert!(answers.contains("hello") && answers.ends_with(&own), "{answers}");
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let server = Server::start(quick_heads());
    for start in ["", "G", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", "\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let began = Instant::now();
        assert_eq!(server.exchange(start).await, "", "{start:?}");
        assert!(began.elapsed() >= Duration::from_millis(295), "{start:?} closed after {:?}", began.elapsed());
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn a_head_that_drips_is_timed_as_a_whole() {
    let server = Server::start(quick_heads());
    let mut client = server.connect().await;
    let drip = async {
        loop {
            if client.0.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(drip).await;
    server.assert_alive().await;
}

#[tokio::test]
async fn between_requests_only_the_idle_limit_counts() {
    let server = Server::start(quick_heads());
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(client.answer().await.ends_with("hello"));
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    // The second head's time runs from its own first byte.
    let began = Instant::now();
    client.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(client.rest().await, "");
    assert!(began.elapsed() >= Duration::from_millis(295));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let limits = ServerLimits { keep_alive_idle: Duration::from_millis(300), ..ServerLimits::default() };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.answer().await;
    let began = Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_handler_takes_the_time_it_needs() {
    let limits = ServerLimits {
        header_timeout: Duration::from_millis(100),
        keep_alive_idle: Duration::from_millis(100),
        write_stall: Duration::from_millis(100),
        body_timeout: Duration::from_millis(100),
        ..ServerLimits::default()
    };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET").await;
    server.begun(1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    server.shared.gate.add_permits(1);
    let answer = client.rest().await;
    assert!(answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_let_go() {
    let limits = ServerLimits { write_stall: Duration::from_millis(300), ..ServerLimits::default() };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let taken = client.rest().await.len();
    assert!(taken < 32 * 1024 * 1024, "all {taken} bytes came");

    // One that reads gets it all.
    let answer = server.exchange("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.len() > 32 * 1024 * 1024);
}

fn target_of(bytes: usize) -> String {
    format!("GET /?{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "q".repeat(bytes - 2))
}

#[tokio::test]
async fn a_target_beyond_its_limit_is_414() {
    let server = Server::start(ServerLimits::default());
    for (bytes, status) in [(8191, 200), (8192, 200), (8193, 414), (16_000, 414), (20_000, 414), (40_000, 431)] {
        let answer = server.exchange(target_of(bytes)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}: {answer}");
    }
    let answer = server.exchange(target_of(8193)).await;
    assert!(answer.contains("content-type: application/problem+json"), "{answer}");
    assert!(
        answer.ends_with(r#""title":"The request target is too long","status":414,"code":"invalid_request"}"#),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_beyond_its_limit_is_431() {
    let server = Server::start(ServerLimits { max_head_bytes: 4096, ..ServerLimits::default() });
    let head = |bytes: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Fill: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Fill: {}\r\n\r\n", "f".repeat(bytes - rest))
    };
    for (bytes, status) in [(4095, 200), (4096, 200), (4097, 431), (20_000, 431), (500_000, 431)] {
        let answer = server.exchange(head(bytes)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}: {answer}");
    }
}

#[tokio::test]
async fn too_many_fields_are_431() {
    for (limit, tries) in
        [(100, [(100, 200), (101, 431)]), (20, [(20, 200), (21, 431)]), (150, [(150, 200), (151, 431)])]
    {
        let server = Server::start(ServerLimits { max_headers: limit, ..ServerLimits::default() });
        for (fields, status) in tries {
            let fill = "X: y\r\n".repeat(fields - 2);
            let answer = server.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fill}\r\n")).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields} of {limit}: {answer}");
        }
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_harms_nobody() {
    let server = Server::start(quick_heads());
    let nul_and_high: Vec<u8> = (0..=255).collect();
    let corpus: [&[u8]; 17] = [
        b"\0\0\0\0\r\n\r\n",
        &nul_and_high,
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\x7f\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame at all, is it?",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET http:/// HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ];
    for bytes in corpus {
        let answer = server.exchange(bytes).await;
        assert!(!answer.contains(" 200 ") && !answer.contains(" 500 "), "{}: {answer}", bytes.escape_ascii());
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn http_1_1_needs_exactly_one_host() {
    let server = Server::start(ServerLimits::default());
    for (head, status) in [
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 200),
    ] {
        let answer = server.exchange(head).await;
        assert!(answer.split(' ').nth(1) == Some(&status.to_string()), "{head:?}: {answer}");
    }
}
