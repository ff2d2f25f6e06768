//! A short list of CIDR prefixes: which proxies are trusted.

use std::net::IpAddr;

/// Why a prefix was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no CIDR prefix: write 192.0.2.0/24 or 2001:db8::/32, without bits beyond the length"
)]
pub struct BadCidr(pub String);

/// Prefixes of both families. Meant for the handful of proxies in front of a server: a look-up takes O(n).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CidrSet {
    prefixes: Vec<Prefix>,
}

/// One prefix: an address whose bits beyond `len` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    network: IpAddr,
    len: u8,
}

impl CidrSet {
    /// Reads prefixes; an address without a length stands for itself.
    ///
    /// # Errors
    /// [`BadCidr`] names the first text that is no prefix.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, BadCidr> {
        let one = |text: &str| parse_prefix(text).ok_or_else(|| BadCidr(text.to_owned()));
        let prefixes = texts.into_iter().map(one).collect::<Result<_, _>>()?;
        Ok(Self { prefixes })
    }

    /// Whether some prefix holds `addr`; IPv4-mapped IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        let holds = |prefix: &Prefix| network(addr, prefix.len) == Some(prefix.network);
        self.prefixes.iter().any(holds)
    }
}

/// Reads one prefix.
fn parse_prefix(text: &str) -> Option<Prefix> {
    let (addr, len) = match text.split_once('/') {
        Some((addr, len)) => (addr, Some(len.parse().ok()?)),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().ok()?;
    let len = len.unwrap_or_else(|| if addr.is_ipv4() { 32 } else { 128 });
    (network(addr, len)? == addr).then_some(Prefix { network: addr, len })
}

/// `addr` with the bits beyond `len` cleared; `None` when its family is shorter than that.
pub(crate) fn network(addr: IpAddr, len: u8) -> Option<IpAddr> {
    let len = u32::from(len);
    match addr {
        IpAddr::V4(v4) => {
            let beyond = u32::MAX.checked_shr(len).unwrap_or(0);
            (len <= 32).then(|| IpAddr::V4((u32::from(v4) & !beyond).into()))
        }
        IpAddr::V6(v6) => {
            let beyond = u128::MAX.checked_shr(len).unwrap_or(0);
            (len <= 128).then(|| IpAddr::V6((u128::from(v6) & !beyond).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_those_under_a_prefix() {
        let set = CidrSet::parse(["10.0.0.0/8", "192.0.2.7", "2001:db8::/33"]).unwrap();
        for (addr, inside) in [
            ("10.255.255.255", true),
            ("::ffff:10.0.0.1", true),
            ("11.0.0.0", false),
            ("192.0.2.7", true),
            ("192.0.2.6", false),
            ("2001:db8:7fff::1", true),
            ("2001:db8:8000::1", false),
        ] {
            assert_eq!(set.contains(addr.parse().unwrap()), inside, "{addr}");
        }
        let everyone = CidrSet::parse(["0.0.0.0/0"]).unwrap();
        assert!(everyone.contains("203.0.113.9".parse().unwrap()));
        assert!(
            !everyone.contains("::1".parse().unwrap()),
            "families are apart"
        );
        assert!(!CidrSet::default().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "host/8",
        ] {
            assert_eq!(CidrSet::parse([text]), Err(BadCidr(text.to_owned())));
        }
    }
}
