//! The keys of a period: which one signs, and the set that is published (RFC 7517).
//!
//! Derivation, which must never change, because nodes of different versions sign side by side: a master key's proof root is
//! HKDF-SHA-256 with the info `verifyd/1/proof`; the Ed25519 seed of a period is HMAC-SHA-256 under that root of
//! `verifyd/1/proof-period` and the period's number in eight bytes, big-endian.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{PROOF_TYPE, ProofError};
use crate::clock::{Timestamp, duration_ms};

/// How long one key signs, counted from the Unix epoch. Thousands of times the life of a proof, so that what a verifier
/// fetched in one period is good for the next.
pub const PERIOD: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the keys of a master key derive from.
pub(super) type Root = Zeroizing<[u8; 32]>;

/// The number of the period that `at` lies in.
pub(super) fn period_of(at: Timestamp) -> u64 {
    at.unix_ms() / duration_ms(PERIOD)
}

/// One public key of the set.
#[derive(Serialize)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    kid: String,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
}

#[derive(Serialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// The fixed header of every proof (RFC 7515, section 4.1).
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// What a node needs during one period.
pub(super) struct PeriodKeys {
    period: u64,
    signing: Ed25519KeyPair,
    header: String,
    published: Arc<str>,
}

impl PeriodKeys {
    /// The keys of `period`; the first of `roots` signs, all are published.
    pub(super) fn derive(roots: &[Root], period: u64) -> Result<Self, ProofError> {
        let signing = key_pair(roots.first().ok_or(ProofError::Unusable)?, period)?;
        let kid = thumbprint(&public_text(&signing));
        let header = Header { alg: "EdDSA", typ: PROOF_TYPE, kid: &kid };
        let header = serde_json::to_vec(&header).map_err(|_source| ProofError::Unusable)?;
        let mut keys = Vec::with_capacity(3 * roots.len());
        for root in roots {
            for published in [Some(period), period.checked_add(1), period.checked_sub(1)].into_iter().flatten() {
                keys.push(jwk(&key_pair(root, published)?));
            }
        }
        let published = serde_json::to_string(&JwkSet { keys }).map_err(|_source| ProofError::Unusable)?.into();
        Ok(Self { period, signing, header: URL_SAFE_NO_PAD.encode(header), published })
    }

    /// The number of the period.
    pub(super) const fn period(&self) -> u64 {
        self.period
    }

    /// The set in JSON.
    pub(super) fn published(&self) -> Arc<str> {
        Arc::clone(&self.published)
    }

    /// The token over `claims` in compact form (RFC 7515, section 7.1).
    pub(super) fn sign(&self, claims: &[u8]) -> Zeroizing<String> {
        /// An Ed25519 signature has 64 bytes, in base64url 86 characters; two dots.
        const SIGNATURE_AND_DOTS: usize = 88;
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let mut token = String::with_capacity(self.header.len() + claims.len() + SIGNATURE_AND_DOTS);
        token.push_str(&self.header);
        token.push('.');
        token.push_str(&claims);
        let signature = self.signing.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Zeroizing::new(token)
    }
}

fn key_pair(root: &Root, period: u64) -> Result<Ed25519KeyPair, ProofError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(root.as_slice()).map_err(|_source| ProofError::Unusable)?;
    mac.update(b"verifyd/1/proof-period");
    mac.update(&period.to_be_bytes());
    let mut seed: [u8; 32] = mac.finalize().into_bytes().into();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_source| ProofError::Unusable);
    seed.zeroize();
    pair
}

fn public_text(pair: &Ed25519KeyPair) -> String {
    URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())
}

/// RFC 7638 with the members that RFC 8037, appendix A.3 takes, in their order.
fn thumbprint(x: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

fn jwk(pair: &Ed25519KeyPair) -> Jwk {
    let x = public_text(pair);
    Jwk { kty: "OKP", crv: "Ed25519", kid: thumbprint(&x), x, usage: "sig", alg: "EdDSA" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(thumbprint(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_period_ends_where_the_next_begins() {
        let first = Timestamp::EPOCH + PERIOD;
        assert_eq!(period_of(first - Duration::from_millis(1)), 0);
        assert_eq!(period_of(first), 1);
        assert_eq!(period_of(Timestamp::EPOCH), 0);
    }
}
