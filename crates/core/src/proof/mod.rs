//! Proofs: a signed statement that a number was verified, which anybody can check without asking verifyd.
//!
//! A proof is a JWT (RFC 7519) signed with Ed25519 (RFC 8037). Its header is exactly `alg`, `typ` and `kid`; the algorithm is
//! no setting. [`ProofIssuer`] signs; only the [`verifier`](crate::verifier) asks it to, for the request that approved, and every
//! proof bears the instant of its approval. Whoever holds a proof can show it, so [`Proof`] is treated as a secret.
//!
//! Keys (`keys.rs`) follow from the master keys and the time alone: each master key has one key a period of [`PERIOD`], and the
//! published set holds the keys of the previous, the current and the next period of every master key. So keys change by
//! themselves, at the same instant on every node, without a file; a set that was fetched before a change verifies what is
//! signed after it; and a master key at the end of the list is announced before it is moved to the front and signs.
//!
//! The crate `jsonwebtoken` is not used here: it parses its private key anew for every token, and its header has room for
//! `jwk`, `jku` and `x5u`, which no proof may have. It reads our proofs in the tests instead, as a second opinion.

mod issuer;
mod keys;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use zeroize::Zeroizing;

pub use issuer::ProofIssuer;
pub(crate) use issuer::{Approval, ProofId};
pub use keys::PERIOD;

/// The longest life of a proof: it is shown at once or not at all, and whoever steals one can show it just as well.
pub const MAX_PROOF_TTL: Duration = Duration::from_secs(600);
/// The shortest life of a proof: instants in a JWT are whole seconds here.
pub const MIN_PROOF_TTL: Duration = Duration::from_secs(1);
/// The documented life of a proof.
pub const DEFAULT_PROOF_TTL: Duration = Duration::from_secs(300);
/// The `typ` of a proof's header: other tokens of the same issuer are told apart by it (RFC 8725, section 3.11).
pub const PROOF_TYPE: &str = "phone-proof+jwt";
/// The longest name of an issuer, in bytes.
pub const MAX_ISSUER_BYTES: usize = 255;

/// Who signs: the `iss` of every proof, which verifiers compare byte for byte. 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

/// Text that is no issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an issuer is 1 to 255 visible ASCII characters, usually a URL such as https://verify.example.com")]
pub struct ParseIssuerError;

impl Issuer {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Issuer {
    type Err = ParseIssuerError;

    fn from_str(text: &str) -> Result<Self, ParseIssuerError> {
        if text.is_empty() || text.len() > MAX_ISSUER_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ParseIssuerError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What proofs say about their issuer and how long they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofSettings {
    /// Who signs.
    pub issuer: Issuer,
    /// How long a proof holds, [`MIN_PROOF_TTL`] to [`MAX_PROOF_TTL`]; what exceeds whole seconds is cut off.
    pub ttl: Duration,
}

/// Whom a proof of a service names in its `sub`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProofSubject {
    /// The number in E.164.
    #[default]
    Number,
    /// A keyed hash of service and number: the same for every proof of one number, different for another service.
    Hash,
}

/// A signed proof. Whoever has it can show it, so it is never printed.
#[derive(Clone)]
pub struct Proof(Zeroizing<String>);

impl Proof {
    /// The token, for the reply to the owner of the verification.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(…)")
    }
}

/// Proofs that cannot be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A life outside of the bounds.
    #[error("a proof lives 1s to 10m")]
    Ttl,
    /// The cryptographic library refused a key, or the claims could not be written.
    #[error("a proof could not be signed")]
    Unusable,
}
