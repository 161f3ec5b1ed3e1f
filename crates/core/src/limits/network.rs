//! Which networks an address counts against.
//!
//! An IPv4 address counts by itself. An IPv6 customer holds far more than one address (RIPE-690: a /56 for a home, a /48 for a
//! business), so an address counts against its /64, its /56 and its /48, with N, 2N and 8N. IPv4-mapped addresses are IPv4.

use std::net::{IpAddr, Ipv6Addr};

use smallvec::{SmallVec, smallvec};

/// A network that a limit by address counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
    /// How many times the configured N it may take.
    pub factor: u32,
}

impl Network {
    /// Bytes that name it, for hashing.
    #[must_use]
    pub fn key_bytes(&self) -> Vec<u8> {
        let mut bytes = match self.base {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        bytes.push(self.prefix);
        bytes
    }
}

fn v6_network(address: Ipv6Addr, prefix: u8, factor: u32) -> Network {
    let mask = u128::MAX << (128 - u32::from(prefix));
    Network { base: IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask)), prefix, factor }
}

/// The networks `address` counts against, narrowest first.
#[must_use]
pub fn networks_of(address: IpAddr) -> SmallVec<[Network; 3]> {
    match address.to_canonical() {
        IpAddr::V4(v4) => smallvec![Network { base: IpAddr::V4(v4), prefix: 32, factor: 1 }],
        IpAddr::V6(v6) => smallvec![v6_network(v6, 64, 1), v6_network(v6, 56, 2), v6_network(v6, 48, 8)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Vec<u8>> {
        networks_of(text.parse().unwrap()).iter().map(Network::key_bytes).collect()
    }

    #[test]
    fn neighbours_share_the_wider_networks() {
        assert_eq!(keys("::ffff:203.0.113.7"), keys("203.0.113.7"));
        assert_ne!(keys("203.0.113.7"), keys("203.0.113.8"));
        let (a, b, c) = (keys("2001:db8:1:100::1"), keys("2001:db8:1:1ff::1"), keys("2001:db8:1:200::1"));
        assert_ne!(a[0], b[0]);
        assert_eq!(a[1], b[1]);
        assert_ne!(a[1], c[1]);
        assert_eq!(a[2], c[2]);
        assert_eq!(networks_of("2001:db8::1".parse().unwrap()).iter().map(|n| n.factor).collect::<Vec<_>>(), [1, 2, 8]);
    }
}
