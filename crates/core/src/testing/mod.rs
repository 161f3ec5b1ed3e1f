//! Fakes, the contract suites of the store and the sender port and the model-based test, for our own crates and for stores and senders
//! written elsewhere (feature `testing`).
//!
//! | to test | use |
//! |---|---|
//! | code that calls a [`Verifier`](crate::verifier::Verifier) | [`TestVerifier`]: memory store, [`FakeClock`], [`RecordingSender`] |
//! | what happens when the store fails | [`FaultyStore`] around any store |
//! | another [`History`](crate::history::History) | [`history_contract_tests!`](crate::history_contract_tests) |
//! | another [`Sender`](crate::sender::Sender) | [`sender_contract_tests!`](crate::sender_contract_tests) |
//! | another [`Registry`](crate::registry::Registry) | [`registry_contract_tests!`](crate::registry_contract_tests) |
//! | another [`Store`](crate::store::Store) | [`store_contract_tests!`](crate::store_contract_tests) and [`model::run`] |
//!
//! Everything here is deterministic: time moves when a test moves it, and randomness comes from a seed. Nothing here may be
//! linked into a server: the randomness is predictable and the keys are known.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "these are tests: what cannot go on must fail at once"
)]

mod clock;
mod fixture;
mod history;
pub mod history_contract;
pub mod model;
mod random;
pub mod registry_contract;
mod scene;
mod sender;
pub mod sender_contract;
mod store;
pub mod store_contract;

pub use clock::FakeClock;
pub use fixture::{
    TestVerifier, TestVerifierOptions, test_keys, test_master_key, test_proofs, test_service, test_settings,
};
pub use history::FaultyHistory;
pub use history_contract::HistoryFactory;
pub use random::SeededRandom;
pub use registry_contract::{RegistryFactory, RegistryUnderTest};
pub use scene::{Scene, StoreFactory};
pub use sender::{Outcome, RecordedMessage, RecordingSender};
pub use sender_contract::{Fate, SenderFactory, SenderUnderTest};
pub use store::{FaultyStore, Moment, Verb};
