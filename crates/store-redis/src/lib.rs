//! The store of a fleet of verifyd: Redis or Valkey, as a single node, under Sentinel, or as a Cluster. See the crate's README.

pub mod link;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use link::{Link, LinkSettings, Script};
pub use store::{RedisOptions, RedisStore, TimeSource};
