//! EDNS: the OPT record of a question (RFC 6891), Client Subnet (RFC 7871), cookies (RFC 7873),
//! NSID (RFC 5001) and TCP keepalive (RFC 7828). Every option is looked at; unknown ones are passed
//! over, as RFC 6891 section 6.1.2 asks.
//!
//! The choice made for a repeated Client Subnet option is FORMERR: the reply must echo the option
//! exactly, and it cannot echo two. Of repeated cookies the first counts (RFC 7873 section 5.2).

use crate::wire::Fault;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Option codes.
pub(crate) mod code {
    /// Name server identifier.
    pub(crate) const NSID: u16 = 3;
    /// Client Subnet.
    pub(crate) const ECS: u16 = 8;
    /// Cookie.
    pub(crate) const COOKIE: u16 = 10;
    /// TCP keepalive.
    pub(crate) const KEEPALIVE: u16 = 11;
}

/// A message without EDNS may not be longer over UDP (RFC 1035 section 4.2.1), and no smaller size
/// counts (RFC 6891 section 6.2.3).
pub(crate) const UDP_BYTES_MIN: u16 = 512;
/// The bit of the OPT record's TTL field that says "DNSSEC OK" (RFC 3225).
const DNSSEC_OK: u32 = 0x8000;
/// Octets before the address in a Client Subnet option.
const ECS_FIXED_BYTES: usize = 4;

/// Content of the OPT record of a question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edns<'a> {
    /// Longest UDP payload that the sender takes, at least 512.
    pub udp_bytes_max: u16,
    /// True when the DO bit is set.
    pub dnssec_ok: bool,
    /// Client Subnet, checked.
    pub ecs: Option<Ecs<'a>>,
    /// Cookie.
    pub cookie: Option<CookieOption>,
    /// True when the server's identifier is asked for.
    pub nsid: bool,
    /// True when a TCP keepalive is asked for.
    pub keepalive: bool,
}

/// A Client Subnet option that obeys RFC 7871 section 6.
#[derive(Clone, Copy, Debug)]
pub struct Ecs<'a> {
    /// The option as it came: family, source, scope (zero), address. Echoed but for the scope.
    pub payload: &'a [u8],
    /// SOURCE PREFIX-LENGTH in bits.
    pub source: u8,
    /// The network address; `None` for family 0, which names no address.
    pub addr: Option<IpAddr>,
}

/// A COOKIE option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieOption {
    /// Of a length that RFC 7873 section 4 rules out.
    Malformed,
    /// A client cookie alone.
    Client([u8; 8]),
    /// A client cookie with a server cookie that has another length than ours: never valid.
    Foreign([u8; 8]),
    /// A client cookie with a server cookie of the length that we give out.
    Full([u8; 8], [u8; 16]),
}

impl CookieOption {
    fn read(data: &[u8]) -> Self {
        let Some((&client, server)) = data.split_first_chunk::<8>() else {
            return Self::Malformed;
        };
        match (server.len(), server.first_chunk::<16>()) {
            (0, _) => Self::Client(client),
            (16, Some(server)) => Self::Full(client, *server),
            (8..=32, _) => Self::Foreign(client),
            _ => Self::Malformed,
        }
    }
}

/// Reads an OPT record. A fault leaves what was read before it.
#[must_use]
pub(crate) fn read(class: u16, ttl: u32, rdata: &[u8]) -> (Edns<'_>, Option<Fault>) {
    let mut edns = Edns {
        // RFC 6891 section 6.2.3: "Values lower than 512 MUST be treated as equal to 512."
        udp_bytes_max: class.max(UDP_BYTES_MIN),
        dnssec_ok: ttl & DNSSEC_OK != 0,
        ..Edns::default()
    };
    // RFC 6891 section 6.1.3: "If a responder does not implement the VERSION level of the request,
    // then it MUST respond with RCODE=BADVERS." Options of another version may mean something else,
    // so this comes before any of them is looked at.
    if ttl >> 16 & 0xff != 0 {
        return (edns, Some(Fault::Version));
    }
    let fault = read_options(&mut edns, rdata)
        .is_none()
        .then_some(Fault::Malformed);
    (edns, fault)
}

/// Reads the options one by one; `None` at the first that is malformed.
fn read_options<'a>(edns: &mut Edns<'a>, mut rest: &'a [u8]) -> Option<()> {
    while !rest.is_empty() {
        let (&[c0, c1, l0, l1], tail) = rest.split_first_chunk::<4>()?;
        let (data, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        rest = tail;
        match u16::from_be_bytes([c0, c1]) {
            code::ECS if edns.ecs.is_some() => return None,
            code::ECS => edns.ecs = Some(read_ecs(data)?),
            code::COOKIE if edns.cookie.is_none() => edns.cookie = Some(CookieOption::read(data)),
            code::NSID => edns.nsid = true,
            // RFC 7828 section 3.2.1: a client's option MUST be empty; another one asks for
            // nothing.
            code::KEEPALIVE => edns.keepalive |= data.is_empty(),
            _ => {}
        }
    }
    Some(())
}

/// Reads a Client Subnet option of a question; `None` when it must get FORMERR.
fn read_ecs(payload: &[u8]) -> Option<Ecs<'_>> {
    let (&[f0, f1, source, scope], octets) = payload.split_first_chunk::<ECS_FIXED_BYTES>()?;
    // RFC 7871 section 6, of SCOPE PREFIX-LENGTH: "In queries, it MUST be set to 0."
    if scope != 0 {
        return None;
    }
    let bits_max = match u16::from_be_bytes([f0, f1]) {
        // Family 0 is what some resolvers send to opt out; it can only name the empty prefix.
        0 => 0,
        1 => 32,
        2 => 128,
        // RFC 7871 section 7.1.2: other families are not understood.
        _ => return None,
    };
    // RFC 7871 section 6: ADDRESS is truncated to the number of bits of SOURCE PREFIX-LENGTH, and
    // padded with 0 bits to the end of the last octet. A server that sees "either too few or too
    // many ADDRESS octets, or that has non-zero ADDRESS bits set beyond SOURCE PREFIX-LENGTH,
    // SHOULD return FORMERR".
    if source > bits_max || octets.len() != usize::from(source).div_ceil(8) {
        return None;
    }
    let spare_bits = octets.len() * 8 - usize::from(source);
    if octets
        .last()
        .is_some_and(|last| last.trailing_zeros() < u32::try_from(spare_bits).unwrap_or(8))
    {
        return None;
    }
    let mut padded = [0; 16];
    padded[..octets.len()].copy_from_slice(octets);
    let [a, b, c, d, ..] = padded;
    let addr = match bits_max {
        32 => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
        128 => Some(IpAddr::V6(Ipv6Addr::from(padded))),
        _ => None,
    };
    Some(Ecs {
        payload,
        source,
        addr,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(code: u16, data: &[u8]) -> Vec<u8> {
        let len = u16::try_from(data.len()).unwrap();
        [&code.to_be_bytes()[..], &len.to_be_bytes(), data].concat()
    }

    #[test]
    fn client_subnets_are_read_strictly() {
        let good: [(&[u8], Option<&str>); 6] = [
            (&[0, 1, 24, 0, 198, 51, 100], Some("198.51.100.0")),
            (&[0, 1, 0, 0], Some("0.0.0.0")),
            (&[0, 1, 17, 0, 10, 1, 0x80], Some("10.1.128.0")),
            (&[0, 1, 32, 0, 1, 2, 3, 4], Some("1.2.3.4")),
            (
                &[0, 2, 33, 0, 0x20, 1, 0xd, 0xb8, 0x80],
                Some("2001:db8:8000::"),
            ),
            (&[0, 0, 0, 0], None),
        ];
        for (payload, addr) in good {
            let option = option(code::ECS, payload);
            let (edns, fault) = read(1232, 0, &option);
            assert_eq!(fault, None, "{payload:?}");
            let ecs = edns.ecs.unwrap();
            assert_eq!(ecs.addr, addr.map(|addr| addr.parse().unwrap()));
            assert_eq!(ecs.payload, payload);
        }
        let bad: [&[u8]; 12] = [
            &[],
            &[0, 1, 0],
            &[0, 1, 24, 0, 198, 51],
            &[0, 1, 24, 0, 198, 51, 100, 0],
            &[0, 1, 17, 0, 10, 1, 0x81],
            &[0, 1, 33, 0, 1, 2, 3, 4, 0x80],
            &[
                0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x80,
            ],
            &[0, 1, 24, 24, 198, 51, 100],
            &[0, 3, 0, 0],
            &[0, 0, 8, 0, 1],
            &[0, 0, 0, 0, 1],
            &[0, 1, 0, 0, 0],
        ];
        for payload in bad {
            let option = option(code::ECS, payload);
            assert_eq!(
                read(1232, 0, &option).1,
                Some(Fault::Malformed),
                "{payload:?}"
            );
        }
    }

    #[test]
    fn two_subnets_are_refused_and_of_two_cookies_the_first_counts() {
        let ecs = option(code::ECS, &[0, 1, 8, 0, 10]);
        assert_eq!(
            read(512, 0, &[&ecs[..], &ecs].concat()).1,
            Some(Fault::Malformed)
        );
        let cookies = [option(code::COOKIE, &[1; 8]), option(code::COOKIE, &[2; 8])].concat();
        let (edns, fault) = read(512, 0, &cookies);
        assert_eq!(
            (edns.cookie, fault),
            (Some(CookieOption::Client([1; 8])), None)
        );
    }

    #[test]
    fn cookie_lengths_follow_rfc_7873_section_4() {
        for (len, good) in [
            (0, false),
            (7, false),
            (8, true),
            (9, false),
            (15, false),
            (16, true),
        ] {
            let malformed = CookieOption::read(&vec![0; len]) == CookieOption::Malformed;
            assert_eq!(!malformed, good, "{len} octets");
        }
        assert_eq!(CookieOption::read(&[0; 40]), CookieOption::Foreign([0; 8]));
        assert_eq!(CookieOption::read(&[0; 41]), CookieOption::Malformed);
        assert!(matches!(
            CookieOption::read(&[0; 24]),
            CookieOption::Full(..)
        ));
    }

    #[test]
    fn versions_and_broken_options_are_faults_and_unknown_options_are_not() {
        assert_eq!(
            read(0, 1 << 16, &option(code::ECS, &[9])).1,
            Some(Fault::Version)
        );
        assert_eq!(read(0, 0, &[0, 8, 0]).1, Some(Fault::Malformed));
        assert_eq!(read(0, 0, &[0, 99, 0, 2, 0]).1, Some(Fault::Malformed));
        let unknown = option(65001, &[0]);
        let (edns, fault) = read(0, 0x7fff, &unknown);
        assert_eq!(
            (edns.udp_bytes_max, edns.dnssec_ok, fault),
            (512, false, None)
        );
    }
}
