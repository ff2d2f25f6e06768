//! Prefixes in one 128-bit space, with IPv4 at ::/96 as in the databases.

use crate::random::Random;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first bits of addresses; `len` counts from the IPv6 side also for IPv4 (96 to 128).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// The bits, from the top; those behind `len` are zero.
    pub bits: u128,
    /// Number of bits that count, from the IPv6 side.
    pub len: u8,
    /// True for a prefix of IPv4 addresses.
    pub is_v4: bool,
}

impl Prefix {
    /// A prefix of `len` bits in the address's own family; the rest of the address is cut off.
    #[must_use]
    pub fn new(address: IpAddr, len: u8) -> Self {
        match address {
            IpAddr::V4(v4) => Self::cut(u128::from(u32::from(v4)), len + 96, true),
            IpAddr::V6(v6) => Self::cut(u128::from(v6), len, false),
        }
    }

    fn cut(bits: u128, len: u8, is_v4: bool) -> Self {
        let kept = !u128::MAX.checked_shr(u32::from(len)).unwrap_or(0);
        Self {
            bits: bits & kept,
            len,
            is_v4,
        }
    }

    /// Reads `address/length`.
    ///
    /// # Panics
    /// On any other text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (address, len) = text.split_once('/').unwrap();
        Self::new(address.parse().unwrap(), len.parse().unwrap())
    }

    /// The length in the prefix's own family.
    #[must_use]
    pub fn own_len(&self) -> u8 {
        if self.is_v4 { self.len - 96 } else { self.len }
    }

    /// The first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        if self.is_v4 {
            IpAddr::V4(Ipv4Addr::from(
                u32::try_from(self.bits & u128::from(u32::MAX)).unwrap(),
            ))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.bits))
        }
    }

    /// True for the IPv6 ranges that stand for IPv4 addresses: 6to4 (RFC 3056), Teredo (RFC 4380),
    /// and those below ::/32.
    #[must_use]
    pub fn carries_ipv4(&self) -> bool {
        !self.is_v4
            && ["2002::/16", "2001::/32", "64:ff9b::/32", "::/32"]
                .into_iter()
                .any(|range| {
                    let range = Self::parse(range);
                    Self::cut(self.bits, self.len.min(range.len), false).bits
                        == Self::cut(range.bits, self.len.min(range.len), false).bits
                })
    }

    /// A longer (or equal) prefix somewhere within this one; `len` in the own family.
    #[must_use]
    pub fn inner(&self, len: u8, random: &mut Random) -> Self {
        let free = u128::MAX.checked_shr(u32::from(self.len)).unwrap_or(0);
        let len = if self.is_v4 { len + 96 } else { len };
        Self::cut(self.bits | random.wide() & free, len, self.is_v4)
    }

    /// The prefix of the same length beside this one, which shares all bits but the last.
    #[must_use]
    pub fn sibling(&self) -> Self {
        let last = 1_u128
            .checked_shl(u32::from(128 - self.len))
            .unwrap_or_default();
        Self {
            bits: self.bits ^ last,
            ..*self
        }
    }
}

impl From<&str> for Prefix {
    /// [`Prefix::parse`].
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address(), self.own_len())
    }
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}
