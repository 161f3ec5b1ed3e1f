//! TLS: both protocols by ALPN, slow handshakes, files that are wrong, files that change.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::TlsError;
use super::*;

/// A directory with a certificate for `localhost` and its key.
struct Files {
    dir: TempDir,
    cert_pem: String,
    key_pem: String,
}

impl Files {
    fn new() -> Self {
        let files = Self { dir: TempDir::new().unwrap(), cert_pem: String::new(), key_pem: String::new() };
        files.renewed()
    }

    /// Another pair in the same files.
    fn renewed(self) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = Self { cert_pem: made.cert.pem(), key_pem: made.signing_key.serialize_pem(), ..self };
        std::fs::write(files.cert(), &files.cert_pem).unwrap();
        std::fs::write(files.key(), &files.key_pem).unwrap();
        files
    }

    fn cert(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    fn load(&self) -> Result<Tls, TlsError> {
        Tls::load(&self.cert(), &self.key())
    }

    /// A client that trusts this pair's certificate and nothing else.
    fn client(&self, address: SocketAddr) -> reqwest::ClientBuilder {
        let trusted = reqwest::Certificate::from_pem(self.cert_pem.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([trusted]).resolve("localhost", address).timeout(PATIENCE)
    }

    async fn is_trusted_at(&self, address: SocketAddr) -> bool {
        let client = self.client(address).build().unwrap();
        client.get(format!("https://localhost:{}", address.port())).send().await.is_ok()
    }
}

#[tokio::test]
async fn both_protocols_are_spoken_by_alpn() {
    let files = Files::new();
    let server = Server::start_with(ServerLimits::default(), Some(files.load().unwrap()));
    let url = format!("https://localhost:{}", server.address.port());
    for (builder, version) in [
        (files.client(server.address), reqwest::Version::HTTP_2),
        (files.client(server.address).http1_only(), reqwest::Version::HTTP_11),
    ] {
        let client = builder.build().unwrap();
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.text().await.unwrap(), "hello");
        let answer = client.post(format!("{url}/echo")).body("b".repeat(16_385)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 413);
    }
    assert_eq!(server.stop().await.cut_off, 0);
}

#[tokio::test]
async fn handshakes_that_stall_or_fail_hold_up_nobody() {
    let files = Files::new();
    let limits = ServerLimits { handshake_timeout: Duration::from_millis(300), ..ServerLimits::default() };
    let server = Server::start_with(limits, Some(files.load().unwrap()));
    let mut stalled = server.connect().await;
    let began = Instant::now();
    assert!(files.is_trusted_at(server.address).await);
    assert_eq!(stalled.rest().await, "");
    assert!(began.elapsed() >= Duration::from_millis(250));
    let answer = server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!answer.contains("HTTP"), "{answer:?}");
    assert!(files.is_trusted_at(server.address).await);
}

#[tokio::test]
async fn a_handshake_does_not_hold_a_drain() {
    let files = Files::new();
    let server = Server::start_with(ServerLimits::default(), Some(files.load().unwrap()));
    let mut stalled = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let summary = server.stop().await;
    assert!(summary.took < Duration::from_secs(8), "{summary:?}");
    assert_eq!(stalled.rest().await, "");
}

#[tokio::test]
async fn a_request_in_flight_over_tls_finishes_in_a_drain() {
    let files = Files::new();
    let server = Server::start_with(ServerLimits::default(), Some(files.load().unwrap()));
    let client = files.client(server.address).build().unwrap();
    let answer = tokio::spawn(client.get(format!("https://localhost:{}/wait", server.address.port())).send());
    server.begun(1).await;
    server.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.shared.gate.add_permits(1);
    assert_eq!(within(answer).await.unwrap().unwrap().text().await.unwrap(), "done");
    assert_eq!(server.stop().await.cut_off, 0);
}

#[tokio::test]
async fn a_reload_replaces_the_certificate_and_a_bad_one_does_not() {
    let old = Files::new();
    let tls = old.load().unwrap();
    let server = Server::start_with(ServerLimits::default(), Some(tls.clone()));
    assert!(!tls.reload().unwrap(), "nothing had changed");
    std::fs::write(old.key(), "half written").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::NoKey { .. })));
    assert!(old.is_trusted_at(server.address).await);

    let old_client = old.client(server.address).build().unwrap();
    let new = old.renewed();
    assert!(tls.reload().unwrap());
    assert!(new.is_trusted_at(server.address).await);
    let refused = old_client.get(format!("https://localhost:{}", server.address.port())).send().await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn changed_files_are_noticed() {
    let old = Files::new();
    let limits = ServerLimits { certificate_check: Duration::from_millis(50), ..ServerLimits::default() };
    let server = Server::start_with(limits, Some(old.load().unwrap()));
    assert!(old.is_trusted_at(server.address).await);
    std::fs::write(old.cert(), "").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let new = old.renewed();
    let noticed = async {
        while !new.is_trusted_at(server.address).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(noticed).await;
}

#[test]
fn wrong_files_are_named_with_what_is_wrong() {
    let files = Files::new();
    let (cert, key) = (files.cert().display().to_string(), files.key().display().to_string());
    let foreign = Files::new();
    let damaged_cert = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    let endless = "-----BEGIN PRIVATE KEY-----\nAAAA\n";
    let empty_cert = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let empty_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let cases: [(Option<&str>, Option<&str>, String); 11] = [
        (None, Some(&files.key_pem), format!("tls.cert_file: {cert} does not exist")),
        (Some(&files.cert_pem), None, format!("tls.key_file: {key} does not exist")),
        (
            Some("hello"),
            Some(&files.key_pem),
            format!("tls.cert_file: {cert} holds no certificate (no \"BEGIN CERTIFICATE\" section)"),
        ),
        (
            Some(&files.key_pem),
            Some(&files.key_pem),
            format!("tls.cert_file: {cert} holds no certificate (no \"BEGIN CERTIFICATE\" section)"),
        ),
        (Some(damaged_cert), Some(&files.key_pem), format!("tls.cert_file: {cert} is not valid PEM")),
        (
            Some(empty_cert),
            Some(&files.key_pem),
            format!("tls.cert_file: the first certificate in {cert} is not usable"),
        ),
        (
            Some(&files.cert_pem),
            Some(&files.cert_pem),
            format!("tls.key_file: {key} holds no private key (no \"BEGIN PRIVATE KEY\" section)"),
        ),
        (Some(&files.cert_pem), Some(endless), format!("tls.key_file: {key} is not valid PEM")),
        (
            Some(&files.cert_pem),
            Some(encrypted),
            format!("tls.key_file: the private key in {key} is encrypted; it must be stored without a passphrase"),
        ),
        (
            Some(&files.cert_pem),
            Some(empty_key),
            format!(
                "tls.key_file: the private key in {key} is not usable; RSA, ECDSA (P-256, P-384, P-521) and Ed25519 are"
            ),
        ),
        (
            Some(&files.cert_pem),
            Some(&foreign.key_pem),
            format!("tls.key_file: the private key in {key} does not belong to the first certificate in {cert}"),
        ),
    ];
    for (cert_pem, key_pem, message) in cases {
        for (path, pem) in [(files.cert(), cert_pem), (files.key(), key_pem)] {
            match pem {
                Some(pem) => std::fs::write(path, pem).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        assert_eq!(files.load().unwrap_err().to_string(), message);
    }
    let error = Tls::load(files.dir.path(), &files.key()).unwrap_err();
    assert_eq!(error.to_string(), format!("tls.cert_file: {} cannot be read", files.dir.path().display()));
}
