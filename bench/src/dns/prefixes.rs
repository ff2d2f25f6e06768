//! Client prefixes to ask with: drawn once, so that every server gets the same row.

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use maxminddb::{Reader, WithinOptions};
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Prefixes in a pool: enough that no cache of a processor holds what a server looks up for all of
/// them.
pub const POOL_PREFIXES: usize = 1 << 18;
/// Length of an IPv4 client subnet (RFC 7871 section 11.1).
pub const V4_BITS: u8 = 24;
/// Length of an IPv6 client subnet (RFC 7871 section 11.1).
pub const V6_BITS: u8 = 56;

/// The family of addresses of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A client prefix: /24 or /56, by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Family.
    pub family: Family,
    /// The octets of the prefix; IPv4 uses the first three.
    pub octets: [u8; 7],
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = match self.family {
            Family::V4 => V4_BITS,
            Family::V6 => V6_BITS,
        };
        write!(f, "{}/{bits}", self.first())
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Prefix {
    /// The octets that go into a question.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self.family {
            Family::V4 => &self.octets[..3],
            Family::V6 => &self.octets,
        }
    }

    /// The first address.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        let mut octets = [0; 16];
        octets[..7].copy_from_slice(&self.octets);
        match self.family {
            Family::V4 => Ipv4Addr::new(octets[0], octets[1], octets[2], 0).into(),
            Family::V6 => Ipv6Addr::from(octets).into(),
        }
    }

    /// The /24 that holds an IPv4 address.
    fn of_v4(addr: u32) -> Self {
        let [a, b, c, _] = addr.to_be_bytes();
        Self {
            family: Family::V4,
            octets: [a, b, c, 0, 0, 0, 0],
        }
    }

    /// The /56 that holds an IPv6 address.
    fn of_v6(addr: u128) -> Self {
        let mut octets = [0; 7];
        octets.copy_from_slice(&addr.to_be_bytes()[..7]);
        Self {
            family: Family::V6,
            octets,
        }
    }
}

/// Families that ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// One or the other, at random.
    Mixed,
}

/// Spread of prefixes over the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// In networks of the database: IPv4 by how many addresses they have, IPv6 each network alike.
    Known,
    /// Anywhere in 1.0.0.0 to 223.255.255.255 and in 2000::/3.
    Uniform,
}

/// A splitmix64 generator: the same seed gives the same row.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        coverage::split::mix(self.0)
    }

    /// A number below `bound`, which is above 0; the bias of the remainder is far below what is
    /// measured.
    fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }
}

/// The networks of a database.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    /// First address, and the number of addresses in all networks up to and with this one.
    v4: Vec<(u32, u64)>,
    /// First address and length.
    v6: Vec<(u128, u8)>,
}

impl Networks {
    /// Reads the networks of an mmdb file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no network.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let reader = Reader::open_readfile(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut networks = Self::default();
        let mut total = 0;
        for found in reader.networks(WithinOptions::default())? {
            let network = found?.network()?;
            match network.ip() {
                IpAddr::V4(first) => {
                    total += 1_u64 << (32 - u32::from(network.prefix().min(32)));
                    networks.v4.push((u32::from(first), total));
                }
                IpAddr::V6(first) => networks.v6.push((u128::from(first), network.prefix())),
            }
        }
        ensure!(
            !networks.v4.is_empty() && !networks.v6.is_empty(),
            "{} lacks networks of one family",
            path.display()
        );
        Ok(networks)
    }

    /// A random /24 in a network of the database.
    fn v4(&self, random: &mut Random) -> Prefix {
        let total = self.v4.last().map_or(1, |(_, total)| *total);
        let wanted = random.below(total);
        let index = self.v4.partition_point(|(_, upto)| *upto <= wanted);
        let before = index
            .checked_sub(1)
            .map_or(0, |previous| self.v4[previous].1);
        let offset = u32::try_from(wanted - before).unwrap_or(0);
        Prefix::of_v4(self.v4[index].0 | offset)
    }

    /// A random /56 in a network of the database, or around one that is longer.
    fn v6(&self, random: &mut Random) -> Prefix {
        let index = random.below(self.v6.len() as u64);
        let (first, bits) = self.v6[usize::try_from(index).unwrap_or(0)];
        let below = u128::from(random.next_u64()) << 64;
        let host = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
        Prefix::of_v6(first | (below & host))
    }
}

/// A row of [`POOL_PREFIXES`] prefixes.
#[must_use]
pub fn pool(networks: &Networks, families: Families, spread: Spread, seed: u64) -> Vec<Prefix> {
    let mut random = Random::new(seed);
    let draw = |_| {
        let family = match families {
            Families::V4 => Family::V4,
            Families::V6 => Family::V6,
            Families::Mixed if random.next_u64() & 1 == 0 => Family::V4,
            Families::Mixed => Family::V6,
        };
        match (family, spread) {
            (Family::V4, Spread::Known) => networks.v4(&mut random),
            (Family::V6, Spread::Known) => networks.v6(&mut random),
            (Family::V4, Spread::Uniform) => {
                let third = u32::try_from(random.below(223 << 16)).unwrap_or(0);
                Prefix::of_v4((1 << 24) + (third << 8))
            }
            (Family::V6, Spread::Uniform) => {
                let below = u128::from(random.next_u64()) << 64;
                Prefix::of_v6((1 << 125) | (below >> 3))
            }
        }
    };
    (0..POOL_PREFIXES).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks() -> Networks {
        let v4 = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
        let v6 = |text: &str| u128::from(text.parse::<Ipv6Addr>().unwrap());
        Networks {
            v4: vec![(v4("192.0.2.0"), 256), (v4("198.18.0.0"), 256 + 3 * 256)],
            v6: vec![(v6("2001:db8::"), 32), (v6("2001:db9:1:2:3::"), 80)],
        }
    }

    #[test]
    fn known_prefixes_lie_in_the_networks_by_their_weight() {
        let row = pool(&networks(), Families::V4, Spread::Known, 1);
        let small = row
            .iter()
            .filter(|prefix| prefix.octets() == [192, 0, 2])
            .count();
        assert!(row.len() == POOL_PREFIXES);
        // A quarter of the addresses; the standard deviation is 220.
        assert!(small.abs_diff(POOL_PREFIXES / 4) < 1500, "{small}");
        let rest = row.iter().filter(|prefix| prefix.octets[0] != 192);
        for prefix in rest {
            assert_eq!(prefix.octets()[..2], [198, 18]);
            assert!(prefix.octets()[2] < 3);
        }
    }

    #[test]
    fn a_longer_network_gives_the_prefix_around_it() {
        let row = pool(&networks(), Families::V6, Spread::Known, 1);
        let around = Prefix::of_v6(u128::from("2001:db9:1::".parse::<Ipv6Addr>().unwrap()));
        assert!(row.contains(&around));
        for prefix in &row {
            let inside = prefix.octets[..4] == [0x20, 0x01, 0x0d, 0xb8];
            assert!(inside || *prefix == around, "{:?}", prefix.first());
        }
    }

    #[test]
    fn uniform_prefixes_are_public_and_mixed_ones_are_mixed() {
        let row = pool(&networks(), Families::Mixed, Spread::Uniform, 7);
        let mut v4 = 0;
        for prefix in &row {
            match prefix.family {
                Family::V4 => {
                    v4 += 1;
                    assert!((1..=223).contains(&prefix.octets[0]));
                }
                Family::V6 => assert_eq!(prefix.octets[0] >> 5, 1),
            }
        }
        assert!(row.len().abs_diff(2 * v4) < 4000, "{v4}");
        assert_eq!(row, pool(&networks(), Families::Mixed, Spread::Uniform, 7));
    }
}
