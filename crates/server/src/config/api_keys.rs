//! Who may call: `api_key`, `[[api_keys]]`, the account of the Verify v2 API, and what `verifyd dev` adds.
//!
//! Only hashes leave this file; a key as it was given is forgotten with the sources.

use std::net::SocketAddr;

use verifyd_core::registry::{Scope, SecretHash};
use verifyd_core::service::ServiceName;

use super::findings::written;
use super::reader::Reader;
use super::value::Origin;
use super::{Environment, Profile};

/// The key that `verifyd dev` takes on a loopback listener.
pub const DEV_API_KEY: &str = "dev";
/// The account that `verifyd dev` takes on a loopback listener.
pub const DEV_ACCOUNT_SID: &str = "AC00000000000000000000000000000000";

/// The fewest characters of a key in production: 96 bits in base64.
const MIN_KEY_BYTES: usize = 16;
/// A key travels in a header.
const MAX_KEY_BYTES: usize = 256;
/// The most keys of a configuration; `verifyd keys` is the place for many.
const MAX_KEYS: usize = 1000;

/// An API key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// What logs call it.
    pub name: String,
    /// Hash of the key.
    pub secret: SecretHash,
    /// The one service it is for; `None` for all.
    pub service: Option<ServiceName>,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// What this file reads.
pub(super) struct Access {
    pub(super) api_keys: Vec<ApiKey>,
    pub(super) account_sids: Vec<String>,
}

pub(super) fn read(reader: &mut Reader<'_>, profile: Profile, listen: Option<SocketAddr>) -> Access {
    let mut account_sids: Vec<String> = reader.parsed_by("account_sid", account_sid).into_iter().collect();
    let mut api_keys = Vec::new();
    if reader.is_given("api_key")
        && let Some(secret) = read_secret(reader, "api_key")
    {
        api_keys.push(ApiKey { name: "api_key".to_owned(), secret, service: None, scopes: Scope::ALL.to_vec() });
    }
    let sections = reader.values.list("api_keys");
    if sections.len() > MAX_KEYS {
        reader.findings.refuse("api_keys", format_args!("at most {MAX_KEYS} keys; make more with verifyd keys create"));
    }
    for section in sections.iter().take(MAX_KEYS) {
        if let Some(key) = read_key(reader, section) {
            refuse_twins(reader, section, &key, &api_keys);
            api_keys.push(key);
        }
    }
    if profile == Profile::Dev && listen.is_some_and(|listen| listen.ip().is_loopback()) {
        let secret = SecretHash::of(DEV_API_KEY);
        if api_keys.iter().any(|key| key.name == DEV_API_KEY && key.secret != secret) {
            // Callers are told apart by their names: one must not get another's kept replies.
            reader.refuse("api_keys", "verifyd dev has a key named dev of its own; give this one another name");
        }
        if api_keys.iter().all(|key| key.secret != secret) {
            api_keys.push(ApiKey { name: DEV_API_KEY.to_owned(), secret, service: None, scopes: Scope::ALL.to_vec() });
        }
        account_sids.push(DEV_ACCOUNT_SID.to_owned());
        account_sids.dedup();
    }
    if api_keys.is_empty() {
        reader.findings.remark("api_key", "not set: only keys made with verifyd keys create are taken");
    }
    Access { api_keys, account_sids }
}

fn account_sid(text: &str) -> Result<String, &'static str> {
    let hex = text.strip_prefix("AC").unwrap_or_default();
    if hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_owned());
    }
    Err("expected AC and 32 hex digits")
}

fn read_key(reader: &mut Reader<'_>, section: &str) -> Option<ApiKey> {
    let path = |key: &str| format!("{section}.{key}");
    let name = required(reader, &path("name"), "the name that logs show").and_then(|()| {
        // The same letters as a service's name: it stands in logs and on the command line.
        let name = reader.parsed_by(&path("name"), |text| {
            text.parse::<ServiceName>().map_err(|_source| "expected 1 to 40 of a-z 0-9 _ -")
        });
        name.map(|name| name.to_string())
    });
    let secret =
        required(reader, &path("key"), "the key, or key_file").and_then(|()| read_secret(reader, &path("key")));
    let service = reader.parsed::<ServiceName>(&path("service"));
    if let Some(service) = &service
        && !reader.values.services().iter().any(|known| known == service.as_str())
    {
        reader.refuse(&path("service"), format_args!("no such service; add [service.{service}]"));
    }
    let scopes = match reader.values.get(&path("scopes")) {
        None => Some(Scope::USUAL.to_vec()),
        Some(_) => reader.list(&path("scopes"), str::parse::<Scope>),
    };
    if scopes.as_ref().is_some_and(Vec::is_empty) {
        reader.refuse(&path("scopes"), "a key that may do nothing; name a scope, or remove the key");
    }
    Some(ApiKey { name: name?, secret: secret?, service, scopes: scopes? })
}

/// Refuses the absence of a key of an entry.
fn required(reader: &mut Reader<'_>, path: &str, what: &str) -> Option<()> {
    let given = reader.values.get(path).is_some() || reader.values.get(&format!("{path}_file")).is_some();
    if !given {
        reader.refuse(path, format_args!("missing; give {what}"));
    }
    given.then_some(())
}

fn read_secret(reader: &mut Reader<'_>, path: &str) -> Option<SecretHash> {
    let production = reader.environment == Environment::Production;
    let mut short = false;
    let secret = reader.parsed_by(path, |text| {
        if text.is_empty() || text.len() > MAX_KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("expected 1 to 256 printable ASCII characters without spaces");
        }
        short = text.len() < MIN_KEY_BYTES;
        if short && production {
            return Err(
                "shorter than the 16 characters that production asks for; verifyd keys create makes a good one",
            );
        }
        Ok(SecretHash::of(text))
    });
    if short && !production {
        reader.findings.warn(reader.field(path), "shorter than 16 characters, easy to guess; production refuses it");
    }
    secret
}

/// Refuses a name or a key that is there already.
fn refuse_twins(reader: &mut Reader<'_>, section: &str, key: &ApiKey, others: &[ApiKey]) {
    if others.iter().any(|other| other.name == key.name) {
        reader.refuse(&format!("{section}.name"), "another key has this name");
    }
    if let Some(other) = others.iter().find(|other| other.secret == key.secret) {
        let path = format!("{section}.key");
        let origin = reader.values.get(&path).map_or(&Origin::Default, |entry| &entry.origin);
        let (field, place) = written(&path, origin);
        let field = place.map_or(field.clone(), |place| format!("{field} ({place})"));
        reader.findings.refuse(field, format_args!("the same key as {}; every name needs its own", other.name));
    }
}
