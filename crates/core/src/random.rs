//! The randomness port: the only way codes, ids and nonces come to be.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

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

/// The cryptographic library's generator: one a thread, seeded and reseeded by the operating system (`CTR_DRBG` of
/// NIST SP 800-90A).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        aws_lc_rs::rand::fill(bytes).map_err(|_source| RandomError)
    }
}

/// What a start takes: two ids, two nonces, a code, and a code whose first drawings are thrown away.
const STOCK_BYTES: usize = 96;

/// Random bytes drawn ahead for one operation: most of a drawing's cost does not depend on its size. It lives no longer than
/// the operation, so that no process and no thread ever comes by the bytes of another.
pub(crate) struct Drawn<'a> {
    source: &'a dyn Random,
    /// Bytes leave from the end.
    stock: Mutex<Zeroizing<Vec<u8>>>,
}

impl<'a> Drawn<'a> {
    /// Draws from `source`.
    pub(crate) fn from(source: &'a dyn Random) -> Result<Self, RandomError> {
        let mut stock = Zeroizing::new(vec![0; STOCK_BYTES]);
        source.fill(&mut stock)?;
        Ok(Self { source, stock: Mutex::new(stock) })
    }
}

impl fmt::Debug for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drawn").finish_non_exhaustive()
    }
}

impl Random for Drawn<'_> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        let mut stock = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        match stock.len().checked_sub(bytes.len()) {
            Some(rest) => {
                bytes.iter_mut().zip(stock.drain(rest..)).for_each(|(to, from)| *to = from);
                Ok(())
            }
            None => self.source.fill(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn what_is_drawn_ahead_is_given_once() {
        let drawn = Drawn::from(&SystemRandom).unwrap();
        let mut seen = HashSet::new();
        for _ in 0..3 * STOCK_BYTES / 16 {
            let mut bytes = [0; 16];
            drawn.fill(&mut bytes).unwrap();
            assert!(seen.insert(bytes));
        }
        assert!(drawn.stock.lock().unwrap().is_empty());
        let mut large = [0; STOCK_BYTES + 1];
        Drawn::from(&SystemRandom).unwrap().fill(&mut large).unwrap();
        assert_ne!(large, [0; STOCK_BYTES + 1]);
    }
}
