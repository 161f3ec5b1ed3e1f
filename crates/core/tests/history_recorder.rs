//! What happens is told beside the flow: a history that fails, hangs or is full changes nothing about it.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::clock::{Clock, Timestamp};
use verifyd_core::history::{Country, Event, Filter, GroupBy, Hour, MemoryHistory, Recorder, Refused, StatsQuery};
use verifyd_core::id::ServiceId;
use verifyd_core::sender::Channel;
use verifyd_core::testing::{FakeClock, FaultyHistory, SeededRandom, test_keys};

const SERVICE: ServiceId = ServiceId::from_bytes([1; 16]);

struct Desk {
    recorder: Arc<Recorder>,
    history: Arc<FaultyHistory>,
    clock: Arc<FakeClock>,
}

impl Desk {
    fn with_room_for(capacity: usize) -> Self {
        let history = Arc::new(FaultyHistory::new(Arc::new(MemoryHistory::default())));
        let clock = Arc::new(FakeClock::default());
        let recorder = Recorder::new(
            Arc::clone(&history) as _,
            test_keys(&["test"]),
            Arc::new(SeededRandom::new(1)),
            Arc::clone(&clock) as Arc<dyn Clock>,
            capacity,
        );
        Self { recorder: Arc::new(recorder), history, clock }
    }

    fn refuse(&self, times: usize) {
        let at = self.clock.now();
        for _ in 0..times {
            let refused =
                Refused { service: SERVICE, at, country: Country::NONE, channel: Channel::Sms, reason: "test" };
            self.recorder.record(Event::Refused(refused));
        }
    }

    async fn counted(&self) -> i64 {
        let until = Hour::of(self.clock.now()).next();
        let query =
            StatsQuery { from: Hour::of(Timestamp::EPOCH), until, group: GroupBy::default(), ..StatsQuery::default() };
        let groups = self.recorder.history().stats(&query, self.clock.now()).await.unwrap();
        groups.0.values().flat_map(|counts| counts.refused.values()).sum()
    }
}

#[tokio::test]
async fn what_finds_no_room_is_shed_and_counted() {
    let desk = Desk::with_room_for(10);
    desk.history.fails();
    desk.refuse(13);
    let standing = desk.recorder.standing();
    assert_eq!((standing.queued, standing.shed, standing.lost), (10, 3, 0));
    assert!(desk.recorder.flush().await.is_err());
    desk.refuse(11);
    assert_eq!((desk.recorder.standing().queued, desk.recorder.standing().shed), (10, 4));
    desk.history.works();
    desk.recorder.flush().await.unwrap();
    assert_eq!((desk.counted().await, desk.recorder.standing().queued), (20, 0));
}

#[tokio::test]
async fn a_batch_that_failed_comes_again_and_one_in_doubt_counts_at_most_once() {
    let desk = Desk::with_room_for(100);
    desk.refuse(5);
    desk.history.forgets_to_answer();
    assert!(desk.recorder.flush().await.is_err());
    desk.history.works();
    desk.recorder.flush().await.unwrap();
    assert_eq!((desk.counted().await, desk.recorder.standing().lost), (5, 5));
}

#[tokio::test]
async fn a_drain_writes_everything() {
    let desk = Desk::with_room_for(10_000);
    desk.refuse(5_000);
    let standing = desk.recorder.drain(Duration::from_secs(50)).await;
    assert_eq!((standing.queued, standing.shed, standing.lost), (0, 0, 0));
    assert_eq!(desk.counted().await, 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_hangs_holds_nobody_up() {
    let desk = Desk::with_room_for(10);
    tokio::spawn(Arc::clone(&desk.recorder).run());
    desk.history.hangs();
    desk.refuse(8);
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Noting is no future: it cannot wait. And a reader waits for a moment only.
    desk.refuse(1_000);
    let before = tokio::time::Instant::now();
    desk.recorder.catch_up().await;
    assert!(before.elapsed() <= Duration::from_secs(2), "{:?}", before.elapsed());
    assert_eq!(desk.recorder.standing().queued, 10);
    desk.history.works();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(desk.recorder.standing().queued, 0);
    assert!(
        desk.recorder
            .history()
            .page(
                &verifyd_core::history::PageQuery { filter: Filter::default(), after: None, limit: 1 },
                desk.clock.now()
            )
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}
