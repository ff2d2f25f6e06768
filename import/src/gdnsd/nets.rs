//! Networks that a map names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network, with no bit set behind its length. IPv4-compatible IPv6 networks are IPv4 ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Net {
    address: IpAddr,
    bits: u8,
}

impl Net {
    /// Length of the prefix.
    pub(crate) const fn bits(self) -> u8 {
        self.bits
    }

    /// Tells whether it is one of IPv6.
    pub(crate) const fn is_v6(self) -> bool {
        self.address.is_ipv6()
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoNet;

impl FromStr for Net {
    type Err = NoNet;

    fn from_str(text: &str) -> Result<Self, NoNet> {
        let (address, bits) = text.split_once('/').ok_or(NoNet)?;
        let bits: u8 = bits.parse().map_err(|_| NoNet)?;
        match address.parse().map_err(|_| NoNet)? {
            IpAddr::V4(address) if bits <= 32 => Ok(v4(address.to_bits(), bits)),
            IpAddr::V6(address) if bits <= 128 => {
                let number = address.to_bits();
                // ::a.b.c.d/96+n is another way to write a.b.c.d/n.
                if bits >= 96
                    && let Ok(low) = u32::try_from(number)
                {
                    return Ok(v4(low, bits - 96));
                }
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Ok(Self {
                    address: Ipv6Addr::from_bits(number & mask).into(),
                    bits,
                })
            }
            _ => Err(NoNet),
        }
    }
}

fn v4(number: u32, bits: u8) -> Net {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    Net {
        address: Ipv4Addr::from_bits(number & mask).into(),
        bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_masked_and_compatible_ones_are_ipv4() {
        let net = |text: &str| text.parse::<Net>().map(|net| net.to_string());
        assert_eq!(net("10.1.2.3/8"), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(net("::c000:0200/120"), Ok("192.0.2.0/24".to_owned()));
        assert_eq!(net("2001:DB8::1/32"), Ok("2001:db8::/32".to_owned()));
        assert_eq!(net("0.0.0.0/0"), Ok("0.0.0.0/0".to_owned()));
        assert_eq!(net("::/0"), Ok("::/0".to_owned()));
        for bad in [
            "10.0.0.0",
            "10.0.0.0/33",
            "::/129",
            "x/8",
            "10.0.0.0/-1",
            "1.2.3.4/",
        ] {
            assert_eq!(net(bad), Err(NoNet), "{bad}");
        }
    }
}
