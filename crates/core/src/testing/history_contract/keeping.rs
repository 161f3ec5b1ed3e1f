//! What is kept of a delivery, for how long, and what erases it.

use std::time::Duration;

use super::{Book, HistoryFactory, at, service};
use crate::history::{Batch, Entry, Filter, HistoryOptions, News};
use crate::sender::{DeliveryStatus, Price};

const US: &str = "+14155552671";
const IT: &str = "+393123456789";

fn price(amount: &str) -> Price {
    Price { amount: amount.to_owned(), currency: "USD".to_owned(), estimated: false }
}

fn told(status: DeliveryStatus, seconds: u64) -> News {
    News::Status { status, segments: 0, price: None, error_code: None, at: at(seconds) }
}

/// Every field, and the number under its key.
pub async fn an_entry_comes_back_whole(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entry = Entry {
        segments: 3,
        price: Some(price("0.0237")),
        error_code: Some("30005".into()),
        status: DeliveryStatus::Unknown,
        ..book.entry(service(1), US, at(0))
    };
    book.append(std::slice::from_ref(&entry)).await;
    let found = book.all(Filter::default(), at(1)).await;
    assert_eq!(found, vec![entry]);
    assert_eq!(book.number(&found[0]), US);
}

/// A batch that comes again, because nobody knew whether it had arrived.
pub async fn appended_twice_is_there_once(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entry = book.entry(service(1), US, at(0));
    book.append(std::slice::from_ref(&entry)).await;
    book.change(&entry, News::Approved { at: at(5) }, at(5)).await;
    book.append(std::slice::from_ref(&entry)).await;
    book.change(&entry, News::Approved { at: at(9) }, at(9)).await;
    let found = book.all(Filter::default(), at(10)).await;
    assert_eq!(found, vec![Entry { approved_at: Some(at(5)), ..entry }]);
}

/// Receipts come out of order.
pub async fn news_never_move_back(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entry = book.entry(service(1), US, at(0));
    book.append(std::slice::from_ref(&entry)).await;
    let delivered = News::Status {
        status: DeliveryStatus::Delivered,
        segments: 2,
        price: Some(price("0.0079")),
        error_code: Some("30008".into()),
        at: at(7),
    };
    book.change(&entry, delivered, at(7)).await;
    book.change(&entry, told(DeliveryStatus::Sent, 8), at(8)).await;
    let expected = Entry {
        status: DeliveryStatus::Delivered,
        segments: 2,
        price: Some(price("0.0079")),
        error_code: Some("30008".into()),
        updated_at: at(7),
        ..entry
    };
    assert_eq!(book.all(Filter::default(), at(10)).await, vec![expected.clone()]);
    let delivered = Filter { status: Some(DeliveryStatus::Delivered), ..Filter::default() };
    assert_eq!(book.all(delivered, at(10)).await, vec![expected]);
    let queued = Filter { status: Some(DeliveryStatus::Queued), ..Filter::default() };
    assert!(book.all(queued, at(10)).await.is_empty());
}

/// Of a delivery that was never kept, or was forgotten.
pub async fn news_of_nothing_are_nothing(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entry = book.entry(service(1), US, at(0));
    book.change(&entry, News::Approved { at: at(5) }, at(5)).await;
    book.change(&entry, told(DeliveryStatus::Delivered, 6), at(6)).await;
    assert!(book.all(Filter::default(), at(10)).await.is_empty());
    assert_eq!(book.history.fetch(None, entry.place.id, at(10)).await.unwrap(), None);
}

/// Over hours; the numbers of others stay, and news that come later bring nothing back.
pub async fn forget_erases_one_number(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entries =
        [book.entry(service(1), US, at(0)), book.entry(service(2), US, at(7_200)), book.entry(service(1), IT, at(10))];
    book.append(&entries).await;
    let [first, second, third] = &entries;
    assert_eq!(book.history.forget(None, first.phone, at(7_300)).await, Ok(2));
    book.change(second, told(DeliveryStatus::Delivered, 7_310), at(7_310)).await;
    assert_eq!(book.all(Filter::default(), at(7_400)).await, vec![third.clone()]);
    assert_eq!(book.history.fetch(None, first.place.id, at(7_400)).await, Ok(None));
    assert_eq!(book.history.forget(None, first.phone, at(7_400)).await, Ok(0));
    let again = book.entry(service(1), US, at(7_500));
    book.append(std::slice::from_ref(&again)).await;
    assert_eq!(book.all(Filter::default(), at(7_600)).await, vec![again, third.clone()]);
}

/// A tenant forgets what is its own.
pub async fn forget_of_one_service_spares_others(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let (mine, theirs) = (book.entry(service(1), US, at(0)), book.entry(service(2), US, at(1)));
    book.append(&[mine.clone(), theirs.clone()]).await;
    assert_eq!(book.history.forget(Some(service(1)), mine.phone, at(2)).await, Ok(1));
    assert_eq!(book.all(Filter::default(), at(3)).await, vec![theirs]);
}

/// To the millisecond, swept or not.
pub async fn entries_end_with_their_retention(factory: &dyn HistoryFactory) {
    let retention = Duration::from_secs(7_200);
    let book = Book::with(factory, HistoryOptions { retention, ..HistoryOptions::default() }).await;
    let (old, young) = (book.entry(service(1), US, at(0)), book.entry(service(1), US, at(100)));
    book.append(&[old.clone(), young.clone()]).await;
    let end = at(0) + retention;
    assert_eq!(book.all(Filter::default(), end).await.len(), 2);
    for _ in 0..2 {
        let past = end + Duration::from_millis(1);
        assert_eq!(book.all(Filter::default(), past).await, vec![young.clone()]);
        assert_eq!(book.history.fetch(None, old.place.id, past).await, Ok(None));
        book.history.purge(past).await.unwrap();
    }
}

/// Not less than the cap stays, and not much more: a history may drop in portions, of an hour or a file.
pub async fn beyond_the_cap_the_oldest_go(factory: &dyn HistoryFactory) {
    let book = Book::with(factory, HistoryOptions { max_entries: 5, ..HistoryOptions::default() }).await;
    let entries: Vec<_> = (0..9).map(|second| book.entry(service(1), US, at(second))).collect();
    for entry in &entries {
        book.append(std::slice::from_ref(entry)).await;
    }
    book.history.purge(at(10)).await.unwrap();
    let found = book.all(Filter::default(), at(10)).await;
    assert!((5..9).contains(&found.len()), "{} of 9 entries with a cap of 5", found.len());
    assert!(found.iter().all(|entry| entries[9 - found.len()..].contains(entry)));
}

/// Entries and news, in their order.
pub async fn a_restart_keeps_everything(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let entries: Vec<_> = (0..5).map(|step| book.entry(service(1), US, at(step * 2_000))).collect();
    book.append(&entries[..3]).await;
    book.change(&entries[0], News::Approved { at: at(9) }, at(9)).await;
    let book = book.reopened(factory).await;
    book.change(&entries[1], told(DeliveryStatus::Delivered, 2_010), at(2_010)).await;
    book.append(&entries[3..]).await;
    let before = book.all(Filter::default(), at(9_000)).await;
    assert_eq!(before.len(), 5);
    assert_eq!((before[4].approved_at, before[3].status), (Some(at(9)), DeliveryStatus::Delivered));
    let book = book.reopened(factory).await;
    assert_eq!(book.all(Filter::default(), at(9_000)).await, before);
}

/// Forgetting is durable before it answers.
pub async fn what_was_forgotten_stays_so_after_a_restart(factory: &dyn HistoryFactory) {
    let book = Book::fresh(factory).await;
    let (gone, stays) = (book.entry(service(1), US, at(0)), book.entry(service(1), IT, at(1)));
    book.append(&[gone.clone(), stays.clone()]).await;
    book.history.append(&Batch::default(), at(1)).await.unwrap();
    assert_eq!(book.history.forget(None, gone.phone, at(2)).await, Ok(1));
    let book = book.reopened(factory).await;
    assert_eq!(book.all(Filter::default(), at(3)).await, vec![stays]);
}
