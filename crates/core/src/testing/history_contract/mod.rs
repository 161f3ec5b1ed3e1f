//! The contract suite of the history port: one function a property, each on a history of its own.
//!
//! `history_contract_tests!(factory)` stamps out one test for each in the calling module; the calling crate needs tokio with
//! `macros` and `rt-multi-thread`. A history passes only if all do.

pub mod counting;
pub mod keeping;
pub mod paging;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{SeededRandom, test_keys};
use crate::clock::Timestamp;
use crate::history::{
    Batch, Change, CountKey, Counts, Entry, EntryKey, Filter, History, HistoryOptions, Hour, News, Page, PageQuery,
};
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::keys::KeyRing;
use crate::phone_number::PhoneNumber;
use crate::sender::{Channel, DeliveryStatus};

/// Makes histories.
#[async_trait]
pub trait HistoryFactory: Send + Sync {
    /// An empty one.
    async fn fresh_with(&self, options: HistoryOptions) -> Arc<dyn History>;

    /// The same after the end of a process and its next start; one that keeps nothing gives it back as it is.
    async fn reopen(&self, history: Arc<dyn History>) -> Arc<dyn History>;
}

/// When the scenes play: about an hour's middle, so that some minutes on either side are of one hour. Late enough for a history
/// whose server has the real time: what is past its retention there would go at once.
const NOON_MS: u64 = 4_000_000 * 3_600_000 + 1_800_000;

/// A history and what it takes to fill it.
pub struct Book {
    /// The history under test.
    pub history: Arc<dyn History>,
    keys: Arc<KeyRing>,
    random: SeededRandom,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").field("history", &self.history).finish_non_exhaustive()
    }
}

/// The tenant `number`.
#[must_use]
pub const fn service(number: u8) -> ServiceId {
    ServiceId::from_bytes([number; 16])
}

/// The instant `seconds` after the scene's noon.
#[must_use]
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(NOON_MS) + Duration::from_secs(seconds)
}

impl Book {
    /// An empty one with the usual options.
    pub async fn fresh(factory: &dyn HistoryFactory) -> Self {
        Self::with(factory, HistoryOptions::default()).await
    }

    /// An empty one.
    pub async fn with(factory: &dyn HistoryFactory, options: HistoryOptions) -> Self {
        let history = factory.fresh_with(options).await;
        // Fresh ids in every test: a history that tests share must not mix them up.
        let seed = Arc::as_ptr(&history).addr() as u64;
        Self { history, keys: test_keys(&["test"]), random: SeededRandom::new(seed) }
    }

    /// The same after a restart.
    pub async fn reopened(self, factory: &dyn HistoryFactory) -> Self {
        let history = factory.reopen(self.history).await;
        Self { history, ..self }
    }

    /// A delivery of `tenant` to `to`, admitted at `when`; not appended yet.
    #[must_use]
    pub fn entry(&self, tenant: ServiceId, to: &str, when: Timestamp) -> Entry {
        let number = PhoneNumber::parse_e164(to).unwrap();
        let phone = self.keys.phone_hash(number.limit_key().as_str());
        let id = DeliveryId::generate_at(when, &self.random).unwrap();
        Entry {
            place: EntryKey { at: when, id, service: tenant },
            verification: VerificationId::generate(&phone, &self.random).unwrap(),
            phone,
            key: self.keys.current_tag(),
            number: self.keys.seal_number(&id, number, &self.random).unwrap(),
            country: number.region().into(),
            channel: Channel::Sms,
            sender: "twilio".into(),
            status: DeliveryStatus::Queued,
            segments: 1,
            message_id: Some("SM0123456789abcdef0123456789abcdef".into()),
            price: None,
            error_code: None,
            updated_at: when,
            approved_at: None,
        }
    }

    /// Appends entries.
    pub async fn append(&self, entries: &[Entry]) {
        let batch = Batch { entries: entries.to_vec(), ..Batch::default() };
        let now = entries.iter().map(|entry| entry.place.at).max().unwrap_or_else(|| at(0));
        self.history.append(&batch, now).await.unwrap();
    }

    /// Appends news of an entry.
    pub async fn change(&self, entry: &Entry, news: News, now: Timestamp) {
        let batch = Batch { changes: vec![Change { place: entry.place, news }], ..Batch::default() };
        self.history.append(&batch, now).await.unwrap();
    }

    /// Appends counts.
    pub async fn count(&self, key: CountKey, counts: Counts) {
        let now = key.hour.start();
        let batch = Batch { counts: [(key, counts)].into(), ..Batch::default() };
        self.history.append(&batch, now).await.unwrap();
    }

    /// The key of what `tenant` counts for `country` in the hour of `when`.
    #[must_use]
    pub fn key(tenant: ServiceId, country: &str, when: Timestamp) -> CountKey {
        let country = crate::history::Country::parse(country).unwrap();
        CountKey { hour: Hour::of(when), service: tenant, country, sender: "twilio".into(), channel: Channel::Sms }
    }

    /// One page.
    pub async fn page(&self, query: &PageQuery, now: Timestamp) -> Page {
        self.history.page(query, now).await.unwrap()
    }

    /// Everything that a filter asks for, page after page of `limit`.
    pub async fn all_by(&self, filter: Filter, limit: usize, now: Timestamp) -> Vec<Entry> {
        let mut query = PageQuery { filter, after: None, limit };
        let mut all = Vec::new();
        loop {
            let page = self.page(&query, now).await;
            assert!(page.entries.len() <= limit, "a page has more than its limit");
            all.extend(page.entries);
            match page.next {
                Some(next) => {
                    assert!(query.after.is_none_or(|after| next < after), "a page does not move on");
                    query.after = Some(next);
                }
                None => return all,
            }
        }
    }

    /// Everything that a filter asks for.
    pub async fn all(&self, filter: Filter, now: Timestamp) -> Vec<Entry> {
        self.all_by(filter, 3, now).await
    }

    /// The number of an entry.
    #[must_use]
    pub fn number(&self, entry: &Entry) -> String {
        self.keys.open_number(entry.key, &entry.place.id, &entry.number).unwrap().e164().to_owned()
    }
}

/// Stamps out every property of the contract as a test on histories made by the factory that the expression gives.
#[macro_export]
macro_rules! history_contract_tests {
    ($factory:expr) => {
        $crate::history_contract_tests! { $factory;
            paging: pages_go_from_the_newest_to_the_oldest, every_filter_finds_its_own, what_comes_meanwhile_moves_no_page,
                entries_of_one_instant_come_once_each, a_delivery_is_fetched_by_its_id, another_tenant_sees_nothing,
                late_entries_take_their_place, parallel_appends_are_all_there;
            keeping: an_entry_comes_back_whole, appended_twice_is_there_once, news_never_move_back, news_of_nothing_are_nothing,
                forget_erases_one_number, forget_of_one_service_spares_others, entries_end_with_their_retention,
                beyond_the_cap_the_oldest_go, a_restart_keeps_everything, what_was_forgotten_stays_so_after_a_restart;
            counting: counts_add_up_by_group, counts_are_of_whole_hours, counts_outlive_entries_and_numbers, counts_end_with_their_retention,
                counts_survive_a_restart_once, every_field_comes_back, another_tenant_counts_for_itself;
        }
    };
    ($factory:expr; $($group:ident: $($property:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                $crate::testing::history_contract::$group::$property(&$factory).await;
            }
        )+)+
    };
}
