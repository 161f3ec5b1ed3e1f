//! The store on a disk that fills up, fails, is killed and loses power; what stays in its files; how fast a large one is ready.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use verifyd_core::clock::Timestamp;
use verifyd_core::id::VerificationId;
use verifyd_core::store::state::StateOptions;
use verifyd_core::store::{AdmitOutcome, BegunReply, CheckOutcome, Status, Store, StoreError};
use verifyd_core::testing::{FakeClock, Scene, test_keys};

use super::{EmbeddedStore, IndexKey, Live, SCHEMA, replay};
use crate::journal::tests::open_sim;
use crate::journal::tests::sim_disk::{End, Fault, SimDisk};

impl EmbeddedStore {
    fn on_sim(disk: &SimDisk) -> Arc<Self> {
        let mut live = Live::new(StateOptions::default());
        let open = open_sim(disk, SCHEMA, &mut |change| replay(&mut live, change)).unwrap();
        Arc::new(Self::start(open, live, "sim".into()).unwrap())
    }
}

fn scene(store: &Arc<EmbeddedStore>, phone: u8) -> Scene {
    let mut scene = Scene::before(Arc::clone(store) as Arc<dyn Store>, u64::from(phone) + 1);
    scene.phone = Scene::phone_named(phone);
    scene
}

/// Starts for new numbers until the disk is full; then nothing that was refused is there, reads answer, and space is enough.
#[tokio::test]
async fn starts_on_a_full_disk_leave_no_trace() {
    let disk = SimDisk::new(1);
    let store = EmbeddedStore::on_sim(&disk);
    let mut there = Vec::new();
    disk.set_room(Some(0));
    let full = loop {
        let scene = scene(&store, u8::try_from(there.len()).unwrap());
        match scene.store.admit(scene.start_request(), scene.now).await {
            Ok(AdmitOutcome::Admitted(admitted)) => there.push(admitted.loaded.id),
            other => break (scene, other),
        }
    };
    let (refused, outcome) = full;
    let Err(StoreError::Unavailable { reason, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason, "the disk is full");
    let before = refused.snapshot().await;
    for _ in 0..3 {
        assert!(refused.store.admit(refused.start_request(), refused.now).await.is_err());
    }
    assert_eq!(refused.snapshot().await, before, "a start that was refused spent a limit");
    for id in &there {
        assert!(refused.load(*id).await.is_some(), "reads still answer");
    }

    disk.set_room(None);
    let again = refused.started().await;
    store.close().await;
    let store = EmbeddedStore::on_sim(&disk.after(End::PowerLoss));
    let scene = scene(&store, 0);
    for id in there.into_iter().chain([again]) {
        assert!(scene.load(id).await.is_some());
    }
    store.close().await;
}

#[tokio::test]
async fn a_failed_sync_ends_the_store_and_loses_nothing_acknowledged() {
    let disk = SimDisk::new(1);
    let store = EmbeddedStore::on_sim(&disk);
    let scene = scene(&store, 0);
    let id = scene.started().await;
    disk.fault(2, Fault::Broken); // the write, then the sync
    let outcome = scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now).await;
    assert!(matches!(outcome, Err(StoreError::Fatal)), "{outcome:?}");
    let reason = tokio::time::timeout(Duration::from_secs(10), store.fatal()).await.unwrap();
    assert!(reason.contains("journal-"), "{reason}");
    assert!(matches!(scene.store.ready(scene.now).await, Err(StoreError::Fatal)));
    store.close().await;
    let store = EmbeddedStore::on_sim(&disk.after(End::PowerLoss));
    assert!(self::scene(&store, 0).load(id).await.is_some());
    store.close().await;
}

/// What a client was told of its verification.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    wrong_guesses: u32,
    approved: bool,
}

type Book = Arc<Mutex<HashMap<VerificationId, Told>>>;

/// One client: starts, guesses wrong up to four times, then right; stops at the first failure.
async fn client(scene: Scene, book: Book) {
    let Ok(AdmitOutcome::Admitted(admitted)) = scene.store.admit(scene.start_request(), scene.now).await else {
        return;
    };
    let id = admitted.loaded.id;
    book.lock().unwrap().insert(id, Told::default());
    for guess in (1..=id.as_bytes()[15] % 5).map(u64::from).rev() {
        let wrong = scene.guess_by_id(id, &scene.code_plus(id, guess));
        let Ok(CheckOutcome::Wrong(_)) = scene.store.check(wrong, scene.now).await else { return };
        book.lock().unwrap().get_mut(&id).unwrap().wrong_guesses += 1;
    }
    if let Ok(CheckOutcome::Approved(_)) = scene.store.check(scene.guess_by_id(id, &scene.code(id)), scene.now).await {
        book.lock().unwrap().get_mut(&id).unwrap().approved = true;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_a_kill_or_by_power_loss_under_load() {
    let mut told = 0;
    for seed in 0..150_u64 {
        let end = if seed % 3 == 0 { End::Kill } else { End::PowerLoss };
        let disk = SimDisk::new(seed);
        let store = EmbeddedStore::on_sim(&disk);
        disk.fault(1 + seed * 7 % 90, Fault::Crash);
        let book = Book::default();
        let clients: Vec<_> =
            (0..64).map(|phone| tokio::spawn(client(scene(&store, phone), Arc::clone(&book)))).collect();
        if seed % 4 == 0 {
            // The crash often falls into it.
            drop(store.checkpoint().await);
        }
        for client in clients {
            client.await.unwrap();
        }
        store.close().await;
        let store = EmbeddedStore::on_sim(&disk.after(end));
        let scene = scene(&store, 0);
        let book = book.lock().unwrap().clone();
        for (id, Told { wrong_guesses, approved }) in book {
            let loaded =
                scene.load(id).await.unwrap_or_else(|| panic!("seed {seed}: {id} was acknowledged and is lost"));
            let used = loaded.record.checks_used;
            let at_least = wrong_guesses + u32::from(approved);
            assert!(used >= at_least && used <= at_least + 1, "seed {seed}: {used} guesses, {at_least} were told");
            assert!(!approved || matches!(loaded.record.status, Status::Approved { .. }), "seed {seed}: {loaded:?}");
            told += 1;
        }
        store.close().await;
    }
    assert!(told > 1_000, "the crashes came too early to show anything: {told} verifications");
}

#[tokio::test]
async fn what_is_forgotten_or_due_is_in_no_file_after_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap());
    let (mut scene, other) = (scene(&store, 0), scene(&store, 1));
    let sealed = |id| {
        let scene = &scene;
        async move { scene.load(id).await.unwrap().record.identity.as_bytes().to_vec() }
    };
    let (id, kept) = (scene.started().await, other.started().await);
    let (gone, stays) = (sealed(id).await, sealed(kept).await);
    store.checkpoint().await.unwrap();
    assert!(in_files(dir.path(), &gone) && in_files(dir.path(), &stays));

    store.forget(None, scene.phone, scene.now).await.unwrap();
    store.checkpoint().await.unwrap();
    assert!(!in_files(dir.path(), &gone), "forgotten data is still in a file");
    assert!(in_files(dir.path(), &stays));

    scene.advance(Duration::from_secs(2 * 24 * 3600));
    assert!(scene.purge_all().await > 0);
    store.checkpoint().await.unwrap();
    assert!(!in_files(dir.path(), &stays), "data past its time is still in a file");
    store.close().await;
}

fn in_files(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir.join("store"))
        .unwrap()
        .any(|file| std::fs::read(file.unwrap().path()).unwrap().windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test]
async fn the_index_key_is_kept_also_over_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let expected = IndexKey { name: "k1".into(), fingerprint: [7; 8] };
    for checkpoint in [false, true, true] {
        let store = EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap();
        match store.index_key() {
            None => store.set_index_key("k1", [7; 8]).await.unwrap(),
            Some(found) => assert_eq!(found, expected),
        }
        if checkpoint {
            store.checkpoint().await.unwrap();
        }
        store.close().await;
    }
    let store = EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap();
    assert_eq!(store.index_key(), Some(expected));
    let second = EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap_err();
    assert_eq!(
        second.to_string(),
        format!("the data directory {} is in use by another process", store.folder().display())
    );
    store.close().await;
}

/// An expired code was called expired: after a restart with the clock set back it still is, also if the disk was full in between.
#[tokio::test]
async fn the_latest_instant_survives_a_commit_that_found_the_disk_full() {
    let disk = SimDisk::new(1);
    let store = EmbeddedStore::on_sim(&disk);
    let mut scene = scene(&store, 0);
    let id = scene.started().await;
    scene.advance(Duration::from_secs(600));
    disk.set_room(Some(0));
    // Fill what was written ahead, so that the refusal's own commit does not fit.
    let big = vec![1; 1 << 20];
    let filler = store.journal.submit(super::Undo(Vec::new()), |records| records.put(super::INDEX_KEY, &big));
    let guess = scene.guess_by_id(id, &scene.code(id));
    let refused = scene.store.check(guess.clone(), scene.now);
    let (filler, refused) = tokio::join!(filler.unwrap().wait(), refused);
    assert!(filler.is_err() && matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    disk.set_room(None);
    let expired = scene.store.check(guess.clone(), scene.now).await;
    assert!(matches!(expired, Ok(CheckOutcome::Refused { .. })), "{expired:?}");
    store.close().await;

    let store = EmbeddedStore::on_sim(&disk.after(End::PowerLoss));
    let revived = store.check(guess, FakeClock::BEGINNING + Duration::from_secs(301)).await;
    assert!(matches!(revived, Ok(CheckOutcome::Refused { .. })), "{revived:?}");
    store.close().await;
}

/// Ready in under two seconds with a million pending, from the journal alone and from a checkpoint. Ten times slack.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes half a gigabyte; run by hand with --release to see the figure"]
async fn a_million_pending_are_ready_in_time() {
    const PENDING: u32 = 1_000_000;
    let dir = tempfile::tempdir().unwrap();
    let mut store = Arc::new(EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap());
    let clients: Vec<_> = (0..64_u32)
        .map(|client| {
            let mut scene = scene(&store, u8::try_from(client).unwrap());
            tokio::spawn(async move {
                for n in 0..PENDING / 64 {
                    let mut phone = *Scene::phone_named(0).as_bytes();
                    phone[..4].copy_from_slice(&client.to_le_bytes());
                    phone[12..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9).to_le_bytes());
                    phone[4..8].copy_from_slice(&n.to_le_bytes());
                    scene.phone = verifyd_core::keys::PhoneHash::from_bytes(phone);
                    scene.started().await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    for what in ["journal", "checkpoint"] {
        let files = store.stats();
        store.close().await;
        drop(store);
        let start = Instant::now();
        store = Arc::new(EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap());
        let took = start.elapsed();
        println!("{} records from a {what} ready in {took:?} ({files:?})", store.shared.lock().state.len());
        assert!(took < Duration::from_secs(20), "{took:?}");
        store.checkpoint().await.unwrap();
    }
    store.close().await;
}

/// A lease of a process that is gone must not make the first repeat after a crash wait.
#[tokio::test]
async fn a_claim_ends_with_its_process_and_costs_no_write() {
    let dir = tempfile::tempdir().unwrap();
    let request = test_keys(&["test"]).reply_request(&["caller", "key", "POST", "/v1/x"], b"{}");
    let store = EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap();
    let now = Timestamp::from_unix_ms(1_800_000_000_000);
    let before = store.stats().operations;
    assert_eq!(store.begin_reply(request, now).await.unwrap(), BegunReply::Fresh);
    assert!(matches!(store.begin_reply(request, now).await.unwrap(), BegunReply::InProgress { .. }));
    assert_eq!(store.stats().operations, before);
    store.checkpoint().await.unwrap();
    store.close().await;
    drop(store);
    let store = EmbeddedStore::open(dir.path(), StateOptions::default()).unwrap();
    assert_eq!(store.begin_reply(request, now).await.unwrap(), BegunReply::Fresh);
    store.close().await;
}
