//! The proof of an approval: what the verifier tells the issuer, and the keys that it publishes.

use std::sync::Arc;

use super::{Verifier, VerifyError};
use crate::clock::Timestamp;
use crate::proof::{Approval, Proof, ProofError, ProofId, ProofSubject};
use crate::service::Service;
use crate::verification::Verification;

impl From<ProofError> for VerifyError {
    fn from(_error: ProofError) -> Self {
        Self::Internal("a proof could not be signed")
    }
}

impl Verifier {
    /// The public keys of proofs as a JWK Set in JSON; `None` if this verifier issues none.
    ///
    /// # Errors
    /// [`VerifyError::Internal`] if the cryptographic library refuses a key.
    pub fn proof_keys(&self) -> Result<Option<Arc<str>>, VerifyError> {
        let now = self.parts.clock.now();
        let set = self.parts.proofs.as_ref().map(|issuer| issuer.key_set(now)).transpose()?;
        Ok(set)
    }

    /// The number of a proof, should the guess be right. It is drawn before the guess is counted: an approval happens once,
    /// and must not be lost for want of randomness.
    pub(super) fn next_proof_id(&self) -> Result<Option<ProofId>, VerifyError> {
        let wanted = self.parts.proofs.is_some();
        Ok(wanted.then(|| ProofId::generate(self.parts.random.as_ref())).transpose()?)
    }

    /// The proof of what the store approved at `at`, which is not now if the request is a repeat.
    pub(super) fn prove(
        &self,
        service: &Service,
        verification: &Verification,
        id: Option<ProofId>,
        at: Timestamp,
    ) -> Result<Option<Proof>, VerifyError> {
        let (Some(issuer), Some(id)) = (&self.parts.proofs, id) else { return Ok(None) };
        let subject = match service.settings().proof_subject {
            ProofSubject::Number => verification.to.e164().to_owned(),
            ProofSubject::Hash => self.pairwise_subject(service, verification),
        };
        let approval = Approval {
            id,
            at,
            service: service.id(),
            subject: &subject,
            verification: verification.id,
            channel: verification.channel,
            purpose: verification.purpose.as_deref(),
            nonce: verification.nonce.as_deref(),
        };
        Ok(Some(issuer.sign(&approval)?))
    }

    /// A hash that one service always sees for a number and no other service ever does.
    fn pairwise_subject(&self, service: &Service, verification: &Verification) -> String {
        let mut subject = service.id().as_bytes().to_vec();
        subject.extend(verification.to.identity_key().into_bytes());
        let hash = self.parts.keys.subject_hash("proof", &subject);
        format!("{:032x}", u128::from_be_bytes(hash))
    }
}
