//! Secrets on their way in: from a prompt that does not show them, or a line of standard input.
//!
//! At a terminal every key is read by itself with echo and signals switched off, so that Ctrl-C comes here as a byte and the
//! terminal is put back before the command ends. A signal from elsewhere that ends the process meanwhile leaves the echo off, as
//! with every program of this kind; `stty echo` mends it.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// More than any key or code has, in bytes.
const MAX_SECRET_BYTES: usize = 1024;
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 21;
const BACKSPACE: [u8; 2] = [8, 127];

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum PromptError {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The input ended before a line.
    #[error("standard input has ended")]
    Ended,
    /// A line longer than any secret.
    #[error("longer than {MAX_SECRET_BYTES} bytes")]
    TooLong,
    /// No text.
    #[error("not text")]
    NotText,
    /// The system.
    #[error("standard input cannot be read: {0}")]
    Input(#[from] io::Error),
}

/// Reads the next secret: asked for by `question` at a terminal, else the next line of standard input.
pub(super) fn secret(question: &str) -> Result<Zeroizing<String>, PromptError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return line(&mut stdin.lock());
    }
    // Quiet before the question: whoever answers it at once is not shown either.
    let quiet = Quiet::new()?;
    let mut shown = io::stderr();
    write!(shown, "{question} (not shown): ")?;
    shown.flush()?;
    let read = typed(&mut stdin.lock());
    drop(quiet);
    // The line end that was typed was not shown either.
    writeln!(shown)?;
    read
}

/// A terminal that shows nothing and sends no signals while this value lives.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).unwrap_or_default();
    }
}

/// What is typed up to the line end, with the usual keys to mend it.
fn typed(keys: &mut dyn Read) -> Result<Zeroizing<String>, PromptError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES));
    let mut key = [0];
    loop {
        match keys.read(&mut key) {
            Ok(0) => key = [CTRL_D],
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        }
        match key {
            [b'\n' | b'\r'] => return text(&mut bytes),
            [CTRL_C] => return Err(PromptError::Interrupted),
            [CTRL_D] if bytes.is_empty() => return Err(PromptError::Ended),
            [CTRL_D] => return text(&mut bytes),
            [CTRL_U] => bytes.clear(),
            [byte] if BACKSPACE.contains(&byte) => {
                bytes.pop();
            }
            [byte] if byte.is_ascii_control() => {}
            [_] if bytes.len() >= MAX_SECRET_BYTES => return Err(PromptError::TooLong),
            [byte] => bytes.push(byte),
        }
    }
}

/// The next line of an input that is no terminal.
fn line(input: &mut dyn BufRead) -> Result<Zeroizing<String>, PromptError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES));
    let most = MAX_SECRET_BYTES as u64 + 2;
    if input.take(most).read_until(b'\n', &mut bytes)? == 0 {
        return Err(PromptError::Ended);
    }
    if bytes.len() as u64 == most && bytes.last() != Some(&b'\n') {
        return Err(PromptError::TooLong);
    }
    text(&mut bytes)
}

fn text(bytes: &mut Vec<u8>) -> Result<Zeroizing<String>, PromptError> {
    match String::from_utf8(std::mem::take(bytes)) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            Ok(Zeroizing::new(text.trim().to_owned()))
        }
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(PromptError::NotText)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(keys: &[u8]) -> Result<String, String> {
        typed(&mut &*keys).map(|text| text.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_at_a_prompt_do_what_they_do_elsewhere() {
        assert_eq!(said(b"123456\nrest"), Ok("123456".to_owned()));
        assert_eq!(said(b"12\x7f3\x084\r"), Ok("14".to_owned()));
        assert_eq!(said(b"\x7f12\x1534\n"), Ok("34".to_owned()));
        assert_eq!(said(b"12\x04"), Ok("12".to_owned()));
        assert_eq!(said(b"12\x1a\x1b3\n"), Ok("123".to_owned()));
        assert_eq!(said(b"\x04"), Err("standard input has ended".to_owned()));
        assert_eq!(said(b""), Err("standard input has ended".to_owned()));
        assert_eq!(said(b"12\x03"), Err("interrupted".to_owned()));
        assert_eq!(said(b"\xff\n"), Err("not text".to_owned()));
    }

    #[test]
    fn lines_are_taken_one_by_one_up_to_the_bound() {
        let mut input: &[u8] = b"key\r\n 123456 \nlast";
        let mut next = || line(&mut input).map(|text| text.to_string()).map_err(|error| error.to_string());
        assert_eq!((next(), next(), next()), (Ok("key".into()), Ok("123456".into()), Ok("last".into())));
        assert_eq!(next(), Err("standard input has ended".to_owned()));
        for (length, fits) in [(MAX_SECRET_BYTES - 1, true), (MAX_SECRET_BYTES, true), (MAX_SECRET_BYTES + 2, false)] {
            let long = "1".repeat(length);
            assert_eq!(line(&mut long.as_bytes()).is_ok(), fits, "{length}");
            assert_eq!(line(&mut format!("{long}\n").as_bytes()).is_ok(), fits, "{length}");
        }
    }
}
