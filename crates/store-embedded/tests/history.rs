//! The embedded history keeps the contract of the history port, over real files, and loses nothing but what damage took.

#![expect(clippy::unwrap_used, reason = "these are tests: what cannot go on must fail at once")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use verifyd_core::history::{Filter, History, HistoryOptions};
use verifyd_core::testing::HistoryFactory;
use verifyd_core::testing::history_contract::{Book, at, service};
use verifyd_store_embedded::EmbeddedHistory;

/// A history, its directory and how it was opened.
type Kept = (Arc<EmbeddedHistory>, TempDir, HistoryOptions);

/// Remembers each history's directory by the history's address, so that it can be opened again.
#[derive(Default)]
struct Embedded {
    /// Whether a history is closed before it is opened again; a process that is killed does not.
    closes: bool,
    kept: Mutex<HashMap<usize, Kept>>,
}

impl Embedded {
    fn keep(&self, dir: TempDir, options: HistoryOptions) -> Arc<dyn History> {
        let history = Arc::new(EmbeddedHistory::open(dir.path(), options).unwrap());
        self.kept.lock().unwrap().insert(Arc::as_ptr(&history).addr(), (Arc::clone(&history), dir, options));
        history
    }

    fn dir(&self, book: &Book) -> PathBuf {
        let address = Arc::as_ptr(&book.history).cast::<()>().addr();
        self.kept.lock().unwrap().get(&address).unwrap().1.path().join("history")
    }
}

#[async_trait]
impl HistoryFactory for Embedded {
    async fn fresh_with(&self, options: HistoryOptions) -> Arc<dyn History> {
        self.keep(tempfile::tempdir().unwrap(), options)
    }

    async fn reopen(&self, history: Arc<dyn History>) -> Arc<dyn History> {
        let address = Arc::as_ptr(&history).cast::<()>().addr();
        let (kept, dir, options) = self.kept.lock().unwrap().remove(&address).unwrap();
        if self.closes {
            kept.close().await.unwrap();
        }
        self.keep(dir, options)
    }
}

mod closed {
    use super::Embedded;
    verifyd_core::history_contract_tests!(Embedded { closes: true, ..Embedded::default() });
}

mod killed {
    use super::Embedded;
    verifyd_core::history_contract_tests!(Embedded::default());
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "log"));
    paths.sort();
    paths
}

/// Segments of one entry each.
const SMALL: HistoryOptions = HistoryOptions {
    retention: std::time::Duration::from_secs(30 * 86_400),
    counts_retention: std::time::Duration::from_secs(400 * 86_400),
    max_entries: 16,
};

/// A write that a crash interrupted costs itself and nothing else; a lost index only the counts before it.
#[tokio::test]
async fn damage_costs_what_was_damaged() {
    let factory = Embedded::default();
    let book = Book::fresh(&factory).await;
    let entries: Vec<_> = (0..3).map(|step| book.entry(service(1), "+14155552671", at(step))).collect();
    for entry in &entries {
        book.append(std::slice::from_ref(entry)).await;
    }
    let dir = factory.dir(&book);
    book.history.close().await.unwrap();
    let [path] = &segments(&dir)[..] else { unreachable!("one segment") };
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 3]).unwrap();
    fs::write(dir.join("index"), b"verifyd history index 1\nnonsense").unwrap();
    let book = book.reopened(&factory).await;
    let found = book.all(Filter::default(), at(9)).await;
    assert_eq!(found, vec![entries[1].clone(), entries[0].clone()]);
    let after = book.entry(service(1), "+14155552671", at(5));
    book.append(std::slice::from_ref(&after)).await;
    let book = book.reopened(&factory).await;
    assert_eq!(book.all(Filter::default(), at(9)).await.first(), Some(&after));
}

/// The disk holds what the retention and the cap allow, and nothing of a number that was forgotten.
#[tokio::test]
async fn files_go_with_their_entries() {
    let factory = Embedded::default();
    let book = Book::with(&factory, SMALL).await;
    let entries: Vec<_> = (0..40).map(|step| book.entry(service(1), "+14155552671", at(step * 60))).collect();
    for entry in &entries {
        book.append(std::slice::from_ref(entry)).await;
    }
    let dir = factory.dir(&book);
    assert_eq!(segments(&dir).len(), 41);
    book.history.purge(at(2_400)).await.unwrap();
    assert_eq!(segments(&dir).len(), 17, "sixteen full ones and the next");
    let hash = entries[0].phone;
    let holds = |needle: &[u8]| {
        let files: Vec<_> = segments(&dir).iter().map(|path| fs::read(path).unwrap()).collect();
        files.iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    assert!(holds(hash.as_bytes()));
    assert_eq!(book.history.forget(None, hash, at(2_400)).await, Ok(16));
    assert!(!holds(hash.as_bytes()), "a forgotten number's hash is still in a file");
    book.history.purge(at(40 * 86_400)).await.unwrap();
    assert_eq!(segments(&dir).len(), 1);
}

/// A page over many segments, with news that lie in newer ones than their entries.
#[tokio::test]
async fn pages_span_segments() {
    let factory = Embedded::default();
    let book = Book::with(&factory, SMALL).await;
    let entries: Vec<_> = (0..16).map(|step| book.entry(service(1), "+14155552671", at(step))).collect();
    for entry in &entries {
        book.append(std::slice::from_ref(entry)).await;
    }
    let news = verifyd_core::history::News::Approved { at: at(100) };
    book.change(&entries[3], news, at(100)).await;
    let approved = book.all(Filter { approved: Some(true), ..Filter::default() }, at(100)).await;
    assert_eq!(approved.iter().map(|entry| entry.place).collect::<Vec<_>>(), [entries[3].place]);
    let all = book.all_by(Filter::default(), 5, at(100)).await;
    assert_eq!(all.iter().map(|entry| entry.place.at).collect::<Vec<_>>(), (0..16).rev().map(at).collect::<Vec<_>>());
}
