//! The link over TLS: an authority of one's own, a certificate for the client, and what is refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests: what cannot go on must fail at once")]

mod support;

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::{fails_promptly, guess_until_answered, open};
use verifyd_store_redis::link::{Target, TlsError};
use verifyd_store_redis::testing::{self, Server, free_port};
use verifyd_store_redis::{Link, LinkSettings};

/// Writes an authority to `NAME.ca.pem` and a certificate of it for 127.0.0.1 to `NAME.pem` and `NAME.key`.
fn certificates(directory: &Path, name: &str) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, format!("the authority of {name}"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(directory.join(format!("{name}.ca.pem")), authority_certificate.pem()).unwrap();
    fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn only_the_right_authority_and_certificate_get_through() {
    if testing::no_redis_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    certificates(directory.path(), "ours");
    certificates(directory.path(), "theirs");
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let port = free_port();
    let server = Server::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &file("ours.pem"),
        "--tls-key-file",
        &file("ours.key"),
        "--tls-ca-cert-file",
        &file("ours.ca.pem"),
    ]);
    let url = |ca: &str, client: Option<&str>| {
        let client = client.map(|name| {
            format!("&cert_file={}&key_file={}", file(&format!("{name}.pem")), file(&format!("{name}.key")))
        });
        format!("rediss://127.0.0.1:{port}?ca_file={}{}", file(ca), client.unwrap_or_default())
    };
    let good = open(&url("ours.ca.pem", Some("ours")));
    assert_eq!(guess_until_answered(&good, "a", support::PROMPT * 10).await.number, 1);
    assert!(good.examine().await.is_ok());
    for bad in [url("theirs.ca.pem", Some("ours")), url("ours.ca.pem", None), url("ours.ca.pem", Some("theirs"))] {
        fails_promptly(&open(&bad), "a").await;
    }
    fails_promptly(&open(&format!("redis://127.0.0.1:{port}")), "a").await;
    assert_eq!(server.info("role").as_deref(), Some("master"));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("empty.pem"), "").unwrap();
    let error = |name: &str| {
        let path = directory.path().join(name);
        let url = format!("rediss://127.0.0.1?ca_file={}", path.to_str().unwrap());
        let error = Link::open(LinkSettings::new(Target::parse(&url).unwrap())).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        error
    };
    assert!(matches!(error("missing.pem"), TlsError::File { .. }));
    assert!(matches!(error("empty.pem"), TlsError::Empty { .. }));
}
