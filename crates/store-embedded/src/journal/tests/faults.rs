//! The disk fills up, breaks and writes short.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::model::{Running, options, read};
use super::sim_disk::{End, Fault, SimDisk};
use crate::journal::{CheckpointError, CommitError};

async fn on(disk: &SimDisk) -> Running {
    let running = Running::on_sim(disk).unwrap();
    running.put("a", b"first").await.unwrap();
    running
}

fn left(disk: &SimDisk) -> super::model::Map {
    read(Arc::new(disk.after(End::PowerLoss)), options("sim".as_ref())).unwrap()
}

#[tokio::test]
async fn a_full_disk_fails_the_group_and_works_again_when_space_returns() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    let before = running.records();
    let lengths =
        |disk: &SimDisk| disk.files().values().map(|bytes| bytes.iter().rposition(|b| *b != 0)).collect::<Vec<_>>();
    let length = lengths(&disk);

    disk.set_room(Some(0));
    for _ in 0..3 {
        // More than was preallocated: one group of both, undone together.
        let first = running.submit(vec![(b"b".into(), Some(vec![1; 2 << 20]))]).unwrap().1;
        let second = running.submit(vec![(b"a".into(), None)]).unwrap().1;
        assert_eq!(first.wait().await, Err(CommitError::Full));
        assert_eq!(second.wait().await, Err(CommitError::Full));
        assert_eq!(running.records(), before, "reads still answer, and see nothing that did not happen");
        assert_eq!(lengths(&disk), length, "the file is cut back");
    }

    disk.set_room(None);
    running.put("b", b"again").await.unwrap();
    assert_eq!(left(&disk), running.records());
    running.journal.close().await;
}

#[tokio::test]
async fn what_is_queued_behind_a_group_that_found_the_disk_full_is_undone_with_it() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    let before = running.records();
    disk.set_room(Some(0));
    disk.hold("journal");
    let first = running.submit(vec![(b"b".into(), Some(vec![1; 2 << 20]))]).unwrap().1;
    let failed = tokio::spawn(first.wait());
    // The task hands the group over; this one is decided on top of it and waits behind it.
    while running.journal.queue.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let behind = running.submit(vec![(b"c".into(), Some(b"small".to_vec()))]).unwrap().1;
    disk.hold("");
    assert_eq!(failed.await.unwrap(), Err(CommitError::Full));
    assert_eq!(behind.wait().await, Err(CommitError::Full));
    assert_eq!(running.records(), before);
    disk.set_room(None);
    running.journal.close().await;
    assert_eq!(left(&disk), before);
}

#[tokio::test]
async fn a_failed_sync_is_fatal_and_never_retried() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    disk.fault(2, Fault::Broken); // write, then sync
    let error = running.put("b", b"lost").await.unwrap_err();
    assert!(matches!(&error, CommitError::Fatal(reason) if reason.contains("journal-0000000001.log")), "{error}");
    let (syncs, operations) = (disk.syncs(), disk.operations());

    let reason = tokio::time::timeout(Duration::from_secs(10), running.journal.fatal()).await.unwrap();
    assert!(reason.contains("broken"), "{reason}");
    assert!(matches!(running.put("c", b"").await, Err(CommitError::Fatal(_))));
    assert!(matches!(running.journal.check(), Err(CommitError::Fatal(_))));
    assert!(matches!(running.journal.checkpoint().await, Err(CheckpointError::Commit(CommitError::Fatal(_)))));
    running.journal.close().await;
    assert_eq!((disk.syncs(), disk.operations()), (syncs, operations), "the disk was touched after a failed sync");
}

#[tokio::test]
async fn a_broken_write_is_fatal() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    let before = running.records();
    disk.fault(1, Fault::Broken);
    assert!(matches!(running.put("b", b"lost").await, Err(CommitError::Fatal(_))));
    running.journal.close().await;
    assert_eq!(left(&disk), before);
}

#[tokio::test]
async fn a_full_disk_that_cannot_be_cut_back_is_fatal() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    disk.set_room(Some(0));
    disk.fault(3, Fault::Broken); // the part that fits, the part that does not, the cut
    let (_, durable) = running.submit(vec![(b"b".into(), Some(vec![1; 2 << 20]))]).unwrap();
    assert!(matches!(durable.wait().await, Err(CommitError::Fatal(_))));
    running.journal.close().await;
}

#[tokio::test]
async fn short_writes_are_completed() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    for n in 0..20 {
        disk.fault(1, Fault::Short);
        running.put(&format!("k{n}"), &vec![7; 3_000]).await.unwrap();
    }
    running.journal.close().await;
    assert_eq!(left(&disk), running.records());
}

#[tokio::test]
async fn a_checkpoint_that_finds_the_disk_full_leaves_everything_and_works_later() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    running.put("b", &vec![9; 400_000]).await.unwrap();
    disk.set_room(Some(1_000));
    assert!(matches!(running.journal.checkpoint().await, Err(CheckpointError::Io { .. })));
    assert!(!disk.files().keys().any(|name| name.contains(".tmp")), "{:?}", disk.files().keys());
    assert_eq!(left(&disk), running.records());

    disk.set_room(None);
    running.put("c", b"after").await.unwrap();
    running.journal.checkpoint().await.unwrap();
    assert_eq!(disk.files().len(), 2, "{:?}", disk.files().keys());
    let stats = running.journal.stats();
    assert!(stats.checkpoint_bytes > 400_000 && stats.journal_bytes == 0, "{stats:?}");
    running.journal.close().await;
    assert_eq!(left(&disk), running.records());
}

#[tokio::test]
async fn a_checkpoint_across_an_undone_group_is_thrown_away() {
    let disk = SimDisk::new(1);
    let running = Arc::new(on(&disk).await);
    let before = running.records();
    running.state.1.on.store(true, Ordering::SeqCst);
    let checkpoint = tokio::spawn({
        let running = Arc::clone(&running);
        async move { running.journal.checkpoint().await }
    });
    running.state.1.reached.notified().await;
    // Half of the snapshot is written; the other half will hold what is undone here, and so must not count.
    disk.set_room(Some(100_000));
    let too_much = running.submit(vec![(b"z".into(), Some(vec![1; 2 << 20]))]).unwrap().1;
    assert_eq!(too_much.wait().await, Err(CommitError::Full));
    disk.set_room(None);
    running.state.1.go.notify_one();
    assert!(matches!(checkpoint.await.unwrap(), Err(CheckpointError::Commit(CommitError::Full))));
    assert_eq!(left(&disk), before);
    running.put("c", b"after").await.unwrap();
    running.journal.close().await;
    assert_eq!(left(&disk), running.records());
}

#[tokio::test]
async fn an_operation_that_is_too_large_is_refused_and_leaves_no_trace() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    let before = running.records();
    let limit = crate::journal::queue::MAX_OPERATION_BYTES;
    let error = running.submit(vec![(b"b".into(), Some(vec![1; limit]))]).unwrap_err();
    assert_eq!(error, CommitError::TooLarge);
    running.put("c", b"next").await.unwrap();
    running.journal.close().await;
    assert_eq!(left(&disk), running.records());
    assert!(!running.records().contains_key(b"b".as_slice()) && before.contains_key(b"a".as_slice()));
}

#[tokio::test]
async fn a_disk_that_does_not_keep_up_bounds_the_queue() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    let mut waiting = Vec::new();
    let refused = loop {
        match running.submit(vec![(b"b".into(), Some(vec![1; 1 << 20]))]) {
            Ok((_, durable)) => waiting.push(durable),
            Err(error) => break error,
        }
        assert!(waiting.len() < 100, "the queue grows without end");
    };
    assert_eq!(refused, CommitError::Busy);
    assert_eq!(running.journal.check(), Err(CommitError::Busy));
    for durable in waiting {
        durable.wait().await.unwrap();
    }
    running.put("c", b"works on").await.unwrap();
    running.journal.close().await;
    assert_eq!(left(&disk), running.records());
}

#[tokio::test]
async fn a_closed_journal_takes_nothing_more() {
    let disk = SimDisk::new(1);
    let running = on(&disk).await;
    let (_, durable) = running.submit(vec![(b"b".into(), Some(b"last".to_vec()))]).unwrap();
    running.journal.close().await;
    durable.wait().await.unwrap();
    assert_eq!(running.put("c", b"").await, Err(CommitError::Closed));
    assert_eq!(left(&disk), running.records());
}

/// A runtime that goes away with operations waiting must not leave anybody, nor itself, waiting for ever.
#[test]
fn a_runtime_that_ends_fails_what_waits() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let disk = SimDisk::new(1);
    let running = runtime.block_on(async { on(&disk).await });
    let (_, durable) = running.submit(vec![(b"b".into(), Some(b"waits".to_vec()))]).unwrap();
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(other.block_on(durable.wait()), Err(CommitError::Closed));
}
