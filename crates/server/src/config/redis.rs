//! How to use Redis, `[redis]`, for a store whose URL names one. Nothing here repeats the URL, which may hold a password.

use std::ops::RangeInclusive;
use std::time::Duration;

use verifyd_store_redis::LinkSettings;
use verifyd_store_redis::link::Target;
use zeroize::Zeroizing;

use super::Environment;
use super::reader::Reader;
use super::store::{Store, StoreKind};
use super::value::Origin;

/// Shorter than any network is no wait, longer than any client's patience none either.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(10);
const WAIT_REPLICAS: RangeInclusive<u32> = 0..=10;
const MAX_PREFIX_BYTES: usize = 40;
const KEYS: [&str; 5] =
    ["redis.password", "redis.prefix", "redis.timeout", "redis.wait_replicas", "redis.wait_timeout"];

/// What this file reads.
pub(super) struct Redis {
    /// How to use it, if it is the store.
    pub(super) settings: Option<LinkSettings>,
}

pub(super) fn read(reader: &mut Reader<'_>, store: Option<&Store>) -> Option<Redis> {
    let prefix = reader.parsed_by("redis.prefix", prefix);
    let timeout = reader.duration("redis.timeout", &TIMEOUT);
    let wait_replicas = reader.number("redis.wait_replicas", &WAIT_REPLICAS);
    let wait_timeout = reader.duration("redis.wait_timeout", &TIMEOUT);
    if store?.config.kind != StoreKind::Redis {
        for path in KEYS.into_iter().filter(|path| reader.is_given(path)).collect::<Vec<_>>() {
            reader.findings.remark(reader.field(path), "does nothing here: store.url names no Redis");
        }
        return Some(Redis { settings: None });
    }
    let target = read_target(reader)?;
    let settings = LinkSettings {
        prefix: prefix?,
        timeout: timeout?,
        wait_replicas: wait_replicas?,
        wait_timeout: wait_timeout?,
        ..LinkSettings::new(target)
    };
    Some(Redis { settings: Some(settings) })
}

fn prefix(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if text.is_empty() || text.len() > MAX_PREFIX_BYTES || !text.bytes().all(allowed) {
        return Err("expected 1 to 40 of a-z 0-9 _ -");
    }
    Ok(text.to_owned())
}

/// Whether a password stands before the hosts.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next());
    authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(login, _)| login.contains(':'))
}

fn read_target(reader: &mut Reader<'_>) -> Option<Target> {
    let url = reader.text("store.url")?;
    let mut target = match Target::parse(url) {
        Ok(target) => target,
        Err(error) => {
            reader.refuse("store.url", error);
            return None;
        }
    };
    let in_url = has_password(url);
    if in_url && matches!(reader.values.get("store.url")?.origin, Origin::Flag(_)) {
        reader.refuse(
            "store.url",
            "everybody on this machine can read a password on the command line; use VERIFYD_STORE, or redis.password_file",
        );
        return None;
    }
    match reader.text("redis.password") {
        Some(_) if in_url => {
            reader.refuse("redis.password", "store.url has a password, too; give one of them");
            return None;
        }
        Some(password) => target.set_password(Zeroizing::new(password.to_owned())),
        None => {}
    }
    if reader.environment == Environment::Production && !url.starts_with("rediss") {
        let field = reader.field("store.url");
        reader.findings.remark(field, "no TLS to Redis: right only on a network that nobody else is on");
    }
    Some(target)
}
