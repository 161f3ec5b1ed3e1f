//! The URL that says where Redis is. Nothing here repeats it, because it may hold a password.
//!
//! | URL | what |
//! |---|---|
//! | `redis://[user:password@]host[:port][/db]` | one server; port 6379 unless given |
//! | `redis+sentinel://[user:password@]host[:port],…/NAME[/db]` | the primary that Sentinels know by NAME; port 26379 unless given |
//! | `redis+cluster://[user:password@]host[:port],…` | a Cluster, known by some of its nodes; port 6379 unless given |
//! | `rediss://`, `rediss+sentinel://`, `rediss+cluster://` | the same over TLS, to Sentinels too |
//!
//! Options behind `?`: with TLS `ca_file`, `cert_file` and `key_file` (PEM); with Sentinel `sentinel_user` and `sentinel_password`, where
//! the Sentinels ask for one. User, password and options are percent-encoded where they hold other characters than a URL may.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// More hosts than any list of seeds or Sentinels needs.
const MAX_HOSTS: usize = 64;

/// Where Redis is, as its URL says. `Debug` shows no user and no password.
#[derive(Clone)]
pub struct Target {
    pub(super) hosts: Vec<Address>,
    pub(super) kind: Kind,
    pub(super) db: u32,
    pub(super) login: Login,
    pub(super) sentinel_login: Login,
    pub(super) tls: Option<TlsFiles>,
}

/// How the servers belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    Sentinel { name: String },
    Cluster,
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Who we are to a server.
#[derive(Clone, Default)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
}

/// Files for TLS; without `ca` the system's authorities are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// Why a URL names no Redis. Never repeats what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It begins with something else than is known.
    #[error("it must begin with redis://, redis+sentinel:// or redis+cluster:// (over TLS: rediss…)")]
    Scheme,
    /// A host or port cannot be read, or there is none, or too many.
    #[error("its hosts must be host[:port], separated by commas, at most 64")]
    Host,
    /// A single server was meant, and there are more.
    #[error("one server has one host; for more there are redis+sentinel:// and redis+cluster://")]
    ManyHosts,
    /// What follows the host is not the number of a database.
    #[error("its path must be the number of a database")]
    Database,
    /// A Cluster has no databases.
    #[error("a Cluster has one database: leave out the path")]
    ClusterDatabase,
    /// The name by which Sentinels know the primary is missing.
    #[error("its path must be the name by which the Sentinels know the primary")]
    Name,
    /// User or password, or an option's value, is not percent-encoded UTF-8.
    #[error("user, password and options must be percent-encoded")]
    Encoding,
    /// It has an option that is unknown or does not belong to it.
    #[error(
        "its options can be ca_file, cert_file and key_file (rediss…), sentinel_user and sentinel_password (…+sentinel)"
    )]
    Option,
    /// A certificate without its key, or the reverse.
    #[error("cert_file and key_file belong together")]
    HalfCertificate,
}

impl Target {
    /// Reads a URL of the forms above.
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong, without a part of the URL.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let (tls, kind) = scheme_of(scheme).ok_or(UrlError::Scheme)?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // The last `@`: a password that holds one unencoded is still read as meant.
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let default_port = if matches!(kind, Kind::Sentinel { .. }) { SENTINEL_PORT } else { REDIS_PORT };
        let hosts = hosts.split(',').map(|host| address(host, default_port)).collect::<Option<Vec<_>>>();
        let hosts = hosts.filter(|hosts| hosts.len() <= MAX_HOSTS).ok_or(UrlError::Host)?;
        let (kind, db) = place(&kind, path)?;
        if kind == Kind::Single && hosts.len() > 1 {
            return Err(UrlError::ManyHosts);
        }
        let mut target = Self {
            hosts,
            kind,
            db,
            login: Login::parse(login)?,
            sentinel_login: Login::default(),
            tls: tls.then(TlsFiles::default),
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            target.set_option(option)?;
        }
        if target.tls.as_ref().is_some_and(|files| files.cert.is_some() != files.key.is_some()) {
            return Err(UrlError::HalfCertificate);
        }
        Ok(target)
    }

    /// Uses this password for Redis, whatever the URL said; configuration reads it from a file.
    pub fn set_password(&mut self, password: Zeroizing<String>) {
        self.login.password = Some(password);
    }

    /// The URL as far as it may be shown: without user, password and options.
    #[must_use]
    pub fn shown(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Address::to_string).collect();
        let tls = if self.tls.is_some() { "s" } else { "" };
        let (kind, path) = match &self.kind {
            Kind::Single => ("", format!("/{}", self.db)),
            Kind::Sentinel { name } => ("+sentinel", format!("/{name}/{}", self.db)),
            Kind::Cluster => ("+cluster", String::new()),
        };
        format!("redis{tls}{kind}://{}{path}", hosts.join(","))
    }

    fn set_option(&mut self, option: &str) -> Result<(), UrlError> {
        let (name, value) = option.split_once('=').ok_or(UrlError::Option)?;
        let value = decode(value)?;
        match (name, &mut self.tls, &self.kind) {
            ("ca_file", Some(files), _) => files.ca = Some(value.into()),
            ("cert_file", Some(files), _) => files.cert = Some(value.into()),
            ("key_file", Some(files), _) => files.key = Some(value.into()),
            ("sentinel_user", _, Kind::Sentinel { .. }) => self.sentinel_login.user = Some(value),
            ("sentinel_password", _, Kind::Sentinel { .. }) => {
                self.sentinel_login.password = Some(Zeroizing::new(value));
            }
            _ => return Err(UrlError::Option),
        }
        Ok(())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.shown()).finish()
    }
}

impl Login {
    fn parse(text: &str) -> Result<Self, UrlError> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(Zeroizing::new(decode(password)?))),
            None => (text, None),
        };
        let user = Some(decode(user)?).filter(|user| !user.is_empty());
        Ok(Self { user, password: password.filter(|password| !password.is_empty()) })
    }
}

fn scheme_of(scheme: &str) -> Option<(bool, Kind)> {
    let (transport, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
    let tls = match transport {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    match kind {
        "" if !scheme.contains('+') => Some((tls, Kind::Single)),
        "sentinel" => Some((tls, Kind::Sentinel { name: String::new() })),
        "cluster" => Some((tls, Kind::Cluster)),
        _ => None,
    }
}

/// What the path says: for a Sentinel the name comes first.
fn place(kind: &Kind, path: &str) -> Result<(Kind, u32), UrlError> {
    let number = |text: &str| match text {
        "" => Ok(0),
        text => text.parse().map_err(|_source| UrlError::Database),
    };
    match kind {
        Kind::Single => Ok((Kind::Single, number(path)?)),
        Kind::Cluster if path.is_empty() => Ok((Kind::Cluster, 0)),
        Kind::Cluster => Err(UrlError::ClusterDatabase),
        Kind::Sentinel { .. } => {
            let (name, db) = path.split_once('/').unwrap_or((path, ""));
            let name = decode(name)?;
            if name.is_empty() {
                return Err(UrlError::Name);
            }
            Ok((Kind::Sentinel { name }, number(db)?))
        }
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(super) fn address(text: &str, default_port: u16) -> Option<Address> {
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    (!host.is_empty() && host.bytes().all(known)).then(|| Address { host: host.to_owned(), port })
}

fn decode(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_source| UrlError::Encoding)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<String> {
        Target::parse(url).unwrap().hosts.iter().map(Address::to_string).collect()
    }

    #[test]
    fn every_form_is_read() {
        let single = Target::parse("redis://ann:p%40ss:word@cache.example:7000/3").unwrap();
        assert_eq!((single.kind.clone(), single.db), (Kind::Single, 3));
        assert_eq!(single.login.user.as_deref(), Some("ann"));
        assert_eq!(single.login.password.as_ref().unwrap().as_str(), "p@ss:word");
        assert_eq!(hosts("redis://cache"), ["cache:6379"]);
        assert_eq!(hosts("redis://:secret@[::1]:7000"), ["::1:7000"]);
        let sentinel =
            Target::parse("rediss+sentinel://u:p@a,b:7001/main/2?sentinel_password=s%26s&ca_file=/a%20b").unwrap();
        assert_eq!((sentinel.kind.clone(), sentinel.db), (Kind::Sentinel { name: "main".to_owned() }, 2));
        assert_eq!(sentinel.sentinel_login.password.as_ref().unwrap().as_str(), "s&s");
        assert_eq!(sentinel.tls.unwrap().ca.unwrap().to_str(), Some("/a b"));
        assert_eq!(hosts("redis+sentinel://a,b:7001/main"), ["a:26379", "b:7001"]);
        assert_eq!(hosts("redis+cluster://a:1,b:2,c"), ["a:1", "b:2", "c:6379"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        use UrlError::*;
        let table = [
            ("http://a", Scheme),
            ("redis+unix://a", Scheme),
            ("redis+://a", Scheme),
            ("a:6379", Scheme),
            ("redis://", Host),
            ("redis://a:99999", Host),
            ("redis+cluster://a,,b", Host),
            ("redis://a b", Host),
            ("redis://a,b", ManyHosts),
            ("redis://a/main", Database),
            ("redis+cluster://a/0", ClusterDatabase),
            ("redis+sentinel://a", Name),
            ("redis+sentinel://a/main/x", Database),
            ("redis://u:%ff@a", Encoding),
            ("redis://a?timeout=1", Option),
            ("redis://a?ca_file=/x", Option),
            ("rediss://a?sentinel_user=x", Option),
            ("rediss://a?cert_file=/x", HalfCertificate),
        ];
        for (url, error) in table {
            assert_eq!(Target::parse(url).err(), Some(error), "{url}");
        }
        let seeds = vec!["a"; MAX_HOSTS];
        assert!(Target::parse(&format!("redis+cluster://{}", seeds.join(","))).is_ok());
        assert_eq!(Target::parse(&format!("redis+cluster://a,{}", seeds.join(","))).err(), Some(Host));
    }

    #[test]
    fn nothing_shows_a_password() {
        let target =
            Target::parse("rediss+sentinel://canary-user:canary-password@a/main?sentinel_password=canary-other")
                .unwrap();
        assert_eq!(format!("{target:?}"), r#"Target("rediss+sentinel://a:26379/main/0")"#);
        for url in ["redis://canary:canary@a:canary", "redis://a?canary=1", "canary", "redis://:canary@a/canary"] {
            let error = Target::parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{url}");
        }
    }
}
