//! Prefixes of addresses as people write them, and sets of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Text that is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a prefix: write an address and a length, such as 192.0.2.0/24 or 2001:db8::/32, with no bit set beyond it"
)]
pub struct BadPrefix(pub String);

/// An address and a length in bits; all bits beyond the length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    addr: IpAddr,
    len: u8,
}

impl Prefix {
    /// The prefix of `len` bits around `addr`; `None` when its family is shorter than that.
    #[must_use]
    pub fn around(addr: IpAddr, len: u8) -> Option<Self> {
        let bits = u32::from(len);
        let addr = match addr {
            IpAddr::V4(v4) if len <= 32 => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) & !host))
            }
            IpAddr::V6(v6) if len <= 128 => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !host))
            }
            _ => return None,
        };
        Some(Self { addr, len })
    }

    /// First address.
    #[must_use]
    pub const fn addr(self) -> IpAddr {
        self.addr
    }

    /// Length in bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.len
    }

    /// Last address.
    #[must_use]
    pub fn last(self) -> IpAddr {
        let bits = u32::from(self.len);
        match self.addr {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) | host))
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) | host))
            }
        }
    }

    /// Tells whether it holds `addr`, which is of the same family.
    #[must_use]
    pub fn contains(self, addr: IpAddr) -> bool {
        self.addr.is_ipv4() == addr.is_ipv4() && self.addr <= addr && addr <= self.last()
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    /// An address alone is a prefix of full length.
    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let bad = || BadPrefix(text.to_owned());
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, Some(len.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let addr: IpAddr = addr.parse().map_err(|_| bad())?;
        let len = len.unwrap_or_else(|| if addr.is_ipv4() { 32 } else { 128 });
        Self::around(addr, len)
            .filter(|prefix| prefix.addr == addr)
            .ok_or_else(bad)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.addr, self.len)
    }
}

/// A set of prefixes of both families: disjoint ranges in order, so that a lookup takes O(log n).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixSet {
    /// First and last addresses. IPv4 comes before IPv6, as `IpAddr` orders them.
    ranges: Vec<(IpAddr, IpAddr)>,
}

impl PrefixSet {
    /// Reads prefixes such as `192.0.2.0/24`; an address alone counts as a prefix of full length.
    ///
    /// # Errors
    /// [`BadPrefix`] names the first text that is none.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, BadPrefix> {
        let mut ranges = texts
            .into_iter()
            .map(|text| {
                text.parse()
                    .map(|prefix: Prefix| (prefix.addr(), prefix.last()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        ranges.sort_unstable();
        // Of two prefixes that touch at all one holds the other, and the outer one sorts first or
        // has the same start.
        ranges.dedup_by(|next, last| {
            let nested = next.0 <= last.1;
            last.1 = if nested { last.1.max(next.1) } else { last.1 };
            nested
        });
        Ok(Self { ranges })
    }

    /// Tells whether some prefix holds `addr`; IPv4-mapped IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        let after = self.ranges.partition_point(|(first, _)| *first <= addr);
        after
            .checked_sub(1)
            .is_some_and(|index| self.ranges[index].1 >= addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_follows_the_prefixes() {
        let texts = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "192.0.2.7",
            "2001:db8::/32",
            "11.0.0.0/8",
        ];
        let set = PrefixSet::parse(texts).unwrap();
        for (addr, inside) in [
            ("10.255.0.1", true),
            ("11.0.0.0", true),
            ("12.0.0.0", false),
            ("9.255.255.255", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.0.0.1", true),
            ("2001:db8:ffff::", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(set.contains(addr.parse().unwrap()), inside, "{addr}");
        }
        assert!(!PrefixSet::default().contains("::1".parse().unwrap()));
    }

    #[test]
    fn families_are_apart() {
        let v4 = PrefixSet::parse(["0.0.0.0/0"]).unwrap();
        let v6 = PrefixSet::parse(["::/0"]).unwrap();
        for (addr, in_v4) in [("203.0.113.9", true), ("::1", false)] {
            let addr = addr.parse().unwrap();
            assert_eq!((v4.contains(addr), v6.contains(addr)), (in_v4, !in_v4));
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0/8",
            "",
            "::1/127",
            "::/129",
            "host/8",
        ] {
            assert_eq!(PrefixSet::parse([text]), Err(BadPrefix(text.to_owned())));
        }
    }

    #[test]
    fn a_prefix_is_written_as_it_is_read() {
        for text in ["0.0.0.0/0", "192.0.2.7/32", "2001:db8::/33", "::/0"] {
            let prefix: Prefix = text.parse().unwrap();
            assert_eq!(prefix.to_string(), text);
            assert!(prefix.contains(prefix.addr()) && prefix.contains(prefix.last()));
        }
    }
}
