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
    let random = SeededRandom::new(seed);
    let mut world = world(factory, seed).await;
    let mut ops = Vec::with_capacity(count);
    for _ in 0..count {
        let op = generate::next(&random);
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
    for (name, ops) in REPRODUCTIONS {
        let mut world = world(factory, 0).await;
        for (position, op) in ops.iter().enumerate() {
            if let Err(difference) = world.step(factory, *op).await {
                panic!("{name}, operation {}: {difference}\n{}", position + 1, listing(&ops[..=position]));
            }
        }
    }
}

async fn world(factory: &dyn StoreFactory, seed: u64) -> World {
    let options = StateOptions { max_records: 1_000_000, retention: Duration::from_secs(3600) };
    World::new(factory.fresh_with(options).await, seed, options.retention)
}

fn listing(ops: &[Op]) -> String {
    let mut text = String::from("the last operations, oldest first:\n");
    for op in ops.iter().skip(ops.len().saturating_sub(SHOWN)) {
        writeln!(text, "    Op::{op:?},").unwrap();
    }
    text
}
