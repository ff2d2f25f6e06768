//! Whom a question comes from: the address that decisions are made for, and how its scope is
//! bounded.
//!
//! - An ECS option that counts (see [`EcsPolicy`]) gives the address, cut to [`EcsBits`]: nothing
//!   longer ever takes part in a decision, so no scope needs to be longer.
//! - SOURCE PREFIX-LENGTH 0 is a client that wants no part of its address used (RFC 7871 section
//!   7.1.2). It gets the answer for the resolver's own address with SCOPE 0: what that resolver
//!   would have got without the option.
//! - An ECS option that does not count is left out of the reply.

use crate::config::{EcsBits, EcsPolicy};
use crate::edns::Ecs;
use coverage::Prefix;
use std::net::IpAddr;

/// Whom to decide for.
#[derive(Clone, Copy, Debug)]
pub struct Client<'q> {
    /// The address, bits beyond its prefix zero.
    pub addr: IpAddr,
    /// The option to echo, if one counted.
    pub ecs: Option<Ecs<'q>>,
    /// Longest scope that can make a difference, in bits.
    scope_max: u8,
}

impl<'q> Client<'q> {
    /// Chooses between the option and the peer that sent the question.
    #[must_use]
    pub fn choose(ecs: Option<Ecs<'q>>, peer: IpAddr, policy: &EcsPolicy, bits: EcsBits) -> Self {
        let peer = peer.to_canonical();
        let ecs = ecs.filter(|_| policy.allows(peer));
        let subnet = ecs.filter(|ecs| ecs.source > 0).and_then(|ecs| ecs.addr);
        let scope_max = match subnet {
            Some(IpAddr::V4(_)) => bits.v4,
            Some(IpAddr::V6(_)) => bits.v6,
            None => 0,
        };
        let cut = subnet.and_then(|addr| Prefix::around(addr, scope_max));
        Self {
            addr: cut.map_or(peer, Prefix::addr),
            ecs,
            scope_max: cut.map_or(0, Prefix::bits),
        }
    }

    /// The scope to return where a decision for this address needs `scope` bits.
    #[must_use]
    pub fn scope(&self, scope: u8) -> u8 {
        scope.min(self.scope_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coverage::PrefixSet;

    fn ecs(addr: &str, source: u8) -> Option<Ecs<'static>> {
        Some(Ecs {
            payload: &[],
            source,
            addr: addr.parse().ok(),
        })
    }

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn long_sources_are_cut_and_bound_the_scope() {
        let choose = |option| {
            Client::choose(
                option,
                addr("::ffff:9.9.9.9"),
                &EcsPolicy::All,
                EcsBits::default(),
            )
        };
        let v4 = choose(ecs("198.51.100.77", 32));
        assert_eq!(
            (v4.addr, v4.scope(32), v4.scope(9)),
            (addr("198.51.100.0"), 24, 9)
        );
        let v6 = choose(ecs("2001:db8:0:12ff:1::", 80));
        assert_eq!((v6.addr, v6.scope(64)), (addr("2001:db8:0:1200::"), 56));
        let mapped = choose(ecs("::ffff:1.2.3.0", 120));
        assert_eq!(mapped.addr, addr("::"), "a mapped subnet is no IPv4 subnet");
    }

    #[test]
    fn opting_out_and_distrust_lead_to_the_peer() {
        let peer = addr("203.0.113.9");
        let out = Client::choose(ecs("0.0.0.0", 0), peer, &EcsPolicy::All, EcsBits::default());
        assert_eq!(
            (out.addr, out.scope(24), out.ecs.is_some()),
            (peer, 0, true)
        );
        let family_0 = Client::choose(ecs("", 0), peer, &EcsPolicy::All, EcsBits::default());
        assert_eq!(
            (family_0.addr, family_0.scope(24), family_0.ecs.is_some()),
            (peer, 0, true)
        );
        let others = EcsPolicy::Peers(PrefixSet::parse(["192.0.2.0/24"]).unwrap());
        for policy in [EcsPolicy::Nobody, others] {
            let distrusted =
                Client::choose(ecs("198.51.100.0", 24), peer, &policy, EcsBits::default());
            assert_eq!((distrusted.addr, distrusted.ecs.is_none()), (peer, true));
        }
        let trusted = EcsPolicy::Peers(PrefixSet::parse(["203.0.113.0/24"]).unwrap());
        assert_eq!(
            Client::choose(ecs("198.51.100.0", 24), peer, &trusted, EcsBits::default()).addr,
            addr("198.51.100.0")
        );
    }
}
