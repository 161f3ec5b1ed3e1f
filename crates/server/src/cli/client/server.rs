//! The server that a command talks to: where it is, and one request with at most one answer before a deadline.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, header};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use url::Url;
use verifyd_core::clock::Clock as _;
use verifyd_core::clock::SystemClock;
use zeroize::Zeroizing;

use super::{key, problem};
use crate::cli::exit::{Exit, Failure, chain};
use crate::cli::style;
use crate::config::{Config, Flags, Sources, URL_VARIABLE, process_environment, read_file};

/// Where a server is if nothing says otherwise: the default of `listen`.
pub(in crate::cli) const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// The longest wait for a connection; a start may take longer, because a provider may.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most of an answer that is read; the largest real one has some 20 KiB.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Where to find a server and what to present to it.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ServerFlags {
    /// The server [env: `VERIFYD_URL`; default: what the configuration listens on, else <http://127.0.0.1:8080>].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// File that holds the API key, or `-` for standard input; never the key itself. The word `dev` is the public key of
    /// `verifyd dev` [env: `VERIFYD_API_KEY`, `VERIFYD_API_KEY_FILE`; default: `dev` for a server on this machine].
    #[arg(long, value_name = "FILE")]
    key: Option<String>,
    /// Certificates in PEM to trust besides the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Longest time for an answer, such as `90s`.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = deadline)]
    timeout: Duration,
    /// The configuration file that says where the server is, if no URL is given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The longest deadline: no request runs longer on our server.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);

fn deadline(text: &str) -> Result<Duration, String> {
    let span = verifyd_core::limits::parse_duration(text).map_err(|error| error.to_string())?;
    if span.is_zero() || span > MAX_TIMEOUT {
        return Err("expected more than nothing and at most 10m".to_owned());
    }
    Ok(span)
}

/// A call: what is asked for, and what goes with it.
#[derive(Debug)]
pub(in crate::cli) struct Call {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Zeroizing<String>>,
    pub(super) idempotency_key: Option<String>,
}

impl Call {
    /// A call of this method on these segments of a path.
    pub(in crate::cli) fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|&segment| segment.to_owned()).collect();
        Self { method, path, query: Vec::new(), body: None, idempotency_key: None }
    }

    /// The same with a JSON body.
    #[must_use]
    pub(super) fn body(mut self, body: &Value) -> Self {
        self.body = Some(Zeroizing::new(body.to_string()));
        self
    }
}

/// A server and the key for it.
pub(in crate::cli) struct Server {
    client: reqwest::Client,
    base: Url,
    key: Zeroizing<String>,
    timeout: Duration,
}

impl Server {
    /// The server that flags, environment and configuration name, in this order.
    pub(super) fn of(flags: &ServerFlags) -> Result<Self, Failure> {
        let environment = process_environment();
        let base = base_url(flags, &environment)?;
        let key = key::find(flags.key.as_deref(), &environment, &base)?;
        let here = key::is_this_machine(&base);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("verifyd/", env!("CARGO_PKG_VERSION")))
            // The key goes to the server that was named, and to no other.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT.min(flags.timeout));
        if here {
            builder = builder.no_proxy();
        }
        if let Some(path) = &flags.ca_file {
            let failed =
                |error: &dyn std::fmt::Display| Failure::usage(format_args!("--ca-file: {}: {error}", path.display()));
            let pem = read_file(path).map_err(|error| failed(&error))?;
            let found = reqwest::Certificate::from_pem_bundle(pem.as_bytes());
            let found = found.ok().filter(|found| !found.is_empty());
            builder = builder.tls_certs_merge(found.ok_or_else(|| failed(&"no certificates in PEM"))?);
        }
        let client = builder.build().map_err(|error| Failure::local(chain(&error)))?;
        Ok(Self { client, base, key, timeout: flags.timeout })
    }

    /// A warning about the way to the server, if there is one.
    pub(super) fn warning(&self) -> Option<&'static str> {
        let plain = self.base.scheme() == "http" && !key::is_this_machine(&self.base);
        plain.then_some("plain http to another machine: the API key and the numbers cross the network readable")
    }

    fn url(&self, call: &Call) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(&call.path);
            }
            Err(()) => return Err(Failure::usage("the URL of the server has no path")),
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    /// Asks once, and gives the JSON of a good answer.
    pub(super) async fn ask(&self, call: Call) -> Result<Value, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut request = self.client.request(call.method.clone(), self.url(&call)?).bearer_auth(self.key.as_str());
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let late = || self.late(&call);
        let response = match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.unreachable(&error.without_url())),
            Err(_elapsed) => return Err(late()),
        };
        let status = response.status().as_u16();
        let body = match timeout_at(deadline, read(response)).await {
            Ok(body) => body?,
            Err(_elapsed) => return Err(late()),
        };
        let json = serde_json::from_slice::<Value>(&body).ok();
        match json {
            Some(json) if (200..300).contains(&status) => Ok(json),
            Some(json) if status >= 400 && json.get("code").is_some_and(Value::is_string) => {
                Err(problem::failure(status, json))
            }
            _ => Err(problem::foreign(status, &self.base)),
        }
    }

    fn late(&self, call: &Call) -> Failure {
        let message = format!("no answer from {} within {}", self.base, style::wait(self.timeout));
        let failure = Failure::new(Exit::Unavailable, "timeout", message);
        if call.method == Method::GET {
            return failure;
        }
        failure.remedy(
            "it may have been carried out all the same; repeated with the same --idempotency-key it is not done twice",
        )
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let failure = Failure::new(
            Exit::Unavailable,
            "unreachable",
            format_args!("{} cannot be reached: {}", self.base, chain(error)),
        );
        if error.is_connect() {
            failure
                .remedy("is the server running (verifyd dev, verifyd serve)? Another address: --url URL or VERIFYD_URL")
        } else {
            failure.remedy("the connection broke; it may have been carried out all the same")
        }
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER_BYTES => {
                return Err(Failure::new(
                    Exit::Unavailable,
                    "not_verifyd",
                    "the answer is larger than any of verifyd's",
                ));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => {
                let message = format!("the answer broke off: {}", chain(&error.without_url()));
                return Err(Failure::new(Exit::Unavailable, "unreachable", message));
            }
        }
    }
}

fn base_url(flags: &ServerFlags, environment: &BTreeMap<String, String>) -> Result<Url, Failure> {
    let variable = environment.get(URL_VARIABLE).filter(|text| !text.is_empty());
    match (&flags.url, variable) {
        (Some(text), _) => parse_url("--url", text),
        (None, Some(text)) => parse_url(URL_VARIABLE, text),
        (None, None) => match configured(flags, environment)? {
            Some(url) => Ok(url),
            None => parse_url("the default", DEFAULT_URL),
        },
    }
}

fn parse_url(place: &str, text: &str) -> Result<Url, Failure> {
    // The text is not repeated: a password may stand in it.
    let bad = || {
        Failure::usage(format_args!(
            "{place}: expected an http or https URL without user, query and fragment, such as {DEFAULT_URL}"
        ))
    };
    let url = Url::parse(text).map_err(|_source| bad())?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if bare && url.has_host() && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(bad()) }
}

/// What the configuration of this machine listens on. One that cannot be read counts only if it was named.
fn configured(flags: &ServerFlags, environment: &BTreeMap<String, String>) -> Result<Option<Url>, Failure> {
    let given = Flags { config: flags.config.clone(), ..Flags::default() };
    let loaded =
        Sources::gather(given, environment.clone(), SystemClock.now()).and_then(|sources| Config::for_data(&sources));
    match loaded {
        Ok((config, _notes)) => {
            let public = config.public_url.filter(|_| config.tls.is_some());
            Ok(public.or_else(|| reach(config.listen, config.tls.is_some())))
        }
        Err(errors) if flags.config.is_some() => Err(Failure::usage(format_args!("--config: {errors}"))
            .remedy("verifyd config check tells more; --url says where the server is without it")),
        Err(_) => Ok(None),
    }
}

/// How this machine reaches a listener; `None` if its port is chosen at start.
pub(in crate::cli) fn reach(listen: SocketAddr, tls: bool) -> Option<Url> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if tls { "https" } else { "http" };
    (listen.port() > 0)
        .then(|| Url::parse(&format!("{scheme}://{}", SocketAddr::new(ip, listen.port()))).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_held_to_what_can_work_and_not_repeated() {
        for good in ["http://127.0.0.1:8080", "https://verify.example.com/otp/", "http://[::1]:80"] {
            assert!(parse_url("--url", good).is_ok(), "{good}");
        }
        for bad in ["127.0.0.1:8080", "ftp://a", "http://u:hunter2@a", "http://a?b", "http://a#b", "", "unix:/run/x"] {
            let failure = parse_url("--url", bad).unwrap_err();
            assert!(failure.message.starts_with("--url: expected") && !failure.message.contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn segments_and_queries_are_escaped_behind_the_path_of_the_base() {
        let server = Server {
            client: reqwest::Client::new(),
            base: parse_url("", "https://a.example/otp/").unwrap(),
            key: Zeroizing::new("k".to_owned()),
            timeout: Duration::from_secs(1),
        };
        let mut call = Call::new(Method::GET, &["v1", "phones", "+1 (415)/55?"]);
        call.query.push(("to", "+1 415".to_owned()));
        assert_eq!(
            server.url(&call).unwrap().as_str(),
            "https://a.example/otp/v1/phones/+1%20(415)%2F55%3F?to=%2B1+415"
        );
    }

    #[test]
    fn a_listener_is_reached_where_this_machine_can() {
        let reached = |listen: &str, tls| reach(listen.parse().unwrap(), tls).map(String::from);
        assert_eq!(reached("0.0.0.0:8080", false).as_deref(), Some("http://127.0.0.1:8080/"));
        assert_eq!(reached("[::]:8443", true).as_deref(), Some("https://[::1]:8443/"));
        assert_eq!(reached("10.0.0.1:80", false).as_deref(), Some("http://10.0.0.1/"));
        assert_eq!(reached("127.0.0.1:0", false), None);
    }

    #[test]
    fn deadlines_have_bounds() {
        assert!(deadline("0s").is_err() && deadline("601s").is_err() && deadline("soon").is_err());
        assert_eq!(deadline("10m"), Ok(MAX_TIMEOUT));
    }
}
