//! What is kept of deliveries, `[history]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use verifyd_core::history::HistoryOptions;

use super::reader::Reader;

const DAY: Duration = Duration::from_secs(24 * 3600);
const RETENTION: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(400 * DAY.as_secs());
const COUNTS_RETENTION: RangeInclusive<Duration> = DAY..=Duration::from_secs(1_200 * DAY.as_secs());
/// Some 200 bytes an entry: twenty gigabytes.
const MAX_ENTRIES: RangeInclusive<usize> = 1_000..=100_000_000;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<HistoryOptions> {
    let retention = reader.duration("history.retention", &RETENTION);
    let counts_retention = reader.duration("history.counts_retention", &COUNTS_RETENTION);
    let max_entries = reader.number("history.max_entries", &MAX_ENTRIES);
    Some(HistoryOptions { retention: retention?, counts_retention: counts_retention?, max_entries: max_entries? })
}
