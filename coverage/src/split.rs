//! Splitting by fractions: weighted rendezvous hashing on (service, client prefix).
//!
//! The same client keeps its answer, and a change of weights moves only the difference (Thaler and
//! Ravishankar 1998 for rendezvous hashing; the weighted form `-w / ln(u)` is Schindelhauer and
//! Schomaker 2005). Scores are compared as `w / -ln(u)`, larger wins, ties by the lower id, so that
//! every edge picks alike.

use crate::ids::{EndpointId, ServiceId};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv6Addr};

/// Longest client prefix that a split hashes: /24 for IPv4.
pub const SPLIT_PREFIX_V4: u8 = 24;
/// Longest client prefix that a split hashes: /48 for IPv6.
pub const SPLIT_PREFIX_V6: u8 = 48;

/// The part of a client's address that a split looks at: its /24 or /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey(u64);

impl ClientKey {
    /// The key of `addr`; an IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn of(addr: IpAddr) -> Self {
        match addr.to_canonical() {
            // Bit 63 keeps the families apart: no global IPv6 /48 starts with ones in the ff00::/8
            // block.
            IpAddr::V4(v4) => Self(u64::from(u32::from(v4) >> 8) | (0xffff << 48)),
            IpAddr::V6(v6) => Self(upper_48(v6)),
        }
    }
}

/// The first 48 bits of an IPv6 address.
fn upper_48(addr: Ipv6Addr) -> u64 {
    let [a, b, c, ..] = addr.segments();
    u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c)
}

/// Picks one of `shares` (endpoint, weight out of 64) for a client of a service; `None` when there
/// are no shares. Cost: O(number of shares); no allocation.
///
/// ```
/// use coverage::split::{ClientKey, pick};
/// use coverage::{EndpointId, ServiceId};
///
/// let shares = [(EndpointId(0), 40), (EndpointId(1), 24)];
/// let of = |addr: &str| pick(&shares, ServiceId(0), ClientKey::of(addr.parse().unwrap()));
/// assert!(of("198.51.100.1").is_some());
/// assert_eq!(of("198.51.100.1"), of("198.51.100.254")); // one /24, one answer
/// ```
#[must_use]
#[inline]
pub fn pick(
    shares: &[(EndpointId, u8)],
    service: ServiceId,
    client: ClientKey,
) -> Option<EndpointId> {
    if let [(only, _)] = shares {
        return Some(*only);
    }
    let mut best: Option<(f64, EndpointId)> = None;
    for &(endpoint, weight) in shares {
        let score = f64::from(weight) / -unit_interval(service, client, endpoint).ln();
        let wins = best.is_none_or(|(top, id)| score > top || (score >= top && endpoint < id));
        if wins {
            best = Some((score, endpoint));
        }
    }
    best.map(|(_, endpoint)| endpoint)
}

/// A hash of the triple, mapped into the open interval (0, 1).
fn unit_interval(service: ServiceId, client: ClientKey, endpoint: EndpointId) -> f64 {
    let seed = u64::from(service.0) << 32 | u64::from(endpoint.0);
    let bits = mix(mix(client.0 ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(seed)) >> 12;
    // 52 random bits plus a half: never exactly 0 or 1, and exactly representable.
    #[expect(clippy::cast_precision_loss, reason = "52 bits fit the mantissa")]
    let numerator = bits as f64 + 0.5;
    numerator / (1_u64 << 52) as f64
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that scatters every input
/// bit.
#[must_use]
pub const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A step of `SplitMix64` from `state`: numbers that look random, and follow from nothing else.
#[must_use]
pub const fn scatter(state: u64) -> u64 {
    mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(shares: &[(EndpointId, u8)], clients: u32) -> Vec<(EndpointId, u32)> {
        let mut counts: Vec<_> = shares.iter().map(|&(id, _)| (id, 0)).collect();
        for client in 0..clients {
            let key = ClientKey::of(IpAddr::from((client << 8).to_be_bytes()));
            let picked = pick(shares, ServiceId(3), key).expect("shares are not empty");
            counts
                .iter_mut()
                .find(|(id, _)| *id == picked)
                .expect("picked from shares")
                .1 += 1;
        }
        counts
    }

    #[test]
    fn weights_are_met_within_sampling_error() {
        let shares = [(EndpointId(7), 40), (EndpointId(9), 16), (EndpointId(2), 8)];
        for ((_, weight), (_, seen)) in shares.iter().zip(counts(&shares, 64_000)) {
            let expected = u32::from(*weight) * 1000;
            assert!(
                seen.abs_diff(expected) < 600,
                "weight {weight}: {seen} of {expected}"
            );
        }
    }

    #[test]
    fn a_change_of_weight_moves_only_the_difference() {
        let before = [(EndpointId(0), 32), (EndpointId(1), 32)];
        let after = [(EndpointId(0), 40), (EndpointId(1), 24)];
        let (mut to_first, mut to_second) = (0, 0);
        for client in 0..64_000_u32 {
            let key = ClientKey::of(IpAddr::from((client << 8).to_be_bytes()));
            match (
                pick(&before, ServiceId(0), key),
                pick(&after, ServiceId(0), key),
            ) {
                (Some(EndpointId(1)), Some(EndpointId(0))) => to_first += 1,
                (Some(EndpointId(0)), Some(EndpointId(1))) => to_second += 1,
                _ => {}
            }
        }
        assert_eq!(to_second, 0, "nobody leaves the endpoint that gained");
        assert!(
            (7_400..8_600).contains(&to_first),
            "an eighth moves: {to_first}"
        );
    }

    #[test]
    fn clients_of_one_prefix_agree_and_families_differ() {
        let key = |text: &str| ClientKey::of(text.parse().unwrap());
        assert_eq!(key("198.51.100.1"), key("198.51.100.254"));
        assert_ne!(key("198.51.100.1"), key("198.51.101.1"));
        assert_eq!(key("2001:db8:7::1"), key("2001:db8:7:ffff::2"));
        assert_eq!(key("::ffff:198.51.100.1"), key("198.51.100.1"));
    }
}
