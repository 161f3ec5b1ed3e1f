//! Tests of the configuration: no process environment, no files, no clock.

mod loads;
mod page;
mod print;
mod profiles;
mod redis;
mod refusals;
mod secrets;
mod variables;

use std::io;
use std::path::Path;

use verifyd_core::clock::Timestamp;

use super::*;

/// 2027-01-15T08:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(super) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// 32 bytes in base64, twice.
pub(super) const KEY_A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
pub(super) const KEY_B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// The files of these tests.
pub(super) fn read_fake(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/run/token") => Ok(format!("{TOKEN}\n")),
        Some("/run/keys") => Ok(format!("# two\nnew:{KEY_A}\nold:{KEY_B}\n")),
        Some("/run/url") => Ok("rediss://app:hunter2@r.example\n".to_owned()),
        Some("/run/empty") => Ok("\n".to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

pub(super) fn sources(file: &str, environment: &[(&str, &str)]) -> Sources {
    Sources {
        file: (!file.is_empty()).then(|| ConfigFile { name: "verifyd.toml".to_owned(), text: file.to_owned() }),
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        flags: Flags::default(),
        now: NOW,
        read_file: read_fake,
    }
}

pub(super) fn load_text(file: &str, environment: &[(&str, &str)]) -> Result<(Config, Vec<Note>), ConfigErrors> {
    Config::load(&sources(file, environment))
}

/// A configuration in mock mode that must be valid.
pub(super) fn valid(file: &str, environment: &[(&str, &str)]) -> (Config, Vec<Note>) {
    let mut all = vec![("SMS_MOCK_MODE", "true")];
    all.extend(environment);
    load_text(file, &all).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The errors of a configuration, one a line.
pub(super) fn refused(file: &str, environment: &[(&str, &str)]) -> String {
    load_text(file, environment).map(|_| "nothing").expect_err("must be refused").to_string()
}

pub(super) fn notes(notes: &[Note]) -> Vec<String> {
    notes.iter().map(ToString::to_string).collect()
}
