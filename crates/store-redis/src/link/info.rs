//! What `INFO` says: lines of `name:value`.

/// The text of an `INFO`, read on demand.
#[derive(Clone, Copy)]
pub(super) struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    pub(super) const fn parse(text: &'a str) -> Self {
        Self(text)
    }

    /// The value of `name`, if the server tells it.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
    }

    /// The value of `name` as a number.
    pub(super) fn number(self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let info = Info::parse(
            "# Replication\r\nrole:master\r\nmaster_replid2:00\r\nmaster_replid:ab\r\nconnected_slaves:2\r\n",
        );
        assert_eq!(
            (info.get("role"), info.get("master_replid"), info.get("master")),
            (Some("master"), Some("ab"), None)
        );
        assert_eq!((info.number("connected_slaves"), info.number("role")), (Some(2), None));
    }
}
