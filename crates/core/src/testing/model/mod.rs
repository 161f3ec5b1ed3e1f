//! The model-based test: random lives on a real store, each answer compared with a small oracle that was written from the
//! design and shares no rule with the store.
//!
//! [`run`] makes a sequence of [`Op`]s from a seed and stops at the first difference with the seed, the position and the last
//! operations. A difference that was found and mended stays as a short list of operations among the
//! [`REPRODUCTIONS`], replayed by [`replay_reproductions`].

mod compare;
mod generate;
mod op;
mod oracle;
mod oracle_limits;
mod repeat;
mod reproductions;
mod world;

use std::fmt::Write as _;
use std::time::Duration;

pub use op::{Guess, Op, Profile};
pub use reproductions::REPRODUCTIONS;

use self::world::World;
use super::{SeededRandom, StoreFactory};
use crate::store::state::StateOptions;

/// How many of the last operations a failure shows.
const SHOWN: usize = 40;

/// Runs `count` operations made from `seed` on a fresh store and on the oracle.
///
/// # Panics
/// At the first answer that differs; the message holds the seed and the last operations.
pub async fn run(factory: &dyn StoreFactory, seed: u64, count: usize) {
    walk(factory, seed, count, false).await;
}

/// The same for a store whose clock is its server's: time only moves forward, and what is due is gone at once.
///
/// # Panics
/// At the first answer that differs.
pub async fn run_forward(factory: &dyn StoreFactory, seed: u64, count: usize) {
    walk(factory, seed, count, true).await;
}

async fn walk(factory: &dyn StoreFactory, seed: u64, count: usize, forward: bool) {
    let random = SeededRandom::new(seed);
    let mut world = world(factory, seed, forward).await;
    let mut ops = Vec::with_capacity(count);
    while ops.len() < count {
        let op = generate::next(&random);
        if forward && op.needs_one_clock() {
            continue;
        }
        ops.push(op);
        if let Err(difference) = world.step(factory, op).await {
            panic!("seed {seed}, operation {}: {difference}\n{}", ops.len(), listing(&ops));
        }
    }
}

/// Runs every list of the [`REPRODUCTIONS`], each on a fresh store.
///
/// # Panics
/// At the first answer that differs.
pub async fn replay_reproductions(factory: &dyn StoreFactory) {
    replay(factory, false).await;
}

/// The same without those in which the clock goes back.
///
/// # Panics
/// At the first answer that differs.
pub async fn replay_reproductions_forward(factory: &dyn StoreFactory) {
    replay(factory, true).await;
}

async fn replay(factory: &dyn StoreFactory, forward: bool) {
    for (name, ops) in REPRODUCTIONS {
        if forward && ops.iter().any(|op| op.needs_one_clock()) {
            continue;
        }
        let mut world = world(factory, 0, forward).await;
        for (position, op) in ops.iter().enumerate() {
            if let Err(difference) = world.step(factory, *op).await {
                panic!("{name}, operation {}: {difference}\n{}", position + 1, listing(&ops[..=position]));
            }
        }
    }
}

async fn world(factory: &dyn StoreFactory, seed: u64, forward: bool) -> World {
    let options = StateOptions { max_records: 1_000_000, retention: Duration::from_secs(3600) };
    World::new(factory.fresh_with(options).await, seed, options.retention, forward)
}

fn listing(ops: &[Op]) -> String {
    let mut text = String::from("the last operations, oldest first:\n");
    for op in ops.iter().skip(ops.len().saturating_sub(SHOWN)) {
        writeln!(text, "    Op::{op:?},").unwrap();
    }
    text
}
