//! The store of a fleet of verifyd: Redis or Valkey, as a single node, under Sentinel, or as a Cluster. See the crate's README.

pub mod fleet;
mod history;
pub mod link;
mod registry;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use history::RedisHistory;
pub use link::{Link, LinkSettings, Script};
pub use registry::RedisRegistry;
pub use store::{Import, Imported, RedisOptions, RedisStore, TimeSource};
