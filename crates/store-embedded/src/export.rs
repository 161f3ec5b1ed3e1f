//! What the store holds, for a move to another kind of store.

use verifyd_core::store::StoreError;
use verifyd_core::store::state::{ExportCounts, Exported};

use crate::store::EmbeddedStore;

impl EmbeddedStore {
    /// How much there is to export.
    #[must_use]
    pub fn export_counts(&self) -> ExportCounts {
        self.shared.lock().state.export_counts()
    }

    /// What one of 256 shards holds, verifications with their numbers. It is all on disk only while nothing else uses the store.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a record cannot be read.
    pub fn export(&self, shard: u8) -> Result<Vec<Exported>, StoreError> {
        self.shared.lock().state.export(shard)
    }
}
