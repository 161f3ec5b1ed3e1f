//! What pages show, in which order, and what they do not show.

use std::collections::HashSet;
use std::time::Duration;

use super::{Book, HistoryFactory, at, service};
use crate::history::{Country, Cursor, Entry, Filter, News, PageQuery};
use crate::id::DeliveryId;
use crate::sender::DeliveryStatus;

const US: &str = "+14155552671";
const IT: &str = "+393123456789";

fn ids(entries: &[Entry]) -> Vec<DeliveryId> {
    entries.iter().map(|entry| entry.place.id).collect()
}

fn newest_first(mut entries: Vec<Entry>) -> Vec<DeliveryId> {
    entries.sort_by_key(|entry| std::cmp::Reverse(Cursor::after(entry)));
    ids(&entries)
}

/// By admission, over hours and over any size of page; a limit that is met exactly has no further page.
pub async fn pages_go_from_the_newest_to_the_oldest(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    assert!(book.all(Filter::default(), at(0)).await.is_empty());
    let entries: Vec<_> = (0..12).map(|step| book.entry(service(1), US, at(step * 1_200))).collect();
    book.append(&entries).await;
    let expected = newest_first(entries);
    for limit in [1, 5, 11, 12, 13] {
        let found = book.all_by(Filter::default(), limit, at(13 * 1_200)).await;
        assert_eq!(ids(&found), expected, "pages of {limit}");
    }
}

/// Each field of the filter alone, and two of them together.
pub async fn every_filter_finds_its_own(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entries = [
        book.entry(service(1), US, at(0)),
        Entry { sender: "other".into(), ..book.entry(service(1), IT, at(10)) },
        Entry { status: DeliveryStatus::Failed, ..book.entry(service(2), IT, at(20)) },
        Entry { approved_at: Some(at(40)), ..book.entry(service(1), US, at(30)) },
    ];
    book.append(&entries).await;
    let [first, second, third, fourth] = &entries;
    let none = Filter::default;
    let cases = [
        (Filter { service: Some(service(2)), ..none() }, vec![third]),
        (Filter { from: Some(at(10)), until: Some(at(30)), ..none() }, vec![third, second]),
        (Filter { country: Country::parse("IT"), ..none() }, vec![third, second]),
        (Filter { sender: Some("other".to_owned()), ..none() }, vec![second]),
        (Filter { status: Some(DeliveryStatus::Failed), ..none() }, vec![third]),
        (Filter { verification: Some(first.verification), ..none() }, vec![first]),
        (Filter { phone: Some(first.phone), ..none() }, vec![fourth, first]),
        (Filter { phone: Some(second.phone), service: Some(service(1)), ..none() }, vec![second]),
        (Filter { approved: Some(true), ..none() }, vec![fourth]),
        (Filter { approved: Some(false), ..none() }, vec![third, second, first]),
        (Filter { service: Some(service(3)), ..none() }, vec![]),
        (Filter { from: Some(at(31)), ..none() }, vec![]),
        (Filter { from: Some(at(20)), until: Some(at(10)), ..none() }, vec![]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|entry| entry.place.id).collect();
        assert_eq!(ids(&book.all(filter.clone(), at(60)).await), expected, "{filter:?}");
    }
}

/// Whoever turns pages sees what was there when the first one was read, each once, whatever is added meanwhile.
pub async fn what_comes_meanwhile_moves_no_page(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let old: Vec<_> = (0..20).map(|step| book.entry(service(1), US, at(step))).collect();
    book.append(&old).await;
    let (mut seen, mut query) = (Vec::new(), PageQuery { limit: 4, ..PageQuery::default() });
    for step in 0.. {
        let page = book.page(&query, at(100)).await;
        seen.extend(page.entries);
        book.append(&[book.entry(service(1), IT, at(50 + step))]).await;
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(ids(&seen), newest_first(old));
}

/// The id orders what the instant does not.
pub async fn entries_of_one_instant_come_once_each(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entries: Vec<_> = (0..10).map(|_| book.entry(service(1), US, at(0))).collect();
    book.append(&entries).await;
    assert_eq!(ids(&book.all(Filter::default(), at(0)).await), newest_first(entries));
}

/// And by nothing else, also when the admission's clock was an hour off the one that made the id.
pub async fn a_delivery_is_fetched_by_its_id(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entry = book.entry(service(1), US, at(0));
    let mut late = book.entry(service(2), IT, at(10));
    late.place.at = at(10) + Duration::from_secs(3_500);
    book.append(&[entry.clone(), late.clone()]).await;
    let fetch = |tenant, id| book.history.fetch(tenant, id, at(7_200));
    assert_eq!(fetch(None, entry.place.id).await.unwrap(), Some(entry.clone()));
    assert_eq!(fetch(Some(service(1)), entry.place.id).await.unwrap(), Some(entry.clone()));
    assert_eq!(fetch(Some(service(2)), entry.place.id).await.unwrap(), None);
    assert_eq!(fetch(Some(service(2)), late.place.id).await.unwrap(), Some(late));
    assert_eq!(fetch(None, book.entry(service(1), US, at(0)).place.id).await.unwrap(), None);
    book.change(&entry, News::Approved { at: at(20) }, at(20)).await;
    let approved = fetch(None, entry.place.id).await.unwrap().unwrap();
    assert_eq!(approved.approved_at, Some(at(20)));
}

/// Neither in pages nor by number.
pub async fn another_tenant_sees_nothing(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entry = book.entry(service(1), US, at(0));
    book.append(std::slice::from_ref(&entry)).await;
    let other = Filter { service: Some(service(2)), ..Filter::default() };
    assert!(book.all(other.clone(), at(1)).await.is_empty());
    assert!(book.all(Filter { phone: Some(entry.phone), ..other.clone() }, at(1)).await.is_empty());
    assert!(book.all(Filter { verification: Some(entry.verification), ..other }, at(1)).await.is_empty());
}

/// A send that took long is appended after quicker ones that were admitted later.
pub async fn late_entries_take_their_place(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entries: Vec<_> = [30, 5, 40, 10, 20].map(|second| book.entry(service(1), US, at(second))).into();
    for entry in &entries {
        book.append(std::slice::from_ref(entry)).await;
    }
    assert_eq!(ids(&book.all(Filter::default(), at(60)).await), newest_first(entries));
}

/// Many tasks, many batches.
pub async fn parallel_appends_are_all_there(factory: &dyn HistoryFactory) {
    let book = std::sync::Arc::new(Book::fresh(factory).await);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let book = std::sync::Arc::clone(&book);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for step in 0..10 {
                    let entry = book.entry(service(1), US, at(task * 10 + step));
                    book.append(std::slice::from_ref(&entry)).await;
                    mine.push(entry.place.id);
                }
                mine
            })
        })
        .collect();
    let mut expected = HashSet::new();
    for task in tasks {
        expected.extend(task.await.unwrap());
    }
    let found = book.all_by(Filter::default(), 50, at(100)).await;
    assert_eq!(found.len(), 80);
    assert_eq!(ids(&found).into_iter().collect::<HashSet<_>>(), expected);
}
