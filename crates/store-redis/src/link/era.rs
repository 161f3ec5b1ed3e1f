//! The eras of a primary: what tells a client that writes may have been lost.
//!
//! An era is one primary's time in office: the first eight bytes of its replication id, which Redis makes anew when a server starts
//! and when a replica is promoted, and never makes again. Data of an earlier era may have lost its last writes, so a code of an
//! earlier era may have more guesses behind it than are counted.
//!
//! Redis also makes a new replication id when the last replica has been gone for an hour (`repl-backlog-ttl`). Nothing is lost then, and
//! we cannot know it: what is pending is void once, on the safe side.

use std::fmt;

/// How many bytes an era has for a script.
pub const ERA_BYTES: usize = 8;

/// One primary's time in office.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Era([u8; ERA_BYTES]);

impl Era {
    /// From a replication id as `INFO replication` shows it; `None` for the id of zeros, which means that there is none.
    pub(super) fn from_replication_id(id: &str) -> Option<Self> {
        let digits = id.get(..2 * ERA_BYTES)?;
        let number = u64::from_str_radix(digits, 16).ok()?;
        (number != 0).then(|| Self(number.to_be_bytes()))
    }

    /// As a script gets it.
    pub(super) const fn bytes(self) -> [u8; ERA_BYTES] {
        self.0
    }
}

impl fmt::Debug for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_era_is_the_beginning_of_the_replication_id() {
        let era = Era::from_replication_id("bedefeb9f0ad89c155b8f46f24fca46ebaf46a9b").unwrap();
        assert_eq!(era.bytes(), [0xbe, 0xde, 0xfe, 0xb9, 0xf0, 0xad, 0x89, 0xc1]);
        assert_eq!(era.to_string(), "bedefeb9f0ad89c1");
        for none in ["0000000000000000000000000000000000000000", "", "bede", "no hex digits at all"] {
            assert_eq!(Era::from_replication_id(none), None, "{none}");
        }
    }
}
