//! Trees of datacenters to what a service is steered by.

use super::model::{Policy, Steering};
use super::names::Names;
use super::policy::{self, Expansion};
use super::pools::{Pools, note_order, tried};
use crate::fault::{Effect, Place};
use crate::gdnsd::{Kind, Resource, Resources, Trouble};
use std::collections::BTreeMap;

/// State that grows while services are steered.
#[derive(Debug, Default)]
pub(super) struct Steerer {
    pub(super) pools: Pools,
    pub(super) policies: Vec<Policy>,
    /// Map -> its policy, for resources that use the map as it is.
    of_map: BTreeMap<usize, usize>,
    names: Names,
}

/// A part of a tree that one label stands for.
pub(super) struct Unit<'a> {
    pub(super) label: String,
    resource: &'a Resource,
    forced: Option<bool>,
    /// The datacenter of the map by which it was reached.
    pub(super) by_map: Option<usize>,
}

impl Steerer {
    /// Steers by a resource.
    ///
    /// # Errors
    /// [`Trouble::Lost`] for trees that two levels cannot express.
    pub(super) fn steer(
        &mut self,
        name: &str,
        resource: &Resource,
        resources: &mut Resources<'_>,
        place: &Place,
    ) -> Result<Steering, Trouble> {
        match (map_of(resource, resources)?, &resource.kind) {
            (None, Kind::Failover(datacenters)) => {
                let tried = tried(datacenters, resource.skips_first);
                let leaves = tried
                    .iter()
                    .map(|datacenter| match datacenter.resource.kind {
                        Kind::Leaf(leaf) => Some((leaf, datacenter.forced)),
                        _ => None,
                    });
                if let Some(leaves) = leaves.collect::<Option<Vec<_>>>() {
                    let pool = |(leaf, forced)| self.pools.of_leaf(leaf, forced, resources);
                    return Ok(Steering::Pools(leaves.into_iter().map(pool).collect()));
                }
                let units = units(resource, &[], "", None, None);
                let labels = units.iter().map(|unit| unit.label.clone()).collect();
                let name = self.names.take(name);
                self.policies.push(policy::fixed(name, labels));
                Ok(self.by_policy(self.policies.len() - 1, &units, resources, place))
            }
            (None, _) => Ok(Steering::Pools(
                self.pools.splice(resource, None, resources, place),
            )),
            (Some(map), _) => self.by_map(name, map, resource, resources, place),
        }
    }

    fn by_map(
        &mut self,
        name: &str,
        map: usize,
        resource: &Resource,
        resources: &mut Resources<'_>,
        place: &Place,
    ) -> Result<Steering, Trouble> {
        let read = &resources.maps()[map];
        let all: Vec<usize> = (0..read.datacenters.len()).collect();
        let units = units(resource, &all, "", None, None);
        note_forced(resource, resources, place);
        let is_plain = match &resource.kind {
            Kind::Geo(_, datacenters) => {
                !resource.skips_first
                    && datacenters.iter().all(|one| {
                        one.as_ref()
                            .is_some_and(|datacenter| is_fixed(&datacenter.resource))
                    })
            }
            _ => false,
        };
        if is_plain && let Some(known) = self.of_map.get(&map) {
            return Ok(self.by_policy(*known, &units, resources, place));
        }
        let expand = |list: &[usize]| -> Vec<usize> {
            let tried = self::units(resource, list, "", None, None);
            let index = |unit: Unit<'_>| units.iter().position(|known| known.label == unit.label);
            tried.into_iter().filter_map(index).collect()
        };
        let wanted = if is_plain {
            read.name.clone()
        } else {
            format!("{}-{name}", read.name)
        };
        let expansion = Expansion {
            map: read,
            name,
            units: &units,
            expand: &expand,
            is_plain,
            nearest_is_exact: is_plain
                || nearest_is_exact(resource, read.nearest_max, &read.coordinates),
        };
        let policy = policy::of_map(
            self.names.take(&wanted),
            &expansion,
            resources.faults(),
            place,
        )?;
        self.policies.push(policy);
        let index = self.policies.len() - 1;
        if is_plain {
            self.of_map.insert(map, index);
        }
        Ok(self.by_policy(index, &units, resources, place))
    }

    fn by_policy(
        &mut self,
        policy: usize,
        units: &[Unit<'_>],
        resources: &mut Resources<'_>,
        place: &Place,
    ) -> Steering {
        let pools = units
            .iter()
            .map(|unit| self.pools.splice(unit.resource, None, resources, place))
            .collect();
        Steering::Policy {
            policy,
            pools,
            states: units.iter().map(|unit| unit.forced).collect(),
        }
    }
}

/// Tells whether distances decide as before among the datacenters that a geoip resource defines:
/// the bound on the length of lists must not count those that it does not.
fn nearest_is_exact(
    resource: &Resource,
    max: Option<usize>,
    coordinates: &[Option<(f64, f64)>],
) -> bool {
    let Kind::Geo(_, datacenters) = &resource.kind else {
        return false;
    };
    let located = coordinates.iter().flatten().count();
    let bound_matters = max.is_some_and(|max| max < located);
    let fixed = datacenters
        .iter()
        .flatten()
        .all(|datacenter| is_fixed(&datacenter.resource));
    fixed && !resource.skips_first && !bound_matters
}

/// The only map that a tree looks at.
fn map_of(resource: &Resource, resources: &Resources<'_>) -> Result<Option<usize>, Trouble> {
    let (own, inner): (_, Vec<_>) = match &resource.kind {
        Kind::Leaf(_) => return Ok(None),
        Kind::Failover(datacenters) => (None, datacenters.iter().collect()),
        Kind::Geo(map, datacenters) => (Some(*map), datacenters.iter().flatten().collect()),
    };
    let mut found = own;
    for datacenter in inner {
        let map = map_of(&datacenter.resource, resources)?;
        match (found, map) {
            (Some(one), Some(other)) if one != other => {
                let name = |map: usize| &resources.maps()[map].name;
                let why = format!(
                    "chooses by map {} and then by map {}; a policy is one map",
                    name(one),
                    name(other)
                );
                return Err(Trouble::Lost(why));
            }
            _ => found = found.or(map),
        }
    }
    Ok(found)
}

/// Tells whether no map has a say in a tree.
fn is_fixed(resource: &Resource) -> bool {
    match &resource.kind {
        Kind::Leaf(_) => true,
        Kind::Failover(datacenters) => datacenters
            .iter()
            .all(|datacenter| is_fixed(&datacenter.resource)),
        Kind::Geo(..) => false,
    }
}

/// The parts of a tree in the order in which they are tried where the map gives `list`.
fn units<'a>(
    resource: &'a Resource,
    list: &[usize],
    path: &str,
    forced: Option<bool>,
    by_map: Option<usize>,
) -> Vec<Unit<'a>> {
    if is_fixed(resource) && !path.is_empty() {
        let label = path.to_owned();
        return vec![Unit {
            label,
            resource,
            forced,
            by_map,
        }];
    }
    let within = |label: &str| match path {
        "" => label.to_owned(),
        path => format!("{path}/{label}"),
    };
    match &resource.kind {
        Kind::Leaf(_) => Vec::new(),
        Kind::Failover(datacenters) => tried(datacenters, resource.skips_first)
            .iter()
            .flat_map(|datacenter| {
                let state = forced.or(datacenter.forced);
                units(
                    &datacenter.resource,
                    list,
                    &within(&datacenter.label),
                    state,
                    by_map,
                )
            })
            .collect(),
        Kind::Geo(_, datacenters) => {
            // gdnsd drops the first entry of the list that the map gives, whatever the resource
            // defines.
            let skipped = usize::from(resource.skips_first && list.len() > 1);
            let defined = list[skipped..]
                .iter()
                .filter_map(|at| Some((*at, datacenters[*at].as_ref()?)));
            defined
                .flat_map(|(at, datacenter)| {
                    let state = forced.or(datacenter.forced);
                    units(
                        &datacenter.resource,
                        list,
                        &within(&datacenter.label),
                        state,
                        Some(at),
                    )
                })
                .collect()
        }
    }
}

/// Notes forced states of datacenters that stand for several labels: the labels have the state one
/// by one.
fn note_forced(resource: &Resource, resources: &mut Resources<'_>, place: &Place) {
    let datacenters: Vec<_> = match &resource.kind {
        Kind::Leaf(_) => return,
        Kind::Failover(datacenters) => datacenters.iter().collect(),
        Kind::Geo(_, datacenters) => datacenters.iter().flatten().collect(),
    };
    for datacenter in datacenters
        .into_iter()
        .filter(|datacenter| !is_fixed(&datacenter.resource))
    {
        match datacenter.forced {
            None => note_forced(&datacenter.resource, resources, place),
            Some(false) => note_order(datacenter, resources, place),
            Some(true) => resources.faults().add(
                place,
                Effect::Changed,
                format!("forced state UP of datacenter {}", datacenter.label),
                "each of the datacenters within it counts as up, so the first of them is given",
            ),
        }
    }
}
