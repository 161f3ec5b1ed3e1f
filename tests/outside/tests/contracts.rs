//! Both suites over what was written outside, and one verification from end to end over both.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use outside::pigeons::{Loft, PigeonSender};
use outside::watched::WatchedStore;
use verifyd::store::{MemoryStore, StateOptions, Store};
use verifyd::testing::{Fate, SenderFactory, SenderUnderTest, StoreFactory, model, test_keys};
use verifyd::{StartRequest, Verifier};

mod sender {
    use super::{Arc, Fate, Loft, Ordering, PigeonSender, SenderFactory, SenderUnderTest, async_trait};

    struct Pigeons;

    #[async_trait]
    impl SenderFactory for Pigeons {
        async fn fresh(&self, fate: Fate) -> Option<SenderUnderTest> {
            let (sender, departures) = PigeonSender::new(match fate {
                Fate::Takes => Loft::Open,
                Fate::Rejects => Loft::NoSuchRoof,
                Fate::Hangs => Loft::Hawks,
                Fate::IsAbsent => Loft::Closed,
            });
            let arrivals = Box::new(move || departures.load(Ordering::SeqCst));
            Some(SenderUnderTest { sender: Arc::new(sender), arrivals })
        }
    }

    verifyd::sender_contract_tests!(Pigeons);
}

struct Watched;

#[async_trait]
impl StoreFactory for Watched {
    async fn fresh_with(&self, options: StateOptions) -> Arc<dyn Store> {
        Arc::new(WatchedStore::new(Arc::new(MemoryStore::new(options))))
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        // It keeps nothing beyond the process, so nothing can be lost by opening it again.
        store
    }
}

verifyd::store_contract_tests!(Watched);

#[tokio::test]
async fn the_store_agrees_with_the_model() {
    model::run(&Watched, 7, 1_000).await;
}

#[tokio::test]
async fn a_verifier_runs_on_both() {
    let store = Arc::new(WatchedStore::new(Arc::new(MemoryStore::default())));
    let (sender, departures) = PigeonSender::new(Loft::Open);
    let builder = Verifier::builder("Acme").sender(Arc::new(sender));
    let verifier = builder.store(Arc::<WatchedStore>::clone(&store), test_keys(&["k"])).build().unwrap();
    let started = verifier.start(StartRequest::new("+14155552671")).await.unwrap();
    assert_eq!(departures.load(Ordering::SeqCst), 1);
    let checked = verifier.check(started.verification.id, "000000").await.unwrap();
    assert_eq!(checked.verification.id, started.verification.id);
    // At least one admission, one outcome and one check.
    assert!(store.asked() >= 3);
}
