//! Bare scripts: what a round trip would cost at Redis if nothing but a number, a verification and a comparison were kept.
//!
//! As `cargo xtask bench scripts` it is a process of its own that drives them directly, so many at once over one connection, as
//! `verifyd` does. What it shares with a start and a check: one script each, two values read and written, of their size, with a
//! time to live. What it leaves out: every rule.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Script;
use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;

use super::figures::Latencies;
use crate::Result;

/// Reads the number, writes it and the verification.
const START: &str = "
local number = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', 3660000)
redis.call('SET', KEYS[2], ARGV[2], 'PX', 4260000)
return number";
/// Reads both, compares, writes both.
const CHECK: &str = "
local number, verification = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
local right = string.sub(verification, 1, 8) == ARGV[3]
redis.call('SET', KEYS[1], ARGV[1], 'PX', 3660000)
redis.call('SET', KEYS[2], ARGV[2], 'PX', 4260000)
return {right and 1 or 0, number, verification}";
/// As long as a packed number of one send and one service.
const NUMBER_BYTES: usize = 90;
/// As long as a packed verification with one delivery.
const VERIFICATION_BYTES: usize = 340;

/// The options of `cargo xtask bench scripts`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Port of the Redis on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// For so many milliseconds
    #[arg(long)]
    milliseconds: u64,
    /// So many round trips at once
    #[arg(long)]
    connections: u32,
    /// The first number that nobody has used
    #[arg(long)]
    first: u64,
}

/// Drives them, and prints how many round trips it were and the p50 and p99 of one script in milliseconds.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    // As verifyd has it: one worker, because it sees one core.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(drive(arguments))
}

async fn drive(arguments: &Arguments) -> Result<()> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", arguments.port))?;
    let connection = client.get_multiplexed_async_connection().await?;
    let next = Arc::new(AtomicU64::new(arguments.first));
    let end = Instant::now() + Duration::from_millis(arguments.milliseconds);
    let mut running = JoinSet::new();
    for _ in 0..arguments.connections {
        running.spawn(round_trips(connection.clone(), Arc::clone(&next), end));
    }
    let mut latencies = Latencies::default();
    while let Some(ended) = running.join_next().await {
        latencies.append(ended??);
    }
    latencies.sort();
    println!("{} {} {}", latencies.count() / 2, latencies.percentile(50), latencies.percentile(99));
    Ok(())
}

async fn round_trips(
    mut connection: MultiplexedConnection,
    next: Arc<AtomicU64>,
    end: Instant,
) -> redis::RedisResult<Latencies> {
    let (start, check) = (Script::new(START), Script::new(CHECK));
    let (number, verification) = ([b'n'; NUMBER_BYTES], [b'v'; VERIFICATION_BYTES]);
    let mut latencies = Latencies::default();
    while Instant::now() < end {
        let id = next.fetch_add(1, Ordering::Relaxed);
        let keys = [format!("bare:{{{id:04x}}}:n"), format!("bare:{{{id:04x}}}:v")];
        for (script, guess) in [(&start, None), (&check, Some("vvvvvvvv"))] {
            let mut call = script.prepare_invoke();
            call.key(&keys).arg(&number).arg(&verification);
            if let Some(guess) = guess {
                call.arg(guess);
            }
            let began = Instant::now();
            let _answer: redis::Value = call.invoke_async(&mut connection).await?;
            latencies.push(began.elapsed());
        }
    }
    Ok(latencies)
}
