//! Who may ask at all, and who may change something: the two walls around pages that need no key.
//!
//! 1. A page on a foreign host can point its own name at our address (DNS rebinding) and then read our answers as its own. Its
//!    requests carry its name as host, so only names that are ours are served: `localhost`, those of the configuration, and
//!    addresses, which no foreign page can claim.
//! 2. Any page can make a browser post to us. Browsers say where a request comes from in `Sec-Fetch-Site`, older ones in
//!    `Origin`; what carries neither does not come from a browser.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::error_code::ErrorCode;
use crate::http::problem::Problem;

/// Refuses what comes to a foreign name, or changes something from a foreign page.
pub(super) async fn guard(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    match check(&hosts, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The host and port the request was sent to; `None` if it names none, as no browser would.
pub(super) fn authority(uri: &Uri, headers: &HeaderMap) -> Result<Option<Authority>, Problem> {
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.clone()));
    }
    let Some(host) = headers.get(header::HOST) else { return Ok(None) };
    let parsed = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    parsed.map(Some).ok_or_else(misdirected)
}

fn check(hosts: &[String], method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let authority = authority(uri, headers)?;
    if authority.as_ref().is_some_and(|authority| !is_ours(hosts, authority)) {
        return Err(misdirected());
    }
    if method.is_safe() || comes_from_here(headers, authority.as_ref()) {
        return Ok(());
    }
    Err(Problem::forbidden("a page of another site may not change anything here"))
}

fn is_ours(hosts: &[String], authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if address.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // RFC 6761 §6.3: names below localhost never leave the machine.
    name == "localhost" || name.ends_with(".localhost") || hosts.iter().any(|own| own.eq_ignore_ascii_case(&name))
}

fn comes_from_here(headers: &HeaderMap, authority: Option<&Authority>) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        // `none`: typed into the address bar, or a bookmark. `same-site` is another port or a sibling name: foreign.
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    match (origin.as_ref().and_then(Uri::authority), authority) {
        (Some(origin), Some(own)) => origin.as_str().eq_ignore_ascii_case(own.as_str()),
        _ => false,
    }
}

fn misdirected() -> Problem {
    let detail = "this host name is not served here: use localhost, an address, or the host of public_url";
    Problem::new(ErrorCode::MisdirectedRequest, detail)
}
