//! Secrets from files: `auth_token_file` instead of `auth_token`, for every secret.
//!
//! A secret that is given both ways is refused, wherever the two were written: one of them is out of date.

use std::path::Path;

use super::findings::{Findings, written};
use super::reference::{FILE_SUFFIX, Kind};
use super::sources::ReadFile;
use super::value::{Entry, Origin, Value, Values};

/// Replaces every `…_file` by what the file holds.
pub(super) fn resolve(mut values: Values, read_file: ReadFile, findings: &mut Findings) -> Values {
    let files: Vec<(String, Entry)> = values
        .iter()
        .filter(|(_, entry)| entry.is_secret_file)
        .map(|(path, entry)| (path.clone(), entry.clone()))
        .collect();
    for (file_path, entry) in files {
        let path = file_path.strip_suffix(FILE_SUFFIX).unwrap_or(&file_path);
        if let Some(direct) = values.get(path).filter(|direct| direct.origin != Origin::Default) {
            let (direct, _) = written(path, &direct.origin);
            let (from_file, _) = written(&file_path, &entry.origin);
            findings.refuse(format!("{direct} and {from_file}"), "both are given; remove one of them");
            continue;
        }
        if let Some(secret) = read(&file_path, &entry, read_file, findings) {
            values.put(path.to_owned(), Entry { is_secret_file: false, value: Value::Text(secret), ..entry });
        }
    }
    refuse_masks(&values, findings);
    values
}

fn read(path: &str, entry: &Entry, read_file: ReadFile, findings: &mut Findings) -> Option<String> {
    let Value::Text(file) = &entry.value else { return None };
    match read_file(Path::new(file)) {
        // Editors and `echo` end a file with a line break, which is no part of the secret.
        Ok(text) if !text.trim_end_matches(['\n', '\r']).is_empty() => {
            Some(text.trim_end_matches(['\n', '\r']).to_owned())
        }
        Ok(_) => {
            findings.refuse_entry(path, entry, "the file is empty; write the secret into it");
            None
        }
        Err(error) => {
            findings.refuse_entry(path, entry, format_args!("the file cannot be read: {error}"));
            None
        }
    }
}

/// What `config print` shows instead of a secret must never become one.
fn refuse_masks(values: &Values, findings: &mut Findings) {
    for (path, entry) in values.iter().filter(|(_, entry)| entry.key.kind == Kind::Secret && !entry.is_secret_file) {
        if let Value::Text(text) = &entry.value
            && !text.is_empty()
            && text.bytes().all(|byte| byte == b'*')
        {
            findings.refuse_entry(
                path,
                entry,
                "this is the mask that verifyd config print shows; put the secret itself here",
            );
        }
    }
}
