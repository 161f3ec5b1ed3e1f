//! Random operations, weighted so that limits, ends and boundaries are met often.

use super::op::{Guess, Op, Profile};
use crate::testing::SeededRandom;

const PHONES: u64 = 4;
const SERVICES: u64 = 3;
const ADDRESSES: u64 = 4;

fn small(random: &SeededRandom, bound: u64) -> u8 {
    u8::try_from(random.below(bound)).unwrap_or(0)
}

fn maybe(random: &SeededRandom, percent: u64, bound: u64) -> Option<u8> {
    random.chance(percent).then(|| small(random, bound))
}

/// Counts back from the newest: mostly the last few.
fn back(random: &SeededRandom) -> u8 {
    let reach = if random.chance(80) { 4 } else { 60 };
    small(random, reach)
}

fn guess(random: &SeededRandom) -> Guess {
    match random.below(10) {
        0..=1 => Guess::Right,
        2..=8 => Guess::Wrong,
        _ => Guess::WrongLength,
    }
}

fn span_ms(random: &SeededRandom) -> u64 {
    const SPANS_MS: [u64; 12] =
        [0, 1, 999, 1_000, 29_999, 30_000, 60_000, 120_000, 300_000, 600_000, 3_600_000, 86_400_000];
    let index = usize::from(small(random, if random.chance(90) { 10 } else { 12 }));
    SPANS_MS.get(index).copied().unwrap_or(1) + if random.chance(30) { random.below(100_000) } else { 0 }
}

/// The next operation.
pub(super) fn next(random: &SeededRandom) -> Op {
    let service = small(random, SERVICES);
    let phone = small(random, PHONES);
    let address = maybe(random, 40, ADDRESSES);
    let stranger = random.chance(3);
    match random.below(1_000) {
        0..220 => Op::Start { service, phone, address, code: maybe(random, 10, 2), purpose: maybe(random, 10, 2) },
        220..320 => Op::Resend { back: back(random), address, stranger },
        320..460 => Op::Check { back: back(random), guess: guess(random), stranger },
        460..540 => Op::CheckNumber { service, phone, guess: guess(random) },
        540..660 => {
            let failed = random.chance(50);
            let refund = failed && random.chance(80);
            Op::Settle { back: back(random), delivery: small(random, 4), failed, refund }
        }
        660..700 => Op::Cancel { back: back(random), stranger },
        700..708 => Op::Load { back: back(random) },
        708..726 => Op::Info { service, phone, address },
        726..770 => Op::Repeat,
        770..840 => Op::Advance { ms: span_ms(random) },
        840..920 => Op::AdvanceToTold { back: small(random, 6), before: random.chance(50) },
        920..930 => Op::StepBack { ms: step_back_ms(random) },
        930..950 => Op::AcceptClock,
        950..958 => Op::Restart,
        958..970 => Op::Reload(profile(random)),
        970..972 => Op::RotateKey,
        972..980 => Op::Forget { service: random.chance(60).then_some(service), phone },
        980..990 => Op::Unlock { service, phone },
        _ => Op::Purge,
    }
}

fn profile(random: &SeededRandom) -> Profile {
    match random.below(3) {
        0 => Profile::Documented,
        1 => Profile::Strict,
        _ => Profile::Patient,
    }
}

/// Mostly within what is clamped, sometimes a little or far beyond.
fn step_back_ms(random: &SeededRandom) -> u64 {
    match random.below(10) {
        0..=7 => random.below(300_001),
        8 => 300_000 + random.below(3),
        _ => random.below(3_000_000_000),
    }
}
