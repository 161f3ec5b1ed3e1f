//! Request smuggling (SECURITY #53): whatever two servers could frame differently gets one answer, a refusal, and
//! the connection's end.

use super::*;

/// What a second server might take for a request of its own.
const SMUGGLED: &str = "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn ambiguous_framing_is_refused_and_nothing_behind_it_served() {
    let server = Server::start(ServerLimits::default());
    let body = "0\r\n\r\n";
    let corpus = [
        // Both framings, in both orders, spelled every way a proxy might read differently.
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "content-length: 0\r\ntransfer-encoding: chunked\r\n",
        "Content-Length: 5\r\nX: y\r\nTRANSFER-ENCODING: CHUNKED\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: nonsense\r\n",
        "Transfer-Encoding: chunked\nContent-Length: 5\r\n",
        // Codings that are not plainly "chunked".
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        // Lengths that are no length, or two.
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: \r\n",
        "Content-Length : 5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 18446744073709551615\r\n",
    ];
    for fields in corpus {
        let answer = server.exchange(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{SMUGGLED}")).await;
        // hyper answers 431 to a length beyond its own arithmetic.
        let refused =
            ["HTTP/1.1 400 ", "HTTP/1.1 413 ", "HTTP/1.1 431 "].iter().any(|status| answer.starts_with(status));
        assert!(refused, "{fields:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {answer:?}");
    }
    let answer =
        server.exchange(format!("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{body}{SMUGGLED}")).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.0 400 "), "{answer:?}");
    server.assert_alive().await;
}

/// The same on a connection that has served requests, however the bytes are cut.
#[tokio::test]
async fn refusal_does_not_depend_on_what_came_before_or_how_it_arrives() {
    let server = Server::start(ServerLimits::default());
    let first = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\nTransfer-Encoding: chunked\r\n\r\n\r\n";
    let second = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let bytes = format!("{first}{second}{both}{SMUGGLED}");
    for cut in (1..bytes.len()).step_by(7) {
        let mut client = server.connect().await;
        client.send(&bytes[..cut]).await;
        tokio::task::yield_now().await;
        client.send(&bytes[cut..]).await;
        let answers = client.rest().await;
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["200", "200", "400"], "cut at {cut}: {answers}");
        assert!(answers.contains("31 bytes") && answers.contains("hello"), "{answers}");
    }
}

#[tokio::test]
async fn a_plain_chunked_request_is_served_and_is_the_last() {
    let server = Server::start(ServerLimits::default());
    for fields in [
        "Transfer-Encoding: chunked\r\n",
        "transfer-ENCODING:  Chunked \r\n",
        "Transfer-Encoding: chunked\r\nTrailer: x\r\n",
    ] {
        for before in [
            "",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n",
        ] {
            let request =
                format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nx: y\r\n\r\n");
            let answer = server.exchange(format!("{before}{request}{SMUGGLED}")).await;
            assert!(
                answer.ends_with("5 bytes") && answer.contains("connection: close"),
                "{before:?} {fields:?}: {answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 1 + usize::from(!before.is_empty()), "{answer}");
        }
    }
}
