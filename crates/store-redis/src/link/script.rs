//! A Lua script and its name at the server: the SHA-1 of its text. The server asks for the text once after a start or a flush.

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// A script, ready to be called. Its first two arguments are the link's: see [`Link::call`](super::Link::call).
#[derive(Clone)]
pub struct Script {
    text: &'static str,
    sha: String,
    confirmed: bool,
}

impl Script {
    /// Names a script by its text.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let hex = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        let sha = digest.as_ref().iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]).collect();
        Self { text, sha, confirmed: false }
    }

    /// What it writes must be with the replicas before it is answered, where the operator asks for that
    /// ([`wait_replicas`](super::LinkSettings::wait_replicas)).
    #[must_use]
    pub fn confirmed(mut self) -> Self {
        self.confirmed = true;
        self
    }

    pub(super) const fn confirmed_by_replicas(&self) -> bool {
        self.confirmed
    }

    pub(super) fn text(&self) -> &'static str {
        self.text
    }

    pub(super) fn sha(&self) -> &str {
        &self.sha
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.sha).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_the_name_that_redis_gives_it() {
        // As `SCRIPT LOAD "return 1"` answers.
        assert_eq!(Script::new("return 1").sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
