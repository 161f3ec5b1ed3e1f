//! The process is killed, or the machine loses power, at every operation of the disk and at random ones.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::model::{Changes, Running, options};
use super::sim_disk::{End, Fault, SimDisk};
use crate::journal::CommitError;

/// A small generator: the workload of a seed is the same in every run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn changes(&mut self) -> Changes {
        let count = 1 + self.below(4);
        (0..count)
            .map(|_| {
                let key = format!("{}{}", (b'a' + self.below(6) as u8) as char, self.below(8)).into_bytes();
                // Some values span sectors, some end in zeros.
                let value = vec![self.below(3) as u8; self.below(1_500) as usize];
                (key, (self.below(3) > 0).then_some(value))
            })
            .collect()
    }
}

/// Works until `steps` are done or the disk is gone; returns the last acknowledged number.
async fn work(running: &Running, disk: &SimDisk, random: &mut Random, steps: u64) -> u64 {
    let mut acknowledged = 0;
    for _ in 0..steps {
        match random.below(12) {
            0 => drop(running.journal.checkpoint().await),
            1 => disk.set_room(Some(random.below(3_000) as usize)),
            2 | 3 => disk.set_room(None),
            _ => {}
        }
        let mut group = Vec::new();
        for _ in 0..=random.below(5) {
            match running.submit(random.changes()) {
                Ok(submitted) => group.push(submitted),
                Err(CommitError::Fatal(_)) => return acknowledged,
                Err(error) => panic!("{error}"),
            }
        }
        for (number, durable) in group {
            match durable.wait().await {
                Ok(()) => acknowledged = number,
                Err(CommitError::Full) => {}
                Err(CommitError::Fatal(_)) => return acknowledged,
                Err(error) => panic!("{error}"),
            }
        }
    }
    acknowledged
}

/// Three lives of a journal, each ended by a crash at the operation that `crash_at` says.
async fn lives(seed: u64, end: End, mut crash_at: impl FnMut(&mut Random) -> u64) {
    let mut random = Random::new(seed);
    let mut disk = SimDisk::new(seed);
    let (mut history, mut acknowledged) = (Vec::new(), 0);
    for life in 0..3 {
        disk.fault(crash_at(&mut random), Fault::Crash);
        let opened = Running::start(Arc::new(disk.clone()), options(Path::new("sim")), history.clone(), acknowledged);
        // The crash may come while the directory is opened.
        if let Ok(running) = opened {
            acknowledged = acknowledged.max(work(&running, &disk, &mut random, 40).await);
            running.journal.close().await;
            history = running.history();
        }
        disk = disk.after(end);
        println!("seed {seed} life {life} {end:?}: acknowledged {acknowledged}");
    }
    let disk: Arc<SimDisk> = Arc::new(disk);
    let running = Running::start(disk, options(Path::new("sim")), history, acknowledged).unwrap();
    running.put("z", b"works on").await.unwrap();
    running.journal.close().await;
}

#[tokio::test]
async fn a_kill_at_every_operation_loses_nothing_acknowledged() {
    for at in 1..=400 {
        lives(7, End::Kill, |_| at).await;
    }
}

#[tokio::test]
async fn power_loss_at_every_operation_loses_nothing_acknowledged() {
    for at in 1..=400 {
        lives(7, End::PowerLoss, |_| at).await;
    }
}

#[tokio::test]
async fn crashes_at_random_operations_lose_nothing_acknowledged() {
    for seed in 0..300 {
        let end = if seed % 3 == 0 { End::Kill } else { End::PowerLoss };
        lives(seed, end, |random| 1 + random.below(300)).await;
    }
}

/// A crash at each operation of a checkpoint, with operations going on: the records are the same before and after.
#[tokio::test]
async fn a_crash_anywhere_in_a_checkpoint_is_harmless() {
    let mut finished = false;
    for at in 1.. {
        assert!(at < 200, "the checkpoint never finished");
        for end in [End::Kill, End::PowerLoss] {
            let disk = SimDisk::new(at);
            let running = Running::on_sim(&disk).unwrap();
            let mut acknowledged = 0;
            for key in ["a", "b", "c"] {
                acknowledged = running.put(key, &[1; 700]).await.unwrap();
            }
            disk.fault(at, Fault::Crash);
            let (checkpoint, during) = tokio::join!(running.journal.checkpoint(), running.put("b", b"during"));
            finished = checkpoint.is_ok();
            acknowledged = during.unwrap_or(acknowledged);
            running.journal.close().await;
            let history = running.history();
            let disk = Arc::new(disk.after(end));
            let again = Running::start(disk.clone(), options(Path::new("sim")), history, acknowledged).unwrap();
            assert!(disk.files().len() <= 3, "superfluous files stay: {:?}", disk.files().keys());
            again.journal.close().await;
        }
        if finished {
            break;
        }
    }
}

/// An operation decided during the snapshot is in the later pieces and not in the earlier ones. Until the journal has it, the
/// checkpoint must not count.
#[tokio::test]
async fn a_checkpoint_waits_for_what_its_pieces_may_contain() {
    let disk = SimDisk::new(1);
    let running = Arc::new(Running::on_sim(&disk).unwrap());
    let acknowledged = running.put("a", b"before").await.unwrap();
    running.state.1.on.store(true, Ordering::SeqCst);
    let checkpoint = tokio::spawn({
        let running = Arc::clone(&running);
        async move { running.journal.checkpoint().await }
    });
    running.state.1.reached.notified().await;
    disk.hold("journal");
    let both = vec![(b"a".to_vec(), Some(b"during".to_vec())), (b"z".to_vec(), Some(b"during".to_vec()))];
    let (_, durable) = running.submit(both).unwrap();
    running.state.1.go.notify_one();
    // Long enough for a checkpoint that does not wait to be published.
    for _ in 0..20_000 {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    let history = running.history();
    assert!(disk.files().contains_key("checkpoint-0000000002.dat.tmp"), "{:?}", disk.files().keys());
    let dead = Arc::new(disk.after(End::Kill));
    let again = Running::start(dead, options(Path::new("sim")), history, acknowledged).unwrap();
    again.journal.close().await;

    disk.hold("");
    durable.wait().await.unwrap();
    checkpoint.await.unwrap().unwrap();
    running.journal.close().await;
}
