//! Proofs, `[proofs]`: whether they are issued, in whose name and for how long.

use verifyd_core::proof::{Issuer, MAX_PROOF_TTL, MIN_PROOF_TTL, ProofSettings};

use super::Environment;
use super::network::Network;
use super::reader::Reader;

/// `Some(None)` is a server that issues none. Without a name of its own the issuer is where the server is reached, because
/// that is where its keys are.
#[expect(clippy::option_option, reason = "the outer option is whether the section could be read")]
pub(super) fn read(reader: &mut Reader<'_>, network: Option<&Network>) -> Option<Option<ProofSettings>> {
    let enabled = reader.switch("proofs.enabled");
    let issuer = if reader.text("proofs.issuer").is_some() {
        reader.parsed("proofs.issuer")
    } else {
        address_of(network?).parse().map_err(|error| reader.refuse("proofs.issuer", error)).ok()
    };
    let ttl = reader.duration("proofs.ttl", &(MIN_PROOF_TTL..=MAX_PROOF_TTL));
    let settings = ProofSettings { issuer: issuer?, ttl: ttl? };
    if !enabled? {
        return Some(None);
    }
    remark(reader, network, &settings.issuer);
    Some(Some(settings))
}

/// The public URL without its last slash, which is how people write it; else the listener's own.
fn address_of(network: &Network) -> String {
    if let Some(url) = &network.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let scheme = if network.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", network.listen)
}

fn remark(reader: &mut Reader<'_>, network: Option<&Network>, issuer: &Issuer) {
    let named = reader.is_given("proofs.issuer") || network.is_some_and(|network| network.public_url.is_some());
    if !named && reader.environment == Environment::Production {
        reader.findings.remark(
            "proofs.issuer",
            format!("not set: proofs name {issuer} as their issuer; give public_url or a name that stays"),
        );
    }
}
