//! TLS to Redis: rustls with aws-lc-rs, the system's authorities or a file of them, a certificate of our own where Redis asks for one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::url::TlsFiles;

/// Why TLS cannot be set up. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is no PEM, or has nothing of what it must have.
    #[error("{} cannot be read as PEM", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// The file has no certificate.
    #[error("{} holds no certificate", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// The system has no authorities to trust.
    #[error("the system has no certificate authorities: name a ca_file")]
    NoAuthorities,
    /// Certificate and key do not go together, or are of a kind that is not known.
    #[error("the certificates for Redis cannot be used")]
    Unusable(#[from] rustls::Error),
}

/// What makes a TLS connection.
pub(super) fn connector(files: &TlsFiles) -> Result<TlsConnector, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities(files.ca.as_deref())?);
    let config = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let key_der = PrivateKeyDer::from_pem_file(key);
            let key = key_der.map_err(|source| TlsError::File { path: key.clone(), source })?;
            builder.with_client_auth_cert(certificates(cert)?, key)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = file {
        for certificate in certificates(path)? {
            roots.add(certificate)?;
        }
        return Ok(roots);
    }
    // Single files of the system's store that cannot be read are no reason to stop, as long as some can.
    roots.add_parsable_certificates(load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    if found.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(found) }
}
