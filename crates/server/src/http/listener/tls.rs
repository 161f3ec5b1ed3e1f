//! TLS: a certificate and key from two PEM files, checked when loaded, replaced while running.
//!
//! A reload swaps the certificate for handshakes that begin after it; open connections keep theirs. A bad pair never
//! replaces a good one, so a certificate and key that are written one after the other are harmless.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const CERT: &str = "tls.cert_file";
const KEY: &str = "tls.key_file";

/// The files are not read more often, whatever the configuration says.
const SHORTEST_CHECK: Duration = Duration::from_millis(10);

/// A certificate file or key file that cannot be used. Every message begins with the setting and names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no such file.
    #[error("{setting}: {} does not exist", path.display())]
    Missing {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{setting}: {} cannot be read", path.display())]
    Unreadable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is damaged PEM.
    #[error("{setting}: {} is not valid PEM", path.display())]
    NotPem {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("{CERT}: {} holds no certificate (no \"BEGIN CERTIFICATE\" section)", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds no private key.
    #[error("{KEY}: {} holds no private key (no \"BEGIN PRIVATE KEY\" section)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is protected by a passphrase.
    #[error("{KEY}: the private key in {} is encrypted; it must be stored without a passphrase", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is of no usable kind.
    #[error("{KEY}: the private key in {} is not usable; RSA, ECDSA (P-256, P-384, P-521) and Ed25519 are", path.display())]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The first certificate cannot be read.
    #[error("{CERT}: the first certificate in {} is not usable", path.display())]
    UnusableCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// Certificate and key are each sound, but not a pair.
    #[error(
        "{KEY}: the private key in {} does not belong to the first certificate in {}",
        key_path.display(),
        cert_path.display()
    )]
    Mismatch {
        /// The key file.
        key_path: PathBuf,
        /// The certificate file.
        cert_path: PathBuf,
    },
    /// The cryptographic provider refused the protocol versions.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// TLS for a listener. Clones share the certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    certificate: Arc<Certificate>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Loads certificate chain (leaf first) and private key.
    ///
    /// TLS 1.2 and 1.3; ALPN offers `h2`, then `http/1.1`.
    ///
    /// # Errors
    /// [`TlsError`], which names the file and what is wrong with it.
    pub fn load(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let certificate = Arc::new(Certificate {
            cert_path: cert_file.to_owned(),
            key_path: key_file.to_owned(),
            current: RwLock::new(Arc::new(load_pair(cert_file, key_file)?)),
        });
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { certificate, config: Arc::new(config) })
    }

    /// Reads the files again; `true` if they had changed and the new certificate is in force.
    ///
    /// Reads files, so call it off the async threads.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate in force stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let loaded = load_pair(&self.certificate.cert_path, &self.certificate.key_path)?;
        let mut current = self.certificate.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = loaded.fingerprint != current.fingerprint;
        if changed {
            *current = Arc::new(loaded);
        }
        Ok(changed)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.config).into()
    }

    /// Reloads whenever the files' contents change, until `stop`. Contents are compared, not times: a mounted secret
    /// is swapped by a link, with times of its own.
    pub(super) async fn follow_files(self, every: Duration, stop: CancellationToken) {
        let every = every.max(SHORTEST_CHECK);
        let mut last_error = None;
        while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            let tls = self.clone();
            let Ok(outcome) = tokio::task::spawn_blocking(move || tls.reload()).await else { return };
            match outcome {
                Ok(changed) => {
                    last_error = None;
                    if changed {
                        tracing::info!(cert_file = %self.certificate.cert_path.display(), "certificate reloaded");
                    }
                }
                Err(error) => {
                    let text = error.to_string();
                    if last_error.as_ref() != Some(&text) {
                        tracing::warn!(error = %text, "certificate not reloaded; the old one stays");
                        last_error = Some(text);
                    }
                }
            }
        }
    }
}

/// The certificate in force, for each new handshake.
#[derive(Debug)]
struct Certificate {
    cert_path: PathBuf,
    key_path: PathBuf,
    current: RwLock<Arc<Pair>>,
}

#[derive(Debug)]
struct Pair {
    certified: Arc<CertifiedKey>,
    fingerprint: [u8; 32],
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.certified))
    }
}

fn load_pair(cert_path: &Path, key_path: &Path) -> Result<Pair, TlsError> {
    let cert_pem = read(CERT, cert_path)?;
    let key_pem = read(KEY, key_path)?;
    let chain = parse_chain(&cert_pem, cert_path)?;
    let key = parse_key(&key_pem, key_path)?;
    let key = aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(key)
        .map_err(|source| TlsError::UnusableKey { path: key_path.to_owned(), source })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // "Unknown" is a key that cannot tell its public half; the handshake would show a mismatch.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(TlsError::Mismatch { key_path: key_path.to_owned(), cert_path: cert_path.to_owned() });
        }
        Err(source) => return Err(TlsError::UnusableCertificate { path: cert_path.to_owned(), source }),
    }
    let mut hash = Sha256::new();
    hash.update((cert_pem.len() as u64).to_be_bytes());
    hash.update(&cert_pem[..]);
    hash.update(&key_pem[..]);
    Ok(Pair { certified: Arc::new(certified), fingerprint: hash.finalize().into() })
}

fn read(setting: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let path_buf = path.to_owned();
    match std::fs::read(path) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TlsError::Missing { setting, path: path_buf }),
        Err(source) => Err(TlsError::Unreadable { setting, path: path_buf, source }),
    }
}

fn parse_chain(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::NotPem { setting: CERT, path: path.to_owned(), source })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

fn parse_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let path = path.to_owned();
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if mentions(pem, b"BEGIN ENCRYPTED PRIVATE KEY") => {
            Err(TlsError::EncryptedKey { path })
        }
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { path }),
        Err(source) => Err(TlsError::NotPem { setting: KEY, path, source }),
    }
}

fn mentions(pem: &[u8], phrase: &[u8]) -> bool {
    pem.windows(phrase.len()).any(|window| window == phrase)
}
