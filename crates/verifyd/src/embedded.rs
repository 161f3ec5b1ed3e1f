//! The durable embedded store with the keys that fit it (feature `embedded`).
//!
//! A store's hashes of numbers are made with one key, which the store remembers; [`open`] sees to it that the right one is
//! among those given. Without that a forgotten key would silently set every limit to zero.

use std::path::Path;
use std::sync::Arc;

use verifyd_core::keys::{KeyRing, KeyRingError, MasterKey};
use verifyd_core::store::StoreError;
use verifyd_core::store::state::StateOptions;
pub use verifyd_store_embedded::{EmbeddedStore, OpenError};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// Another process has it, a file is damaged, or the system refuses.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// A key bears the name of the store's index key and is another one.
    #[error("key {name:?} is not the one this store's index of numbers was made with; give the old key under its name")]
    WrongIndexKey {
        /// The name.
        name: String,
    },
    /// The name of the index key could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store in `dir`, or makes one, and joins `keys` to a ring that fits it: the first makes new data, all read old.
/// Must be called within a tokio runtime. One process can have the store; [`EmbeddedStore::close`] gives it back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// use std::sync::Arc;
/// use verifyd::keys::MasterKey;
/// use verifyd::{Verifier, embedded};
///
/// // 32 random bytes that you keep apart from the store.
/// let key = MasterKey::new("2026-11", [7; 32])?;
/// let (store, keys) = embedded::open(dir, &[key], Default::default()).await?;
/// # let sender = Arc::new(verifyd::testing::RecordingSender::default());
/// let verifier = Verifier::builder("Acme").store(store.clone(), keys).sender(sender).build()?;
/// verifier.ready().await?;
/// verifier.drain().await;
/// store.close().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`EmbeddedError`].
pub async fn open(
    dir: &Path,
    keys: &[MasterKey],
    options: StateOptions,
) -> Result<(Arc<EmbeddedStore>, KeyRing), EmbeddedError> {
    let store = Arc::new(EmbeddedStore::open(dir, options)?);
    match ring_for(&store, keys).await {
        Ok(ring) => Ok((store, ring)),
        Err(error) => {
            // Its writer would hold the directory until the process ends.
            store.close().await;
            Err(error)
        }
    }
}

async fn ring_for(store: &EmbeddedStore, keys: &[MasterKey]) -> Result<KeyRing, EmbeddedError> {
    let index = store.index_key();
    let ring = KeyRing::new(keys, index.as_ref().map(|index| index.name.as_str()))?;
    match index {
        Some(index) if ring.index_fingerprint() != index.fingerprint => {
            return Err(EmbeddedError::WrongIndexKey { name: index.name });
        }
        Some(_) => {}
        None => store.set_index_key(ring.index_name(), ring.index_fingerprint()).await?,
    }
    Ok(ring)
}
