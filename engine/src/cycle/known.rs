//! Known facts: what exists, what was chosen, what was observed.

use super::EngineOptions;
use crate::billing::{Contracts, SlotSample};
use crate::estimate::{Estimates, Priors};
use crate::health::{self, Health, HealthRules, Moment};
use crate::inventory::Inventory;
use crate::model::Facts;
use coverage::observation::{Observation, Sample};
use coverage::{AreaTable, LinkId, NodeId, Timestamp};
use instance::Plan;
use std::sync::Arc;
use std::time::Duration;

/// Knowledge that instances, drains and explanations are made from.
pub(super) struct Known {
    pub(super) inventory: Arc<Inventory>,
    pub(super) table: Arc<AreaTable>,
    pub(super) options: EngineOptions,
    pub(super) estimates: Estimates,
    pub(super) contracts: Contracts,
    /// Time of the first tick.
    pub(super) awake_since: Option<Timestamp>,
    /// `[link]`: true when its newest sample was above its watermark.
    full_links: Vec<bool>,
    priors: Priors,
}

impl Known {
    /// Knowledge at the start: nothing was observed but stored billing samples.
    pub(super) fn new(
        inventory: Arc<Inventory>,
        table: Arc<AreaTable>,
        options: EngineOptions,
        samples: Vec<SlotSample>,
    ) -> Self {
        let units = inventory.services.len() * table.areas().len();
        Self {
            contracts: Contracts::new(&inventory, units, (options.slot, options.billing), samples),
            priors: Priors::new(&inventory, &table),
            full_links: vec![false; inventory.links.len()],
            estimates: Estimates::new(&inventory, table.areas().len(), options.estimate),
            awake_since: None,
            inventory,
            table,
            options,
        }
    }

    /// Folds one observation in. Returns whether it tells something that should not wait.
    pub(super) fn take_in(&mut self, observation: &Observation) -> bool {
        match observation.sample {
            Sample::Node { node, .. } => {
                let before = self.estimates.health(node).up;
                self.estimates.apply(observation);
                before != self.estimates.health(node).up
            }
            Sample::Link { link, .. } => self.take_in_link(link, observation),
            _ => {
                self.estimates.apply(observation);
                false
            }
        }
    }

    fn take_in_link(&mut self, link: LinkId, observation: &Observation) -> bool {
        // The ledger takes samples for long. What is stale when it comes is no news: a link that
        // nothing else is known of stays unknown, and counts as silent no sooner than if it had
        // said nothing.
        let age = self.contracts.ledger().age(observation.at);
        if self.estimates.link(link).is_none() && age > self.options.estimate.stale_after {
            return false;
        }
        self.estimates.apply(observation);
        let full = self.estimates.is_full(link, observation.at);
        let before = std::mem::replace(&mut self.full_links[link.index()], full);
        full && !before
    }

    /// Health of everything at `now`.
    pub(super) fn health(&self, now: Timestamp) -> Health {
        let publish = &self.options.publish;
        let rules = HealthRules {
            stale_after: self.options.estimate.stale_after,
            frozen_after: publish.gates.frozen_after,
            silent_margin: publish.gates.silent_margin,
            down_share_max: publish.down_share_max,
        };
        health::judge(&self.inventory, &self.estimates, &rules, self.moment(now))
    }

    /// `now`, and since when anything could be heard.
    pub(super) fn moment(&self, now: Timestamp) -> Moment {
        Moment {
            now,
            awake_since: self.awake_since.unwrap_or(now),
        }
    }

    /// `[site]` -> age of the newest report of any of its links and nodes, as [`health::ages`] has
    /// it.
    pub(super) fn site_ages(&self, now: Timestamp) -> Vec<Option<Duration>> {
        let inventory = &self.inventory;
        let links = inventory.links.iter().zip(0..).map(|(link, index)| {
            let heard = self.estimates.link(LinkId(index));
            (link.site, heard.map(|estimate| estimate.at))
        });
        let nodes = inventory.nodes.iter().zip(0..).map(|(node, index)| {
            let heard = self.estimates.health(NodeId(index)).at;
            (inventory.site_of(node), heard)
        });
        let mut newest: Vec<Option<Timestamp>> = vec![None; inventory.sites.len()];
        for (site, at) in links.chain(nodes) {
            let newest = &mut newest[site.index()];
            *newest = (*newest).max(at);
        }
        health::ages(&newest, self.moment(now))
    }

    /// Facts that an instance is made from, with incumbents of a plan.
    pub(super) fn facts<'a>(
        &'a self,
        health: &'a Health,
        incumbent: Option<&'a Plan>,
    ) -> Facts<'a> {
        Facts {
            inventory: &self.inventory,
            table: &self.table,
            priors: &self.priors,
            estimates: &self.estimates,
            contracts: &self.contracts,
            nodes_up: &health.nodes_up,
            margins: &health.margins,
            incumbent,
            options: self.options.model,
            threads: self.options.threads,
        }
    }
}
