//! `verifyd doctor --accept-clock`: what only an operator may decide. More examinations come here.

use std::io::{self, Write};
use std::process::ExitCode;

use verifyd_core::clock::{Clock, DevelopmentClock, SystemClock};
use verifyd_core::store::Store;
use verifyd_store_embedded::EmbeddedStore;

use super::{ConfigFlags, failed};
use crate::config::{Config, StoreKind};
use crate::wiring;

/// Accepts the present time for a store that has seen a later one.
pub(super) fn accept_clock(flags: ConfigFlags) -> ExitCode {
    let config = match flags.sources().and_then(|sources| Config::for_data(&sources)) {
        Ok((config, _notes)) => config,
        Err(errors) => return failed(&errors),
    };
    if config.store.kind != StoreKind::Embedded {
        return failed(&"only the embedded store remembers a time");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(accept(&config)) {
        Ok(text) => {
            drop(io::stdout().write_all(text.as_bytes()));
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

async fn accept(config: &Config) -> Result<String, String> {
    let store = EmbeddedStore::open(&config.data_dir, config.store.options).map_err(|error| error.to_string())?;
    let offset = wiring::development_offset(config).map_err(|error| error.to_string())?;
    let now = DevelopmentClock::new(SystemClock, offset).now();
    store.accept_clock(now).await.map_err(|error| error.to_string())?;
    store.close().await;
    let at = crate::http::rfc3339(now);
    tracing::info!(audit = "accept_clock", at, "the clock was accepted");
    Ok(format!("The time {at} is accepted. Verifications that were pending are void; limits count from now.\n"))
}
