//! Where the server listens, how it is reached, whom it believes, and its certificate.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use url::Url;

use super::Environment;
use super::reader::Reader;

/// The files of the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain in PEM.
    pub cert_file: PathBuf,
    /// Private key in PEM.
    pub key_file: PathBuf,
}

/// What this file reads.
pub(super) struct Network {
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) public_url: Option<Url>,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) tls: Option<TlsFiles>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Network> {
    let listen = reader.parsed_by("listen", address);
    let metrics_listen = reader.parsed_by("metrics.listen", address);
    let public_url = read_public_url(reader);
    let trusted_proxies = read_proxies(reader);
    let tls = read_tls(reader);
    if let (Some(listen), Some(metrics)) = (listen, metrics_listen)
        && listen == metrics
        && listen.port() != 0
    {
        reader.refuse("metrics.listen", "the API listens there already; take another port, or remove this key");
    }
    Some(Network { listen: listen?, metrics_listen, public_url, trusted_proxies: trusted_proxies?, tls })
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_source| "expected an address and a port, such as 127.0.0.1:8080 or [::]:8080")
}

fn read_public_url(reader: &mut Reader<'_>) -> Option<Url> {
    let url = read_url(reader);
    match &url {
        Some(url) if url.scheme() == "http" && reader.environment == Environment::Production => reader
            .findings
            .warn(reader.field("public_url"), "plain http: delivery receipts cross the internet readable; use https"),
        Some(_) => {}
        None if reader.is_given("public_url") => {}
        None => reader.findings.remark("public_url", "not set: no delivery receipts are asked for"),
    }
    url
}

fn read_url(reader: &mut Reader<'_>) -> Option<Url> {
    let text = reader.text("public_url")?;
    match public_url(text) {
        Ok(url) => Some(url),
        Err(problem) if text.contains('@') => {
            // A password may stand before the @.
            reader.refuse_unshown("public_url", problem);
            None
        }
        Err(problem) => {
            reader.refuse("public_url", problem);
            None
        }
    }
}

fn public_url(text: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str =
        "expected an http or https URL without user, query and fragment, such as https://verify.example.com";
    let mut url = Url::parse(text).map_err(|_source| EXPECTED)?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return Err(EXPECTED);
    }
    if !url.path().ends_with('/') {
        // Joining a path to a URL replaces what stands after the last slash.
        let directory = format!("{}/", url.path());
        url.set_path(&directory);
    }
    Ok(url)
}

fn read_proxies(reader: &mut Reader<'_>) -> Option<Vec<IpNet>> {
    let networks = reader.list("trusted_proxies", network)?;
    if networks.iter().any(|network| network.prefix_len() == 0) {
        reader.findings.warn(
            reader.field("trusted_proxies"),
            "every address is trusted: any client can claim any address for itself",
        );
    }
    Some(networks)
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text
        .parse()
        .map_err(|_source| "expected a network such as 10.0.0.0/8 or fd00::/8, or an address".to_owned())?;
    if network.trunc() != network {
        return Err(format!("the address has bits beyond its prefix; write {}", network.trunc()));
    }
    Ok(network)
}

fn read_tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let file = |path: &str| reader.text(path).map(PathBuf::from);
    match (file("tls.cert_file"), file("tls.key_file")) {
        (Some(cert_file), Some(key_file)) => Some(TlsFiles { cert_file, key_file }),
        (Some(_), None) => {
            reader.refuse("tls.key_file", "missing although tls.cert_file is given; give both or neither");
            None
        }
        (None, Some(_)) => {
            reader.refuse("tls.cert_file", "missing although tls.key_file is given; give both or neither");
            None
        }
        (None, None) => None,
    }
}
