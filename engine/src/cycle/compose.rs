//! The optimizer's part of a map and the static services, put together.

use super::draft::{Draft, Part};
use super::{Engine, Under};
use crate::inventory::Endpoint;
use crate::limits::Limits;
use crate::model::Facts;
use crate::policy;
use crate::publish::Held;
use crate::realise::catalog;
use coverage::map::CoverageMapBuilder;
use coverage::{AreaId, Body, ServiceId, Snapshot, Timestamp};

impl Engine {
    /// A map of the right size with nothing in it yet.
    pub(super) fn blank_map(&self) -> CoverageMapBuilder {
        let services = self.inventory.services.len() + self.steering.policies.services.len();
        let areas = u32::try_from(self.table.areas().len()).unwrap_or(u32::MAX);
        CoverageMapBuilder::new(services, areas)
    }

    /// The optimizer's part when there is nothing to optimize.
    pub(super) fn part_without_services(
        &self,
        facts: &Facts<'_>,
        limits: &Limits,
        now: Timestamp,
    ) -> Part {
        Part::of_policy(
            catalog(facts, limits, self.drains.active(now)),
            self.blank_map(),
        )
    }

    /// The optimizer's part as it is served now; `None` when there is no map, or one of another
    /// inventory.
    pub(super) fn part_as_served(&self) -> Option<Part> {
        let inventory = &self.inventory;
        let serving = self.in_force.snapshot.as_ref()?;
        if !self.speaks_of_this(serving) {
            return None;
        }
        let mut catalog = serving.catalog.clone();
        catalog.services.truncate(inventory.services.len());
        catalog.groups.truncate(inventory.groups.len());
        catalog.endpoints.truncate(inventory.endpoints.len());
        Some(Part::of_policy(catalog, self.served_map(serving)))
    }

    /// The rows that `serving`, which must be of this inventory, has for its services.
    pub(super) fn served_map(&self, serving: &Snapshot) -> CoverageMapBuilder {
        let mut map = self.blank_map();
        // Only sets that rows use: others may speak of what has gone since, and would be handed on
        // for ever.
        let mut ids = vec![None; serving.map.answer_sets().len()];
        for service in (0..self.inventory.services.len()).map(ServiceId::from_index) {
            for (set, area) in serving.map.row(service).iter().zip(0..) {
                let answers = || serving.map.answer_sets()[set.index()].clone();
                let id = *ids[set.index()].get_or_insert_with(|| map.intern(answers()));
                map.put(service, AreaId(area), id);
            }
        }
        map
    }

    /// Tells whether a snapshot was made for this area table and this inventory, so that its
    /// indices are ours.
    pub(super) fn speaks_of_this(&self, serving: &Snapshot) -> bool {
        let inventory = &self.inventory;
        let catalog = &serving.catalog;
        let fixed = &self.steering.policies.services;
        let names = inventory.services.iter().map(|service| &service.served);
        let names = names.chain(fixed.iter().map(|service| &service.served));
        let groups = inventory.groups.iter().map(|group| &group.name);
        let known = catalog.groups.iter().map(|group| &group.name);
        let endpoint = |endpoint: &Endpoint| {
            let link = &inventory.links[endpoint.link.index()].name;
            (endpoint.group, link.clone())
        };
        let ours = inventory.endpoints.iter().map(endpoint);
        let theirs = catalog.endpoints.iter().map(|e| (e.group, e.link.clone()));
        serving.table.areas().len() == self.table.areas().len()
            && catalog.services.iter().eq(names)
            && catalog.endpoints.len() >= inventory.endpoints.len()
            && catalog.groups.len() >= inventory.groups.len()
            && known.take(inventory.groups.len()).eq(groups)
            && theirs.take(inventory.endpoints.len()).eq(ours)
    }

    /// Adds static services. `None` when the map in force says the same already.
    ///
    /// # Errors
    /// [`Held::Uncovered`].
    pub(super) fn add_static_services(
        &self,
        mut part: Part,
        under: Under,
    ) -> Result<Option<Draft>, Held> {
        policy::compile(
            &self.steering.policies,
            &self.steering.areas,
            &self.watch.checks,
            &mut part.catalog,
            &mut part.map,
        );
        let map = part
            .map
            .finish()
            .map_err(|hole| Held::Uncovered(hole.to_string()))?;
        let same = |serving: &Snapshot| serving.map == map && serving.catalog == part.catalog;
        if self.in_force.snapshot.as_deref().is_some_and(same) {
            return Ok(None);
        }
        Ok(Some(Draft {
            body: Body {
                catalog: part.catalog,
                map,
            },
            input_digest: part.input_digest,
            reason: part.reason,
            tier: part.tier,
            under,
            whole: part.whole,
        }))
    }
}
