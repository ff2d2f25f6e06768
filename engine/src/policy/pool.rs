//! Pools: addresses that answer for each other, with their states.

use coverage::WEIGHT_TOTAL;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Choice among a pool's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// Gives all that are up.
    All,
    /// Gives one by weight, the same for the same client.
    One,
    /// Gives the first that is up.
    First,
}

/// An address of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<A> {
    /// The address.
    pub address: A,
    /// Weight among its family, for [`Serve::One`].
    pub weight: u32,
    /// Forced state, which beats all checks.
    pub forced: Option<bool>,
}

/// The addresses of one family; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Family<A> {
    /// Choice among the addresses.
    pub serve: Serve,
    /// Share of addresses (of weight, for [`Serve::One`]) that must be up. Below it the family is
    /// down, and all its addresses count as if up: what looks wholly down is more likely a fault of
    /// the checks.
    pub up_share_min: f64,
    /// The addresses.
    pub members: Vec<Member<A>>,
}

/// Contents of a pool.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolKind {
    /// Addresses of one or both families.
    Addresses {
        /// For A.
        ipv4: Option<Family<Ipv4Addr>>,
        /// For AAAA.
        ipv6: Option<Family<Ipv6Addr>>,
    },
    /// Another name: absolute, lower-case, with its final dot. Nothing checks it.
    Alias(String),
}

/// A pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// Indices of the checks that its addresses must pass.
    pub checks: Vec<usize>,
    /// Forced state of the pool as a whole, which beats those of its addresses.
    pub forced: Option<bool>,
    /// Contents.
    pub kind: PoolKind,
}

impl Pool {
    /// Addresses of both families.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let PoolKind::Addresses { ipv4, ipv6 } = &self.kind else {
            return Vec::new();
        };
        let v4 = ipv4.iter().flat_map(|family| &family.members);
        let v6 = ipv6.iter().flat_map(|family| &family.members);
        let v4 = v4.map(|member| member.address.into());
        v4.chain(v6.map(|member| member.address.into())).collect()
    }
}

/// States of addresses by checks. An address that was never checked is up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckStates {
    /// (check, address) -> up.
    states: BTreeMap<(usize, IpAddr), bool>,
}

impl CheckStates {
    /// Notes the word of a check. Returns whether that is news.
    pub fn set(&mut self, check: usize, address: IpAddr, up: bool) -> bool {
        self.states.insert((check, address), up).unwrap_or(true) != up
    }

    fn up(&self, checks: &[usize], address: IpAddr) -> bool {
        let one = |check: &usize| self.states.get(&(*check, address)).copied().unwrap_or(true);
        checks.iter().all(one)
    }
}

/// Choice of a family as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen<A> {
    /// True when enough of it is up.
    pub up: bool,
    /// [slot]: the addresses given together. One slot, or for [`Serve::One`] one per member.
    pub slots: Vec<Vec<A>>,
    /// (slot, weight out of 64), nothing of weight 0; the weights sum to 64.
    pub weights: Vec<(usize, u8)>,
}

impl<A: Copy + Into<IpAddr>> Family<A> {
    /// Chooses under the states of its checks. Slots do not depend on states, so that
    /// endpoints keep their ids.
    #[must_use]
    pub fn choose(&self, checks: &[usize], states: &CheckStates) -> Chosen<A> {
        let up: Vec<bool> = self
            .members
            .iter()
            .map(|member| {
                member
                    .forced
                    .unwrap_or_else(|| states.up(checks, member.address.into()))
            })
            .collect();
        let weight = |member: &Member<A>| match self.serve {
            Serve::One => u64::from(member.weight),
            Serve::All | Serve::First => 1,
        };
        let total: u64 = self.members.iter().map(weight).sum();
        let up_total: u64 = self
            .members
            .iter()
            .zip(&up)
            .filter(|(_, up)| **up)
            .map(|(member, _)| weight(member))
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "sums of a few 32-bit weights")]
        let enough = match self.serve {
            Serve::First => up_total > 0,
            // A share written in decimals may miss an exact count by its last bit.
            _ => up_total > 0 && up_total as f64 >= self.up_share_min * total as f64 - 1e-9,
        };
        let counts = |index: usize| up[index] || !enough;
        let members = || self.members.iter().enumerate();
        let usable = || members().filter(|(index, _)| counts(*index));
        let alone = |addresses: Vec<A>| (vec![addresses], vec![(0, WEIGHT_TOTAL)]);
        let (slots, weights) = match self.serve {
            Serve::All => alone(usable().map(|(_, member)| member.address).collect()),
            Serve::First => alone(usable().take(1).map(|(_, member)| member.address).collect()),
            Serve::One => {
                let slots = members().map(|(_, member)| vec![member.address]).collect();
                let weights: Vec<(usize, u64)> = usable()
                    .map(|(index, member)| (index, u64::from(member.weight)))
                    .collect();
                (slots, round_weights(&weights))
            }
        };
        Chosen {
            up: enough,
            slots,
            weights,
        }
    }
}

/// Chooses from a family; one that a pool does not have takes no part in anything.
pub(super) fn choose<A: Copy + Into<IpAddr>>(
    family: Option<&Family<A>>,
    checks: &[usize],
    states: &CheckStates,
) -> Chosen<A> {
    let absent = || Chosen {
        up: true,
        slots: vec![Vec::new()],
        weights: vec![(0, WEIGHT_TOTAL)],
    };
    family.map_or_else(absent, |family| family.choose(checks, states))
}

/// Weights of 64ths: everything above zero keeps a 64th at least, the rest goes by
/// largest remainders (Hamilton's method). What has no weight is left out, unless nothing has. At
/// most 64 entries.
fn round_weights(weights: &[(usize, u64)]) -> Vec<(usize, u8)> {
    let mut kept: Vec<(usize, u64)> = weights.iter().filter(|(_, w)| *w > 0).copied().collect();
    if kept.is_empty() {
        kept = weights.iter().map(|(slot, _)| (*slot, 1)).collect();
    }
    kept.truncate(usize::from(WEIGHT_TOTAL));
    let total: u128 = kept.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let spare = u128::from(WEIGHT_TOTAL).saturating_sub(kept.len() as u128);
    if total == 0 {
        return Vec::new();
    }
    let mut parts: Vec<(usize, u8, u128)> = kept
        .iter()
        .map(|(slot, weight)| {
            let scaled = u128::from(*weight) * spare;
            let whole = u8::try_from(scaled / total).unwrap_or(WEIGHT_TOTAL);
            (*slot, whole + 1, scaled % total)
        })
        .collect();
    let given: usize = parts
        .iter()
        .map(|(_, weight, _)| usize::from(*weight))
        .sum();
    parts.sort_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(&b.0)));
    let missing = usize::from(WEIGHT_TOTAL).saturating_sub(given);
    parts
        .iter_mut()
        .take(missing)
        .for_each(|(_, weight, _)| *weight += 1);
    parts.sort_unstable_by_key(|(slot, ..)| *slot);
    parts
        .into_iter()
        .map(|(slot, weight, _)| (slot, weight))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_weights_are_kept_and_large_ones_share_the_rest() {
        assert_eq!(round_weights(&[(0, 1), (1, 1000)]), [(0, 1), (1, 63)]);
        assert_eq!(
            round_weights(&[(0, 10), (1, 20), (2, 30), (3, 0)]),
            [(0, 11), (1, 21), (2, 32)]
        );
        assert_eq!(round_weights(&[(5, 0), (6, 0)]), [(5, 32), (6, 32)]);
        let many: Vec<(usize, u64)> = (0..80).map(|slot| (slot, 7)).collect();
        assert_eq!(round_weights(&many).len(), 64);
    }
}
