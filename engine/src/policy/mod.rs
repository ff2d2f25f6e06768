//! Policies without an optimizer: ordered preference by place, failover, weights, nearest, pins.
//!
//! ```text
//!   once per area, when the table is built:
//!     place, networks --judge--> preference (labels in order)
//!   every cycle, beside the optimizer's rows:
//!     preference, states of pools --compile--> rows of the map
//! ```
//!
//! A policy speaks of labels, such as `us` and `eu`; a service says which pools stand behind each
//! label, so many services share one policy. A pool is a set of addresses that answer for each
//! other, or the name of another CDN.

mod compile;
mod explain;
mod judge;
mod pool;
#[cfg(test)]
mod tests;

pub(crate) use compile::compile;
pub use explain::{PolicyStory, PoolStory};
pub use judge::{Judge, PolicyAreas, Preference};
pub use pool::{CheckStates, Chosen, Family, Member, Pool, PoolKind, Serve};

use coverage::Prefix;
use coverage::catalog::Service as ServedService;
use std::net::IpAddr;

/// Labels that a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// Labels in order, as indices into [`Policy::labels`]; at least one.
    Labels(Vec<u16>),
    /// Labels by distance from the client's coordinates.
    Nearest,
}

/// Places where a rule holds. An absent field matches all of them; text is lower-case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Two-letter continent code.
    pub continent: Option<String>,
    /// ISO 3166 country code.
    pub country: Option<String>,
    /// Names below the country, outermost first: ISO 3166-2 codes of subdivisions, or the city in
    /// English. Levels may be left out, but their order is that of the place.
    pub within: Vec<String>,
    /// Autonomous system number.
    pub asn: Option<u32>,
}

/// A rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Places where it holds; nothing given for a rule of networks alone.
    pub at: At,
    /// Labels that it gives.
    pub prefer: Prefer,
    /// True when the first label is given whatever its state.
    pub pinned: bool,
}

/// Preferences of clients by place and network.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// Labels in default order; at least one.
    pub labels: Vec<String>,
    /// [label]: degrees north and degrees east, where known.
    pub coordinates: Vec<Option<(f64, f64)>>,
    /// Most labels that [`Prefer::Nearest`] gives.
    pub nearest_max: usize,
    /// Labels for clients that no rule applies to.
    pub default: Prefer,
    /// Rules by place.
    pub rules: Vec<Rule>,
    /// Networks, each with the index of its rule; the longest prefix wins, and wins over all
    /// places.
    pub nets: Vec<(Prefix, u32)>,
}

/// Source of a static service's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steering {
    /// The same order of pools for everybody.
    Pools(Vec<usize>),
    /// By a policy.
    Policy {
        /// Index into [`Policies::policies`].
        policy: usize,
        /// [label of the policy]: pools in order.
        pools: Vec<Vec<usize>>,
        /// [label of the policy]: forced state.
        states: Vec<Option<bool>>,
    },
}

/// A service that follows a policy and not the optimizer.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticService {
    /// Names, TTL and answer size, as serving knows them.
    pub served: ServedService,
    /// Source of its answers.
    pub steering: Steering,
}

impl Policies {
    /// The addresses that a check probes, ascending.
    #[must_use]
    pub fn probed_by(&self, check: usize) -> Vec<IpAddr> {
        let pools = self
            .pools
            .iter()
            .filter(|pool| pool.checks.contains(&check));
        let mut addresses: Vec<IpAddr> = pools.flat_map(Pool::addresses).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

/// Policies of a configuration, validated by its reader.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    /// Names of the checks; how they probe is not the engine's to know.
    pub checks: Vec<String>,
    /// Pools.
    pub pools: Vec<Pool>,
    /// Policies.
    pub policies: Vec<Policy>,
    /// Services.
    pub services: Vec<StaticService>,
}
