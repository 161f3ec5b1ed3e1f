//! Which API key a command presents: never one from the command line, which every user of the machine can read.

use std::collections::BTreeMap;
use std::path::Path;

use url::{Host, Url};
use zeroize::Zeroizing;

use crate::cli::exit::Failure;
use crate::cli::prompt;
use crate::config::{DEV_API_KEY, MAX_FILE_BYTES, read_file};

/// The variable that holds the key.
pub(in crate::cli) const KEY_VARIABLE: &str = "VERIFYD_API_KEY";
/// The variable that names a file with the key.
pub(in crate::cli) const KEY_FILE_VARIABLE: &str = "VERIFYD_API_KEY_FILE";
/// What `--key` takes for standard input.
const STANDARD_INPUT: &str = "-";
/// How every key begins that `verifyd keys create` made.
const MADE_BY_US: &str = "vd_";
/// A key travels in a header.
const MAX_KEY_BYTES: usize = 256;

const NEVER_A_KEY: &str = "--key takes the path of a file that holds the key (or - for standard input), never the key itself: \
     every user of this machine can read the command line of every process, and your shell keeps it";

/// The key to present to `server`: of `--key`, else of the environment, else the public one of `verifyd dev` if the server is
/// on this machine.
pub(super) fn find(
    flag: Option<&str>,
    environment: &BTreeMap<String, String>,
    server: &Url,
) -> Result<Zeroizing<String>, Failure> {
    let variable = |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    match (flag, variable(KEY_VARIABLE), variable(KEY_FILE_VARIABLE)) {
        (Some(flag), _, _) => of_flag(flag),
        (None, Some(_), Some(_)) => {
            Err(Failure::usage(format_args!("{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set; unset one of them")))
        }
        (None, Some(key), None) => valid(key, KEY_VARIABLE),
        (None, None, Some(path)) => of_file(path, KEY_FILE_VARIABLE),
        (None, None, None) if is_this_machine(server) => Ok(Zeroizing::new(DEV_API_KEY.to_owned())),
        (None, None, None) => Err(Failure::usage("no API key is given").remedy(format!(
            "set {KEY_VARIABLE} or {KEY_FILE_VARIABLE}, or add --key FILE; verifyd keys create makes a key"
        ))),
    }
}

fn of_flag(flag: &str) -> Result<Zeroizing<String>, Failure> {
    if flag == STANDARD_INPUT {
        let key = prompt::secret("API key").map_err(|error| super::prompt_failure(&error, "no API key was given"))?;
        return valid(&key, "standard input");
    }
    // Public, and the same on every machine; a file of that name is ./dev.
    if flag == DEV_API_KEY {
        return Ok(Zeroizing::new(DEV_API_KEY.to_owned()));
    }
    if flag.starts_with(MADE_BY_US) {
        return Err(Failure::usage(NEVER_A_KEY).remedy(format!(
            "that key has been seen: revoke it (verifyd keys revoke) and make another\n\
             then put it into a file for you only (chmod 600) and give its path, or set {KEY_VARIABLE}"
        )));
    }
    of_file(flag, "--key")
}

fn of_file(path: &str, said_by: &str) -> Result<Zeroizing<String>, Failure> {
    // The value is not repeated: it may be a key that was given in place of a path.
    match read_file(Path::new(path)) {
        Ok(text) => valid(Zeroizing::new(text).trim(), &format!("the file of {said_by}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && said_by == "--key" => {
            Err(Failure::usage("--key: there is no such file").remedy(NEVER_A_KEY))
        }
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            Err(Failure::usage(format_args!("{said_by}: the file is larger than {MAX_FILE_BYTES} bytes, so no key")))
        }
        Err(error) => Err(Failure::usage(format_args!("{said_by}: the file cannot be read: {error}"))),
    }
}

fn valid(key: &str, place: &str) -> Result<Zeroizing<String>, Failure> {
    let fits = (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(Zeroizing::new(key.to_owned()));
    }
    Err(Failure::usage(format_args!(
        "{place} holds no API key: expected 1 to {MAX_KEY_BYTES} printable ASCII characters without spaces"
    )))
}

/// Whether a URL names this machine, by its words alone.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:8080/";
    const THERE: &str = "https://verify.example.com/";

    fn found(flag: Option<&str>, environment: &[(&str, &str)], server: &str) -> Result<String, Failure> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        find(flag, &environment, &server.parse().unwrap()).map(|key| key.to_string())
    }

    #[test]
    fn the_flag_counts_before_the_environment_and_dev_is_for_this_machine_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "from-the-file\n").unwrap();
        let file = path.to_str().unwrap();
        assert_eq!(found(Some(file), &[(KEY_VARIABLE, "other")], THERE).unwrap(), "from-the-file");
        assert_eq!(found(None, &[(KEY_FILE_VARIABLE, file)], THERE).unwrap(), "from-the-file");
        assert_eq!(found(None, &[(KEY_VARIABLE, " own ")], HERE).unwrap(), "own");
        assert_eq!(found(None, &[(KEY_VARIABLE, "")], HERE).unwrap(), "dev");
        for here in ["http://localhost:1", "http://[::1]:1", "http://a.localhost", "http://127.9.9.9"] {
            assert_eq!(found(None, &[], here).unwrap(), "dev", "{here}");
        }
        assert_eq!(found(Some("dev"), &[], THERE).unwrap(), "dev");
        for there in [THERE, "http://localhost.example.com", "http://10.0.0.1"] {
            let failure = found(None, &[], there).unwrap_err();
            assert_eq!((failure.message.as_str(), failure.exit.number()), ("no API key is given", 2), "{there}");
        }
        assert!(found(None, &[(KEY_VARIABLE, "a"), (KEY_FILE_VARIABLE, file)], HERE).is_err());
    }

    #[test]
    fn a_key_in_place_of_a_path_is_refused_and_not_repeated() {
        let made = format!("vd_{}", "5e".repeat(32));
        for (given, says) in [(made.as_str(), "never the key itself"), ("hunter2hunter2", "there is no such file")] {
            let failure = found(Some(given), &[], HERE).unwrap_err();
            assert_eq!(failure.exit.number(), 2);
            assert!(failure.message.contains(says), "{}", failure.message);
            let all = format!("{failure:?}");
            assert!(!all.contains(given) && all.contains("never the key itself"), "{all}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_by_its_place() {
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        for bad in ["two words", "käse", &long] {
            let failure = found(None, &[(KEY_VARIABLE, bad)], HERE).unwrap_err();
            assert!(failure.message.starts_with("VERIFYD_API_KEY holds no API key"), "{}", failure.message);
            assert!(!failure.message.contains(bad));
        }
        assert!(found(None, &[(KEY_VARIABLE, &"x".repeat(MAX_KEY_BYTES))], HERE).is_ok());
    }
}
