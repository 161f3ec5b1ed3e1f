//! Who signs: the claims of a proof, and the keys of the present period at hand.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;

use super::keys::{PeriodKeys, Root, period_of};
use super::{MAX_PROOF_TTL, MIN_PROOF_TTL, Proof, ProofError, ProofSettings};
use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::KeyRing;
use crate::sender::Channel;

/// Periods whose keys are kept: about a boundary, instants of both sides arrive in any order.
const PERIODS_KEPT: usize = 2;

/// The number of a proof, its `jti`: 128 bits that nobody can guess, so that a recipient can refuse to see it twice. It follows
/// from the verification, which is approved once: the proof that a repeated request gets is the one that was lost.
pub(crate) struct ProofId([u8; 16]);

impl ProofId {
    /// That of the approval of `verification`.
    pub(crate) fn of(keys: &KeyRing, verification: VerificationId) -> Self {
        Self(keys.subject_hash("proof-id", verification.as_bytes()))
    }
}

/// What happened, for a proof to say.
pub(crate) struct Approval<'a> {
    /// The number of the proof.
    pub(crate) id: ProofId,
    /// The instant of the approval.
    pub(crate) at: Timestamp,
    /// Whom it is for.
    pub(crate) service: ServiceId,
    /// The number or its hash.
    pub(crate) subject: &'a str,
    /// The verification.
    pub(crate) verification: VerificationId,
    /// How the code travelled.
    pub(crate) channel: Channel,
    /// As given at the start.
    pub(crate) purpose: Option<&'a str>,
    /// As given at the start.
    pub(crate) nonce: Option<&'a str>,
}

/// The claims as they are written (RFC 7519, section 4).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: String,
    sub: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
    verification_id: String,
    amr: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// The method's name in RFC 8176, section 2.
const fn method(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "sms",
    }
}

/// Signs proofs and publishes the keys they are checked with.
///
/// ```
/// use std::sync::Arc;
/// use verifyd_core::clock::Timestamp;
/// use verifyd_core::keys::{KeyRing, MasterKey};
/// use verifyd_core::proof::{DEFAULT_PROOF_TTL, ProofIssuer, ProofSettings};
///
/// let keys = KeyRing::new(&[MasterKey::new("k1", [7; 32])?], None)?;
/// let settings = ProofSettings { issuer: "https://verify.example.com".parse()?, ttl: DEFAULT_PROOF_TTL };
/// let issuer = ProofIssuer::new(settings, &keys)?;
/// assert!(issuer.key_set(Timestamp::EPOCH)?.starts_with(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ProofIssuer {
    settings: ProofSettings,
    /// Of every master key; the first signs.
    roots: Vec<Root>,
    /// The latest last. Deriving takes a hundred microseconds a key, so it happens once a period.
    recent: RwLock<Vec<Arc<PeriodKeys>>>,
}

impl fmt::Debug for ProofIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofIssuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl ProofIssuer {
    /// An issuer with the keys that follow from `keys`.
    ///
    /// # Errors
    /// [`ProofError::Ttl`] if the life of a proof is out of bounds.
    pub fn new(settings: ProofSettings, keys: &KeyRing) -> Result<Self, ProofError> {
        if settings.ttl < MIN_PROOF_TTL || settings.ttl > MAX_PROOF_TTL {
            return Err(ProofError::Ttl);
        }
        let roots = keys.proof_roots().cloned().collect();
        Ok(Self { settings, roots, recent: RwLock::new(Vec::with_capacity(PERIODS_KEPT)) })
    }

    /// The public keys that may be met at `now` or soon, as a JWK Set in JSON.
    ///
    /// # Errors
    /// [`ProofError::Unusable`] if the cryptographic library refuses a key.
    pub fn key_set(&self, now: Timestamp) -> Result<Arc<str>, ProofError> {
        Ok(self.keys_at(now)?.published())
    }

    /// The proof of an approval.
    pub(crate) fn sign(&self, approval: &Approval<'_>) -> Result<Proof, ProofError> {
        let iat = approval.at.unix_ms() / 1000;
        let claims = Claims {
            iss: self.settings.issuer.as_str(),
            aud: approval.service.to_string(),
            sub: approval.subject,
            iat,
            exp: iat.saturating_add(self.settings.ttl.as_secs()),
            jti: format!("{:032x}", u128::from_be_bytes(approval.id.0)),
            verification_id: approval.verification.to_string(),
            amr: [method(approval.channel)],
            purpose: approval.purpose,
            nonce: approval.nonce,
        };
        let claims = serde_json::to_vec(&claims).map_err(|_source| ProofError::Unusable)?;
        Ok(Proof(self.keys_at(approval.at)?.sign(&claims)))
    }

    fn keys_at(&self, at: Timestamp) -> Result<Arc<PeriodKeys>, ProofError> {
        let period = period_of(at);
        let find = |recent: &[Arc<PeriodKeys>]| recent.iter().find(|keys| keys.period() == period).cloned();
        // What is in the list is whole: a thread that panicked has pushed or not.
        if let Some(keys) = find(&self.recent.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(keys);
        }
        let keys = Arc::new(PeriodKeys::derive(&self.roots, period)?);
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = find(&recent) {
            return Ok(keys);
        }
        if recent.len() == PERIODS_KEPT {
            recent.remove(0);
        }
        recent.push(Arc::clone(&keys));
        Ok(keys)
    }
}
