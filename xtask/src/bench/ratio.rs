//! `cargo xtask bench ratio`: what a round trip costs, as a multiple of what a bare axum server costs.
//!
//! All contestants run at once, idle but for the one whose turn it is; in every round each has one slice of time, in an order
//! that rotates. A ratio pairs two slices of the same round, so what changes on the machine from minute to minute hits both; the
//! figure is the median over the rounds. CPU seconds are the figure that counts: rate and latency of a closed loop follow from
//! them and from what else the cores had to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::{Client, Reply};
use super::commit;
use super::contestants::{CONTESTANTS, Contestant, Program};
use super::figures::{Spread, Table, Verdict};
use super::load::{Generator, Numbers, Shape};
use super::machine::{GENERATOR_CORE, Pinned, Quiet, Reading, SERVER_CORE, own_cpu_time};
use super::restart::phone_number;
use super::server::{Launch, Server};
use super::{Pace, Subject};
use crate::Result;

/// The load of DESIGN §8.
const CONNECTIONS: u32 = 64;
/// Before the rounds: code paths, allocators and connections are warm, and the embedded store's rate is known.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long single commits are taken in each round.
const COMMIT_SPAN: Duration = Duration::from_millis(500);
/// How far apart the baseline's CPU figures of all rounds may lie, as a share of their median. It does the same work each
/// time; if it costs 15 % more in one round than in another, caches or clock rates changed under it in ways that `/proc/stat`
/// does not show, and a paired ratio may be off by as much.
const BASELINE_WIDTH_AT_MOST: f64 = 0.15;
/// A latency under a closed loop that saturates the core is 64 places in a queue; at half the rate it is the server's own.
const PACED_SHARE: f64 = 0.5;
/// p99 of a request with the embedded store, in p99 of one durable commit.
const TARGET_COMMITS: f64 = 5.0;

/// What one slice showed.
#[derive(Clone, Copy)]
struct Figures {
    /// CPU seconds per 10,000 round trips.
    cpu: f64,
    rate: f64,
    p50: f64,
    p99: f64,
}

/// One latency figure beside what bounds it.
struct Durable {
    commit: (f64, f64),
    paced: (f64, f64),
}

struct Round {
    /// In the order of the contestants.
    slices: Vec<Figures>,
    durable: Option<Durable>,
}

struct Contest {
    servers: Vec<(&'static Contestant, Server)>,
    numbers: Numbers,
    data: PathBuf,
    span: Duration,
    paced_rate: f64,
}

/// Measures, prints, and gives the verdicts.
pub(super) fn run(subject: &Subject, pace: &Pace, only: &[String]) -> Result<Vec<Verdict>> {
    let data = subject.fresh_scratch("bench-ratio")?;
    let pinned = Pinned::to(GENERATOR_CORE)?;
    let mut contest = Contest::open(subject, &data, pace, only)?;
    let measured = contest.warm_up().and_then(|()| contest.rounds(pace));
    let rounds = measured.map_err(|error| format!("{error}; the servers' logs are in {}", data.display()))?;
    drop(pinned);
    let verdicts = report(&contest, &rounds, pace)?;
    drop(contest);
    subject.remove(&data)?;
    Ok(verdicts)
}

impl Contest {
    fn open(subject: &Subject, data: &Path, pace: &Pace, only: &[String]) -> Result<Self> {
        let numbers = Numbers::default();
        record_replies(subject, data)?;
        let wanted = |contestant: &&Contestant| {
            matches!(contestant.program, Program::Baseline)
                || only.is_empty()
                || only.iter().any(|word| contestant.name.contains(word.as_str()))
        };
        let mut servers = Vec::new();
        for (place, contestant) in CONTESTANTS.iter().filter(wanted).enumerate() {
            let directory = data.join(place.to_string());
            let launch = match contestant.program {
                Program::Baseline => baseline(subject, data),
                Program::Verifyd => Launch::verifyd(&subject.verifyd, "dev", &directory, contestant.variables),
            };
            servers.push((contestant, launch.on_core(SERVER_CORE).start()?));
        }
        Ok(Self { servers, numbers, data: data.to_owned(), span: pace.span(), paced_rate: 0.0 })
    }

    fn warm_up(&mut self) -> Result<()> {
        let shape = Shape { connections: CONNECTIONS, span: WARM_UP, every: None };
        for (contestant, server) in &self.servers {
            let outcome = Generator::connect(&[&server.address], shape)?.run(&self.numbers)?;
            if contestant.durable {
                self.paced_rate = outcome.rate() * PACED_SHARE;
            }
        }
        Ok(())
    }

    fn rounds(&self, pace: &Pace) -> Result<Vec<Round>> {
        let mut rounds = Vec::new();
        let mut quiet = Quiet::default();
        while rounds.len() < pace.rounds {
            let (round, foreign) = self.round(rounds.len() + quiet.repeats)?;
            if pace.allow_noise || quiet.enough(foreign)? {
                rounds.push(round);
            }
        }
        Ok(rounds)
    }

    /// One slice for each contestant, beginning with another each time; and the largest share that others had.
    fn round(&self, turn: usize) -> Result<(Round, f64)> {
        let shape = Shape { connections: CONNECTIONS, span: self.span, every: None };
        let count = self.servers.len();
        let mut slices = vec![None; count];
        let mut foreign: f64 = 0.0;
        for place in 0..count {
            let place = (place + turn) % count;
            if let (Some((_, server)), Some(slice)) = (self.servers.get(place), slices.get_mut(place)) {
                let (figures, others) = self.slice(server, shape)?;
                *slice = Some(figures);
                foreign = foreign.max(others);
            }
        }
        let mut durable = None;
        if let Some((_, server)) = self.servers.iter().find(|(contestant, _)| contestant.durable) {
            let before = self.reading()?;
            let commit = commit::measure(&self.data, COMMIT_SPAN)?;
            foreign = foreign.max(before.foreign_until(&self.reading()?));
            let every = Duration::from_secs_f64(f64::from(CONNECTIONS) / self.paced_rate.max(1.0));
            let (paced, others) = self.slice(server, Shape { every: Some(every), ..shape })?;
            foreign = foreign.max(others);
            let commit = (commit.percentile(50), commit.percentile(99));
            durable = Some(Durable { commit, paced: (paced.p50, paced.p99) });
        }
        Ok((Round { slices: slices.into_iter().flatten().collect(), durable }, foreign))
    }

    fn slice(&self, server: &Server, shape: Shape) -> Result<(Figures, f64)> {
        let generator = Generator::connect(&[&server.address], shape)?;
        let cpu = || server.cpu_time().ok_or("the CPU time of a server cannot be read");
        let (before, cpu_before) = (self.reading()?, cpu()?);
        let outcome = generator.run(&self.numbers)?;
        let (after, cpu_after) = (self.reading()?, cpu()?);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let ten_thousands = outcome.round_trips as f64 / 10_000.0;
        let figures = Figures {
            cpu: cpu_after.saturating_sub(cpu_before).as_secs_f64() / ten_thousands,
            rate: outcome.rate(),
            p50: outcome.latencies.percentile(50),
            p99: outcome.latencies.percentile(99),
        };
        Ok((figures, before.foreign_until(&after)))
    }

    fn reading(&self) -> Result<Reading> {
        let servers: Option<Duration> = self.servers.iter().map(|(_, server)| server.cpu_time()).sum();
        let own = servers.zip(own_cpu_time()).ok_or("the CPU time of the bench cannot be read")?;
        Reading::take(own.0 + own.1)
    }
}

/// Takes the replies that the baseline will give from a live server.
pub(super) fn record_replies(subject: &Subject, data: &Path) -> Result<()> {
    let live = data.join("live");
    let server = Launch::verifyd(&subject.verifyd, "dev", &live, &[("VERIFYD_STORE", "memory")]).start()?;
    let mut client = Client::connect(&server.address)?;
    let start = client.post("/v1/verifications", &format!("{{\"to\":\"{}\"}}", phone_number(0)))?;
    let (id, code) = start.text("id").zip(start.text("test_code")).ok_or("a start did not show its id and code")?;
    let check = client.post(&format!("/v1/verifications/{id}/check"), &format!("{{\"code\":\"{code}\"}}"))?;
    for (name, reply) in [("start", &start), ("check", &check)] {
        std::fs::write(data.join(name), wire(reply))?;
    }
    Ok(())
}

fn wire(reply: &Reply) -> String {
    let mut wire = format!("HTTP/1.1 {} Recorded\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        wire.extend([name, ": ", value, "\r\n"]);
    }
    wire + "\r\n" + &reply.body
}

/// The bare server, giving the recorded replies.
pub(super) fn baseline(subject: &Subject, data: &Path) -> Launch {
    let path = |name| data.join(name).to_string_lossy().into_owned();
    let arguments = ["bench", "baseline", "--start", &path("start"), "--check", &path("check")];
    Launch::of(&subject.xtask, &arguments, data.join("baseline.log"))
}

fn report(contest: &Contest, rounds: &[Round], pace: &Pace) -> Result<Vec<Verdict>> {
    let of = |place: usize, figure: fn(&Figures) -> f64| {
        Spread::of(rounds.iter().filter_map(|round| round.slices.get(place)).map(figure)).ok_or("no rounds")
    };
    let ratio = |place: usize, figure: fn(&Figures) -> f64| {
        let paired =
            rounds.iter().filter_map(|round| Some(figure(round.slices.get(place)?) / figure(round.slices.first()?)));
        Spread::of(paired).ok_or("no rounds")
    };
    let width = of(0, |figures| figures.cpu)?.width();
    if width > BASELINE_WIDTH_AT_MOST && !pace.allow_noise {
        let text = "the machine is too noisy for a ratio: the baseline's own CPU figures lie";
        return Err(
            format!("{text} {:.0} % apart (at most {:.0} %)", width * 100.0, BASELINE_WIDTH_AT_MOST * 100.0).into()
        );
    }
    println!("\n{} rounds of {} s, {CONNECTIONS} connections{}", rounds.len(), contest.span.as_secs_f64(), pace.mark());
    println!(
        "medians; ratios to the baseline are medians of pairs of one round (least to most); latencies of single requests"
    );
    let mut table = Table::new(&[
        "contestant",
        "CPU s/10k",
        "ratio",
        "",
        "round trips/s",
        "ratio",
        "p50 ms",
        "ratio",
        "p99 ms",
        "ratio",
    ]);
    let mut verdicts = Vec::new();
    for (place, (contestant, _)) in contest.servers.iter().enumerate() {
        let cpu = ratio(place, |figures| figures.cpu)?;
        let column = |figure: fn(&Figures) -> f64| -> Result<[f64; 2]> {
            Ok([of(place, figure)?.median, ratio(place, figure)?.median])
        };
        let ([rate, rates], [p50, p50s], [p99, p99s]) = (column(|f| f.rate)?, column(|f| f.p50)?, column(|f| f.p99)?);
        table.line(vec![
            contestant.name.to_owned(),
            format!("{:.3}", of(place, |figures| figures.cpu)?.median),
            format!("{:.2}", cpu.median),
            format!("({:.2} to {:.2})", cpu.least, cpu.most),
            format!("{rate:.0}"),
            format!("{rates:.2}"),
            format!("{p50:.2}"),
            format!("{p50s:.2}"),
            format!("{p99:.2}"),
            format!("{p99s:.2}"),
        ]);
        if let Some(target) = contestant.target {
            verdicts.push(Verdict {
                what: format!("CPU, {} / bare axum", contestant.name),
                figure: cpu.median,
                target,
            });
        }
    }
    table.print();
    verdicts.extend(report_durable(contest, rounds));
    Ok(verdicts)
}

fn report_durable(contest: &Contest, rounds: &[Round]) -> Option<Verdict> {
    let of =
        |figure: fn(&Durable) -> f64| Spread::of(rounds.iter().filter_map(|round| round.durable.as_ref()).map(figure));
    let commit = (of(|durable| durable.commit.0)?, of(|durable| durable.commit.1)?);
    let paced = (of(|durable| durable.paced.0)?, of(|durable| durable.paced.1)?);
    let ratio = of(|durable| durable.paced.1 / durable.commit.1)?;
    println!("one durable commit: p50 {:.3} ms, p99 {:.3} ms", commit.0.median, commit.1.median);
    println!(
        "a request at {:.0} round trips a second, half of the embedded store's rate: p50 {:.3} ms, p99 {:.3} ms",
        contest.paced_rate, paced.0.median, paced.1.median
    );
    let what = "p99, embedded store at half rate / p99 of a commit".to_owned();
    Some(Verdict { what, figure: ratio.median, target: TARGET_COMMITS })
}
