//! `cargo xtask bench restart`: a server with many verifications pending is killed and started again.
//!
//! It is filled over HTTP, every start for a new number and acknowledged only when durable, then ended by `kill -9`, so the
//! first restart reads whatever the crash left. After every restart the verifications acknowledged last are still there
//! and at the end their codes are right: a quick start that forgot something would be worth nothing.
//!
//! Memory is what a server that was started again has more than one that was started empty, both once they are at rest: what is
//! the same in both (the metadata of numbers, which loads in the background) is in neither figure.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Subject;
use super::client::Client;
use super::figures::Verdict;
use super::server::Launch;
use crate::Result;

/// How soon a server with a million pending must be ready, in seconds.
const TARGET_READY_S: f64 = 2.0;
/// The memory of a pending verification with all that belongs to it, in bytes.
const TARGET_BYTES: f64 = 400.0;
/// With fewer pending, what every server needs once would be most of the figure.
const MEMORY_JUDGED_FROM: u64 = 200_000;
const RESTARTS: usize = 5;
/// Filling stops with an error after this long: the machine is too busy for a figure.
const FILL_AT_MOST: Duration = Duration::from_secs(1800);
/// Numbers of one area code that are valid in the United States: the exchange begins with 2 to 9.
const NUMBERS_PER_AREA: u64 = 8_000_000;
const AREAS: [u16; 4] = [201, 202, 203, 205];
/// Nothing may expire while the bench runs, and nothing be refused for lack of room.
const VARIABLES: &[(&str, &str)] =
    &[("VERIFYD_SERVICE__DEFAULT__TTL", "24h"), ("VERIFYD_STORE__MAX_RECORDS", "100000000"), ("VERIFYD_LOG", "error")];

/// The options of `cargo xtask bench restart`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many verifications are pending
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=30_000_000))]
    pending: u64,
    /// How many connections fill the server
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
}

/// A start that was acknowledged.
struct Acknowledged {
    id: String,
    code: String,
}

impl Default for Arguments {
    fn default() -> Self {
        Self { pending: 1_000_000, connections: 64 }
    }
}

/// Measures, prints and gives the verdicts; an error if something acknowledged is lost.
pub(super) fn run(subject: &Subject, arguments: &Arguments) -> Result<Vec<Verdict>> {
    let data = subject.fresh_scratch("bench-restart")?;
    let measured = measure(&subject.verifyd, &data, arguments);
    subject.remove(&data)?;
    measured
        .map_err(|error| format!("{error}; what the server said is in {}", data.with_extension("log").display()).into())
}

fn measure(binary: &Path, data: &Path, arguments: &Arguments) -> Result<Vec<Verdict>> {
    let server = Launch::verifyd(binary, "dev", data, VARIABLES).start()?;
    println!("empty store: ready after {}", shown(server.ready_after));
    let empty_bytes = server.memory_bytes_at_rest();
    let began = Instant::now();
    let acknowledged = fill(&server.address, arguments)?;
    let took = began.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = arguments.pending as f64 / took.as_secs_f64();
    println!(
        "{} starts acknowledged in {:.0} s ({rate:.0} a second, generator on the same cores)",
        arguments.pending,
        took.as_secs_f64()
    );
    server.kill()?;
    println!("killed; {} MiB in files", size_bytes(data)? >> 20);

    let (mut times, mut bytes_each) = (Vec::new(), Vec::new());
    for _ in 0..RESTARTS {
        let server = Launch::verifyd(binary, "dev", data, VARIABLES).start()?;
        let cpu = server.cpu_time().map_or(String::new(), |cpu| format!(" ({} of CPU)", shown(cpu)));
        let grown = server.memory_bytes_at_rest().zip(empty_bytes).map(|(now, empty)| now.saturating_sub(empty));
        let each = grown.map(|bytes| bytes / arguments.pending);
        let memory = each.map_or(String::new(), |bytes| format!(", {bytes} bytes of memory each"));
        bytes_each.extend(each);
        println!("{} pending: ready after {}{cpu}{memory}", arguments.pending, shown(server.ready_after));
        still_pending(&server.address, &acknowledged)?;
        times.push(server.ready_after);
        if times.len() == RESTARTS {
            still_right(&server.address, &acknowledged)?;
        }
        server.kill()?;
    }
    println!("the last {} acknowledged are all there and their codes are right", acknowledged.len());
    Ok(judge(arguments.pending, &times, &bytes_each))
}

/// The worst of each figure beside its target.
fn judge(pending: u64, times: &[Duration], bytes_each: &[u64]) -> Vec<Verdict> {
    let slowest = times.iter().max().copied().unwrap_or_default();
    let ready = format!("seconds until ready, {pending} pending");
    let mut verdicts = vec![Verdict { what: ready, figure: slowest.as_secs_f64(), target: TARGET_READY_S }];
    if let Some(bytes) = bytes_each.iter().max() {
        println!("memory a pending verification: {bytes} bytes");
        if pending >= MEMORY_JUDGED_FROM {
            #[expect(clippy::cast_precision_loss, reason = "bytes for people")]
            let figure = *bytes as f64;
            verdicts.push(Verdict { what: "bytes a pending verification".to_owned(), figure, target: TARGET_BYTES });
        }
    }
    verdicts
}

/// Starts one verification for each of `pending` new numbers; gives back the last one of every connection.
fn fill(address: &str, arguments: &Arguments) -> Result<Vec<Acknowledged>> {
    let next = AtomicU64::new(0);
    let until = Instant::now() + FILL_AT_MOST;
    let work = || {
        let mut client = Client::connect(address).map_err(|error| error.to_string())?;
        let mut last = None;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= arguments.pending {
                return Ok(last);
            }
            if Instant::now() > until {
                return Err(format!("the machine is too busy: {number} starts in {} s", FILL_AT_MOST.as_secs()));
            }
            last = Some(start(&mut client, number).map_err(|error| {
                // Nobody need go on.
                next.store(arguments.pending, Ordering::Relaxed);
                error.to_string()
            })?);
        }
    };
    let results: Vec<Result<Option<Acknowledged>, String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.connections).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err("a connection broke off".to_owned())))
            .collect()
    });
    let last: Vec<Option<Acknowledged>> = results.into_iter().collect::<Result<_, String>>()?;
    Ok(last.into_iter().flatten().collect())
}

fn start(client: &mut Client, number: u64) -> Result<Acknowledged> {
    let reply = client.post("/v1/verifications", &format!("{{\"to\":\"{}\"}}", phone_number(number)))?;
    match (reply.status, reply.text("id"), reply.text("test_code")) {
        (201, Some(id), Some(code)) => Ok(Acknowledged { id: id.to_owned(), code: code.to_owned() }),
        _ => Err(format!("a start was answered with {}: {}", reply.status, reply.body).into()),
    }
}

/// A number of its own for each index below 32 million.
pub(super) fn phone_number(index: u64) -> String {
    let area = usize::try_from(index / NUMBERS_PER_AREA).ok().and_then(|area| AREAS.get(area)).unwrap_or(&206);
    format!("+1{area}{}", 2_000_000 + index % NUMBERS_PER_AREA)
}

fn still_pending(address: &str, acknowledged: &[Acknowledged]) -> Result<()> {
    let mut client = Client::connect(address)?;
    for Acknowledged { id, .. } in acknowledged {
        let reply = client.get(&format!("/v1/verifications/{id}"))?;
        if reply.status != 200 || reply.text("status") != Some("pending") {
            return Err(format!("acknowledged and lost: {id} is answered with {}: {}", reply.status, reply.body).into());
        }
    }
    Ok(())
}

fn still_right(address: &str, acknowledged: &[Acknowledged]) -> Result<()> {
    let mut client = Client::connect(address)?;
    for Acknowledged { id, code } in acknowledged {
        let reply = client.post(&format!("/v1/verifications/{id}/check"), &format!("{{\"code\":\"{code}\"}}"))?;
        if reply.text("status") != Some("approved") {
            return Err(format!("the code of {id} is no longer right: {}: {}", reply.status, reply.body).into());
        }
    }
    Ok(())
}

/// The bytes of all files in a directory and below.
fn size_bytes(directory: &Path) -> Result<u64> {
    let mut directories: Vec<PathBuf> = vec![directory.to_owned()];
    let mut sum = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                directories.push(entry.path());
            } else {
                sum += metadata.len();
            }
        }
    }
    Ok(sum)
}

fn shown(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_target_is_judged_by_its_worst_figure() {
        let ms = Duration::from_millis;
        let figures = |pending, times: &[Duration], bytes: &[u64]| -> Vec<f64> {
            judge(pending, times, bytes).into_iter().map(|verdict| verdict.figure).collect()
        };
        let many = MEMORY_JUDGED_FROM;
        assert_eq!(figures(many, &[ms(1000), ms(2500), ms(500)], &[390, 401, 1]), [2.5, 401.0]);
        assert_eq!(figures(many - 1, &[ms(500)], &[401]), [0.5]);
        assert_eq!(figures(many, &[ms(500)], &[]), [0.5]);
    }

    #[test]
    fn every_index_has_a_number_of_its_own() {
        assert_eq!(phone_number(0), "+12012000000");
        assert_eq!(phone_number(NUMBERS_PER_AREA - 1), "+12019999999");
        assert_eq!(phone_number(NUMBERS_PER_AREA), "+12022000000");
        assert_eq!(phone_number(30_000_000 - 1).len(), 12);
    }
}
