//! The store and its directory, `[store]` and `data_dir`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use verifyd_core::store::state::StateOptions;

use super::Environment;
use super::reader::Reader;

/// 400 bytes a record: forty gigabytes.
const MAX_RECORDS: RangeInclusive<usize> = 1..=100_000_000;
const KEEP_FINISHED: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(30 * 24 * 3600);

/// Where the life of verifications is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Durable, in the data directory.
    Embedded,
    /// Gone with the process.
    Memory,
    /// In Redis or Valkey, shared by several nodes.
    Redis,
}

/// The store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Which.
    pub kind: StoreKind,
    /// How much it holds and for how long.
    pub options: StateOptions,
}

/// What this file reads.
pub(super) struct Store {
    pub(super) config: StoreConfig,
    pub(super) data_dir: PathBuf,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Store> {
    let kind = read_kind(reader);
    let max_records = reader.number("store.max_records", &MAX_RECORDS);
    let retention = reader.duration("store.keep_finished", &KEEP_FINISHED);
    let data_dir = reader.parsed_by("data_dir", |text| match text {
        "" => Err("expected a directory"),
        text => Ok(PathBuf::from(text)),
    });
    if kind == Some(StoreKind::Memory) && reader.environment == Environment::Production {
        reader.findings.warn(
            reader.field("store.url"),
            "the memory store forgets pending codes, limits and failed guesses at every restart; use embedded",
        );
    }
    if kind == Some(StoreKind::Redis) && reader.is_given("store.max_records") {
        reader
            .findings
            .remark(reader.field("store.max_records"), "does nothing here: Redis is bounded by its maxmemory");
    }
    let options = StateOptions { max_records: max_records?, retention: retention? };
    Some(Store { config: StoreConfig { kind: kind?, options }, data_dir: data_dir? })
}

fn read_kind(reader: &mut Reader<'_>) -> Option<StoreKind> {
    const EXPECTED: &str = "expected \"embedded\", \"memory\" or the URL of a Redis, such as redis://127.0.0.1:6379";
    match reader.text("store.url")? {
        "embedded" => Some(StoreKind::Embedded),
        "memory" => Some(StoreKind::Memory),
        // What is wrong with the rest of the URL is told where it is read.
        text if text.starts_with("redis") && text.contains("://") => Some(StoreKind::Redis),
        _ => {
            reader.refuse("store.url", EXPECTED);
            None
        }
    }
}
