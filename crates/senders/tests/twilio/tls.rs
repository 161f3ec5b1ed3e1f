//! Certificates: a trusted one works, every other is refused before anything is sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use verifyd_core::sender::{SendErrorKind, Sender as _};
use verifyd_senders::twilio::TwilioSettings;
use verifyd_senders::twilio::fake::FakeTwilio;

use crate::support::{message, sender};

/// Certificates for one server: what it shows, and the authority's PEM.
struct Certified {
    tls: TlsAcceptor,
    authority_pem: Vec<u8>,
}

/// A certificate for `name`, valid until the end of `last_year`, signed by a fresh authority.
fn certified(name: &str, last_year: i32) -> Certified {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem().into_bytes();
    let issuer = Issuer::new(authority, authority_key);
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    leaf.not_before = date_time_ymd(2020, 1, 1);
    leaf.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Certified { tls: TlsAcceptor::from(Arc::new(config)), authority_pem }
}

/// Listens with TLS in front of the fake; drops the first `drops` connections before the handshake.
async fn front(tls: TlsAcceptor, behind: SocketAddr, drops: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if count.fetch_add(1, Ordering::SeqCst) < drops {
                continue;
            }
            let tls = tls.clone();
            tokio::spawn(async move {
                // A client that refuses the certificate ends the handshake; that is the point of most tests here.
                let Ok(mut secured) = tls.accept(stream).await else { return };
                let mut plain = TcpStream::connect(behind).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut secured, &mut plain).await);
            });
        }
    });
    (address, accepted)
}

fn settings(twilio: &FakeTwilio, address: SocketAddr, trusted: Option<Vec<u8>>) -> TwilioSettings {
    TwilioSettings {
        base_url: format!("https://localhost:{}", address.port()),
        root_certificates_pem: trusted,
        ..twilio.settings()
    }
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_works() {
    let twilio = FakeTwilio::start().await.unwrap();
    let Certified { tls, authority_pem } = certified("localhost", 2090);
    let (address, accepted) = front(tls, twilio.address(), 0).await;
    let sender = sender(settings(&twilio, address, Some(authority_pem)));
    assert!(sender.send(&message()).await.is_ok());
    assert!(sender.send(&message()).await.is_ok());
    assert_eq!((twilio.requests().len(), accepted.load(Ordering::SeqCst)), (2, 1), "the connection is kept");
}

#[tokio::test]
async fn every_other_certificate_is_refused_and_nothing_is_sent() {
    for (what, name, last_year, trusted) in [
        ("unknown authority", "localhost", 2090, false),
        ("another host", "api.twilio.com", 2090, true),
        ("expired", "localhost", 2021, true),
    ] {
        let twilio = FakeTwilio::start().await.unwrap();
        let Certified { tls, authority_pem } = certified(name, last_year);
        let (address, accepted) = front(tls, twilio.address(), 0).await;
        let failure =
            sender(settings(&twilio, address, trusted.then_some(authority_pem))).send(&message()).await.unwrap_err();
        assert_eq!(failure.kind, SendErrorKind::Unavailable, "{what}: {failure:?}");
        assert_eq!(twilio.requests().len(), 0, "{what}");
        assert_eq!(twilio.connections(), 0, "{what}: no downgrade, no byte through");
        assert_eq!(accepted.load(Ordering::SeqCst), 3, "{what}: tried as often as any failed connection");
    }
}

#[tokio::test]
async fn connections_that_fail_before_the_request_are_tried_again() {
    for (drops, works) in [(1, true), (2, true), (3, false)] {
        let twilio = FakeTwilio::start().await.unwrap();
        let Certified { tls, authority_pem } = certified("localhost", 2090);
        let (address, accepted) = front(tls, twilio.address(), drops).await;
        let outcome = sender(settings(&twilio, address, Some(authority_pem))).send(&message()).await;
        assert_eq!(outcome.as_ref().err().map(|error| error.kind), (!works).then_some(SendErrorKind::Unavailable));
        assert_eq!(twilio.requests().len(), usize::from(works));
        assert_eq!(accepted.load(Ordering::SeqCst), 3.min(drops + 1));
    }
}

#[tokio::test]
async fn plain_text_where_tls_is_expected_is_refused() {
    let twilio = FakeTwilio::start().await.unwrap();
    let failure = sender(settings(&twilio, twilio.address(), None)).send(&message()).await.unwrap_err();
    assert_eq!(failure.kind, SendErrorKind::Unavailable);
    assert_eq!(twilio.requests().len(), 0);
}

/// A server that accepts and never speaks TLS: the connect timeout ends it, and nothing was sent.
#[tokio::test]
async fn a_handshake_that_hangs_is_unavailable() {
    let twilio = FakeTwilio::start().await.unwrap();
    twilio.fall_silent();
    let connect_timeout = std::time::Duration::from_millis(100);
    let settings = TwilioSettings { connect_timeout, ..settings(&twilio, twilio.address(), None) };
    let failure = sender(settings).send(&message()).await.unwrap_err();
    assert_eq!(failure.kind, SendErrorKind::Unavailable, "{failure:?}");
    assert_eq!(twilio.connections(), 3);
    // The whole deadline may be shorter than the connect timeout: still nothing was sent.
    let settings = self::settings(&twilio, twilio.address(), None);
    let failure = sender(settings).send(&crate::support::hurried()).await.unwrap_err();
    assert_eq!(failure.kind, SendErrorKind::Unavailable, "{failure:?}");
}
