//! `kill -9` under load, again and again on one directory. Callers write down what was acknowledged and what was under way;
//! after each restart the server must hold everything of the first, and no more than both together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::{Answer, Api, wrong};
use crate::program::Program;

const CYCLES: u32 = 50;
const CALLERS: u32 = 8;
/// The limits of the default configuration.
const SENDS_PER_HOUR: u32 = 5;
const CHECKS: u32 = 5;
const FAILED_CHECKS_A_DAY: u32 = 10;

/// Something counted: acknowledged, and at most under way when the server died.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    acknowledged: u32,
    under_way: u32,
}

impl Count {
    #[track_caller]
    fn covers(self, found: u64, what: &str) {
        let range = u64::from(self.acknowledged)..=u64::from(self.acknowledged + self.under_way);
        assert!(range.contains(&found), "{what}: {found}, expected {range:?}");
    }
}

/// How a verification ended, as far as its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Approved,
    MaybeApproved,
    Canceled,
    MaybeCanceled,
}

/// One verification in its caller's book.
#[derive(Clone, Debug)]
struct Entry {
    number: String,
    id: String,
    code: String,
    sends: Count,
    wrong: Count,
    end: End,
}

/// A number that all callers try to overuse, over all lives of the server.
#[derive(Debug)]
struct Hot {
    number: String,
    sends: AtomicU32,
    wrong: AtomicU32,
}

/// The server is gone.
struct Gone;

/// One caller during one life of the server.
struct Caller {
    api: Api,
    book: Vec<Entry>,
}

impl Caller {
    async fn call(&self, path: &str, body: Value) -> Result<Answer, Gone> {
        self.api.try_call(Method::POST, path, &body).await.map_err(|_gone| Gone)
    }

    /// A verification of a fresh number from its start to one of its ends. `turn` varies what happens in between.
    async fn life(&mut self, number: &str, turn: u32) -> Result<(), Gone> {
        // A start without an answer leaves no id to ask for; the limits of such numbers are held by the hot ones.
        let started = self.call("/v1/verifications", json!({ "to": number })).await?.expect(201);
        let text = |name: &str| started[name].as_str().unwrap().to_owned();
        let sends = Count { acknowledged: 1, under_way: 0 };
        let (id, code) = (text("id"), text("test_code"));
        let entry = Entry { number: number.to_owned(), id, code, sends, wrong: Count::default(), end: End::Open };
        self.book.push(entry);
        let entry = self.book.len() - 1;
        for _ in 0..turn % 3 {
            self.resend(entry).await?;
        }
        for guess in 1..=turn % 5 {
            self.guess_wrong(entry, guess).await?;
        }
        match turn % 4 {
            0 | 1 => self.guess_right(entry).await,
            2 => self.cancel(entry).await,
            _ => Ok(()),
        }
    }

    async fn resend(&mut self, entry: usize) -> Result<(), Gone> {
        self.book[entry].sends.under_way = 1;
        let resent = self.call("/v1/verifications", json!({ "to": self.book[entry].number })).await?.expect(200);
        assert_eq!(resent["test_code"].as_str(), Some(self.book[entry].code.as_str()));
        self.book[entry].sends.acknowledged += 1;
        self.book[entry].sends.under_way = 0;
        Ok(())
    }

    async fn guess_wrong(&mut self, entry: usize, nth: u32) -> Result<(), Gone> {
        let guess = wrong(&self.book[entry].code, u64::from(nth));
        self.book[entry].wrong.under_way = 1;
        let path = format!("/v1/verifications/{}/check", self.book[entry].id);
        let checked = self.call(&path, json!({ "code": guess })).await?.expect(200);
        assert_eq!(checked["valid"], false);
        self.book[entry].wrong.acknowledged += 1;
        self.book[entry].wrong.under_way = 0;
        Ok(())
    }

    async fn guess_right(&mut self, entry: usize) -> Result<(), Gone> {
        self.book[entry].end = End::MaybeApproved;
        let body = json!({ "to": self.book[entry].number, "code": self.book[entry].code });
        let checked = self.call("/v1/verifications/check", body).await?.expect(200);
        assert_eq!(checked["valid"], true);
        self.book[entry].end = End::Approved;
        Ok(())
    }

    async fn cancel(&mut self, entry: usize) -> Result<(), Gone> {
        self.book[entry].end = End::MaybeCanceled;
        let path = format!("/v1/verifications/{}/cancel", self.book[entry].id);
        self.call(&path, json!({})).await?.expect(200);
        self.book[entry].end = End::Canceled;
        Ok(())
    }

    /// Sends, guesses wrong and cancels, to send and guess again; what is acknowledged is counted for all lives together.
    async fn overuse(&self, hot: &Hot) -> Result<(), Gone> {
        let started = self.call("/v1/verifications", json!({ "to": hot.number })).await?;
        if started.status >= 300 {
            let expected = started.is_problem("rate_limited") || started.is_problem("max_checks_reached");
            assert!(expected, "{}", started.text);
            return Ok(());
        }
        hot.sends.fetch_add(1, Ordering::SeqCst);
        let id = started.json["id"].as_str().unwrap();
        for nth in 1..=3 {
            let guess = json!({ "code": wrong(started.json["test_code"].as_str().unwrap(), nth) });
            let checked = self.call(&format!("/v1/verifications/{id}/check"), guess).await?;
            if checked.status == 200 {
                assert_eq!(checked.json["valid"], false);
                hot.wrong.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.call(&format!("/v1/verifications/{id}/cancel"), json!({})).await?;
        Ok(())
    }

    /// Calls until the server is gone, and hands over the book.
    async fn run(mut self, cycle: u32, caller: u32, hot: Vec<Arc<Hot>>) -> Vec<Entry> {
        for turn in 0.. {
            // Valid numbers of San Francisco that nobody else uses: 50 cycles, 8 callers, up to 10,000 turns.
            let number = format!("+1415{}", 2_000_000 + (cycle * CALLERS + caller) * 10_000 + turn % 10_000);
            let hot = &hot[(turn as usize * 7 + caller as usize) % hot.len()];
            if self.life(&number, turn + caller + cycle).await.is_err() || self.overuse(hot).await.is_err() {
                break;
            }
        }
        self.book
    }
}

/// Holds what a verification has become against its caller's book, right after the restart.
async fn audit(api: &Api, entry: &Entry) {
    let found = api.load(&entry.id).await.expect(200);
    let status = found["status"].as_str().unwrap();
    let possible: &[&str] = match entry.end {
        End::Open if entry.wrong.acknowledged == CHECKS => &["max_attempts_reached"],
        End::Open => &["pending", "max_attempts_reached"],
        End::Approved => &["approved"],
        End::MaybeApproved => &["approved", "pending"],
        End::Canceled => &["canceled"],
        End::MaybeCanceled => &["canceled", "pending"],
    };
    assert!(possible.contains(&status), "{entry:?}: {found}");
    let deliveries = found["deliveries"].as_array().unwrap();
    entry.sends.covers(deliveries.len() as u64, "deliveries");
    for delivery in deliveries.iter().take(entry.sends.acknowledged as usize) {
        assert_eq!(delivery["status"], "sent", "{found}");
    }
    entry.sends.covers(api.used(&entry.number, "sends_per_phone").await, "sends of a number");
    entry.wrong.covers(api.used(&entry.number, "failed_checks_per_phone").await, "wrong guesses of a number");
    if status == "pending" {
        let left = found["checks_remaining"].as_u64().unwrap();
        entry.wrong.covers(u64::from(CHECKS) - left, "spent guesses");
    }
    settle(api, entry, status).await;
}

/// The right code is approved once in all: by the caller before, or now.
async fn settle(api: &Api, entry: &Entry, status: &str) {
    let body = json!({ "code": entry.code });
    let path = format!("/v1/verifications/{}/check", entry.id);
    let first = api.post(&path, body.clone()).await;
    match status {
        "approved" => drop(first.problem(409, "already_approved")),
        "canceled" => drop(first.problem(409, "canceled")),
        "max_attempts_reached" => drop(first.problem(429, "max_checks_reached")),
        _ => {
            assert_eq!(first.expect(200)["valid"], true);
            api.post(&path, body).await.problem(409, "already_approved");
        }
    }
}

async fn audit_hot(api: &Api, hot: &Hot) {
    let (sends, wrong) = (hot.sends.load(Ordering::SeqCst), hot.wrong.load(Ordering::SeqCst));
    assert!(sends <= SENDS_PER_HOUR && wrong <= FAILED_CHECKS_A_DAY, "{hot:?}");
    let used = api.used(&hot.number, "sends_per_phone").await;
    assert!((u64::from(sends)..=u64::from(SENDS_PER_HOUR)).contains(&used), "{hot:?}: {used} sends");
    let used = api.used(&hot.number, "failed_checks_per_phone").await;
    assert!((u64::from(wrong)..=u64::from(FAILED_CHECKS_A_DAY)).contains(&used), "{hot:?}: {used} wrong guesses");
}

async fn audit_all(api: &Api, entries: &[Entry], hot: &[Arc<Hot>]) {
    let mut audits = JoinSet::new();
    for share in entries.chunks(entries.len().div_ceil(CALLERS as usize).max(1)) {
        let (api, share) = (api.clone(), share.to_vec());
        audits.spawn(async move {
            for entry in &share {
                audit(&api, entry).await;
            }
        });
    }
    audits.join_all().await;
    for hot in hot {
        audit_hot(api, hot).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_no_limit_exceeded_over_fifty_kills() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path()).with("VERIFYD_LOG", "warn");
    let mut server = program.start();
    let (mut hot, mut approved, mut entries): (Vec<Arc<Hot>>, Vec<String>, usize) = (Vec::new(), Vec::new(), 0);
    for cycle in 0..CYCLES {
        let number = format!("+1212{}", 5_550_000 + cycle);
        hot.push(Arc::new(Hot { number, sends: AtomicU32::new(0), wrong: AtomicU32::new(0) }));
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let api = Api::of(&server);
            callers.spawn(Caller { api, book: Vec::new() }.run(cycle, caller, hot.clone()));
        }
        // Every kill comes at another moment of the load.
        tokio::time::sleep(Duration::from_millis(200 + u64::from(cycle * 37 % 200))).await;
        server.kill();
        let book: Vec<Entry> = callers.join_all().await.into_iter().flatten().collect();
        server = program.start();
        audit_all(&Api::of(&server), &book, &hot).await;
        entries += book.len();
        approved.extend(book.into_iter().filter(|entry| entry.end == End::Approved).map(|entry| entry.id));
    }
    // What the first lives have acknowledged outlived all that followed, and a clean stop.
    server.stop();
    let server = program.start();
    let api = Api::of(&server);
    for id in &approved {
        assert_eq!(api.load(id).await.expect(200)["status"], "approved");
    }
    assert!(hot.iter().any(|hot| hot.sends.load(Ordering::SeqCst) == SENDS_PER_HOUR), "no limit was reached");
    assert!(entries >= CYCLES as usize && !approved.is_empty(), "there was hardly any load: {entries}");
    server.stop();
}
