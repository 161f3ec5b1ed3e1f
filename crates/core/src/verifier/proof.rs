//! The proof of an approval: what the verifier tells the issuer, and the keys that it publishes.

use std::sync::Arc;

use super::{Verifier, VerifyError};
use crate::proof::{Approval, Proof, ProofError, ProofId, ProofSubject};
use crate::service::Service;
use crate::store::Status;
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

    /// The proof of an approval, which says when the store approved: also to a request that comes again later.
    pub(super) fn prove(
        &self,
        service: &Service,
        verification: &Verification,
        status: Status,
    ) -> Result<Option<Proof>, VerifyError> {
        let (Some(issuer), Status::Approved { at }) = (&self.parts.proofs, status) else { return Ok(None) };
        let subject = match service.settings().proof_subject {
            ProofSubject::Number => verification.to.e164().to_owned(),
            ProofSubject::Hash => self.pairwise_subject(service, verification),
        };
        let approval = Approval {
            id: ProofId::of(&self.parts.keys, verification.id),
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
