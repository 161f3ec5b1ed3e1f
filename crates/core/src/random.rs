//! The randomness port: the only way codes, ids and nonces come to be.

use std::fmt;

/// The generator could not give random bytes; nothing may be made without them.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the random generator failed")]
pub struct RandomError;

/// A source of unpredictable bytes.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `bytes` wholly, or fails.
    ///
    /// # Errors
    /// [`RandomError`] if the source has no bytes to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The cryptographic library's generator: one a thread, seeded and reseeded by the operating system (CTR_DRBG of
/// NIST SP 800-90A), so that the six drawings of a start are not six system calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        aws_lc_rs::rand::fill(bytes).map_err(|_source| RandomError)
    }
}
