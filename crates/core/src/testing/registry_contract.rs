//! The contract suite of the registry port: one function a property, each on a registry of its own, through two handles as two
//! processes would have them.
//!
//! `registry_contract_tests!(factory)` stamps out one test for each in the calling module; the calling crate needs tokio with
//! `macros` and `rt-multi-thread`. The rules are those of the documentation of [`registry`](crate::registry).

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::registry::{
    Change, Document, Entry, EntryName, MAX_CHANGES, MAX_DOCUMENT_BYTES, Registry, RegistryBounds, RegistryError,
    Written,
};

/// A registry as the suite uses it.
pub struct RegistryUnderTest {
    /// One handle.
    pub registry: Arc<dyn Registry>,
    /// Another to the same content, as another process would have it; the same where there can be only one.
    pub beside: Arc<dyn Registry>,
    /// What must live as long.
    pub kept: Box<dyn Any + Send + Sync>,
}

/// Makes the registries under test.
#[async_trait]
pub trait RegistryFactory: Send + Sync {
    /// An empty registry with these bounds.
    async fn fresh_with(&self, bounds: RegistryBounds) -> RegistryUnderTest;

    /// An empty registry with the default bounds.
    async fn fresh(&self) -> RegistryUnderTest {
        self.fresh_with(RegistryBounds::default()).await
    }
}

fn name(id: &str) -> EntryName {
    EntryName::new("thing", id).unwrap()
}

fn document(text: &str) -> Document {
    Document::new(3, text).unwrap()
}

fn create(id: &str, text: &str) -> Change {
    Change::create(name(id), document(text))
}

async fn done(registry: &Arc<dyn Registry>, changes: Vec<Change>) -> u64 {
    match registry.write(changes).await.unwrap() {
        Written::Done { version } => version,
        Written::Conflict { name, found } => panic!("a conflict at {name}: {found:?}"),
    }
}

async fn refused(registry: &Arc<dyn Registry>, changes: Vec<Change>, id: &str, found: Option<u64>) {
    assert_eq!(registry.write(changes).await.unwrap(), Written::Conflict { name: name(id), found });
}

async fn text(registry: &Arc<dyn Registry>, id: &str) -> Option<String> {
    registry.snapshot().await.unwrap().get(&name(id)).map(|entry| entry.document.text().to_owned())
}

/// What was written is read back to the byte, with its schema, here and beside; kinds are apart and in the order of their ids.
pub async fn what_is_written_is_read_everywhere(factory: &dyn RegistryFactory) {
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh().await;
    assert!(registry.snapshot().await.unwrap().entries.is_empty());
    let odd = "{\"a\":\"ü \\u0000 \u{1F511}\\n|:\"}\r\n\t";
    let other = EntryName::new("thin", "b").unwrap();
    let longest = name(&"~!{}".repeat(40));
    let version = done(
        &registry,
        vec![
            create("b", odd),
            create("a", ""),
            Change::create(other, document("x")),
            Change::create(longest.clone(), document("y")),
        ],
    )
    .await;
    for handle in [&registry, &beside] {
        let snapshot = handle.snapshot().await.unwrap();
        assert_eq!(snapshot.get(&name("b")), Some(&Entry { version, document: document(odd) }));
        let ids: Vec<_> = snapshot.of_kind("thing").map(|(id, _)| id.to_owned()).collect();
        assert_eq!(ids, ["a", "b", longest.id()]);
        assert_eq!(snapshot.of_kind("thin").count(), 1);
        assert_eq!(snapshot.of_kind("things").count(), 0);
    }
}

/// The revision moves with every write and with nothing else, and a snapshot has the one that it shows.
pub async fn revision_follows_the_content(factory: &dyn RegistryFactory) {
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh().await;
    let mut seen = vec![beside.revision().await.unwrap()];
    let a = done(&registry, vec![create("a", "1")]).await;
    seen.push(beside.revision().await.unwrap());
    let b = done(&beside, vec![Change::replace(name("a"), a, document("1"))]).await;
    seen.push(registry.revision().await.unwrap());
    done(&registry, vec![Change::Remove { name: name("a"), expected: b }]).await;
    seen.push(beside.revision().await.unwrap());
    let mut different = seen.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
    let last = seen[3];
    refused(&registry, vec![Change::Remove { name: name("a"), expected: b }], "a", None).await;
    assert_eq!(registry.snapshot().await.unwrap().revision, last);
    assert_eq!((registry.revision().await.unwrap(), beside.revision().await.unwrap()), (last, last));
}

/// A write with a wrong expectation changes nothing and says what is there.
pub async fn versions_are_compared(factory: &dyn RegistryFactory) {
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh().await;
    let first = done(&registry, vec![create("a", "1")]).await;
    refused(&beside, vec![create("a", "2")], "a", Some(first)).await;
    let second = done(&beside, vec![Change::replace(name("a"), first, document("2"))]).await;
    assert!(second > first);
    refused(&registry, vec![Change::replace(name("a"), first, document("3"))], "a", Some(second)).await;
    refused(&registry, vec![Change::Remove { name: name("a"), expected: first }], "a", Some(second)).await;
    refused(&registry, vec![Change::replace(name("b"), first, document("3"))], "b", None).await;
    assert_eq!((text(&registry, "a").await.as_deref(), text(&registry, "b").await), (Some("2"), None));
}

/// An entry that is made anew has a version that its name never had.
pub async fn versions_are_never_used_again(factory: &dyn RegistryFactory) {
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh().await;
    let first = done(&registry, vec![create("a", "1")]).await;
    done(&beside, vec![Change::Remove { name: name("a"), expected: first }]).await;
    let second = done(&registry, vec![create("a", "1")]).await;
    assert!(second > first, "{second} after {first}");
    refused(&beside, vec![Change::Remove { name: name("a"), expected: first }], "a", Some(second)).await;
}

/// All changes of a write happen or none.
pub async fn a_write_is_whole(factory: &dyn RegistryFactory) {
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh().await;
    let version = done(&registry, vec![create("a", "1"), create("b", "1")]).await;
    let changes = |expected| {
        vec![
            Change::replace(name("a"), version, document("2")),
            create("c", "2"),
            Change::Remove { name: name("b"), expected },
        ]
    };
    let before = beside.snapshot().await.unwrap();
    refused(&registry, changes(version + 1), "b", Some(version)).await;
    assert_eq!(beside.snapshot().await.unwrap(), before);
    done(&registry, changes(version)).await;
    let after = beside.snapshot().await.unwrap();
    let left: Vec<_> = after.of_kind("thing").map(|(id, entry)| (id, entry.document.text())).collect();
    assert_eq!(left, [("a", "2"), ("c", "2")]);
}

/// Of many who create one entry one succeeds, and counting by compare-and-set loses no step.
pub async fn parallel_writers_lose_nothing(factory: &dyn RegistryFactory) {
    const WRITERS: usize = 8;
    const STEPS: usize = 5;
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh().await;
    let mut makers = JoinSet::new();
    for writer in 0..WRITERS {
        let handle = Arc::clone(if writer % 2 == 0 { &registry } else { &beside });
        makers.spawn(async move { handle.write(vec![create("n", "0")]).await.unwrap() });
    }
    let made = makers.join_all().await.into_iter().filter(|written| matches!(written, Written::Done { .. }));
    assert_eq!(made.count(), 1);
    let mut counters = JoinSet::new();
    for writer in 0..WRITERS {
        let handle = Arc::clone(if writer % 2 == 0 { &registry } else { &beside });
        counters.spawn(async move {
            for _ in 0..STEPS {
                count_one(&handle).await;
            }
        });
    }
    counters.join_all().await;
    assert_eq!(text(&registry, "n").await, Some((WRITERS * STEPS).to_string()));
}

async fn count_one(registry: &Arc<dyn Registry>) {
    loop {
        let entry = registry.snapshot().await.unwrap().get(&name("n")).cloned().unwrap();
        let next = entry.document.text().parse::<usize>().unwrap() + 1;
        let change = Change::replace(name("n"), entry.version, document(&next.to_string()));
        if matches!(registry.write(vec![change]).await.unwrap(), Written::Done { .. }) {
            return;
        }
    }
}

/// One entry more than the bound is refused, nothing else is changed with it, and room comes back by removal.
pub async fn entries_are_bounded(factory: &dyn RegistryFactory) {
    let bounds = RegistryBounds { max_entries: 3, ..RegistryBounds::default() };
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh_with(bounds).await;
    let version = done(&registry, vec![create("a", "1"), create("b", "1")]).await;
    let full = registry.write(vec![create("c", "1"), create("d", "1")]).await;
    assert!(matches!(full, Err(RegistryError::Full(_))), "{full:?}");
    assert_eq!(beside.snapshot().await.unwrap().entries.len(), 2);
    done(&beside, vec![create("c", "1")]).await;
    assert!(matches!(registry.write(vec![create("d", "1")]).await, Err(RegistryError::Full(_))));
    let exchange = vec![Change::Remove { name: name("a"), expected: version }, create("d", "1")];
    done(&registry, exchange).await;
    assert_eq!(beside.snapshot().await.unwrap().entries.len(), 3);
}

/// One byte more than the bound is refused; to replace and to shrink is always possible.
pub async fn bytes_are_bounded(factory: &dyn RegistryFactory) {
    // "thing", an id of one byte and a document of ten: sixteen each.
    let bounds = RegistryBounds { max_bytes: 32, ..RegistryBounds::default() };
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh_with(bounds).await;
    let version = done(&registry, vec![create("a", "0123456789"), create("b", "012345678")]).await;
    let grown = vec![Change::replace(name("b"), version, document("0123456789x"))];
    assert!(matches!(beside.write(grown).await, Err(RegistryError::Full(_))));
    let full = done(&beside, vec![Change::replace(name("b"), version, document("0123456789"))]).await;
    done(&registry, vec![Change::replace(name("b"), full, document("9876543210"))]).await;
    done(&registry, vec![Change::replace(name("a"), version, document("-")), create("c", "012")]).await;
    assert!(matches!(beside.write(vec![create("d", "")]).await, Err(RegistryError::Full(_))));
}

/// The largest document and the largest write are taken, and one change more is refused.
pub async fn a_write_is_bounded(factory: &dyn RegistryFactory) {
    let RegistryUnderTest { registry, beside, kept: _kept } = factory.fresh().await;
    let largest = "x".repeat(MAX_DOCUMENT_BYTES);
    assert!(matches!(Document::new(1, &format!("{largest}x")), Err(RegistryError::TooLarge)));
    let many = |count: usize| (0..count).map(|n| create(&n.to_string(), "")).collect::<Vec<_>>();
    assert!(matches!(registry.write(many(MAX_CHANGES + 1)).await, Err(RegistryError::TooLarge)));
    assert!(beside.snapshot().await.unwrap().entries.is_empty());
    done(&registry, many(MAX_CHANGES)).await;
    done(&registry, vec![create("large", &largest)]).await;
    assert_eq!(beside.snapshot().await.unwrap().entries.len(), MAX_CHANGES + 1);
    assert_eq!(text(&beside, "large").await, Some(largest));
}

/// Stamps out every property of the contract as a test on registries made by the factory that the expression gives.
#[macro_export]
macro_rules! registry_contract_tests {
    ($factory:expr) => {
        $crate::registry_contract_tests! { $factory;
            what_is_written_is_read_everywhere, revision_follows_the_content, versions_are_compared,
            versions_are_never_used_again, a_write_is_whole, parallel_writers_lose_nothing, entries_are_bounded,
            bytes_are_bounded, a_write_is_bounded
        }
    };
    ($factory:expr; $($property:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $property() {
                $crate::testing::registry_contract::$property(&$factory).await;
            }
        )+
    };
}
