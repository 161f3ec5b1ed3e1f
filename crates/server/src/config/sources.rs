//! Where a configuration comes from: one file, the environment, the flags.
//!
//! [`Sources`] holds all of it as text, so that loading is a pure function and tests need no process of their own.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use verifyd_core::clock::Timestamp;

use super::findings::ConfigErrors;
use super::value::shown;

/// The file that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "verifyd.toml";
/// The variable that names the file.
pub const FILE_VARIABLE: &str = "VERIFYD_CONFIG";
/// The variable that tells commands where the server is.
pub const URL_VARIABLE: &str = "VERIFYD_URL";
/// The largest file that is read, in bytes: configuration, secret or certificates.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What the command line says. Secrets are never flags: every user of a machine can read the command line of every process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<String>,
    /// `--store`.
    pub store: Option<String>,
    /// `--log`.
    pub log: Option<String>,
    /// `--log-format`.
    pub log_format: Option<String>,
    /// `--i-expose-codes`: codes may be shown on a listener that other machines reach.
    pub i_expose_codes: bool,
}

impl Flags {
    /// The flags that stand for keys: flag, path of the key, value.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        [
            ("--listen", "listen", &self.listen),
            ("--data-dir", "data_dir", &self.data_dir),
            ("--store", "store.url", &self.store),
            ("--log", "log.filter", &self.log),
            ("--log-format", "log.format", &self.log_format),
        ]
        .into_iter()
        .filter_map(|(flag, path, value)| Some((flag, path, value.as_deref()?)))
    }
}

/// The text of the configuration file.
#[derive(Clone)]
pub struct ConfigFile {
    /// The file as messages name it.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Reads a file that the configuration names (a secret, certificates).
pub type ReadFile = fn(&Path) -> io::Result<String>;

/// Everything a configuration is made of. No `Debug` of its contents: secrets are among them.
#[derive(Clone)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<ConfigFile>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The command line.
    pub flags: Flags,
    /// The present, for remarks on test numbers.
    pub now: Timestamp,
    /// How files that the configuration names are read.
    pub read_file: ReadFile,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("flags", &self.flags).finish_non_exhaustive()
    }
}

impl Sources {
    /// Reads the file that `--config` or `VERIFYD_CONFIG` names, else [`DEFAULT_FILE`] if it exists.
    ///
    /// # Errors
    /// A named file that cannot be read; a default file that exists and cannot.
    pub fn gather(flags: Flags, environment: BTreeMap<String, String>, now: Timestamp) -> Result<Self, ConfigErrors> {
        let from_variable = environment.get(FILE_VARIABLE).filter(|name| !name.is_empty());
        let (field, path) = match (&flags.config, from_variable) {
            (Some(path), _) => ("--config", Some(path.clone())),
            (None, Some(name)) => (FILE_VARIABLE, Some(PathBuf::from(name))),
            (None, None) => (DEFAULT_FILE, None),
        };
        let named = path.is_some();
        let path = path.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let name = path.display().to_string();
        let file = match read_file(&path) {
            Ok(text) => Some(ConfigFile { name, text }),
            Err(error) if !named && error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let problem = format_args!("{} cannot be read: {error}", shown(&name, true));
                return Err(ConfigErrors::of(field, problem));
            }
        };
        Ok(Self { file, environment, flags, now, read_file })
    }
}

/// The environment of this process; names that are no text are left out.
#[must_use]
pub fn process_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect()
}

/// Reads a text file of at most [`MAX_FILE_BYTES`].
///
/// # Errors
/// What the system says, or that the file is too large or no text.
pub fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)? as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(text)
}
