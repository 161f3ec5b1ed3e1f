//! Configuration: one file, the environment and flags, in that order of rising precedence, validated into core's types.
//!
//! [`Config::load`] is a pure function of [`Sources`]. It finds everything that is wrong at once ([`ConfigErrors`]); what is
//! allowed but worth knowing comes back as [`Note`]s. After it nothing is parsed any more: a [`Config`] can be served.
//!
//! # Add a key in three steps
//!
//! 1. An entry in `key_table.rs`: path, kind, default, meaning. The file, the environment, the check for unknown
//!    keys, `verifyd config print` and the reference page follow from it.
//! 2. Read it in the section's file with the [`reader`](self) and put it into the section's type.
//! 3. A line for each way to get it wrong in `tests/refusals.rs`, with the exact message.

mod api_keys;
mod effective;
mod environment;
mod file;
mod findings;
mod history;
mod key_table;
mod limits;
mod log;
mod master_keys;
mod network;
mod numbers;
mod proofs;
mod reader;
mod redis;
pub mod reference;
mod secret_files;
mod sending;
mod server;
mod service;
mod sources;
mod store;
mod suggest;
mod test_numbers;
mod twilio;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;
use verifyd_core::history::HistoryOptions;
use verifyd_core::proof::ProofSettings;
use verifyd_core::service::{Service, ServiceName};

pub use api_keys::{ApiKey, DEV_ACCOUNT_SID, DEV_API_KEY};
pub use effective::Effective;
pub use findings::{ConfigError, ConfigErrors, Note, NoteLevel};
pub use log::LogConfig;
pub use master_keys::KeySource;
pub use network::TlsFiles;
pub use sending::{InboxReason, Sending};
pub use sources::{
    ConfigFile, DEFAULT_FILE, FILE_VARIABLE, Flags, MAX_FILE_BYTES, ReadFile, Sources, URL_VARIABLE,
    process_environment, read_file,
};
pub use store::{StoreConfig, StoreKind};
pub use verifyd_senders::test_numbers::TestNumber;
pub use verifyd_store_redis::LinkSettings;

use crate::http::listener::ServerLimits;
use findings::Findings;
use reader::Reader;
use value::{Entry, Origin, Value, Values};

/// The service that is meant where none is named; it always exists.
pub const DEFAULT_SERVICE: &str = "default";

/// What the server is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Everything is allowed that is asked for.
    Development,
    /// Mock mode, exposed codes and test numbers of real people are refused.
    Production,
}

/// Which command loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// `verifyd serve`.
    Serve,
    /// Commands that work on the data of a server and send nothing.
    Data,
    /// `verifyd dev`.
    Dev,
}

/// A configuration that can be served.
#[derive(Debug)]
pub struct Config {
    /// What the server is run for.
    pub environment: Environment,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where `/metrics` listens alone, without a key.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the internet reaches this server; its path ends with `/`.
    pub public_url: Option<Url>,
    /// Whose word on a connection's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// The certificate, if the API speaks HTTPS.
    pub tls: Option<TlsFiles>,
    /// The bounds of the transport.
    pub server: ServerLimits,
    /// The log.
    pub log: LogConfig,
    /// Directory of the embedded store and of everything else that lasts.
    pub data_dir: PathBuf,
    /// The store.
    pub store: StoreConfig,
    /// How to use Redis, if that is the store.
    pub redis: Option<LinkSettings>,
    /// Where the master keys come from.
    pub keys: KeySource,
    /// The API keys of the configuration; `verifyd keys` makes more.
    pub api_keys: Vec<ApiKey>,
    /// The user names that the Verify v2 API takes.
    pub account_sids: Vec<String>,
    /// Every service; [`DEFAULT_SERVICE`] is among them.
    pub services: BTreeMap<ServiceName, Service>,
    /// Where messages go.
    pub sending: Sending,
    /// Whether replies show the code of a message that went to the inbox.
    pub expose_codes: bool,
    /// Longest time for one send.
    pub send_deadline: Duration,
    /// How much of deliveries is kept, and for how long.
    pub history: HistoryOptions,
    /// What proofs say; `None` issues none.
    pub proofs: Option<ProofSettings>,
    /// Numbers that always get the same code.
    pub test_numbers: Vec<TestNumber>,
    /// All of it as text, secrets masked.
    pub effective: Effective,
}

impl Config {
    /// The configuration of `verifyd serve`.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    ///
    /// ```
    /// use verifyd_core::clock::Timestamp;
    /// use verifyd_server::config::{Config, Flags, Sources, read_file};
    ///
    /// let environment = [("SMS_MOCK_MODE", "true"), ("VERIFYD_LISTEN", "127.0.0.1:0")];
    /// let sources = Sources {
    ///     file: None,
    ///     environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    ///     flags: Flags::default(),
    ///     now: Timestamp::EPOCH,
    ///     read_file,
    /// };
    /// let (config, _notes) = Config::load(&sources)?;
    /// assert_eq!(config.listen.port(), 0);
    /// # Ok::<(), verifyd_server::config::ConfigErrors>(())
    /// ```
    pub fn load(sources: &Sources) -> Result<(Self, Vec<Note>), ConfigErrors> {
        load(sources, Profile::Serve)
    }

    /// The configuration of commands that work on a server's data and send nothing (`verifyd keys`, `verifyd doctor`): that of
    /// `serve`, but a way to send may be missing, because the shell of an operator need not hold the provider's secrets.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn for_data(sources: &Sources) -> Result<(Self, Vec<Note>), ConfigErrors> {
        load(sources, Profile::Data)
    }

    /// The configuration of `verifyd dev`: mock mode, codes exposed, the API key `dev`, a loopback listener.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong; also if other machines could reach the listener and
    /// `--i-expose-codes` is not given.
    pub fn development(sources: &Sources) -> Result<(Self, Vec<Note>), ConfigErrors> {
        load(sources, Profile::Dev)
    }
}

fn load(sources: &Sources, profile: Profile) -> Result<(Config, Vec<Note>), ConfigErrors> {
    let mut findings = Findings::default();
    let given = merge(sources, profile, &mut findings);
    if let Some(errors) = findings.syntax_errors() {
        // A file that could not be read would only bring errors about what is missing.
        return Err(errors);
    }
    let effective = Effective::new(&given);
    let values = secret_files::resolve(given, sources.read_file, &mut findings);
    let environment = match values.get("environment").map(|entry| &entry.value) {
        Some(Value::Text(text)) if text == "production" => Environment::Production,
        _ => Environment::Development,
    };
    let mut reader = Reader {
        values: &values,
        findings: &mut findings,
        environment,
        flags: &sources.flags,
        read_file: sources.read_file,
    };
    let config = read(&mut reader, profile, sources, effective);
    findings.outcome(config)
}

/// Reads every section, so that all errors are found, and only then asks whether all are there.
fn read(reader: &mut Reader<'_>, profile: Profile, sources: &Sources, effective: Effective) -> Option<Config> {
    let environment = read_environment(reader, profile);
    let network = network::read(reader);
    let server = server::read(reader);
    let log = log::read(reader);
    let store = store::read(reader);
    let redis = redis::read(reader, store.as_ref());
    let keys = master_keys::read(reader, store.as_ref());
    let services = service::read_all(reader);
    let history = history::read(reader);
    let proofs = proofs::read(reader, network.as_ref());
    let listen = network.as_ref().map(|network| network.listen);
    let access = api_keys::read(reader, profile, listen);
    let public_url = network.as_ref().and_then(|network| network.public_url.as_ref());
    let sending = sending::read(reader, profile, public_url, listen);
    let test_numbers = test_numbers::read(reader, sources.now);
    let (network, store, redis, sending) = (network?, store?, redis?, sending?);
    Some(Config {
        environment: environment?,
        listen: network.listen,
        metrics_listen: network.metrics_listen,
        public_url: network.public_url,
        trusted_proxies: network.trusted_proxies,
        tls: network.tls,
        server: server?,
        log: log?,
        data_dir: store.data_dir,
        store: store.config,
        redis: redis.settings,
        keys: keys?,
        api_keys: access.api_keys,
        account_sids: access.account_sids,
        services: services?,
        sending: sending.sending,
        expose_codes: sending.expose_codes,
        send_deadline: sending.deadline,
        history: history?,
        proofs: proofs?,
        test_numbers: test_numbers?,
        effective,
    })
}

fn read_environment(reader: &mut Reader<'_>, profile: Profile) -> Option<Environment> {
    let words = [("development", Environment::Development), ("production", Environment::Production)];
    let environment = reader.word("environment", &words)?;
    if profile == Profile::Dev && environment == Environment::Production {
        reader.refuse("environment", "verifyd dev is never for production; use verifyd serve");
        return None;
    }
    Some(environment)
}

/// Everything that was given, later sources over earlier ones, defaults under all.
fn merge(sources: &Sources, profile: Profile, findings: &mut Findings) -> Values {
    let mut values = Values::default();
    for key in reference::KEYS.iter().filter(|key| !key.is_pattern()) {
        put_default(&mut values, key.path.to_owned(), key, Origin::Default);
    }
    if profile == Profile::Dev {
        put_switch(&mut values, "expose_codes", Origin::Profile);
    }
    values.overlay(environment::log_fallback(&sources.environment));
    let file = sources.file.as_ref().map(|file| file::read(file, findings)).unwrap_or_default();
    let variables = environment::read(&sources.environment, &file, findings);
    values.overlay(file);
    for list in reference::LISTS {
        if variables.section(&format!("{list}[0]")).is_some() {
            values.clear_list(list);
        }
    }
    values.overlay(variables);
    values.overlay(environment::read_flags(&sources.flags, findings));
    if profile == Profile::Dev {
        if let Some(entry) = values.get("mock")
            && entry.origin != Origin::Default
            && entry.value != Value::Switch(true)
        {
            findings.remark("mock", "verifyd dev always sends to the inbox");
        }
        put_switch(&mut values, "mock", Origin::Profile);
    }
    for service in values.services() {
        for key in reference::KEYS {
            let Some(name) = key.path.strip_prefix("service.*.") else { continue };
            let path = format!("service.{service}.{name}");
            if values.get(&path).is_none() {
                put_default(&mut values, path, key, Origin::Default);
            }
        }
    }
    values
}

/// Puts the default of `key` at `path`, if it has one.
fn put_default(values: &mut Values, path: String, key: &'static reference::Key, origin: Origin) {
    let parsed = key.default.and_then(|text| toml::de::DeValue::parse(text).ok());
    if let Some(value) = parsed.and_then(|value| file::shape(key.kind, value.get_ref())) {
        values.put(path, Entry { key, is_secret_file: false, value, origin });
    }
}

fn put_switch(values: &mut Values, path: &str, origin: Origin) {
    if let Some((key, is_secret_file)) = reference::find(path) {
        values.put(path.to_owned(), Entry { key, is_secret_file, value: Value::Switch(true), origin });
    }
}
