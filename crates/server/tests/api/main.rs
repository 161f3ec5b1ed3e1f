//! Version 1 of the API through the real router: every endpoint, every error code, bad input, races.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a field that is missing is null, and then the comparison fails")]

mod access;
mod bad_input;
mod development;
mod document;
mod errors;
mod history;
mod idempotency;
mod life;
mod limits;
mod media;
mod numbers;
mod outcomes;
mod proofs;
mod races;
mod support;
