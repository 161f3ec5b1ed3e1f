//! The registry as a running server knows it: all of it in memory, followed several times a second.
//!
//! Whoever owns a kind of entries is a [`Follower`]: it turns a snapshot into a table of its own types once a change, not once a
//! request. A write through the view is in every follower before it returns, so that a request sees what the one before it did;
//! other nodes see it within `REFRESH` and the time of one read. While the registry cannot be read what was known stays.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use verifyd_core::registry::{Change, Registry, RegistryError, Snapshot, Written};

/// How often the registry is asked whether it changed.
const REFRESH: Duration = Duration::from_millis(300);

/// Keeps something that is made of the registry's content.
pub trait Follower: Send + Sync {
    /// Takes over `snapshot`: called at its attachment and after every change, never twice at a time. What cannot be read is logged, and
    /// what was known of it stays.
    fn follow(&self, snapshot: &Snapshot);
}

/// The content as last read, and who follows it.
pub struct RegistryView {
    registry: Arc<dyn Registry>,
    current: RwLock<Arc<Snapshot>>,
    followers: Mutex<Vec<Arc<dyn Follower>>>,
    /// Held while the registry is read, so that an older content never comes after a newer one.
    reading: tokio::sync::Mutex<()>,
}

impl fmt::Debug for RegistryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryView").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl RegistryView {
    /// A view that has read `registry` once.
    ///
    /// # Errors
    /// [`RegistryError`]
    pub async fn open(registry: Arc<dyn Registry>) -> Result<Self, RegistryError> {
        let current = RwLock::new(Arc::new(registry.snapshot().await?));
        Ok(Self { registry, current, followers: Mutex::default(), reading: tokio::sync::Mutex::default() })
    }

    /// The content as last read.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets `follower` follow, beginning with what is known.
    pub fn attach(&self, follower: Arc<dyn Follower>) {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        follower.follow(&self.current());
        followers.push(follower);
    }

    /// Makes changes, and has them known here before it returns. After a conflict what is there is known here, too.
    ///
    /// # Errors
    /// [`RegistryError`]; that of reading back is not one, because the write has happened.
    pub async fn write(&self, changes: Vec<Change>) -> Result<Written, RegistryError> {
        let written = self.registry.write(changes).await?;
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a change of the registry is made but not read back yet");
        }
        Ok(written)
    }

    /// Asks the registry whether it changed, and reads it if so.
    ///
    /// # Errors
    /// [`RegistryError`]; what was known stays.
    pub async fn refresh(&self) -> Result<(), RegistryError> {
        let _one_at_a_time = self.reading.lock().await;
        let known = self.current();
        if self.registry.revision().await? == known.revision {
            return Ok(());
        }
        let fresh = Arc::new(self.registry.snapshot().await?);
        if fresh.entries.is_empty() && !known.entries.is_empty() {
            tracing::warn!(
                held = known.entries.len(),
                "the registry is empty now: API keys and services made at run time are gone"
            );
        }
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        for follower in followers.iter() {
            follower.follow(&fresh);
        }
        Ok(())
    }

    /// Follows the registry for ever.
    pub async fn watch(self: Arc<Self>) {
        let mut failing = false;
        loop {
            tokio::time::sleep(REFRESH).await;
            match self.refresh().await {
                Ok(()) => failing = false,
                // Once, not several times a second: how the store does is told elsewhere.
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the registry cannot be read; what is known of it stays");
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use verifyd_core::registry::{Document, EntryName, MemoryRegistry};

    #[derive(Default)]
    struct Counted {
        calls: AtomicUsize,
        entries: AtomicUsize,
    }

    impl Follower for Counted {
        fn follow(&self, snapshot: &Snapshot) {
            self.calls.fetch_add(1, Ordering::SeqCst);
            self.entries.store(snapshot.entries.len(), Ordering::SeqCst);
        }
    }

    fn create(id: &str) -> Vec<Change> {
        vec![Change::create(EntryName::new("thing", id).unwrap(), Document::new(1, "{}").unwrap())]
    }

    fn seen(counted: &Counted) -> (usize, usize) {
        (counted.calls.load(Ordering::SeqCst), counted.entries.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn followers_see_own_writes_at_once_and_others_after_a_refresh_and_nothing_twice() {
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        registry.write(create("a")).await.unwrap();
        let view = RegistryView::open(Arc::clone(&registry)).await.unwrap();
        let counted = Arc::new(Counted::default());
        view.attach(Arc::<Counted>::clone(&counted));
        assert_eq!(seen(&counted), (1, 1));
        view.write(create("b")).await.unwrap();
        assert_eq!(seen(&counted), (2, 2));
        registry.write(create("c")).await.unwrap();
        assert_eq!(seen(&counted), (2, 2));
        view.refresh().await.unwrap();
        view.refresh().await.unwrap();
        assert_eq!((seen(&counted), view.current().entries.len()), ((3, 3), 3));
        // A conflict tells that this node knew too little: it has looked by then.
        registry.write(create("d")).await.unwrap();
        assert!(matches!(view.write(create("d")).await.unwrap(), Written::Conflict { .. }));
        assert_eq!(seen(&counted), (4, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_elsewhere_is_known_within_a_second() {
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        let view = Arc::new(RegistryView::open(Arc::clone(&registry)).await.unwrap());
        let watch = tokio::spawn(Arc::clone(&view).watch());
        registry.write(create("a")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert_eq!(view.current().entries.len(), 1);
        watch.abort();
    }
}
