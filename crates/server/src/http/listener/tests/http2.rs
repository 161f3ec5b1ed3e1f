//! HTTP/2: prior knowledge over clear text, many streams, clients that cancel or take nothing. Frames are written by
//! hand where no honest client would write them.

use std::time::{Duration, Instant};

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 0x5;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A GET request in HPACK's static table and literals without indexing (RFC 7541).
fn get_frame(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend([0x01, 1, b'a']);
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &block)
}

impl Client {
    /// The kind and stream of the next frame; `None` when the server has closed.
    async fn next_frame(&mut self) -> Option<(u8, u32)> {
        let mut head = [0; 9];
        within(self.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        within(self.0.read_exact(&mut payload)).await.ok()?;
        Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]])))
    }

    async fn frames_to_the_end(&mut self) -> Vec<(u8, u32)> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next_frame().await {
            frames.push(frame);
        }
        frames
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().http2_prior_knowledge().timeout(PATIENCE).build().unwrap()
}

#[tokio::test]
async fn prior_knowledge_works_with_the_same_limits() {
    let server = Server::start(ServerLimits::default());
    let url = format!("http://{}", server.address);
    let client = client();
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "hello");
    for (bytes, status) in [(0, 200), (16_383, 200), (16_384, 200), (16_385, 413), (500_000, 413)] {
        let answer = client.post(format!("{url}/echo")).body("b".repeat(bytes)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{bytes}");
    }
    let long = format!("{url}/?{}", "q".repeat(9000));
    assert_eq!(client.get(long).send().await.unwrap().status().as_u16(), 414);
    let large = client.get(&url).header("x-fill", "f".repeat(17_000)).send().await.unwrap();
    assert_eq!(large.status().as_u16(), 431);
    assert!(client.head(&url).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_drain_lets_open_streams_finish() {
    let server = Server::start(ServerLimits::default());
    let client = client();
    let url = format!("http://{}/wait", server.address);
    let answers: Vec<_> = (0..5).map(|_| tokio::spawn(client.get(&url).send())).collect();
    server.begun(5).await;
    server.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.shared.gate.add_permits(5);
    for answer in answers {
        assert_eq!(within(answer).await.unwrap().unwrap().text().await.unwrap(), "done");
    }
    let summary = server.stop().await;
    assert_eq!((summary.drained, summary.cut_off), (1, 0));
    assert!(summary.took < Duration::from_secs(20), "{summary:?}");
}

#[tokio::test]
async fn an_idle_client_that_ignores_the_goodbye_does_not_hold_the_drain() {
    let server = Server::start(ServerLimits { drain_limit: PATIENCE, ..ServerLimits::default() });
    let mut client = server.connect().await;
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[]), &get_frame(1, "/")].concat()).await;
    while client.next_frame().await != Some((0, 1)) {}
    let summary = server.stop().await;
    assert_eq!((summary.drained, summary.cut_off), (1, 0));
    assert!(client.frames_to_the_end().await.iter().any(|(kind, _)| *kind == GOAWAY));
}

#[tokio::test]
async fn a_client_that_only_cancels_is_closed() {
    let server = Server::start(ServerLimits { max_stream_resets: 30, ..ServerLimits::default() });
    let mut client = server.connect().await;
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
    let mut cancelled = 0;
    let cancelling = async {
        for stream in (1..).step_by(2) {
            if client.0.write_all(&get_frame(stream, "/wait")).await.is_err() {
                return;
            }
            // Let the handler begin, or h2's own guard against resets of requests not yet taken would be tested.
            let begun = tokio::time::timeout(Duration::from_secs(2), server.shared.begun.acquire()).await;
            let Ok(Ok(permit)) = begun else { return };
            permit.forget();
            if client.0.write_all(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())).await.is_err() {
                return;
            }
            cancelled += 1;
        }
    };
    within(cancelling).await;
    assert!((30..=40).contains(&cancelled), "{cancelled}");
    client.frames_to_the_end().await;
    server.assert_alive().await;
}

#[tokio::test]
async fn resets_in_one_burst_close_the_connection_as_well() {
    let server = Server::start(ServerLimits::default());
    let mut client = server.connect().await;
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for stream in (1..4000).step_by(2) {
        bytes.extend(get_frame(stream, "/wait"));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    client.send(bytes).await;
    client.frames_to_the_end().await;
    server.assert_alive().await;
}

#[tokio::test]
async fn a_client_that_opens_no_window_is_let_go() {
    let limits = ServerLimits { write_stall: Duration::from_millis(300), ..ServerLimits::default() };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    let no_window = [0, 4, 0, 0, 0, 0];
    let began = Instant::now();
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &no_window), &get_frame(1, "/")].concat()).await;
    let frames = client.frames_to_the_end().await;
    assert!(frames.contains(&(HEADERS, 1)) && !frames.contains(&(0, 1)), "{frames:?}");
    assert!(began.elapsed() >= Duration::from_millis(295));
    server.assert_alive().await;
}

#[tokio::test]
async fn an_idle_client_and_a_head_without_end_are_closed() {
    let limits = ServerLimits { keep_alive_idle: Duration::from_millis(300), ..ServerLimits::default() };
    let server = Server::start(limits);
    let headers_without_end = frame(HEADERS, 0x1, 1, &[0x82, 0x86]);
    for start in [Vec::new(), get_frame(1, "/"), headers_without_end] {
        let mut client = server.connect().await;
        let began = Instant::now();
        client.send([PREFACE, &frame(SETTINGS, 0, 0, &[]), &start[..]].concat()).await;
        client.frames_to_the_end().await;
        assert!(began.elapsed() >= Duration::from_millis(295), "{:?}", began.elapsed());
    }
    server.assert_alive().await;
}
