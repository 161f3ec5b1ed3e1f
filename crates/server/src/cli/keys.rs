//! `verifyd keys create|list|revoke`: API keys of the data directory. A running server follows within about a second.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use verifyd_core::clock::{Clock, SystemClock};
use verifyd_core::id::KeyId;
use verifyd_core::random::SystemRandom;
use verifyd_core::registry::{ApiKeyRecord, FreshApiKey, Registry, Scope, SecretHash};
use verifyd_core::service::ServiceName;

use super::{ConfigFlags, failed};
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

pub(super) fn run(command: KeysCommand, flags: ConfigFlags) -> ExitCode {
    let config = match flags.sources().and_then(|sources| Config::for_data(&sources)) {
        Ok((config, _notes)) => config,
        Err(errors) => return failed(&errors),
    };
    if let KeysCommand::Create { service: Some(service), .. } = &command
        && !config.services.contains_key(service)
    {
        return failed(&format_args!("--service: there is no service {service} in the configuration"));
    }
    let registry = match wiring::registry(&config) {
        Ok(registry) => registry,
        Err(error) => return failed(&error),
    };
    let registry = registry.as_ref();
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let text = runtime.block_on(async {
        match command {
            KeysCommand::Create { name, service, scopes, json } => create(registry, name, service, scopes, json).await,
            KeysCommand::List { json } => list(registry, json).await,
            KeysCommand::Revoke { id, json } => revoke(registry, id, json).await,
        }
    });
    match text {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

async fn create(
    registry: &dyn Registry,
    name: String,
    service: Option<ServiceName>,
    scopes: Vec<Scope>,
    as_json: bool,
) -> Result<String, String> {
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(format!("--name: at most {MAX_NAME_CHARS} characters, none of them control characters"));
    }
    let fresh = FreshApiKey::generate(&SystemRandom).map_err(|error| error.to_string())?;
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
    registry.add_key(record.clone()).await.map_err(|error| error.to_string())?;
    if as_json {
        let mut line = shown(&record);
        if let Some(object) = line.as_object_mut() {
            object.insert("secret".to_owned(), json!(fresh.secret.as_str()));
        }
        return Ok(format!("{line}\n"));
    }
    let secret = fresh.secret.as_str();
    Ok(format!("id      {}\nsecret  {secret}\n\nThe secret is shown this once; only its hash is kept.\n", record.id))
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

async fn list(registry: &dyn Registry, as_json: bool) -> Result<String, String> {
    let keys = registry.keys().await.map_err(|error| error.to_string())?;
    if as_json {
        return Ok(format!("{}\n", serde_json::Value::from(keys.iter().map(shown).collect::<Vec<_>>())));
    }
    if keys.is_empty() {
        return Ok("No keys yet: verifyd keys create\n".to_owned());
    }
    let lines: Vec<String> = keys.iter().map(line).collect();
    Ok(lines.concat())
}

/// A key in one line for people.
fn line(key: &ApiKeyRecord) -> String {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let service = key.service.as_ref().map_or("all services", ServiceName::as_str);
    let state = key.revoked_at.map_or_else(|| "live".to_owned(), |at| format!("revoked {}", rfc3339(at)));
    let (created, scopes) = (rfc3339(key.created_at), scopes.join(","));
    format!("{}  {created}  {service}  {scopes}  {state}  {}\n", key.id, key.name)
}

async fn revoke(registry: &dyn Registry, id: KeyId, as_json: bool) -> Result<String, String> {
    match registry.revoke_key(id, SystemClock.now()).await {
        Ok(true) if as_json => Ok(format!("{}\n", json!({ "revoked": id.to_string() }))),
        Ok(true) => Ok(format!("{id} is revoked\n")),
        Ok(false) => Err(format!("there is no live key {id}")),
        Err(error) => Err(error.to_string()),
    }
}
