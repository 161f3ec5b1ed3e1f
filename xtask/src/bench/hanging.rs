//! `cargo xtask bench hanging`: what ten thousand sends that hang at the provider do to the latency of checks.
//!
//! `verifyd serve` with the Twilio sender, its usual timeouts and the embedded store. In every round 64 connections check
//! verifications, first alone and then while ten thousand starts wait for a provider that keeps silent; the provider's timeout ends
//! each after ten seconds and a new one takes its place. The starts come over HTTP/2, a hundred on a connection, because one
//! connection each would need twice as many file descriptors and more than `server.max_connections`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::Client;
use super::figures::{Latencies, Spread, Table, Verdict};
use super::load::{Connection, Failure, Numbers};
use super::machine::{GENERATOR_CORE, Pinned, Quiet, Reading, SERVER_CORE, own_cpu_time};
use super::provider::HANGING_PREFIX;
use super::restart::phone_number;
use super::server::{Launch, Server};
use super::{Pace, Subject};
use crate::Result;

/// Sends that hang, as promised in DESIGN §8.
const HANGING: usize = 10_000;
/// Of these, so many must be waiting for an answer before and after a slice: a send that has just ended is on its way again.
const ENOUGH: usize = HANGING * 95 / 100;
/// Requests at once on one HTTP/2 connection: `server.max_streams`.
const STREAMS: usize = 100;
/// The figure that is promised: p99 of checks with those, in p99 without.
const TARGET: f64 = 2.0;
/// Connections that check.
const CONNECTIONS: usize = 64;
/// Checks of one verification: all wrong but the last.
const CHECKS_EACH: usize = 20;
/// Verifications made ready for each second of checks: enough for 50,000 checks.
const READY_PER_SECOND: usize = 2_500;
const CODE: &str = "424242";
const WRONG: &str = "000001";
/// One connection to the provider for each send, and room for the rest.
const DESCRIPTORS: u64 = 12_000;
/// Between two first starts: spread over ten seconds, the provider's timeout, they end and begin anew as evenly as in a service
/// and not as one wave.
const BETWEEN_STARTS: Duration = Duration::from_millis(1);
/// How long the hanging sends may take to gather, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
const VARIABLES: &[(&str, &str)] = &[
    ("VERIFYD_API_KEY", "dev"),
    ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
    ("TWILIO_AUTH_TOKEN", "bench"),
    ("TWILIO_PHONE_NUMBER", "+15005550006"),
    ("VERIFYD_SERVICE__DEFAULT__CUSTOM_CODES", "true"),
    ("VERIFYD_SERVICE__DEFAULT__TTL", "1h"),
    ("VERIFYD_LIMITS__CHECKS_PER_VERIFICATION", "20"),
    ("VERIFYD_LIMITS__FAILED_CHECKS_PER_PHONE", "100/24h"),
];

/// p99 of checks in milliseconds and how many a second.
#[derive(Clone, Copy)]
struct Figures {
    p50: f64,
    p99: f64,
    rate: f64,
}

struct Scene {
    server: Server,
    provider: Server,
    numbers: Numbers,
    span: Duration,
}

/// Measures, prints, and gives the verdict.
pub(super) fn run(subject: &Subject, pace: &Pace) -> Result<Vec<Verdict>> {
    let data = subject.fresh_scratch("bench-hanging")?;
    let pinned = Pinned::to(GENERATOR_CORE)?;
    let launch = Launch::of(&subject.xtask, &["bench", "provider"], data.with_extension("provider.log"));
    let provider = launch.with_descriptors(DESCRIPTORS).start()?;
    let base_url = format!("http://{}", provider.address);
    let variables: Vec<_> = VARIABLES.iter().copied().chain([("TWILIO_BASE_URL", base_url.as_str())]).collect();
    let launch = Launch::verifyd(&subject.verifyd, "serve", &data, &variables);
    let server = launch.on_core(SERVER_CORE).with_descriptors(DESCRIPTORS).start()?;
    let scene = Scene { server, provider, numbers: Numbers::default(), span: pace.span() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rounds = runtime.block_on(scene.rounds(pace));
    let rounds = rounds
        .map_err(|error| format!("{error}; what the server said is in {}", data.with_extension("log").display()))?;
    drop(runtime);
    drop(pinned);
    drop(scene);
    subject.remove(&data)?;
    report(&rounds, pace)
}

impl Scene {
    async fn rounds(&self, pace: &Pace) -> Result<Vec<[Figures; 2]>> {
        let mut rounds = Vec::new();
        let mut quiet = Quiet::default();
        while rounds.len() < pace.rounds {
            let (round, foreign) = self.round().await?;
            if pace.allow_noise || quiet.enough(foreign)? {
                rounds.push(round);
            }
        }
        Ok(rounds)
    }

    async fn round(&self) -> Result<([Figures; 2], f64)> {
        let (first, second) = (self.ready().await?, self.ready().await?);
        let (alone, before) = self.checks(first).await?;
        let hanging = self.hang().await?;
        let (beside, during) = self.checks(second).await?;
        let left = self.silent()?;
        if left < ENOUGH {
            return Err(format!("only {left} of {HANGING} sends were hanging at the end of a slice").into());
        }
        drop(hanging);
        self.wait_until("the sends to end", |silent| silent == 0).await?;
        Ok(([alone, beside], before.max(during)))
    }

    /// Ids of verifications whose code is known.
    async fn ready(&self) -> Result<Vec<String>> {
        let count = READY_PER_SECOND * usize::try_from(self.span.as_secs())?;
        let mut running = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (address, numbers) = (self.server.address.clone(), Arc::clone(&self.numbers));
            running.spawn(async move {
                let mut connection = Connection::open(&address).await?;
                let mut ids = Vec::new();
                for _ in 0..count.div_ceil(CONNECTIONS) {
                    let number = phone_number(numbers.fetch_add(1, Ordering::Relaxed));
                    ids.push(connection.start_with_code(&number, CODE).await?);
                }
                Result::<_, Failure>::Ok(ids)
            });
        }
        let mut ids = Vec::new();
        while let Some(ended) = running.join_next().await {
            ids.extend(ended?.map_err(|error| error.to_string())?);
        }
        Ok(ids)
    }

    /// Checks until the time is over or nothing is left to be checked; and the share of the machine that others had.
    async fn checks(&self, mut ready: Vec<String>) -> Result<(Figures, f64)> {
        let mut running = JoinSet::new();
        let share = ready.len().div_ceil(CONNECTIONS);
        let before = self.reading()?;
        let (began, span) = (Instant::now(), self.span);
        for _ in 0..CONNECTIONS {
            let ids = ready.split_off(ready.len().saturating_sub(share));
            let address = self.server.address.clone();
            running.spawn(async move {
                let mut connection = Connection::open(&address).await?;
                let mut latencies = Latencies::default();
                'all: for id in ids {
                    for guess in 1..=CHECKS_EACH {
                        if began.elapsed() >= span {
                            break 'all;
                        }
                        let right = guess == CHECKS_EACH;
                        latencies.push(connection.check(&id, if right { CODE } else { WRONG }, right).await?);
                    }
                }
                Result::<_, Failure>::Ok(latencies)
            });
        }
        let mut latencies = Latencies::default();
        while let Some(ended) = running.join_next().await {
            latencies.append(ended?.map_err(|error| error.to_string())?);
        }
        latencies.sort();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = latencies.count() as f64 / began.elapsed().as_secs_f64();
        let figures = Figures { p50: latencies.percentile(50), p99: latencies.percentile(99), rate };
        Ok((figures, before.foreign_until(&self.reading()?)))
    }

    /// Starts that hang, renewed until the set is dropped; returns once all are in flight.
    async fn hang(&self) -> Result<JoinSet<Result<(), Failure>>> {
        let mut hanging = JoinSet::new();
        for _ in 0..HANGING / STREAMS {
            let stream = TcpStream::connect(&self.server.address).await?;
            let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            hanging.spawn(async move { Ok(connection.await?) });
            for _ in 0..STREAMS {
                let url = format!("http://{}/v1/verifications", self.server.address);
                hanging.spawn(starts(sender.clone(), url, Arc::clone(&self.numbers)));
                tokio::time::sleep(BETWEEN_STARTS).await;
            }
        }
        self.wait_until("the sends to hang", |silent| silent >= ENOUGH).await?;
        Ok(hanging)
    }

    async fn wait_until(&self, what: &str, done: impl Fn(usize) -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let silent = self.silent()?;
            if done(silent) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("waited in vain for {what}: {silent} hang at the provider").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many requests the provider keeps silent about: those have left the server, and it waits.
    fn silent(&self) -> Result<usize> {
        let page = Client::connect(&self.provider.address)?.get("/silent")?.body;
        page.parse().map_err(|error| format!("the provider says {page:?}: {error}").into())
    }

    fn reading(&self) -> Result<Reading> {
        let all = [self.server.cpu_time(), self.provider.cpu_time(), own_cpu_time()];
        let own: Option<Duration> = all.into_iter().sum();
        Reading::take(own.ok_or("the CPU time of the bench cannot be read")?)
    }
}

/// One start after the other, each for a number that hangs.
async fn starts(mut sender: SendRequest<Full<Bytes>>, url: String, numbers: Numbers) -> Result<(), Failure> {
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let body = format!("{{\"to\":\"{HANGING_PREFIX}{}\"}}", 2_000_000 + number % 8_000_000);
        let request =
            Request::post(&url).header("authorization", "Bearer dev").header("content-type", "application/json");
        let response = sender.send_request(request.body(Full::from(body))?).await?;
        // Read to its end: a dropped answer is a reset stream, and the server counts those.
        response.into_body().collect().await?;
    }
}

fn report(rounds: &[[Figures; 2]], pace: &Pace) -> Result<Vec<Verdict>> {
    println!("\n{} rounds of {} s, {CONNECTIONS} connections checking{}", rounds.len(), pace.seconds, pace.mark());
    let of = |figure: fn(&[Figures; 2]) -> f64| Spread::of(rounds.iter().map(figure)).ok_or("no rounds");
    let mut table = Table::new(&["checks", "p50 ms", "p99 ms", "checks/s"]);
    let mut line = |name: &str, figures: [f64; 3]| {
        let [p50, p99, rate] = figures;
        table.line(vec![name.to_owned(), format!("{p50:.2}"), format!("{p99:.2}"), format!("{rate:.0}")]);
    };
    line("alone", [of(|[a, _]| a.p50)?.median, of(|[a, _]| a.p99)?.median, of(|[a, _]| a.rate)?.median]);
    let beside = [of(|[_, b]| b.p50)?.median, of(|[_, b]| b.p99)?.median, of(|[_, b]| b.rate)?.median];
    line(&format!("beside {HANGING} hanging sends"), beside);
    table.print();
    let ratio = of(|[alone, beside]| beside.p99 / alone.p99)?;
    println!("p99 with / without: {:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.most);
    let what = format!("p99 of checks beside {HANGING} hanging sends / alone");
    Ok(vec![Verdict { what, figure: ratio.median, target: TARGET }])
}
