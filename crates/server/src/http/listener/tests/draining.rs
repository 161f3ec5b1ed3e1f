//! Shutdown: what is open finishes or is cut off at the limit; everything else goes at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn open_requests_finish_idle_connections_close_and_nobody_new_comes() {
    let server = Server::start(ServerLimits::default());
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.answer().await;
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.begun(1).await;

    server.shutdown.cancel();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(refused).await;
    assert!(!server.done.is_finished());

    server.shared.gate.add_permits(1);
    let answer = busy.rest().await;
    assert!(answer.ends_with("done") && answer.contains("connection: close"), "{answer}");
    let summary = server.stop().await;
    assert_eq!((summary.drained, summary.cut_off), (3, 0));
    drop((idle, silent));
}

#[tokio::test]
async fn a_request_that_hangs_is_cut_off_at_the_limit_and_its_work_is_not() {
    let limits = ServerLimits { drain_limit: Duration::from_millis(400), ..ServerLimits::default() };
    let server = Server::start(limits);
    let mut hanging = server.connect().await;
    hanging.send("GET /spawn HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.answer().await;
    server.begun(1).await;
    let shared = server.shared.clone();
    let summary = server.stop().await;
    assert_eq!((summary.drained, summary.cut_off), (1, 1));
    assert!(summary.took >= Duration::from_millis(395), "{summary:?}");
    assert_eq!(hanging.rest().await, "");
    assert_eq!(shared.dropped.load(Ordering::SeqCst), 1);
    shared.gate.add_permits(1);
    within(shared.spawned_done.acquire()).await.unwrap().forget();
}

/// The client acts without ever yielding to the server, so the server finds connection, request and signal at once.
#[tokio::test]
async fn a_request_sent_before_the_signal_is_answered() {
    for _ in 0..20 {
        let server = Server::start(ServerLimits::default());
        let mut client = std::net::TcpStream::connect(server.address).unwrap();
        std::io::Write::write_all(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        server.shutdown.cancel();
        client.set_nonblocking(true).unwrap();
        let mut client = Client(TcpStream::from_std(client).unwrap());
        let answer = client.rest().await;
        assert!(answer.ends_with("hello"), "{answer:?}");
        assert_eq!(server.stop().await.cut_off, 0);
    }
}

#[tokio::test]
async fn a_head_begun_before_the_signal_may_still_end() {
    let server = Server::start(ServerLimits::default());
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo").await;
    assert!(client.answer().await.ends_with("hello"));
    server.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.send("st: a\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(answer.ends_with("hello") && answer.contains("connection: close"), "{answer:?}");
    assert_eq!(server.stop().await.cut_off, 0);
}

#[tokio::test]
async fn a_lame_duck_still_serves() {
    let limits = ServerLimits { lame_duck: Duration::from_secs(1), ..ServerLimits::default() };
    let server = Server::start(limits);
    server.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.assert_alive().await;
    assert_eq!(server.stop().await.cut_off, 0);
}

#[tokio::test]
async fn a_full_listener_stops_too() {
    let limits =
        ServerLimits { max_connections: 1, drain_limit: Duration::from_millis(300), ..ServerLimits::default() };
    let server = Server::start(limits);
    let mut busy = server.connect().await;
    busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.begun(1).await;
    let _waiting = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let summary = server.stop().await;
    assert_eq!((summary.drained, summary.cut_off), (0, 1));
}
