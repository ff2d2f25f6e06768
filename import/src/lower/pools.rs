//! Leaves to pools: one for each forced state in which a leaf is used.

use super::model::Pool;
use super::names::Names;
use crate::fault::{Effect, Place};
use crate::gdnsd::{Datacenter, Kind, Leaf, Resource, Resources};
use std::collections::BTreeMap;

/// Pools so far.
#[derive(Debug, Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    known: BTreeMap<(usize, Option<bool>), usize>,
    names: Names,
}

impl Pools {
    /// The pool of a leaf under a forced state.
    pub(super) fn of_leaf(
        &mut self,
        leaf: usize,
        forced: Option<bool>,
        resources: &Resources<'_>,
    ) -> usize {
        if let Some(known) = self.known.get(&(leaf, forced)) {
            return *known;
        }
        let (name, leaf_read) = &resources.leaves[leaf];
        let own = match leaf_read {
            Leaf::Alias(_, state) => *state,
            Leaf::Addresses { .. } => None,
        };
        let suffix = match forced {
            None => "",
            Some(true) => "-forced-up",
            Some(false) => "-forced-down",
        };
        let pool = Pool {
            name: self.names.take(&format!("{name}{suffix}")),
            leaf: leaf_read.clone(),
            state: forced.or(own),
        };
        self.all.push(pool);
        let index = self.all.len() - 1;
        self.known.insert((leaf, forced), index);
        index
    }

    /// The pools of a resource without geography, in the order in which they are tried. `forced`
    /// holds for all of them.
    pub(super) fn splice(
        &mut self,
        resource: &Resource,
        forced: Option<bool>,
        resources: &mut Resources<'_>,
        place: &Place,
    ) -> Vec<usize> {
        let datacenters = match &resource.kind {
            Kind::Leaf(leaf) => return vec![self.of_leaf(*leaf, forced, resources)],
            Kind::Failover(datacenters) => datacenters,
            // Callers splice only what has no geography.
            Kind::Geo(..) => return Vec::new(),
        };
        let mut pools = Vec::new();
        for (at, datacenter) in tried(datacenters, resource.skips_first).iter().enumerate() {
            let inner = &datacenter.resource;
            let state = forced.or(datacenter.forced);
            match (&inner.kind, state) {
                (Kind::Leaf(leaf), state) => pools.push(self.of_leaf(*leaf, state, resources)),
                (_, None) => pools.extend(self.splice(inner, None, resources, place)),
                (_, Some(false)) => {
                    if at == 0 {
                        note_order(datacenter, resources, place);
                    }
                    pools.extend(self.splice(inner, Some(false), resources, place));
                }
                (_, Some(true)) => {
                    let natural = self.splice(inner, None, resources, place);
                    pools.extend(&natural);
                    // When none of them is up the first one answers all the same.
                    pools.extend(self.splice(inner, Some(true), resources, place).first());
                }
            }
        }
        pools
    }
}

/// Datacenters that are ever tried.
pub(super) fn tried(datacenters: &[Datacenter], skips_first: bool) -> &[Datacenter] {
    let skipped = usize::from(skips_first && datacenters.len() > 1);
    &datacenters[skipped..]
}

/// Notes that states within a datacenter are forgotten when the whole is forced down.
pub(super) fn note_order(datacenter: &Datacenter, resources: &mut Resources<'_>, place: &Place) {
    resources.faults().add(
        place,
        Effect::Changed,
        format!("forced state DOWN of datacenter {}", datacenter.label),
        "should nothing be up at all, its first entry is given, where gdnsd gives its first entry that is up",
    );
}
