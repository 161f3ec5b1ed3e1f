//! The rules that stand in Lua and in Rust, held together: random lives of a log and of a quota, step by step on both.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::time::Duration;

use redis::Connection;
use verifyd_core::clock::Timestamp;
use verifyd_core::limits::gcra::{self, Tat};
use verifyd_core::limits::{Rate, SlidingLog};
use verifyd_core::testing::SeededRandom;
use verifyd_store_redis::testing::{self, Server};

const PRELUDE: &str = include_str!("../src/scripts/prelude.lua");
const RECORDS: &str = include_str!("../src/scripts/records.lua");
const QUOTA: &str = include_str!("../src/scripts/quota.lua");

/// A test's own script over the functions of the records: one step of a log.
const LOG_STEP: &str = "
local log = redis.call('GET', KEYS[1]) or ''
local what, count, window, at = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local now = server_clock()
local allowed = is_full(log, count, window, now) and 0 or 1
if what == 'take' and allowed == 1 then log = take(log, window, now) end
if what == 'give back' then log = give_back(log, at) end
if what == 'clamp' then log = clamp(log, at) end
redis.call('SET', KEYS[1], log)
return { allowed, log }";

const BEGINNING_MS: u64 = 1_790_000_000_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(BEGINNING_MS + ms)
}

fn connection(server: &Server) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

fn instants(log: &[u8]) -> Vec<Timestamp> {
    let instant = |bytes: &[u8]| bytes.iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte));
    log.chunks_exact(6).map(|bytes| Timestamp::from_unix_ms(instant(bytes))).collect()
}

#[test]
fn a_log_in_lua_is_the_log_of_the_core() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let mut connection = connection(&server);
    let script = format!("{PRELUDE}\n{RECORDS}\n{LOG_STEP}");
    for seed in 0..20 {
        let (random, mut log, mut now) = (SeededRandom::new(seed), SlidingLog::default(), 0);
        let mut rate = Rate::new(3, Duration::from_secs(5)).unwrap();
        for _ in 0..300 {
            let mut given = 0;
            let what = match random.below(8) {
                0 => {
                    now += random.below(4_000);
                    "look"
                }
                1 => {
                    let count = 1 + u32::try_from(random.below(6)).unwrap();
                    rate = Rate::new(count, Duration::from_secs(1 + random.below(6))).unwrap();
                    "look"
                }
                2 => {
                    let taken: Vec<_> = log.instants().collect();
                    let known = taken.get(usize::try_from(random.below(6)).unwrap());
                    given = known.map_or(BEGINNING_MS + random.below(9), |at| at.unix_ms());
                    "give back"
                }
                3 => {
                    given = BEGINNING_MS + now - random.below(3).min(now);
                    "clamp"
                }
                _ => "take",
            };
            let allowed = log.peek(rate, at(now)).allowed();
            match what {
                "take" if allowed => log.take(rate, at(now)),
                "give back" => log.give_back(Timestamp::from_unix_ms(given)),
                "clamp" => log.clamp_to(Timestamp::from_unix_ms(given)),
                _ => {}
            }
            let mut call = redis::cmd("EVAL");
            call.arg(&script)
                .arg(1)
                .arg(format!("t:{{{seed:04x}}}:log"))
                .arg([0_u8; 8].as_slice())
                .arg(0)
                .arg(format!("={}", at(now).unix_ms()))
                .arg(3_600_000);
            call.arg(what).arg(rate.count()).arg(rate.window().as_millis().to_string()).arg(given);
            let (lua_allowed, lua_log): (bool, Vec<u8>) = call.query(&mut connection).unwrap();
            assert_eq!(lua_allowed, allowed, "seed {seed}, {what} at {now}");
            assert_eq!(instants(&lua_log), log.instants().collect::<Vec<_>>(), "seed {seed}, {what} at {now}");
        }
    }
}

#[test]
fn a_quota_in_lua_is_the_gcra_of_the_core() {
    if testing::no_redis_here() {
        return;
    }
    let server = Server::start(&[]);
    let mut connection = connection(&server);
    let script = format!("{PRELUDE}\n{QUOTA}");
    for seed in 0..20 {
        let (random, mut tat, mut now) = (SeededRandom::new(seed), Tat::default(), 0);
        // Those that can still be given back: the attempt, when it was charged.
        let mut charged: Vec<(u64, u64)> = Vec::new();
        let rate =
            Rate::new(1 + u32::try_from(random.below(30)).unwrap(), Duration::from_millis(1 + random.below(90_000)));
        let rate = rate.unwrap();
        for attempt in 0..300 {
            now += if random.chance(60) { random.below(4_000) } else { 0 };
            let (what, attempt) = match random.below(10) {
                0..=6 => ("charge", attempt),
                7..=8 => {
                    ("give back", charged.get(usize::try_from(random.below(4)).unwrap()).map_or(9_999, |one| one.0))
                }
                _ => ("look", 0),
            };
            let before = gcra::peek(tat, rate, at(now));
            let done = match what {
                "charge" if before.allowed() => {
                    tat = gcra::take(tat, rate, at(now));
                    charged.push((attempt, now));
                    true
                }
                "give back" => {
                    let known = charged.iter().position(|one| one.0 == attempt).map(|index| charged.remove(index));
                    if let Some((_, taken)) = known {
                        tat = gcra::give_back(tat, rate, at(taken), at(now));
                    }
                    known.is_some()
                }
                _ => false,
            };
            let mut call = redis::cmd("EVAL");
            call.arg(&script)
                .arg(1)
                .arg(format!("t:{{{seed:04x}}}:quota"))
                .arg([0_u8; 8].as_slice())
                .arg(0)
                .arg(format!("={}", at(now).unix_ms()))
                .arg(what);
            call.arg(rate.window().as_millis().to_string()).arg(rate.count()).arg(attempt.to_be_bytes().as_slice());
            let (lua_done, _, _, lua_tat): (bool, u64, u64, u64) = call.query(&mut connection).unwrap();
            let told = || format!("seed {seed}: {what} {attempt} at {now} under {rate}");
            // What has drained by itself need not be remembered, and giving it back changes nothing.
            assert!(lua_done == done || (what == "give back" && lua_tat == tat.unix_us()), "{}", told());
            let lua = gcra::peek(Tat::from_unix_us(lua_tat), rate, at(now));
            assert_eq!(lua, gcra::peek(tat, rate, at(now)), "{}", told());
        }
    }
}
