//! What is counted, by what, and for how long.

use std::time::Duration;

use super::{Book, HistoryFactory, at, service};
use crate::clock::Timestamp;
use crate::history::{Country, Counts, Filter, GroupBy, GroupKey, Groups, HistoryOptions, Hour, Period, StatsQuery};
use crate::sender::{Channel, DeliveryStatus, Price};

fn attempts(attempts: i64) -> Counts {
    Counts { attempts, ..Counts::default() }
}

/// The hours from the one of `from` to the one of `until`.
fn hours(from: Timestamp, until: Timestamp, group: GroupBy) -> StatsQuery {
    StatsQuery { from: Hour::of(from), until: Hour::of(until).next(), group, ..StatsQuery::default() }
}

async fn stats(book: &Book, query: &StatsQuery, now: Timestamp) -> Groups {
    book.history.stats(query, now).await.unwrap()
}

async fn total(book: &Book, query: &StatsQuery, now: Timestamp) -> i64 {
    stats(book, query, now).await.0.values().map(|counts| counts.attempts).sum()
}

/// By each kind of group, and filtered.
pub async fn counts_add_up_by_group(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    for (country, second, count) in [("US", 0, 1), ("US", 10, 2), ("IT", 0, 4), ("IT", 3_600, 8), ("US", 86_400, 16)] {
        book.count(Book::key(service(1), country, at(second)), attempts(count)).await;
    }
    let all = hours(at(0), at(86_400), GroupBy::default());
    assert_eq!(stats(&book, &all, at(86_400)).await.0, [(GroupKey::default(), attempts(31))].into());

    let country = GroupBy { country: true, ..GroupBy::default() };
    let found = stats(&book, &StatsQuery { group: country, ..all.clone() }, at(86_400)).await;
    let of = |text| GroupKey { country: Country::parse(text), ..GroupKey::default() };
    assert_eq!(found.0, [(of("IT"), attempts(12)), (of("US"), attempts(19))].into());

    let day = GroupBy { period: Some(Period::Day), sender: true, channel: true, service: true, country: false };
    let found = stats(&book, &StatsQuery { group: day, ..all.clone() }, at(86_400)).await;
    let midnight = |when: Timestamp| Timestamp::from_unix_ms(when.unix_ms() - when.unix_ms() % 86_400_000);
    let of = |when| GroupKey {
        start: Some(midnight(when)),
        service: Some(service(1)),
        country: None,
        sender: Some("twilio".into()),
        channel: Some(Channel::Sms),
    };
    assert_eq!(found.0, [(of(at(0)), attempts(15)), (of(at(86_400)), attempts(16))].into());

    let italy = StatsQuery { country: Country::parse("IT"), ..all.clone() };
    assert_eq!(total(&book, &italy, at(86_400)).await, 12);
    let nobody = StatsQuery { sender: Some("nobody".to_owned()), ..all };
    assert_eq!(total(&book, &nobody, at(86_400)).await, 0);
}

/// The first and the last hour of a question count wholly, those beside it not at all.
pub async fn counts_are_of_whole_hours(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    for hour in 0..4 {
        book.count(Book::key(service(1), "US", at(hour * 3_600)), attempts(1 << hour)).await;
    }
    let by_hour = GroupBy { period: Some(Period::Hour), ..GroupBy::default() };
    let query = hours(at(3_600), at(7_200), by_hour);
    let of = |when| GroupKey { start: Some(Hour::of(when).start()), ..GroupKey::default() };
    let expected = [(of(at(3_600)), attempts(2)), (of(at(7_200)), attempts(4))];
    assert_eq!(stats(&book, &query, at(14_400)).await.0, expected.into());
    let nothing = StatsQuery { until: query.from, ..query };
    assert!(stats(&book, &nothing, at(14_400)).await.0.is_empty());
}

/// They name nobody, so nothing of them is forgotten.
pub async fn counts_outlive_entries_and_numbers(factory: &dyn HistoryFactory) {
    let retention = Duration::from_secs(7_200);
    let book = Book::with(factory, HistoryOptions { retention, ..HistoryOptions::default() }).await;
    let entry = book.entry(service(1), "+14155552671", at(0));
    book.append(std::slice::from_ref(&entry)).await;
    book.count(Book::key(service(1), "US", at(0)), attempts(1)).await;
    book.history.forget(None, entry.phone, at(1)).await.unwrap();
    book.history.purge(at(20_000)).await.unwrap();
    assert!(book.all(Filter::default(), at(20_000)).await.is_empty());
    assert_eq!(total(&book, &hours(at(0), at(0), GroupBy::default()), at(20_000)).await, 1);
}

/// Hour by hour.
pub async fn counts_end_with_their_retention(factory: &dyn HistoryFactory) {
    let counts_retention = Duration::from_secs(10 * 3_600);
    let book = Book::with(factory, HistoryOptions { counts_retention, ..HistoryOptions::default() }).await;
    for hour in 0..3 {
        book.count(Book::key(service(1), "US", at(hour * 3_600)), attempts(1)).await;
    }
    let query = hours(at(0), at(3 * 3_600), GroupBy::default());
    assert_eq!(total(&book, &query, at(10 * 3_600)).await, 3);
    for _ in 0..2 {
        assert_eq!(total(&book, &query, at(11 * 3_600)).await, 2);
        book.history.purge(at(11 * 3_600)).await.unwrap();
    }
}

/// Neither lost nor doubled, however often.
pub async fn counts_survive_a_restart_once(factory: &dyn HistoryFactory) {
    let mut book = Book::fresh(factory).await;
    let query = hours(at(0), at(0), GroupBy::default());
    for round in 1..4 {
        book.count(Book::key(service(1), "US", at(0)), attempts(1)).await;
        book = book.reopened(factory).await;
        assert_eq!(total(&book, &query, at(1)).await, round);
    }
}

/// Each kind of count, also less than nothing in between: news take back what was counted.
pub async fn every_field_comes_back(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let key = || Book::key(service(1), "US", at(0));
    let mut counts = Counts { attempts: 1, approved: 1, segments: 2, ..Counts::default() };
    for status in DeliveryStatus::ALL {
        counts.stand(status, 1);
    }
    for (amount, currency) in [("0.0079", "USD"), ("0.05", "EUR")] {
        counts.pay(&Price { amount: amount.to_owned(), currency: currency.to_owned(), estimated: true }, 1);
    }
    counts.refused.insert("sends_per_phone".into(), 3);
    counts.refused.insert("country_not_allowed".into(), 1);
    for wait in [0, 5_000, 3_600_000] {
        counts.waits.add(wait);
    }
    let mut back = Counts::default();
    back.stand(DeliveryStatus::Unknown, -2);
    back.stand(DeliveryStatus::Delivered, 1);
    book.count(key(), back.clone()).await;
    book.count(key(), counts.clone()).await;
    counts.add(&back);
    let found = stats(&book, &hours(at(0), at(0), GroupBy::default()), at(1)).await;
    assert_eq!(found.0, [(GroupKey::default(), counts)].into());
}

/// A tenant's question is answered from its own.
pub async fn another_tenant_counts_for_itself(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    book.count(Book::key(service(1), "US", at(0)), attempts(1)).await;
    book.count(Book::key(service(2), "US", at(0)), attempts(2)).await;
    for (tenant, expected) in [(Some(service(1)), 1), (Some(service(2)), 2), (Some(service(3)), 0), (None, 3)] {
        let query = StatsQuery { service: tenant, ..hours(at(0), at(0), GroupBy::default()) };
        assert_eq!(total(&book, &query, at(1)).await, expected);
    }
}
