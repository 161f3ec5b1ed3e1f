//! The last line of a message, which a phone reads: the origin-bound code of WebOTP and the hash of an Android app.
//!
//! Sources: WICG "Origin-bound one-time codes delivered via SMS" (grammar and the normative parsing of its §3.2) and the
//! documentation of Android's SMS Retriever (11 characters of hash, at most 140 bytes). A browser ignores what follows the
//! code, and Android looks for the hash anywhere in the message, so one line serves both; this follows from the two texts
//! and has **not been tried on a real device**.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest message that Android's SMS Retriever reads, in bytes.
pub const MAX_APP_HASH_MESSAGE_BYTES: usize = 140;

/// Length of an Android app hash, in characters.
pub const APP_HASH_CHARS: usize = 11;

/// The longest host name in text form (RFC 1035 §2.3.4: 255 octets on the wire).
const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Why a text is not the host of a website.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseHostError {
    /// Nothing at all.
    #[error("an origin host must not be empty")]
    Empty,
    /// More than 253 bytes, or a label of more than 63.
    #[error("an origin host has at most {MAX_HOST_BYTES} characters, and {MAX_LABEL_BYTES} between two dots")]
    TooLong,
    /// `https://` in front.
    #[error("an origin host stands without its scheme: `example.com`, not `https://example.com`")]
    Scheme,
    /// `:443` behind.
    #[error("an origin host stands without a port: browsers bind codes to https on its usual port")]
    Port,
    /// Letters outside ASCII.
    #[error("an origin host with letters outside ASCII is written in its `xn--` form")]
    NotAscii,
    /// An address of the Internet Protocol.
    #[error("an origin host is a name, not an IP address")]
    IpAddress,
    /// Anything else: spaces, `#`, `_`, empty labels, hyphens at the ends, a single label other than `localhost`.
    #[error("an origin host is a host name such as `example.com`")]
    Malformed,
}

/// The host of the website that may use the code, in lower case; written as `@host` in the last line.
///
/// Only what every browser reads as that very host is accepted: letters, digits and hyphens, at least two labels
/// (or `localhost`, for development).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginHost(String);

impl OriginHost {
    /// The host.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OriginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OriginHost {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseHostError::Empty);
        }
        if text.len() > MAX_HOST_BYTES {
            return Err(ParseHostError::TooLong);
        }
        if text.contains("://") {
            return Err(ParseHostError::Scheme);
        }
        if !text.is_ascii() {
            return Err(ParseHostError::NotAscii);
        }
        if text.starts_with('[') || text.matches(':').count() > 1 {
            return Err(ParseHostError::IpAddress);
        }
        if text.contains(':') {
            return Err(ParseHostError::Port);
        }
        check_labels(text)?;
        Ok(Self(text.to_ascii_lowercase()))
    }
}

fn check_labels(host: &str) -> Result<(), ParseHostError> {
    for label in host.split('.') {
        let malformed = label.is_empty()
            || label.starts_with('-')
            || label.ends_with('-')
            || !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if malformed {
            return Err(ParseHostError::Malformed);
        }
        if label.len() > MAX_LABEL_BYTES {
            return Err(ParseHostError::TooLong);
        }
    }
    let Some((_, top)) = host.rsplit_once('.') else {
        return if host.eq_ignore_ascii_case("localhost") { Ok(()) } else { Err(ParseHostError::Malformed) };
    };
    // URL parsers take a host for an IPv4 address when its last label is a number, hexadecimal included.
    let hexadecimal = top.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    if hexadecimal || top.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ParseHostError::IpAddress);
    }
    Ok(())
}

impl TryFrom<String> for OriginHost {
    type Error = ParseHostError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OriginHost> for String {
    fn from(host: OriginHost) -> Self {
        host.0
    }
}

/// A text that is not an app hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an app hash is {APP_HASH_CHARS} characters of A-Z, a-z, 0-9, + and /")]
pub struct ParseAppHashError;

/// The 11 characters by which Android hands the message to one app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppHash(String);

impl AppHash {
    /// The hash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AppHash {
    type Err = ParseAppHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        if text.len() != APP_HASH_CHARS || !text.bytes().all(in_alphabet) {
            return Err(ParseAppHashError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AppHash {
    type Error = ParseAppHashError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AppHash> for String {
    fn from(hash: AppHash) -> Self {
        hash.0
    }
}

/// What the last line says beside the code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LastLine<'a> {
    /// The website that may use the code.
    pub origin: Option<&'a OriginHost>,
    /// The host of the frame inside that website in which the code is typed; without an `origin` it is left out.
    pub embedded: Option<&'a OriginHost>,
    /// The Android app that may read the message.
    pub app_hash: Option<&'a AppHash>,
}

impl LastLine<'_> {
    /// Appends a line break and the line to `text`, if there is anything to say.
    pub(super) fn append(&self, code: &str, text: &mut String) {
        let mut separator = "\n";
        if let Some(origin) = self.origin {
            push_all(text, &[separator, "@", origin.as_str(), " #", code]);
            separator = " ";
            if let Some(embedded) = self.embedded {
                push_all(text, &[separator, "@", embedded.as_str()]);
            }
        }
        if let Some(hash) = self.app_hash {
            push_all(text, &[separator, hash.as_str()]);
        }
    }

    /// Bytes that [`LastLine::append`] adds at most for a code of `code_bytes`.
    pub(super) fn max_bytes(&self, code_bytes: usize) -> usize {
        // The longest separators: line break, `@`, ` #`, ` @` and a space.
        let host_bytes = |host: Option<&OriginHost>| host.map_or(0, |host| host.as_str().len());
        7 + code_bytes + host_bytes(self.origin) + host_bytes(self.embedded) + APP_HASH_CHARS
    }
}

fn push_all(text: &mut String, pieces: &[&str]) {
    text.extend(pieces.iter().copied());
}

/// An origin-bound code found in a message. The hosts are as the message has them: a browser decides what they mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OriginBound<'a> {
    /// The website that may use the code.
    pub host: &'a str,
    /// The code; a secret.
    pub code: &'a str,
    /// The frame inside that website.
    pub embedded: Option<&'a str>,
    /// What the specification says to ignore; our app hash stands here.
    pub rest: &'a str,
}

impl fmt::Debug for OriginBound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginBound")
            .field("host", &self.host)
            .field("embedded", &self.embedded)
            .finish_non_exhaustive()
    }
}

/// Reads the last line of `message` by the normative algorithm of the WICG specification.
#[must_use]
pub fn parse_origin_bound(message: &str) -> Option<OriginBound<'_>> {
    // Newlines are normalised before the split, so a carriage return ends a line too.
    let line = message.rsplit(['\n', '\r']).next()?;
    let (host, rest) = marked_token(line, '@')?;
    let (code, rest) = marked_token(rest.strip_prefix(' ')?, '#')?;
    let embedded = rest.strip_prefix(' ').and_then(|rest| marked_token(rest, '@'));
    Some(match embedded {
        Some((embedded, rest)) => OriginBound { host, code, embedded: Some(embedded), rest },
        None => OriginBound { host, code, embedded: None, rest },
    })
}

/// A token behind its marker, up to the next ASCII white space, and what follows it.
fn marked_token(text: &str, marker: char) -> Option<(&str, &str)> {
    let text = text.strip_prefix(marker)?;
    let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
    let (token, rest) = text.split_at_checked(end)?;
    (!token.is_empty()).then_some((token, rest))
}

#[cfg(test)]
#[path = "webotp_tests.rs"]
mod tests;
