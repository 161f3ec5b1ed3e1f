//! Every rule of verifyd, and nothing else: no HTTP, no TLS, no Redis, no file, no clock and no randomness of its own.
//!
//! The flow lives in [`verifier`]; what it needs from outside comes through five small ports:
//!
//! | port | what it gives | implementations |
//! |---|---|---|
//! | [`store::Store`] | the life of a verification and its limits, one atomic step a verb | [`memory`], the embedded store, the Redis store |
//! | [`history::History`] | what happened, for people to read; decides nothing | [`history::MemoryHistory`], files, Redis |
//! | [`registry::Registry`] | the server's dynamic data, small and followed by every node | [`registry::MemoryRegistry`], a file, Redis |
//! | [`sender::Sender`] | delivery of one message | Twilio, the inbox, test numbers |
//! | [`clock::Clock`] | the time | [`clock::SystemClock`], the development clock, fakes |
//! | [`random::Random`] | unpredictable bytes | [`random::SystemRandom`], fakes |

pub mod clock;
pub mod code;
pub mod digits;
pub mod history;
pub mod id;
pub mod keys;
pub mod limits;
pub mod memory;
pub mod message;
pub mod phone_number;
pub mod proof;
pub mod random;
pub mod registry;
pub mod routing;
pub mod sender;
pub mod service;
pub mod store;
pub mod verification;
pub mod verifier;

#[cfg(feature = "testing")]
pub mod testing;
