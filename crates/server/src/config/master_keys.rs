//! Where the master keys come from: given (`keys`, `keys_file`), the data directory, or made for the process.

use std::path::PathBuf;

use verifyd_core::keys::{KeyRing, MasterKey};

use super::Environment;
use super::reader::Reader;
use super::store::{Store, StoreKind};
use crate::key_file::{KEY_FILE, parse_keys};

/// Where the master keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// They were given; the first makes new data.
    Given(Vec<MasterKey>),
    /// The key file in this directory, made if absent: [`crate::key_file::load_or_create`].
    DataDirectory(PathBuf),
    /// A fresh key that ends with the process, as the memory store does.
    Process,
}

pub(super) fn read(reader: &mut Reader<'_>, store: Option<&Store>) -> Option<KeySource> {
    if reader.is_given("keys") {
        let keys = reader.parsed_by("keys", |text| {
            let keys = parse_keys(text).map_err(|error| error.to_string())?;
            // A ring of its own, only to learn whether one can be made of them.
            KeyRing::new(&keys, None).map_err(|error| error.to_string())?;
            Ok::<_, String>(keys)
        })?;
        return Some(KeySource::Given(keys));
    }
    let store = store?;
    match store.config.kind {
        StoreKind::Memory => Some(KeySource::Process),
        StoreKind::Embedded => Some(beside_the_data(reader, store)),
        // One key made by each node would find none of what the others wrote.
        StoreKind::Redis if !reader.findings.is_refused("keys") && !reader.findings.is_refused("keys_file") => {
            reader.refuse(
                "keys",
                "with Redis the keys must be given, the same to every node: VERIFYD_KEYS or keys_file, id:base64 of 32 bytes; openssl rand -base64 32 makes a good key",
            );
            None
        }
        StoreKind::Redis => None,
    }
}

fn beside_the_data(reader: &mut Reader<'_>, store: &Store) -> KeySource {
    if reader.environment == Environment::Production {
        let file = store.data_dir.join(KEY_FILE);
        reader.findings.remark(
            "keys",
            format!(
                "not set: the master key lies beside the data, in {}; VERIFYD_KEYS or keys_file keeps it apart",
                file.display()
            ),
        );
    }
    KeySource::DataDirectory(store.data_dir.clone())
}
