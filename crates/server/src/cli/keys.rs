//! `verifyd keys create|list|revoke`: API keys of the data directory or of the fleet. Running servers follow within a second.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use verifyd_core::clock::{Clock, SystemClock};
use verifyd_core::id::KeyId;
use verifyd_core::random::SystemRandom;
use verifyd_core::registry::{ApiKeyRecord, FreshApiKey, Registry, Scope, SecretHash, api_key};
use verifyd_core::service::ServiceName;

use super::ConfigFlags;
use super::exit::{Answer, Exit, Failure, Outcome, finish};
use super::style::{BAD, GOOD, STRONG, fields, instant, paint, plain, table};
use crate::config::Config;
use crate::http::rfc3339;
use crate::wiring;

/// The longest name of a key.
const MAX_NAME_CHARS: usize = 60;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key and show its secret, this once.
    Create {
        /// What to call it.
        #[arg(long, default_value = "")]
        name: String,
        /// The one service it is for; without it the key is for all.
        #[arg(long)]
        service: Option<ServiceName>,
        /// What it may do: verify, forget, unlock, metrics. May be repeated; without it verify and forget.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// List keys, revoked ones included; secrets are not kept.
    List {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key.
    Revoke {
        /// Its id: SK and 32 hex digits.
        id: KeyId,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

impl KeysCommand {
    const fn json(&self) -> bool {
        match self {
            Self::Create { json, .. } | Self::List { json } | Self::Revoke { json, .. } => *json,
        }
    }
}

/// Runs the command to its exit code.
pub(super) fn run(command: KeysCommand, flags: ConfigFlags) -> ExitCode {
    let json = command.json();
    finish(&outcome(command, flags), json)
}

fn outcome(command: KeysCommand, flags: ConfigFlags) -> Outcome {
    let (config, _notes) = flags.sources().and_then(|sources| Config::for_data(&sources)).map_err(Failure::local)?;
    if let KeysCommand::Create { service: Some(service), .. } = &command
        && !config.services.contains_key(service)
    {
        return Err(Failure::local(format_args!("--service: there is no service {service} in the configuration")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::local)?;
    runtime.block_on(async {
        let registry = wiring::registry(&config).map_err(Failure::local)?;
        let registry = registry.as_ref();
        match command {
            KeysCommand::Create { name, service, scopes, .. } => create(registry, name, service, scopes).await,
            KeysCommand::List { .. } => list(registry).await,
            KeysCommand::Revoke { id, .. } => revoke(registry, id).await,
        }
    })
}

async fn create(registry: &dyn Registry, name: String, service: Option<ServiceName>, scopes: Vec<Scope>) -> Outcome {
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let problem = format_args!("--name: at most {MAX_NAME_CHARS} characters, none of them control characters");
        return Err(Failure::usage(problem));
    }
    let fresh = FreshApiKey::generate(&SystemRandom).map_err(Failure::local)?;
    let scopes = if scopes.is_empty() { Scope::USUAL.to_vec() } else { scopes };
    let record = ApiKeyRecord {
        id: fresh.id,
        name,
        secret: SecretHash::of(&fresh.secret),
        service,
        scopes,
        created_at: SystemClock.now(),
        revoked_at: None,
    };
    api_key::add(registry, &record).await.map_err(Failure::local)?;
    let secret = fresh.secret.as_str();
    let mut json = shown(&record);
    if let Some(object) = json.as_object_mut() {
        object.insert("secret".to_owned(), json!(secret));
    }
    let lines = fields(&[("id", record.id.to_string()), ("secret", paint(STRONG, secret))]);
    let text = format!("{lines}\nThe secret is shown this once; only its hash is kept.\n");
    Ok(Answer::done(text, json))
}

fn shown(key: &ApiKeyRecord) -> serde_json::Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "service": key.service.as_ref().map(ToString::to_string),
        "scopes": key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "created_at": rfc3339(key.created_at),
        "revoked_at": key.revoked_at.map(rfc3339),
    })
}

async fn list(registry: &dyn Registry) -> Outcome {
    let keys = api_key::list(registry).await.map_err(Failure::local)?;
    let json = serde_json::Value::from(keys.iter().map(shown).collect::<Vec<_>>());
    if keys.is_empty() {
        return Ok(Answer::done("No keys yet: verifyd keys create\n".to_owned(), json));
    }
    let rows: Vec<_> = keys.iter().map(row).collect();
    Ok(Answer::done(table(&["id", "name", "created", "service", "scopes", "state"], &rows), json))
}

/// A key in one line for people.
fn row(key: &ApiKeyRecord) -> Vec<String> {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let state = key
        .revoked_at
        .map_or_else(|| paint(GOOD, "live"), |at| format!("{} {}", paint(BAD, "revoked"), instant(&rfc3339(at))));
    vec![
        key.id.to_string(),
        plain(&key.name),
        instant(&rfc3339(key.created_at)),
        key.service.as_ref().map_or("all", ServiceName::as_str).to_owned(),
        scopes.join(","),
        state,
    ]
}

async fn revoke(registry: &dyn Registry, id: KeyId) -> Outcome {
    match api_key::revoke(registry, id, SystemClock.now()).await {
        Ok(true) => {
            let text = format!("{}  {id}\n", paint(GOOD, "revoked"));
            Ok(Answer::done(text, json!({ "revoked": id.to_string() })))
        }
        Ok(false) => Err(Failure::new(Exit::Failed, "not_found", format_args!("there is no live key {id}"))),
        Err(error) => Err(Failure::local(error)),
    }
}
