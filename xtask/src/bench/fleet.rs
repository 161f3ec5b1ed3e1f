//! `cargo xtask bench fleet`: what a round trip costs with Redis, `verifyd` and Redis together, as a multiple of a bare axum server and
//! bare scripts together.
//!
//! On the server's core run the nodes, Redis and the driver of the bare scripts, each in its turn; the generator has the other. A
//! ratio pairs slices of one round, as in `ratio`. That two nodes carry twice what one does is shown by CPU, because two cores
//! have no room for two nodes, a Redis and a generator: what a round trip costs the nodes must not grow with their number.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::figures::{Spread, Table, Verdict};
use super::load::{Generator, Numbers, Shape};
use super::machine::{GENERATOR_CORE, Pinned, Quiet, Reading, SERVER_CORE, own_cpu_time};
use super::redis_server::RedisServer;
use super::server::{Launch, Server};
use super::{Pace, Subject, ratio};
use crate::Result;

const CONNECTIONS: u32 = 64;
const WARM_UP: Duration = Duration::from_secs(1);
/// `verifyd` and Redis together over (bare axum and bare scripts).
const TARGET_CPU: f64 = 1.4;
/// p99 of a request over that of a bare script.
const TARGET_P99: f64 = 3.0;
/// What two nodes carry over what one does, at least; told as its inverse, because verdicts are "at most".
const TARGET_TWO_NODES: f64 = 1.7;
/// Any 32 bytes: all nodes must have the same.
const KEYS: &str = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What one slice showed, per 10,000 round trips.
#[derive(Clone, Copy)]
struct Figures {
    /// CPU seconds of the nodes, or of what stands in their place.
    nodes: f64,
    /// CPU seconds of Redis.
    redis: f64,
    rate: f64,
    p50: f64,
    p99: f64,
}

/// One round: each in its turn.
struct Round {
    axum: Figures,
    scripts: Figures,
    one: Figures,
    two: Figures,
}

/// The slice of one contestant.
type Part = fn(&Round) -> Figures;

struct Contest<'a> {
    subject: &'a Subject,
    redis: RedisServer,
    axum: Server,
    nodes: [Server; 2],
    numbers: Numbers,
    span: Duration,
}

/// Measures, prints, and gives the verdicts.
pub(super) fn run(subject: &Subject, pace: &Pace) -> Result<Vec<Verdict>> {
    let data = subject.fresh_scratch("bench-fleet")?;
    let pinned = Pinned::to(GENERATOR_CORE)?;
    let contest = Contest::open(subject, &data, pace)?;
    contest.warm_up()?;
    let mut rounds = Vec::new();
    let mut quiet = Quiet::default();
    while rounds.len() < pace.rounds {
        let (round, foreign) = contest.round()?;
        if pace.allow_noise || quiet.enough(foreign)? {
            rounds.push(round);
        }
    }
    drop(pinned);
    drop(contest);
    subject.remove(&data)?;
    report(&rounds, pace)
}

impl<'a> Contest<'a> {
    fn open(subject: &'a Subject, data: &Path, pace: &Pace) -> Result<Self> {
        ratio::record_replies(subject, data)?;
        let redis = RedisServer::start(SERVER_CORE)?;
        let url = redis.url();
        let node = |place: u32| {
            let variables =
                [("VERIFYD_STORE", url.as_str()), ("VERIFYD_KEYS", KEYS), ("VERIFYD_PROOFS__ENABLED", "false")];
            let directory = data.join(place.to_string());
            Launch::verifyd(&subject.verifyd, "dev", &directory, &variables).on_core(SERVER_CORE).start()
        };
        let axum = ratio::baseline(subject, data).on_core(SERVER_CORE).start()?;
        Ok(Self { subject, redis, axum, nodes: [node(0)?, node(1)?], numbers: Numbers::default(), span: pace.span() })
    }

    fn warm_up(&self) -> Result<()> {
        let shape = Shape { connections: CONNECTIONS, span: WARM_UP, every: None };
        for server in [&self.axum, &self.nodes[0], &self.nodes[1]] {
            Generator::connect(&[&server.address], shape)?.run(&self.numbers)?;
        }
        Ok(())
    }

    /// One slice of each, and the largest share that others had.
    fn round(&self) -> Result<(Round, f64)> {
        let mut foreign: f64 = 0.0;
        let [one, two] = &self.nodes;
        let mut slice = |servers: &[&Server]| -> Result<Figures> {
            let (figures, others) = self.http(servers)?;
            foreign = foreign.max(others);
            Ok(figures)
        };
        let (axum, one, two) = (slice(&[&self.axum])?, slice(&[one])?, slice(&[one, two])?);
        let (scripts, others) = self.scripts()?;
        Ok((Round { axum, scripts, one, two }, foreign.max(others)))
    }

    fn http(&self, servers: &[&Server]) -> Result<(Figures, f64)> {
        let addresses: Vec<_> = servers.iter().map(|server| server.address.as_str()).collect();
        let shape = Shape { connections: CONNECTIONS, span: self.span, every: None };
        let generator = Generator::connect(&addresses, shape)?;
        let nodes = || -> Result<Duration> {
            let all: Option<Duration> = servers.iter().map(|server| server.cpu_time()).sum();
            all.ok_or_else(|| "the CPU time of a server cannot be read".into())
        };
        let (before, nodes_before, redis_before) = (self.reading()?, nodes()?, self.redis.cpu_time()?);
        let outcome = generator.run(&self.numbers)?;
        let (after, nodes_after, redis_after) = (self.reading()?, nodes()?, self.redis.cpu_time()?);
        let per = per_ten_thousand(outcome.round_trips);
        let figures = Figures {
            nodes: per(nodes_after.saturating_sub(nodes_before)),
            redis: per(redis_after.saturating_sub(redis_before)),
            rate: outcome.rate(),
            p50: outcome.latencies.percentile(50),
            p99: outcome.latencies.percentile(99),
        };
        Ok((figures, before.foreign_until(&after)))
    }

    /// The bare scripts, driven by a process on the server's core whose time is known when it has ended.
    fn scripts(&self) -> Result<(Figures, f64)> {
        let port = self.redis.port().to_string();
        let milliseconds = self.span.as_millis().to_string();
        let first = self.numbers.fetch_add(10_000_000, std::sync::atomic::Ordering::Relaxed).to_string();
        let (before, own_before) = (self.reading()?, own_cpu_time().ok_or("no CPU time")?);
        let redis_before = self.redis.cpu_time()?;
        let output = Command::new("taskset")
            .args(["-c", &SERVER_CORE.to_string()])
            .arg(&self.subject.xtask)
            .args(["bench", "scripts", "--port", &port, "--milliseconds", &milliseconds, "--first", &first])
            .args(["--connections", &CONNECTIONS.to_string()])
            .output()?;
        let redis = self.redis.cpu_time()?.saturating_sub(redis_before);
        // A child that was waited for counts as our own time; we did nothing else meanwhile.
        let driver = own_cpu_time().ok_or("no CPU time")?.saturating_sub(own_before);
        let foreign = before.foreign_until(&self.reading()?);
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let &[round_trips, p50, p99] = numbers.as_slice() else {
            return Err(format!("bare scripts: {}", String::from_utf8_lossy(&output.stderr)).into());
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, printed as one")]
        let per = per_ten_thousand(round_trips as u64);
        let rate = round_trips / self.span.as_secs_f64();
        Ok((Figures { nodes: per(driver), redis: per(redis), rate, p50, p99 }, foreign))
    }

    fn reading(&self) -> Result<Reading> {
        let servers = [&self.axum, &self.nodes[0], &self.nodes[1]];
        let servers: Option<Duration> = servers.into_iter().map(Server::cpu_time).sum();
        let own = servers.zip(own_cpu_time()).ok_or("the CPU time of the bench cannot be read")?;
        Reading::take(own.0 + own.1 + self.redis.cpu_time()?)
    }
}

fn per_ten_thousand(round_trips: u64) -> impl Fn(Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let ten_thousands = round_trips.max(1) as f64 / 10_000.0;
    move |time| time.as_secs_f64() / ten_thousands
}

fn report(rounds: &[Round], pace: &Pace) -> Result<Vec<Verdict>> {
    let of = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(figure)).ok_or("no rounds");
    println!("\n{} rounds of {} s, {CONNECTIONS} at once{}", rounds.len(), pace.seconds, pace.mark());
    println!("medians; CPU seconds per 10,000 round trips; latencies of single requests or scripts");
    let mut table = Table::new(&["contestant", "nodes", "Redis", "together", "round trips/s", "p50 ms", "p99 ms"]);
    let contestants: [(&str, Part); 4] = [
        ("bare axum", |round| round.axum),
        ("bare scripts", |round| round.scripts),
        ("verifyd, one node", |round| round.one),
        ("verifyd, two nodes", |round| round.two),
    ];
    for (name, figures) in contestants {
        let median = |figure: fn(&Figures) -> f64| Ok::<_, &str>(of(&|round| figure(&figures(round)))?.median);
        table.line(vec![
            name.to_owned(),
            format!("{:.3}", median(|figures| figures.nodes)?),
            format!("{:.3}", median(|figures| figures.redis)?),
            format!("{:.3}", median(|figures| figures.nodes + figures.redis)?),
            format!("{:.0}", median(|figures| figures.rate)?),
            format!("{:.2}", median(|figures| figures.p50)?),
            format!("{:.2}", median(|figures| figures.p99)?),
        ]);
    }
    table.print();
    let together = |figures: Figures| figures.nodes + figures.redis;
    let cpu = of(&|round| together(round.one) / (round.axum.nodes + together(round.scripts)))?;
    let p99 = of(&|round| round.one.p99 / round.scripts.p99)?;
    let two = of(&|round| round.two.nodes / (2.0 * round.one.nodes))?;
    println!("the ratio of CPU lies between {:.2} and {:.2}", cpu.least, cpu.most);
    let verdict = |what: &str, figure: f64, target: f64| Verdict { what: what.to_owned(), figure, target };
    Ok(vec![
        verdict("CPU, verifyd and Redis / bare axum and bare scripts", cpu.median, TARGET_CPU),
        verdict("p99, a request of one node / a bare script", p99.median, TARGET_P99),
        verdict("one node's load / two nodes', by CPU (1 / 1.7)", two.median, 1.0 / TARGET_TWO_NODES),
    ])
}
