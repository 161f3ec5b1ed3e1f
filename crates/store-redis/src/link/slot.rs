//! Which slot of a Cluster a key is in: CRC-16/XMODEM of its tag or of all of it, as the Cluster's specification says.

/// How many slots a Cluster has.
pub(super) const SLOTS: u16 = 16384;

/// The slot of `key`.
pub(super) fn slot(key: &[u8]) -> u16 {
    crc16(tag(key)) % SLOTS
}

/// What stands between the first `{` and the next `}`, unless that is nothing; else the whole key.
fn tag(key: &[u8]) -> &[u8] {
    let whole = || {
        let (_, behind) = split_at_byte(key, b'{')?;
        let (tag, _) = split_at_byte(behind, b'}')?;
        Some(tag).filter(|tag| !tag.is_empty())
    };
    whole().unwrap_or(key)
}

fn split_at_byte(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    let (before, behind) = bytes.split_at_checked(place)?;
    Some((before, behind.get(1..)?))
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` answers.
    #[test]
    fn slots_are_those_of_redis() {
        let table: [(&str, u16); 7] = [
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}bar", 12182),
            ("a{foo}{bar}", 12182),
            ("foo{}", 5542),
            ("{", 4092),
            ("", 0),
        ];
        for (key, expected) in table {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }
}
