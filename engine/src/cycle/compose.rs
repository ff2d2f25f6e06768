//! Drafts: the optimizer's part of a map and the static services, put together.

use super::Engine;
use super::draft::Draft;
use super::in_force::Under;
use super::tier::Tier;
use crate::model::Facts;
use crate::policy;
use crate::publish::{Held, Reason};
use crate::realise::catalog;
use coverage::catalog::Catalog;
use coverage::map::CoverageMapBuilder;
use coverage::{AreaId, Body, ServiceId, Snapshot, Timestamp};

/// The optimizer's part of a map, before static services are added.
pub(super) struct Half {
    pub(super) catalog: Catalog,
    pub(super) map: CoverageMapBuilder,
    pub(super) input_digest: String,
    pub(super) reason: Reason,
    pub(super) tier: Option<Tier>,
    pub(super) whole: bool,
}

impl Engine {
    /// A map of the right size with nothing in it yet.
    pub(super) fn blank_map(&self) -> CoverageMapBuilder {
        let services = self.known.inventory.services.len() + self.steering.policies.services.len();
        let areas = u32::try_from(self.known.table.areas().len()).unwrap_or(u32::MAX);
        CoverageMapBuilder::new(services, areas)
    }

    /// The optimizer's part when there is nothing to optimize.
    pub(super) fn without_services(
        &self,
        facts: &Facts<'_>,
        under: &Under,
        now: Timestamp,
    ) -> Half {
        Half {
            catalog: catalog(facts, &under.limits, self.drains.active(now)),
            map: self.blank_map(),
            input_digest: String::new(),
            reason: Reason::Policy,
            tier: None,
            whole: true,
        }
    }

    /// The optimizer's part as it is served now; `None` when there is no map, or one of another
    /// inventory.
    pub(super) fn as_served(&self) -> Option<Half> {
        let inventory = &self.known.inventory;
        let serving = self.in_force.snapshot.as_ref()?;
        if !self.speaks_of_this(serving) {
            return None;
        }
        let mut catalog = serving.catalog.clone();
        catalog.services.truncate(inventory.services.len());
        catalog.groups.truncate(inventory.groups.len());
        catalog.endpoints.truncate(inventory.endpoints.len());
        Some(Half {
            catalog,
            map: self.served_map(serving),
            input_digest: String::new(),
            reason: Reason::Policy,
            tier: None,
            whole: true,
        })
    }

    /// The rows that `serving`, which must be of this inventory, has for its services.
    pub(super) fn served_map(&self, serving: &Snapshot) -> CoverageMapBuilder {
        let mut map = self.blank_map();
        // Only sets that rows use: others may speak of what has gone since, and would be handed on
        // for ever.
        let mut ids = vec![None; serving.map.answer_sets().len()];
        for service in (0..self.known.inventory.services.len()).map(ServiceId::from_index) {
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
        let inventory = &self.known.inventory;
        let catalog = &serving.catalog;
        let fixed = &self.steering.policies.services;
        let names = inventory.services.iter().map(|service| &service.served);
        let names = names.chain(fixed.iter().map(|service| &service.served));
        let groups = inventory.groups.iter().map(|group| &group.name);
        let known = catalog.groups.iter().map(|group| &group.name);
        let endpoint = |endpoint: &crate::inventory::Endpoint| {
            let link = &inventory.links[endpoint.link.index()].name;
            (endpoint.group, link.clone())
        };
        let ours = inventory.endpoints.iter().map(endpoint);
        let theirs = catalog.endpoints.iter().map(|e| (e.group, e.link.clone()));
        serving.table.areas().len() == self.known.table.areas().len()
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
    pub(super) fn finish_draft(&self, mut half: Half, under: Under) -> Result<Option<Draft>, Held> {
        policy::compile(
            &self.steering.policies,
            &self.steering.areas,
            &self.checks,
            &mut half.catalog,
            &mut half.map,
        );
        let map = half
            .map
            .finish()
            .map_err(|hole| Held::Uncovered(hole.to_string()))?;
        let same = |serving: &Snapshot| serving.map == map && serving.catalog == half.catalog;
        if self.in_force.snapshot.as_deref().is_some_and(same) {
            return Ok(None);
        }
        Ok(Some(Draft {
            body: Body {
                catalog: half.catalog,
                map,
            },
            input_digest: half.input_digest,
            reason: half.reason,
            tier: half.tier,
            under,
            whole: half.whole,
        }))
    }
}
