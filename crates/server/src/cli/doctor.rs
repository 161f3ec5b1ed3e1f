//! `verifyd doctor --accept-clock`: what only an operator may decide. More examinations come here.

use std::io::{self, Write};
use std::process::ExitCode;

use super::{ConfigFlags, failed};
use crate::config::Config;
use crate::http::rfc3339;
use crate::wiring;

/// Accepts the present time for a store that has seen a later one.
pub(super) fn accept_clock(flags: ConfigFlags) -> ExitCode {
    let config = match flags.sources().and_then(|sources| Config::for_data(&sources)) {
        Ok((config, _notes)) => config,
        Err(errors) => return failed(&errors),
    };
    crate::telemetry::init(&config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(wiring::accept_clock(&config)) {
        Ok(now) => {
            let at = rfc3339(now);
            tracing::warn!(audit = "accept_clock", at, "the clock was accepted");
            let told = writeln!(
                io::stdout(),
                "The time {at} is accepted. Verifications that were pending are void; limits count from now."
            );
            told.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
        }
        Err(error) => failed(&error),
    }
}
