//! `verifyd config check` and `verifyd config print`, as functions of what loading gave.
//!
//! Both answer the exit code: 0 if the configuration can be served, 1 if not. Notes and errors go to `errors`, results to
//! `output`, so that `verifyd config print > verifyd.toml` holds nothing else; with `--json` all is one object on `output`.

use std::io::{self, Write};

use serde_json::json;

use crate::config::{Config, ConfigErrors, Note};

/// What [`Config::load`] gave.
pub type Loaded = Result<(Config, Vec<Note>), ConfigErrors>;

/// Where a command writes.
pub struct Streams<'a> {
    /// Results.
    pub output: &'a mut dyn Write,
    /// Everything else.
    pub errors: &'a mut dyn Write,
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams")
    }
}

/// Says whether the configuration is valid, and everything worth knowing.
///
/// # Errors
/// What writing gives.
pub fn check(loaded: &Loaded, json: bool, mut streams: Streams<'_>) -> io::Result<u8> {
    match loaded {
        Ok((_, notes)) if json => write_json(streams.output, &json!({"valid": true, "errors": [], "notes": notes}))?,
        Ok((_, notes)) => {
            write_notes(notes, streams.errors)?;
            writeln!(streams.output, "configuration is valid")?;
        }
        Err(errors) => write_errors(errors, json, &mut streams)?,
    }
    Ok(exit_code(loaded))
}

/// Prints the configuration in force, secrets masked.
///
/// # Errors
/// What writing gives.
pub fn print(loaded: &Loaded, json: bool, mut streams: Streams<'_>) -> io::Result<u8> {
    match loaded {
        Ok((config, _)) if json => write_json(streams.output, &config.effective.to_json())?,
        Ok((config, _)) => streams.output.write_all(config.effective.to_toml().as_bytes())?,
        Err(errors) => write_errors(errors, json, &mut streams)?,
    }
    Ok(exit_code(loaded))
}

fn exit_code(loaded: &Loaded) -> u8 {
    u8::from(loaded.is_err())
}

/// Writes notes for people, one a line.
///
/// # Errors
/// What writing gives.
pub fn write_notes(notes: &[Note], output: &mut dyn Write) -> io::Result<()> {
    notes.iter().try_for_each(|note| {
        let level = match note.level {
            crate::config::NoteLevel::Remark => "note",
            crate::config::NoteLevel::Warning => "warning",
        };
        writeln!(output, "{level}: {note}")
    })
}

fn write_errors(errors: &ConfigErrors, json: bool, streams: &mut Streams<'_>) -> io::Result<()> {
    if json {
        return write_json(streams.output, &json!({"valid": false, "errors": errors.errors(), "notes": []}));
    }
    errors.errors().iter().try_for_each(|error| writeln!(streams.errors, "error: {error}"))
}

fn write_json(output: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *output, value)?;
    output.write_all(b"\n")
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
