//! Reading entries from segments, newest first.
//!
//! Entries of a segment are not in order, and segments overlap: what a send took long over is appended late. News of an entry lie
//! behind it, in its own segment or in a newer one. So segments are read from the newest to the oldest, news are remembered, and
//! an entry counts as found when no segment left can have one that is newer.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Duration;

use verifyd_core::clock::Timestamp;
use verifyd_core::history::{Cursor, Entry, News, Page, PageQuery, SCAN_AT_ONCE};
use verifyd_core::id::DeliveryId;

use super::log::Segment;

/// What was read so far.
#[derive(Default)]
struct Found {
    /// News of entries, in the order in which they were appended.
    news: HashMap<DeliveryId, Vec<News>>,
    entries: BTreeMap<Cursor, Entry>,
    looked_at: usize,
}

/// What is looked for.
struct Search<'a> {
    from: Timestamp,
    /// Entries before this place.
    end: Cursor,
    wanted: &'a dyn Fn(&Entry) -> bool,
    /// How many entries are enough.
    enough: usize,
}

impl Found {
    fn read(&mut self, segment: &Segment, search: &Search<'_>) -> io::Result<()> {
        let (mut entries, mut news) = (Vec::new(), HashMap::<DeliveryId, Vec<News>>::new());
        segment.visit(|batch| {
            self.looked_at += batch.entries.len();
            let within = |entry: &Entry| entry.place.at >= search.from && Cursor::after(entry) < search.end;
            entries.extend(batch.entries.into_iter().filter(within));
            for change in batch.changes.into_iter().filter(|change| change.place.at >= search.from) {
                news.entry(change.place.id).or_default().push(change.news);
            }
        })?;
        for (id, mut older) in news {
            let newer = self.news.entry(id).or_default();
            older.append(newer);
            *newer = older;
        }
        for mut entry in entries {
            self.news.get(&entry.place.id).into_iter().flatten().for_each(|news| entry.apply(news));
            if (search.wanted)(&entry) {
                self.entries.insert(Cursor::after(&entry), entry);
            }
        }
        while self.entries.len() > search.enough {
            self.entries.pop_first();
        }
        Ok(())
    }
}

/// Reads as much as must be read. The instant is that of the newest entry that was perhaps not looked at, if any was not.
fn search(segments: &[Segment], search: &Search<'_>, after: Option<Cursor>) -> io::Result<(Found, Option<Timestamp>)> {
    let mut found = Found::default();
    let until = search.end.at + Duration::from_millis(1);
    for (index, segment) in segments.iter().enumerate() {
        let left = segments.get(index..).unwrap_or_default();
        let newest = left.iter().filter(|segment| segment.extent.admitted.meets(search.from, until));
        let Some(newest) = newest.map(|segment| segment.extent.admitted.last).max() else { break };
        // Everything later than that was seen.
        let oldest_found = found.entries.first_key_value().map(|(cursor, _)| cursor.at);
        if found.entries.len() >= search.enough && oldest_found.is_some_and(|oldest| oldest > newest) {
            break;
        }
        let moves_on = after.is_none_or(|after| behind(newest) < after);
        if found.looked_at >= SCAN_AT_ONCE && moves_on {
            return Ok((found, Some(newest)));
        }
        let extent = &segment.extent;
        if extent.admitted.meets(search.from, until) || extent.changed.meets(search.from, until) {
            found.read(segment, search)?;
        }
    }
    Ok((found, None))
}

/// The place behind which everything up to `newest` lies.
fn behind(newest: Timestamp) -> Cursor {
    Cursor::before(newest + Duration::from_millis(1))
}

/// One page of what was admitted at `from` or later.
pub(super) fn page(segments: &[Segment], query: &PageQuery, from: Timestamp) -> io::Result<Page> {
    let until = query.filter.until.map(Cursor::before);
    let latest = Cursor::before(Timestamp::from_unix_ms(u64::MAX));
    let end = query.after.into_iter().chain(until).min().unwrap_or(latest);
    let wanted = |entry: &Entry| query.filter.matches(entry);
    let asked = Search { from, end, wanted: &wanted, enough: query.limit.saturating_add(1) };
    let (found, unseen) = search(segments, &asked, query.after)?;
    let surely = |entry: &Entry| unseen.is_none_or(|unseen| entry.place.at > unseen);
    let mut entries: Vec<_> = found.entries.into_values().rev().filter(surely).collect();
    let next = if entries.len() > query.limit {
        entries.truncate(query.limit);
        entries.last().map(Cursor::after)
    } else {
        unseen.map(behind)
    };
    Ok(Page { entries, next })
}

/// The entry of an id, admitted from `from` on and before `until`.
pub(super) fn one(
    segments: &[Segment],
    id: DeliveryId,
    from: Timestamp,
    until: Timestamp,
) -> io::Result<Option<Entry>> {
    let wanted = |entry: &Entry| entry.place.id == id;
    let mut after = None;
    loop {
        let end = after.unwrap_or(Cursor::before(until));
        let asked = Search { from, end, wanted: &wanted, enough: 1 };
        let (mut found, unseen) = search(segments, &asked, after)?;
        match (found.entries.pop_first(), unseen) {
            (Some((_, entry)), _) => return Ok(Some(entry)),
            (None, Some(unseen)) => after = Some(behind(unseen)),
            (None, None) => return Ok(None),
        }
    }
}
