//! The durable embedded store of verifyd: live state in memory over a journal and checkpoints. See the crate's README for how the log
//! was chosen and what it costs.

mod export;
pub mod history;
pub mod journal;
mod live;
mod registry;
mod store;

pub use history::{EmbeddedHistory, HistoryOpenError};
pub use journal::{CheckpointError, OpenError, Stats};
pub use live::IndexKey;
pub use registry::FileRegistry;
pub use store::EmbeddedStore;

/// The version of keys and values in the files.
pub const SCHEMA: u32 = live::SCHEMA;
