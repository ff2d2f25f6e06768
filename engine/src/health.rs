//! Which nodes may serve, and how far what says nothing is relied on: no data is not good news.
//!
//! - Who alone of its site falls silent is taken for down: its peers show that reports arrive. When a whole site falls
//!   silent, reports may be what failed, and nobody is sent away for that.
//! - What is silent gives up a part of its soft limit, and more of it later; gates then move nobody towards it.
//! - When more of a region looks down than can be, the last good map is believed and not the reports.

use crate::estimate::Estimates;
use crate::inventory::Inventory;
use coverage::{LinkId, NodeId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// What silence and failures are held for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthRules {
    /// Age from which a report is stale.
    pub stale_after: Duration,
    /// Age from which who says nothing is not relied on.
    pub frozen_after: Duration,
    /// Share of its soft limit that a link or site gives up once it is stale; twice that after `frozen_after`.
    pub silent_margin: f64,
    /// Share of a region's capacity that may look down before the reports are not believed.
    pub down_share_max: f64,
}

/// When something is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// Since when reports are listened to: what has never been heard is as old as that.
    pub awake_since: Timestamp,
}

impl Moment {
    /// Age of what was heard last at `at`.
    fn age(self, at: Option<Timestamp>) -> Duration {
        self.now.since(at.unwrap_or(self.awake_since))
    }
}

/// Verdict of one cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// [node]: whether it may serve.
    pub nodes_up: Vec<bool>,
    /// Nodes that were taken for down because they alone of their site say nothing.
    pub silent_nodes: Vec<NodeId>,
    /// Regions where so much looked down that all of it is believed up.
    pub failed_open: Vec<String>,
    /// How far soft limits are relied on.
    pub margins: Margins,
}

/// Shares of soft limits that are not relied on, because what they bear was not heard of for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Margins {
    /// [link], 0..=1.
    pub links: Vec<f64>,
    /// [site], 0..=1: the mean over its nodes.
    pub sites: Vec<f64>,
}

impl Health {
    /// Everything is up and heard of.
    #[must_use]
    pub fn all_well(inventory: &Inventory) -> Self {
        Self {
            nodes_up: vec![true; inventory.nodes.len()],
            silent_nodes: Vec::new(),
            failed_open: Vec::new(),
            margins: Margins {
                links: vec![0.0; inventory.links.len()],
                sites: vec![0.0; inventory.sites.len()],
            },
        }
    }
}

/// Judges all nodes, links and sites.
#[must_use]
pub fn judge(
    inventory: &Inventory,
    estimates: &Estimates,
    rules: &HealthRules,
    moment: Moment,
) -> Health {
    let mut health = Health::all_well(inventory);
    let heard: Vec<Option<Timestamp>> = (0..inventory.nodes.len())
        .map(|node| estimates.health(NodeId::from_index(node)).at)
        .collect();
    health.silent_nodes = silent_among_peers(inventory, &heard, rules, moment);
    for (node, up) in health.nodes_up.iter_mut().enumerate() {
        let node = NodeId::from_index(node);
        *up = estimates.health(node).up && health.silent_nodes.binary_search(&node).is_err();
    }
    fail_open(inventory, rules.down_share_max, &mut health);
    let links = (0..inventory.links.len()).map(LinkId::from_index);
    let links: Vec<_> = links.map(|l| estimates.link(l).map(|e| e.at)).collect();
    health.margins = Margins {
        links: margins(&links, rules, moment),
        sites: of_sites(inventory, &margins(&heard, rules, moment)),
    };
    health
}

/// Nodes that say nothing while most others of their site do, rising.
fn silent_among_peers(
    inventory: &Inventory,
    heard: &[Option<Timestamp>],
    rules: &HealthRules,
    moment: Moment,
) -> Vec<NodeId> {
    let speaks = |at: &Option<Timestamp>| at.is_some() && moment.age(*at) <= rules.stale_after;
    // [site] -> (nodes, those that speak)
    let mut sites = vec![(0_usize, 0_usize); inventory.sites.len()];
    for (node, at) in inventory.nodes.iter().zip(heard) {
        let site = &mut sites[inventory.groups[node.group.index()].site.index()];
        site.0 += 1;
        site.1 += usize::from(speaks(at));
    }
    let is_silent = |(node, at): (usize, &Option<Timestamp>)| {
        let site = inventory.groups[inventory.nodes[node].group.index()].site;
        let (nodes, speaking) = sites[site.index()];
        moment.age(*at) > rules.frozen_after && 2 * speaking > nodes - 1
    };
    let all = heard.iter().enumerate();
    all.filter(|(node, at)| is_silent((*node, at)))
        .map(|(node, _)| NodeId::from_index(node))
        .collect()
}

/// Believes a region up when the nodes that look down hold more than `down_share_max` of its capacity.
fn fail_open(inventory: &Inventory, down_share_max: f64, health: &mut Health) {
    let region_of = |node: usize| {
        let group = inventory.nodes[node].group;
        inventory.sites[inventory.groups[group.index()].site.index()]
            .region
            .as_str()
    };
    let mut regions: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (node, up) in health.nodes_up.iter().enumerate() {
        let (down_mbps, total_mbps) = regions.entry(region_of(node)).or_default();
        let capacity_mbps = inventory.nodes[node].capacity_mbps;
        *total_mbps += capacity_mbps;
        *down_mbps += if *up { 0.0 } else { capacity_mbps };
    }
    let open = |&(_, (down, total)): &(&str, (f64, f64))| down > down_share_max * total;
    let regions = regions.into_iter().filter(open);
    health.failed_open = regions.map(|(region, _)| region.to_owned()).collect();
    let is_open = |node: usize| health.failed_open.iter().any(|r| r == region_of(node));
    for (node, up) in health.nodes_up.iter_mut().enumerate() {
        *up |= is_open(node);
    }
    health.silent_nodes.retain(|node| !is_open(node.index()));
}

/// What each of a kind gives up of its soft limit.
fn margins(heard: &[Option<Timestamp>], rules: &HealthRules, moment: Moment) -> Vec<f64> {
    let margin = |age: Option<Duration>| match age {
        Some(age) if age > rules.frozen_after => 2.0 * rules.silent_margin,
        Some(age) if age > rules.stale_after => rules.silent_margin,
        _ => 0.0,
    };
    ages(heard, moment).into_iter().map(margin).collect()
}

/// Age of what was heard last of each of a kind. What was never heard is as old as the start where most others were heard;
/// else it is not reported here, and has none.
#[must_use]
pub fn ages(heard: &[Option<Timestamp>], moment: Moment) -> Vec<Option<Duration>> {
    let reported = 2 * heard.iter().flatten().count() > heard.len();
    let age = |at: &Option<Timestamp>| (at.is_some() || reported).then(|| moment.age(*at));
    heard.iter().map(age).collect()
}

/// [site]: mean of what its nodes give up, weighted by capacity.
fn of_sites(inventory: &Inventory, nodes: &[f64]) -> Vec<f64> {
    let mut sites = vec![(0.0, 0.0); inventory.sites.len()];
    for (node, margin) in inventory.nodes.iter().zip(nodes) {
        let site = &mut sites[inventory.groups[node.group.index()].site.index()];
        site.0 += margin * node.capacity_mbps;
        site.1 += node.capacity_mbps;
    }
    let mean = |(sum, all): (f64, f64)| if all > 0.0 { sum / all } else { 0.0 };
    sites.into_iter().map(mean).collect()
}
