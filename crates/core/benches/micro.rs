//! Micro-benchmarks of the rules: parsing, composing, admission and check, without HTTP and disk.
//!
//! Run by `cargo xtask bench micro`, which keeps them short. Admission and check go through the memory store, so they are the
//! state machine with one uncontended lock around it; keyed digests and seals of the request are measured as lines of their own.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use verifyd_core::code::VerificationCode;
use verifyd_core::memory::MemoryStore;
use verifyd_core::message::{Brand, Locale, Request, compose, segments};
use verifyd_core::phone_number::{self, NumberPolicy, PhoneNumber, Region};
use verifyd_core::store::{AdmitOutcome, CheckOutcome, SendTarget};
use verifyd_core::testing::Scene;

fn main() {
    // Bounded, because every admission stays in the store: some hundred thousand of them.
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    phone_number::warm_up();
    parsing(&mut criterion);
    messages(&mut criterion);
    keys(&mut criterion);
    admission(&mut criterion);
    check(&mut criterion);
    criterion.final_summary();
}

fn region(name: &str) -> Option<Region> {
    name.parse().ok()
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let inputs = [
        ("us_e164", "+14155552671", ""),
        ("de_e164", "+4915123456789", ""),
        ("in_e164", "+919876543210", ""),
        ("br_e164", "+5511987654321", ""),
        ("gb_e164", "+447400123456", ""),
        ("us_ten_digits", "4155552671", "US"),
        ("us_national", "(415) 555-2671", "US"),
        ("de_national", "0151 23456789", "DE"),
        ("too_short", "+1415555", ""),
        ("no_number", "call me", "US"),
    ];
    for (name, input, default) in inputs {
        let default = region(default);
        group.bench_function(name, |bencher| bencher.iter(|| PhoneNumber::parse(black_box(input), default)));
    }
    if let Ok(number) = PhoneNumber::parse_e164("+14155552671") {
        let policy = NumberPolicy::default();
        group.bench_function("policy", |bencher| bencher.iter(|| policy.check(black_box(&number))));
    }
    group.finish();
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    let (Ok(brand), Ok(code)) = ("Acme".parse::<Brand>(), VerificationCode::parse("042137")) else { return };
    for tag in ["en", "de", "hi"] {
        let locale: Option<Locale> = tag.parse().ok();
        let request = Request { locale: locale.as_ref(), ..Request::new(&brand) };
        group.bench_function(format!("compose_{tag}"), |bencher| bencher.iter(|| compose(black_box(&request), &code)));
    }
    let texts = [("gsm7", "Your Acme verification code is: 042137"), ("ucs2", "आपका Acme सत्यापन कोड है: 042137")];
    for (name, text) in texts {
        group.bench_function(format!("segments_{name}"), |bencher| bencher.iter(|| segments::count(black_box(text))));
    }
    group.finish();
}

/// A scene before a memory store in which everything stays that is measured.
fn scene() -> Scene {
    Scene::before(Arc::new(MemoryStore::default()), 1)
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keys");
    let scene = scene();
    group.bench_function("phone_hash", |bencher| bencher.iter(|| scene.keys.phone_hash(black_box("+14155552671"))));
    // A code, its id, two digests and two sealed blobs: all that a start encrypts.
    group.bench_function("start_request", |bencher| bencher.iter(|| black_box(scene.start_request())));
    if let (SendTarget::Start { new, .. }, Ok(code)) = (scene.start_request().target, VerificationCode::parse("042137"))
    {
        group.bench_function("guess", |bencher| bencher.iter(|| scene.guess_by_id(black_box(new.id), &code)));
    }
    group.finish();
}

/// The scene before a number that it has not seen.
fn before_a_new_number(scene: &mut Scene, index: &mut u64) {
    *index += 1;
    scene.phone = scene.keys.phone_hash(&index.to_string());
}

fn admission(criterion: &mut Criterion) {
    let (mut scene, mut index) = (scene(), 0);
    let (store, now) = (Arc::clone(&scene.store), scene.now);
    criterion.bench_function("admission", |bencher| {
        let request = || {
            before_a_new_number(&mut scene, &mut index);
            scene.start_request()
        };
        let admit =
            |request| assert!(matches!(at_once(store.admit(request, now)), Some(Ok(AdmitOutcome::Admitted(_)))));
        bencher.iter_batched(request, admit, BatchSize::SmallInput);
    });
}

fn check(criterion: &mut Criterion) {
    let (mut scene, mut index) = (scene(), 0);
    let (store, now) = (Arc::clone(&scene.store), scene.now);
    criterion.bench_function("check", |bencher| {
        let guess = || {
            before_a_new_number(&mut scene, &mut index);
            let id = at_once(scene.started())?;
            Some(scene.guess_by_id(id, &scene.code(id)))
        };
        let check = |guess: Option<_>| {
            let outcome = guess.and_then(|guess| at_once(store.check(guess, now)));
            assert!(matches!(outcome, Some(Ok(CheckOutcome::Approved(_)))));
        };
        bencher.iter_batched(guess, check, BatchSize::SmallInput);
    });
}

/// The output of a future that never waits: the memory store's verbs.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
