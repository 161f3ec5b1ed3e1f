//! The load generator: so many connections, each doing one round trip after the other, on one thread.
//!
//! A round trip is what a login costs: a start for a number that was never used, and a check of the right code. It must cost
//! less than the server it drives, so requests are written from templates and replies are searched, not parsed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::figures::Latencies;
use super::restart::phone_number;
use crate::Result;

/// A reply that does not come for this long has failed the bench.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many turns of tasks, the one that keeps the core awake among them, before sockets are looked at again.
const SPINS_A_LOOK: u32 = 8;

/// The next index of a number that nobody has used; shared by all contestants and rounds.
pub(super) type Numbers = Arc<AtomicU64>;

/// How the connections behave.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// How many.
    pub(super) connections: u32,
    /// For how long.
    pub(super) span: Duration,
    /// The time between two starts of a connection, if it is not "at once": then the server is not saturated, and a latency
    /// is not merely a place in the queue of our own requests.
    pub(super) every: Option<Duration>,
}

/// What came of a load.
#[derive(Default)]
pub(super) struct Outcome {
    /// Round trips that were finished.
    pub(super) round_trips: u64,
    /// From the first request to the last reply.
    pub(super) took: Duration,
    /// Of every request, starts and checks.
    pub(super) latencies: Latencies,
}

impl Outcome {
    /// Round trips a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn rate(&self) -> f64 {
        self.round_trips as f64 / self.took.as_secs_f64()
    }
}

/// Connections that are open and idle.
pub(super) struct Generator {
    runtime: Runtime,
    connections: Vec<Connection>,
    shape: Shape,
}

impl Generator {
    /// Opens the connections.
    pub(super) fn connect(address: &str, shape: Shape) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().event_interval(SPINS_A_LOOK).build()?;
        let mut connections = Vec::new();
        for _ in 0..shape.connections {
            let opened = runtime.block_on(Connection::open(address)).map_err(|error| error.to_string())?;
            connections.push(opened);
        }
        Ok(Self { runtime, connections, shape })
    }

    /// Runs the load to its end; the first failure of any round trip is the failure of all.
    pub(super) fn run(self, numbers: &Numbers) -> Result<Outcome> {
        let Self { runtime, connections, shape } = self;
        runtime.block_on(async {
            let began = Instant::now();
            let spinning = tokio::spawn(never_sleep());
            let mut running = JoinSet::new();
            for (place, connection) in (0..).zip(connections) {
                running.spawn(round_trips(connection, Arc::clone(numbers), shape, began, place));
            }
            let mut outcome = Outcome::default();
            while let Some(ended) = running.join_next().await {
                let latencies: Latencies = ended??;
                outcome.latencies.append(latencies);
            }
            outcome.took = began.elapsed();
            spinning.abort();
            outcome.latencies.sort();
            outcome.round_trips = outcome.latencies.count() / 2;
            Ok(outcome)
        })
    }
}

/// Keeps the generator's core awake. A server pays for waking a client that sleeps (on a virtual machine, with an interrupt to the
/// other core: more than the rest of a reply), and only a client that is faster than the server ever sleeps: the slower of two
/// servers would pay what the faster one is spared.
async fn never_sleep() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn round_trips(
    mut connection: Connection,
    numbers: Numbers,
    shape: Shape,
    began: Instant,
    place: u32,
) -> Result<Latencies, String> {
    let mut latencies = Latencies::default();
    let mut tick = shape.every.map(|every| {
        // Spread over the period, so that they do not come in waves.
        let first = began + every * place / shape.connections.max(1);
        let mut tick = tokio::time::interval_at(first.into(), every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick
    });
    loop {
        if let Some(tick) = &mut tick {
            tick.tick().await;
        }
        if began.elapsed() >= shape.span {
            return Ok(latencies);
        }
        let number = phone_number(numbers.fetch_add(1, Ordering::Relaxed));
        let done = tokio::time::timeout(PATIENCE, connection.round_trip(&number, &mut latencies)).await;
        done.map_err(|_elapsed| format!("no reply for {} s", PATIENCE.as_secs()))?
            .map_err(|error| error.to_string())?;
    }
}

/// Why a request failed; may cross tasks.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

const START: &str = "/v1/verifications";

/// One connection with its buffers.
pub(super) struct Connection {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub(super) async fn open(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: address.to_owned(), request: Vec::new(), reply: Vec::with_capacity(4096) })
    }

    async fn round_trip(&mut self, number: &str, latencies: &mut Latencies) -> Result<(), Failure> {
        let began = Instant::now();
        let (status, body) = self.post(START, &format!("{{\"to\":\"{number}\"}}")).await?;
        latencies.push(began.elapsed());
        let body = text(&self.reply, body)?;
        let (Some(id), Some(code), 201) = (field(body, "id"), field(body, "test_code"), status) else {
            return Err(format!("a start was answered with {status}: {body}").into());
        };
        let (path, check) = (format!("{START}/{id}/check"), format!("{{\"code\":\"{code}\"}}"));
        let began = Instant::now();
        let reply = self.post(&path, &check).await?;
        latencies.push(began.elapsed());
        self.expect_approved(reply)
    }

    /// Starts with a code of the caller's own; gives back the id.
    pub(super) async fn start_with_code(&mut self, number: &str, code: &str) -> Result<String, Failure> {
        let (status, body) = self.post(START, &format!("{{\"to\":\"{number}\",\"code\":\"{code}\"}}")).await?;
        let body = text(&self.reply, body)?;
        match (status, field(body, "id")) {
            (201, Some(id)) => Ok(id.to_owned()),
            _ => Err(format!("a start was answered with {status}: {body}").into()),
        }
    }

    /// Checks a code that is wrong, or one that is right and must be approved; gives back how long it took.
    pub(super) async fn check(&mut self, id: &str, code: &str, right: bool) -> Result<Duration, Failure> {
        let (path, check) = (format!("{START}/{id}/check"), format!("{{\"code\":\"{code}\"}}"));
        let began = Instant::now();
        let (status, body) = self.post(&path, &check).await?;
        let took = began.elapsed();
        if right {
            self.expect_approved((status, body))?;
        } else if status != 200 {
            return Err(format!("a check was answered with {status}: {}", text(&self.reply, body)?).into());
        }
        Ok(took)
    }

    fn expect_approved(&self, (status, body): (u16, Range<usize>)) -> Result<(), Failure> {
        let body = text(&self.reply, body)?;
        if status == 200 && field(body, "status") == Some("approved") {
            return Ok(());
        }
        Err(format!("a check of the right code was answered with {status}: {body}").into())
    }

    /// Posts JSON; the body of the reply is a range of `self.reply`.
    async fn post(&mut self, path: &str, body: &str) -> std::io::Result<(u16, Range<usize>)> {
        self.request.clear();
        std::io::Write::write_fmt(
            &mut self.request,
            format_args!(
                "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer dev\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                self.host,
                body.len()
            ),
        )?;
        self.stream.write_all(&self.request).await?;
        self.reply.clear();
        loop {
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                return Err(std::io::Error::other("the server closed the connection"));
            }
            if let Some(whole) = whole(&self.reply) {
                return Ok(whole);
            }
        }
    }
}

/// Status and body of a reply that has come in full.
fn whole(reply: &[u8]) -> Option<(u16, Range<usize>)> {
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let head = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = std::str::from_utf8(reply.get(9..12)?).ok()?.parse().ok()?;
    let field = reply.get(..head)?.windows(LENGTH.len()).position(|window| window == LENGTH)? + LENGTH.len();
    let digits = reply.get(field..head)?.iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    let body = head + 4..head + 4 + length;
    (reply.len() >= body.end).then_some((status, body))
}

fn text(reply: &[u8], body: Range<usize>) -> Result<&str, std::str::Utf8Error> {
    std::str::from_utf8(reply.get(body).unwrap_or_default())
}

/// The text of a field, by its first occurrence.
fn field<'body>(body: &'body str, name: &str) -> Option<&'body str> {
    body.match_indices(name).find_map(|(at, _)| {
        let rest = body.get(at..)?.strip_prefix(name)?.strip_prefix("\":\"")?;
        body.get(..at)?.ends_with('"').then_some(rest.split_once('"')?.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_when_its_body_is() {
        let wire = b"HTTP/1.1 201 Created\r\nx: y\r\ncontent-length: 11\r\n\r\n{\"id\":\"VE\"}";
        for cut in 0..wire.len() {
            assert_eq!(whole(&wire[..cut]), None, "{cut}");
        }
        let (status, body) = whole(wire).unwrap();
        assert_eq!((status, text(wire, body)), (201, Ok("{\"id\":\"VE\"}")));
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let body = r#"{"test_code":"1","code":"2","status":"pending","n":3}"#;
        assert_eq!(field(body, "code"), Some("2"));
        assert_eq!(field(body, "test_code"), Some("1"));
        assert_eq!((field(body, "n"), field(body, "id")), (None, None));
    }
}
