//! A set of CIDR prefixes: which resolvers are trusted.

use std::net::{IpAddr, Ipv6Addr};

/// Why a prefix was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a prefix: write an address and a length, such as 192.0.2.0/24, with no bit set beyond it"
)]
pub struct BadPrefix(pub String);

/// A set of prefixes of both families: disjoint ranges in order, IPv4 as IPv4-mapped IPv6. A lookup takes O(log n).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixSet {
    ranges: Vec<(u128, u128)>,
}

impl PrefixSet {
    /// Reads prefixes such as `192.0.2.0/24`; an address alone counts as a prefix of full length.
    ///
    /// # Errors
    /// [`BadPrefix`] names the first text that is none.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, BadPrefix> {
        let mut ranges = texts
            .into_iter()
            .map(|text| range(text).ok_or_else(|| BadPrefix(text.to_owned())))
            .collect::<Result<Vec<_>, _>>()?;
        ranges.sort_unstable();
        ranges.dedup_by(|next, last| {
            let nested = next.0 <= last.1;
            last.1 = if nested { last.1.max(next.1) } else { last.1 };
            nested
        });
        Ok(Self { ranges })
    }

    /// Whether some prefix holds `addr`.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        let bits = mapped(addr);
        let after = self.ranges.partition_point(|(start, _)| *start <= bits);
        after
            .checked_sub(1)
            .is_some_and(|index| self.ranges[index].1 >= bits)
    }
}

/// An address on the common scale.
fn mapped(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(v6) => Ipv6Addr::into(v6),
    }
}

/// First and last address of a prefix.
fn range(text: &str) -> Option<(u128, u128)> {
    let (addr, len) = text
        .split_once('/')
        .map_or((text, None), |(addr, len)| (addr, Some(len)));
    let addr: IpAddr = addr.parse().ok()?;
    let bits_max = if addr.is_ipv4() { 32 } else { 128 };
    let len: u32 = len.map_or(Ok(bits_max), str::parse).ok()?;
    let host = 1_u128
        .checked_shl(bits_max.checked_sub(len)?)
        .unwrap_or(0)
        .wrapping_sub(1);
    let start = mapped(addr);
    (start & host == 0).then_some((start, start | host))
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
        let all = PrefixSet::parse(["0.0.0.0/0", "::/0"]).unwrap();
        assert!(
            all.contains("1.2.3.4".parse().unwrap()) && all.contains("fe80::1".parse().unwrap())
        );
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0/8",
            "",
            "::1/127",
            "::/129",
            "a/8",
        ] {
            assert_eq!(PrefixSet::parse([text]), Err(BadPrefix(text.to_owned())));
        }
    }
}
