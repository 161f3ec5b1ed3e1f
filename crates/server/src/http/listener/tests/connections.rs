//! The number of connections: who waits, who makes room, and what a hang-up ends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;

fn room_for(max_connections: usize) -> ServerLimits {
    ServerLimits { max_connections, ..ServerLimits::default() }
}

#[tokio::test]
async fn silent_connections_make_room_for_a_newcomer() {
    let server = Server::start(room_for(3));
    let mut silent = Vec::new();
    for _ in 0..30 {
        let mut client = server.connect().await;
        client.send("GET / HT").await;
        silent.push(client);
    }
    server.assert_alive().await;
    // The first to come were the first to go.
    assert_eq!(silent[0].rest().await, "");
}

#[tokio::test]
async fn who_has_been_served_stays_longer_than_who_never_asked() {
    let server = Server::start(room_for(2));
    let mut known = server.connect().await;
    known.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    known.answer().await;
    let mut silent = server.connect().await;
    server.assert_alive().await;
    assert_eq!(silent.rest().await, "");
    known.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(known.answer().await.ends_with("hello"));
}

#[tokio::test]
async fn open_requests_are_never_closed_for_a_newcomer() {
    let server = Server::start(room_for(2));
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
        busy.push(client);
    }
    server.begun(2).await;
    let mut waiting = server.connect().await;
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(500), waiting.answer()).await;
    assert!(early.is_err(), "served beyond the limit: {early:?}");
    // One answer, and the connection that is idle after it makes room.
    server.shared.gate.add_permits(1);
    assert!(waiting.answer().await.ends_with("hello"));
    server.shared.gate.add_permits(1);
    let mut answers = String::new();
    for client in &mut busy {
        client.send("GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        answers += &client.rest().await;
    }
    assert_eq!(answers.matches("done").count(), 2, "{answers}");
    assert_eq!(server.shared.dropped.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_hang_up_ends_the_answer_and_not_the_work() {
    let server = Server::start(ServerLimits::default());
    let mut client = server.connect().await;
    client.send("GET /spawn HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.begun(1).await;
    drop(client);
    let noticed = async {
        while server.shared.dropped.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(noticed).await;
    server.shared.gate.add_permits(1);
    within(server.shared.spawned_done.acquire()).await.unwrap().forget();
    server.assert_alive().await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let first = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_gives_its_place_back() {
    let server = Server::start(room_for(1));
    assert_eq!(server.exchange("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await, "");
    server.assert_alive().await;
    assert_eq!(server.stop().await.cut_off, 0);
}

/// Limits of nothing and of for ever are odd, but must neither spin nor panic.
#[tokio::test]
async fn extreme_limits_do_no_harm() {
    let never = Duration::MAX;
    let patient = ServerLimits {
        header_timeout: never,
        keep_alive_idle: never,
        body_timeout: never,
        write_stall: never,
        max_connections: usize::MAX,
        max_head_bytes: usize::MAX,
        max_body_bytes: usize::MAX,
        drain_limit: never,
        ..ServerLimits::default()
    };
    let server = Server::start(patient);
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n").await;
    server.begun(1).await;
    client.send("ab").await;
    assert!(client.answer().await.ends_with("2 bytes"));
    server.assert_alive().await;
    assert_eq!(server.stop().await.cut_off, 0);

    let zero = Duration::ZERO;
    let hasty = ServerLimits {
        header_timeout: zero,
        keep_alive_idle: zero,
        write_stall: zero,
        max_connections: 0,
        max_streams: 0,
        drain_limit: zero,
        ..ServerLimits::default()
    };
    let server = Server::start(hasty);
    server.exchange("").await;
    assert_eq!(server.stop().await.cut_off, 0);
}
