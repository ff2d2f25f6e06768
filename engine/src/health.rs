//! Health of nodes, and reliance on what says nothing: no data is not good news.
//!
//! - A node that alone of its site falls silent is taken for down: its peers show that reports
//!   arrive. When a whole site falls silent, reports may be what failed, and no client is sent away
//!   for that.
//! - A silent part gives up some of its soft limit, and more of it later; gates then move no client
//!   towards it.
//! - When more of a region looks down than can be, the engine believes the last good map and not
//!   the reports.

use crate::estimate::Estimates;
use crate::inventory::Inventory;
use coverage::{LinkId, NodeId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Rules by which silence and failures are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HealthRules {
    /// Age from which a report is stale.
    pub(crate) stale_after: Duration,
    /// Age from which a silent part is not relied on.
    pub(crate) frozen_after: Duration,
    /// Share of its soft limit that a link or site gives up once it is stale; twice that after
    /// `frozen_after`.
    pub(crate) silent_margin: f64,
    /// Share of a region's capacity that may look down before the reports are not believed.
    pub(crate) down_share_max: f64,
}

/// Moment of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The present.
    pub(crate) now: Timestamp,
    /// Time since which reports are listened to: what has never been heard is as old as that.
    pub(crate) awake_since: Timestamp,
}

impl Moment {
    /// Age of what was heard last at `at`.
    fn age(self, at: Option<Timestamp>) -> Duration {
        self.now.since(at.unwrap_or(self.awake_since))
    }
}

/// Verdict of one cycle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Health {
    /// `[node]`: true when it may serve.
    pub(crate) nodes_up: Vec<bool>,
    /// Nodes that were taken for down because they alone of their site say nothing.
    pub(crate) silent_nodes: Vec<NodeId>,
    /// Regions where so much looked down that all of it is believed up.
    pub(crate) failed_open: Vec<String>,
    /// Reliance on soft limits.
    pub(crate) margins: Margins,
}

/// Shares of soft limits that are not relied on, because what they bear was not heard of for a
/// while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Margins {
    /// [link], 0..=1.
    pub(crate) links: Vec<f64>,
    /// [site], 0..=1: the mean over its nodes.
    pub(crate) sites: Vec<f64>,
}

impl Health {
    /// Health of an inventory that is all up and heard of.
    #[must_use]
    pub(crate) fn all_well(inventory: &Inventory) -> Self {
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
pub(crate) fn judge(
    inventory: &Inventory,
    estimates: &Estimates,
    rules: &HealthRules,
    moment: Moment,
) -> Health {
    let mut health = Health::all_well(inventory);
    let heard: Vec<Option<Timestamp>> = (0..inventory.nodes.len())
        .map(|node| estimates.health(NodeId::from_index(node)).at)
        .collect();
    for (node, up) in health.nodes_up.iter_mut().enumerate() {
        *up = estimates.health(NodeId::from_index(node)).up;
    }
    fail_open(inventory, rules.down_share_max, &mut health);
    let silent = silent_among_peers(inventory, estimates, rules, moment);
    take_out_silent(inventory, rules.down_share_max, silent, &mut health);
    let links = (0..inventory.links.len()).map(LinkId::from_index);
    let links: Vec<_> = links.map(|l| estimates.link(l).map(|e| e.at)).collect();
    health.margins = Margins {
        links: margins(&links, rules, moment),
        sites: of_sites(inventory, &health.nodes_up, &margins(&heard, rules, moment)),
    };
    health
}

/// Nodes that say nothing while most others of their site have done so for a while, rising: when
/// all reports come back after a break, some are sooner than others.
fn silent_among_peers(
    inventory: &Inventory,
    estimates: &Estimates,
    rules: &HealthRules,
    moment: Moment,
) -> Vec<NodeId> {
    let nodes = || (0..inventory.nodes.len()).map(NodeId::from_index);
    let heard = |node: NodeId| estimates.health(node).at;
    let speaks = |node: NodeId| {
        heard(node).is_some_and(|at| moment.age(Some(at)) <= rules.stale_after)
            && moment.now.since(estimates.health(node).since) >= rules.stale_after
    };
    // [site] -> (nodes, those that speak)
    let mut sites = vec![(0_usize, 0_usize); inventory.sites.len()];
    for node in nodes() {
        let site = &mut sites[site_of(inventory, node)];
        site.0 += 1;
        site.1 += usize::from(speaks(node));
    }
    let is_silent = |node: &NodeId| {
        let (nodes, speaking) = sites[site_of(inventory, *node)];
        moment.age(heard(*node)) > rules.frozen_after && 2 * speaking > nodes - 1
    };
    nodes().filter(is_silent).collect()
}

/// Takes silent nodes for down, but not in regions of which more would look down than can be:
/// silence is less to go by than a report of being down.
fn take_out_silent(
    inventory: &Inventory,
    down_share_max: f64,
    silent: Vec<NodeId>,
    health: &mut Health,
) {
    let region_of = |node: &NodeId| inventory.sites[site_of(inventory, *node)].region.as_str();
    let mut nodes_up = health.nodes_up.clone();
    for node in &silent {
        nodes_up[node.index()] = false;
    }
    let too_many = too_far_down(inventory, &nodes_up, down_share_max);
    let believed = |node: &NodeId| {
        let region = region_of(node);
        !too_many.iter().any(|r| r == region) && !health.failed_open.iter().any(|r| r == region)
    };
    health.silent_nodes = silent.into_iter().filter(believed).collect();
    for node in &health.silent_nodes {
        health.nodes_up[node.index()] = false;
    }
}

fn site_of(inventory: &Inventory, node: NodeId) -> usize {
    inventory.site_of(&inventory.nodes[node.index()]).index()
}

/// Believes a region up when the nodes that look down hold more than `down_share_max` of its
/// capacity.
fn fail_open(inventory: &Inventory, down_share_max: f64, health: &mut Health) {
    health.failed_open = too_far_down(inventory, &health.nodes_up, down_share_max);
    for (node, up) in health.nodes_up.iter_mut().enumerate() {
        let region = &inventory.sites[site_of(inventory, NodeId::from_index(node))].region;
        *up |= health.failed_open.contains(region);
    }
}

/// Regions where the nodes that look down hold more than `down_share_max` of the capacity.
fn too_far_down(inventory: &Inventory, nodes_up: &[bool], down_share_max: f64) -> Vec<String> {
    let mut regions: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (node, up) in nodes_up.iter().enumerate() {
        let site = &inventory.sites[site_of(inventory, NodeId::from_index(node))];
        let (down_mbps, total_mbps) = regions.entry(site.region.as_str()).or_default();
        let capacity_mbps = inventory.nodes[node].capacity_mbps;
        *total_mbps += capacity_mbps;
        *down_mbps += if *up { 0.0 } else { capacity_mbps };
    }
    let open = |&(_, (down, total)): &(&str, (f64, f64))| down > down_share_max * total;
    let regions = regions.into_iter().filter(open);
    regions.map(|(region, _)| region.to_owned()).collect()
}

/// Share of its soft limit that each of a kind gives up.
fn margins(heard: &[Option<Timestamp>], rules: &HealthRules, moment: Moment) -> Vec<f64> {
    let margin = |age: Option<Duration>| match age {
        Some(age) if age > rules.frozen_after => 2.0 * rules.silent_margin,
        Some(age) if age > rules.stale_after => rules.silent_margin,
        _ => 0.0,
    };
    ages(heard, moment).into_iter().map(margin).collect()
}

/// Age of what was heard last of each of a kind. What was never heard is as old as the start where
/// most others were heard; else it is not reported here, and has none.
#[must_use]
pub(crate) fn ages(heard: &[Option<Timestamp>], moment: Moment) -> Vec<Option<Duration>> {
    let reported = 2 * heard.iter().flatten().count() > heard.len();
    let age = |at: &Option<Timestamp>| (at.is_some() || reported).then(|| moment.age(*at));
    heard.iter().map(age).collect()
}

/// `[site]`: mean of what those of its nodes give up that may serve, weighted by capacity.
fn of_sites(inventory: &Inventory, nodes_up: &[bool], margins: &[f64]) -> Vec<f64> {
    let mut sites = vec![(0.0, 0.0); inventory.sites.len()];
    for (node, margin) in margins
        .iter()
        .enumerate()
        .filter(|(node, _)| nodes_up[*node])
    {
        let capacity_mbps = inventory.nodes[node].capacity_mbps;
        let site = &mut sites[site_of(inventory, NodeId::from_index(node))];
        site.0 += margin * capacity_mbps;
        site.1 += capacity_mbps;
    }
    let mean = |(sum, all): (f64, f64)| if all > 0.0 { sum / all } else { 0.0 };
    sites.into_iter().map(mean).collect()
}
