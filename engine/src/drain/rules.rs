//! The rules that bound drains: leases, ramps, what counts as drained, reserves and budgets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest lease there may be: a drain that nobody has renewed for three days has been forgotten.
pub const LEASE_MAX: Duration = Duration::from_hours(72);

/// Bounds on drains. The defaults suit a CDN of tens to hundreds of sites with 1-minute telemetry.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Longest lease, at most [`LEASE_MAX`].
    pub lease_max: Duration,
    /// Time over which a target's share falls to 0 when the request names none. Five minutes: a few
    /// TTLs, so that whoever inherits the load can fill its caches.
    pub ramp: Duration,
    /// Least time over which a returning target's capacity is given back; a longer ramp of the
    /// drain itself wins. Ten minutes: its cache is cold, and every miss is load on the parent
    /// tier.
    pub refill_ramp: Duration,
    /// Share of its capacity that a returning target gets at once, 0..=1: below it, no measurement
    /// means anything.
    pub warm_up_share: f64,
    /// Traffic under which a target may count as drained, in Mbps: stragglers and probes never end
    /// altogether.
    pub drained_below_mbps: f64,
    /// The same as a share of the traffic when shifting began, 0..=1; the greater of both bounds
    /// holds.
    pub drained_below_share: f64,
    /// Oldest observation that can prove a target drained: one missed sample of 1-minute telemetry
    /// is forgiven.
    pub observation_age_max: Duration,
    /// Factor on demand in the capacity proof: 1.1 covers the growth of an ordinary evening over a
    /// short lease.
    pub demand_headroom: f64,
    /// True when the loss of any one other site must stay as survivable as it is without drains.
    pub reserve_worst_site: bool,
    /// Most sites whose loss is tried in one proof, those in the same regions first, then those
    /// with most capacity; bounds the time of a proof, which asks for two maximum flows per site.
    pub reserve_sites_max: usize,
    /// The same when the proof of the active drains is repeated, every [`Self::recheck_every`].
    pub recheck_sites_max: usize,
    /// Differences in unserved traffic that count as rounding, in Mbps.
    pub tolerance_mbps: f64,
    /// Most of a group's nodes that may be out one by one, as a share 0..=1, never less than one
    /// node unless 0. A third: consistent hashing then still finds most objects of the group.
    pub nodes_per_group_share: f64,
    /// Most groups of a site that may be out while the site itself is not.
    pub groups_per_site: usize,
    /// Most sites of a region that may be out.
    pub sites_per_region: usize,
    /// Most targets that may be out worldwide, returning ones included.
    pub world_max: usize,
    /// Most requests that may wait.
    pub queue_max: usize,
    /// Time a request may be overtaken by others behind it in the queue; afterwards nothing starts
    /// before it.
    pub patience: Duration,
    /// Time between two re-evaluations of the queue and of the active drains' proof: proofs cost
    /// many max-flows.
    pub recheck_every: Duration,
    /// Most proofs for waiting requests in one re-evaluation.
    pub queue_proofs_max: usize,
    /// Most entries in the history of one drain; the oldest but one goes first.
    pub history_max: usize,
    /// Most ended drains that are remembered.
    pub ended_max: usize,
    /// Most drains that are not ended, waiting ones included; beyond it requests are turned away.
    pub open_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lease_max: LEASE_MAX,
            ramp: Duration::from_mins(5),
            refill_ramp: Duration::from_mins(10),
            warm_up_share: 0.05,
            drained_below_mbps: 1.0,
            drained_below_share: 0.01,
            observation_age_max: Duration::from_mins(2),
            demand_headroom: 1.1,
            reserve_worst_site: true,
            reserve_sites_max: 128,
            recheck_sites_max: 8,
            tolerance_mbps: 0.1,
            nodes_per_group_share: 0.34,
            groups_per_site: 1,
            sites_per_region: 1,
            world_max: 32,
            queue_max: 256,
            patience: Duration::from_mins(10),
            recheck_every: Duration::from_secs(30),
            queue_proofs_max: 8,
            history_max: 64,
            ended_max: 1_000,
            open_max: 1_024,
        }
    }
}

impl Rules {
    /// Most nodes of a group with `nodes` nodes that may be out one by one.
    #[must_use]
    pub fn nodes_out_max(&self, nodes: usize) -> usize {
        if self.nodes_per_group_share <= 0.0 {
            return 0;
        }
        // Counted up instead of cast down: a group has few nodes, and no float becomes an index.
        let allowed = |out: &usize| share_of(*out, nodes) <= self.nodes_per_group_share + 1e-9;
        (1..=nodes).take_while(allowed).last().unwrap_or(1)
    }

    /// Traffic under which a target counts as drained whose traffic was `base_mbps`, in Mbps.
    #[must_use]
    pub fn drained_below(&self, base_mbps: f64) -> f64 {
        self.drained_below_mbps
            .max(self.drained_below_share * base_mbps)
    }
}

/// `part / whole` of two small counts.
fn share_of(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(part) / number(whole).max(1.0)
}

/// Fault of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum LeaseError {
    /// Lease that ends before it begins.
    #[error("the lease is empty: name a time, such as 30m")]
    Empty,
    /// Lease that is longer than the rules allow.
    #[error("the lease is longer than {max_s} s: take a shorter one and renew it")]
    TooLong {
        /// The longest lease in seconds.
        max_s: u64,
    },
    /// The ramp would outlive it.
    #[error("the ramp is longer than the lease: shorten the ramp or lengthen the lease")]
    Ramp,
}

impl Rules {
    /// Checks a lease.
    ///
    /// # Errors
    /// [`LeaseError::Empty`] or [`LeaseError::TooLong`].
    pub fn check_lease(&self, lease: Duration) -> Result<(), LeaseError> {
        let max = self.lease_max.min(LEASE_MAX);
        match lease {
            lease if lease.as_millis() == 0 => Err(LeaseError::Empty),
            lease if lease > max => Err(LeaseError::TooLong {
                max_s: max.as_secs(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_nodes_but_never_none() {
        let rules = Rules::default();
        let allowed: Vec<usize> = [1, 2, 3, 6, 10]
            .iter()
            .map(|&nodes| rules.nodes_out_max(nodes))
            .collect();
        assert_eq!(allowed, [1, 1, 1, 2, 3]);
        let none = Rules {
            nodes_per_group_share: 0.0,
            ..rules
        };
        assert_eq!(none.nodes_out_max(10), 0);
    }

    #[test]
    fn leases_are_bounded() {
        let rules = Rules {
            lease_max: Duration::from_hours(500),
            ..Rules::default()
        };
        assert_eq!(rules.check_lease(LEASE_MAX), Ok(()));
        let over = LEASE_MAX + Duration::from_millis(1);
        assert_eq!(
            rules.check_lease(over),
            Err(LeaseError::TooLong { max_s: 259_200 })
        );
        assert_eq!(
            rules.check_lease(Duration::from_micros(10)),
            Err(LeaseError::Empty)
        );
    }
}
