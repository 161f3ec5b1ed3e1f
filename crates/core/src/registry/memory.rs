//! The registry of a memory store: gone with the process.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{Book, Change, Registry, RegistryBounds, RegistryError, Snapshot, Written};

/// A registry in memory, for one process.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    book: Mutex<Book>,
    bounds: RegistryBounds,
}

impl MemoryRegistry {
    /// An empty registry with these bounds.
    #[must_use]
    pub fn new(bounds: RegistryBounds) -> Self {
        Self { book: Mutex::default(), bounds }
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn snapshot(&self) -> Result<Snapshot, RegistryError> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Snapshot { revision: book.version(), entries: book.entries().clone() })
    }

    async fn write(&self, changes: Vec<Change>) -> Result<Written, RegistryError> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).write(changes, self.bounds)
    }

    async fn revision(&self) -> Result<u64, RegistryError> {
        Ok(self.book.lock().unwrap_or_else(PoisonError::into_inner).version())
    }
}
