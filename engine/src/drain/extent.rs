//! Extent of drains: which nodes, groups, links and sites are out, which bounds follow, and
//! which budgets they use.

use std::collections::{BTreeMap, BTreeSet};

use coverage::{GroupId, LinkId, NodeId, ServiceId, SiteId};

use super::rules::Rules;
use super::target::Part;
use crate::inventory::Inventory;
use crate::limits::Limits;

/// Upper bounds that follow from parts at 0: what a proof assumes of drained targets.
pub(super) fn limits_at_zero(parts: &BTreeSet<Part>, inventory: &Inventory) -> Limits {
    let mut bounds = Bounds::default();
    for &part in parts {
        bounds.put(part, 0.0, true);
    }
    bounds.finish(inventory)
}

/// Collects bounds of several drains; the smallest wins.
#[derive(Default)]
pub(super) struct Bounds {
    limits: Limits,
    /// Share of its capacity that is left to a node, 0..=1.
    node_shares: BTreeMap<NodeId, f64>,
}

impl Bounds {
    /// Bounds `part`: in Mbps, but for a node as a share of its capacity. `out` nodes take no new
    /// clients.
    pub(super) fn put(&mut self, part: Part, bound: f64, out: bool) {
        let bound = bound.max(0.0);
        match part {
            Part::Node(node) => {
                smaller(&mut self.node_shares, node, bound.min(1.0));
                if out {
                    self.limits.nodes_out.insert(node);
                }
            }
            Part::Group(group) => smaller(&mut self.limits.groups_mbps, group, bound),
            Part::Site(site) => smaller(&mut self.limits.sites_mbps, site, bound),
            Part::Link(link) => smaller(&mut self.limits.links_mbps, link, bound),
            Part::Service(group, service) => {
                smaller(&mut self.limits.services_mbps, (group, service), bound);
            }
        }
    }

    /// The bounds, with each group bounded by what its nodes have left.
    pub(super) fn finish(mut self, inventory: &Inventory) -> Limits {
        let touched: BTreeSet<GroupId> = self
            .node_shares
            .keys()
            .map(|node| inventory.nodes[node.index()].group)
            .collect();
        for group in touched {
            let nodes = &inventory.groups[group.index()].nodes;
            let left_mbps = nodes
                .iter()
                .map(|node| {
                    let share = self.node_shares.get(node).copied().unwrap_or(1.0);
                    share * inventory.nodes[node.index()].capacity_mbps
                })
                .sum();
            smaller(&mut self.limits.groups_mbps, group, left_mbps);
        }
        self.limits
    }
}

/// Keeps the smaller bound of a key.
fn smaller<K: Ord>(bounds: &mut BTreeMap<K, f64>, key: K, bound: f64) {
    let kept = bounds.entry(key).or_insert(bound);
    *kept = kept.min(bound);
}

/// Capacity under `limits`, in Mbps: over all sites, the least of the site's bound, its links and
/// its groups. `lost` does not count. An upper bound on what can be carried, since demand cannot go
/// everywhere.
pub(super) fn remaining_mbps(inventory: &Inventory, limits: &Limits, lost: Option<SiteId>) -> f64 {
    let sites = inventory.sites.len();
    let (mut egress, mut serving) = (vec![0.0; sites], vec![0.0; sites]);
    for (index, link) in inventory.links.iter().enumerate() {
        let bound = limits.links_mbps.get(&LinkId::from_index(index)).copied();
        egress[link.site.index()] += link.capacity_mbps.min(bound.unwrap_or(f64::INFINITY));
    }
    for (index, group) in inventory.groups.iter().enumerate() {
        let id = GroupId::from_index(index);
        let bound = limits
            .groups_mbps
            .get(&id)
            .copied()
            .unwrap_or(f64::INFINITY);
        serving[group.site.index()] += inventory.group_capacity_mbps(id).min(bound);
    }
    let of_site = |index: usize| {
        let id = SiteId::from_index(index);
        let bound = limits.sites_mbps.get(&id).copied().unwrap_or(f64::INFINITY);
        if lost == Some(id) {
            0.0
        } else {
            egress[index].min(serving[index]).min(bound)
        }
    };
    (0..sites).map(of_site).sum()
}

/// All that is out because of some parts, closed upwards and downwards: a group without
/// nodes is out, a site without groups or links is out, and so is what stands in a site that is
/// out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    sites: BTreeSet<SiteId>,
    /// Sites that are out as such or for want of a link, not for want of groups.
    sites_whole: BTreeSet<SiteId>,
    links: BTreeSet<LinkId>,
    groups: BTreeSet<GroupId>,
    nodes: BTreeSet<NodeId>,
    services: BTreeSet<(GroupId, ServiceId)>,
    targets: usize,
}

/// A budget: whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Budget {
    /// Nodes of a group.
    NodesOf(GroupId),
    /// Groups of a site.
    GroupsOf(SiteId),
    /// Sites of a region.
    SitesOf(String),
    /// Targets worldwide.
    World,
}

impl Extent {
    /// The closure of `parts`.
    pub(super) fn of(parts: &BTreeSet<Part>, inventory: &Inventory) -> Self {
        let mut extent = Self {
            targets: parts.len(),
            ..Self::default()
        };
        for &part in parts {
            match part {
                Part::Node(node) => _ = extent.nodes.insert(node),
                Part::Group(group) => _ = extent.groups.insert(group),
                Part::Site(site) => _ = extent.sites_whole.insert(site),
                Part::Link(link) => _ = extent.links.insert(link),
                Part::Service(group, service) => _ = extent.services.insert((group, service)),
            }
        }
        extent.close_groups(inventory);
        extent.close_sites(inventory);
        extent
    }

    /// Adds groups that have no node or no service left.
    fn close_groups(&mut self, inventory: &Inventory) {
        for (index, group) in inventory.groups.iter().enumerate() {
            let id = GroupId::from_index(index);
            let no_node =
                !group.nodes.is_empty() && group.nodes.iter().all(|node| self.nodes.contains(node));
            let no_service = !group.services.is_empty()
                && group
                    .services
                    .iter()
                    .all(|&service| self.services.contains(&(id, service)));
            if no_node || no_service {
                self.groups.insert(id);
            }
        }
    }

    /// Adds sites that have no group or no link left, then all that stands in sites that are out.
    fn close_sites(&mut self, inventory: &Inventory) {
        // [site]: whether it has groups or links at all, and whether one of them is left.
        let sites = inventory.sites.len();
        let (mut groups, mut links) = (vec![(false, false); sites], vec![(false, false); sites]);
        for (index, group) in inventory.groups.iter().enumerate() {
            let (any, left) = &mut groups[group.site.index()];
            *any = true;
            *left |= !self.groups.contains(&GroupId::from_index(index));
        }
        for (index, link) in inventory.links.iter().enumerate() {
            let (any, left) = &mut links[link.site.index()];
            *any = true;
            *left |= !self.links.contains(&LinkId::from_index(index));
        }
        for index in 0..sites {
            if links[index] == (true, false) {
                self.sites_whole.insert(SiteId::from_index(index));
            }
            if groups[index] == (true, false) {
                self.sites.insert(SiteId::from_index(index));
            }
        }
        self.sites.extend(&self.sites_whole);
        for (index, group) in inventory.groups.iter().enumerate() {
            if self.sites.contains(&group.site) {
                self.groups.insert(GroupId::from_index(index));
            }
        }
    }

    /// Use of each budget that is used at all. Groups that are out with their whole site count
    /// once, as the site; a site that lost its groups one by one has used their budget, too, so
    /// that small calls are no way around it.
    fn count_used(&self, inventory: &Inventory) -> BTreeMap<Budget, usize> {
        let mut used = BTreeMap::from([(Budget::World, self.targets)]);
        for node in &self.nodes {
            let group = inventory.nodes[node.index()].group;
            *used.entry(Budget::NodesOf(group)).or_default() += 1;
        }
        for group in &self.groups {
            let site = inventory.groups[group.index()].site;
            if !self.sites_whole.contains(&site) {
                *used.entry(Budget::GroupsOf(site)).or_default() += 1;
            }
        }
        for site in &self.sites {
            let region = inventory.sites[site.index()].region.clone();
            *used.entry(Budget::SitesOf(region)).or_default() += 1;
        }
        used
    }

    /// The first budget that `self` overdraws further than `before` did, in words.
    pub(super) fn find_overdrawn(
        &self,
        before: &Self,
        inventory: &Inventory,
        rules: &Rules,
    ) -> Option<String> {
        let had = before.count_used(inventory);
        let mut used = self.count_used(inventory).into_iter();
        used.find_map(|(budget, count)| {
            let max = budget.allow(inventory, rules);
            let grew = count > had.get(&budget).copied().unwrap_or(0);
            (grew && count > max).then(|| {
                format!(
                    "{} would be {count} of at most {max}",
                    budget.words(inventory)
                )
            })
        })
    }

    /// Name of the first service that would have no endpoint left anywhere, of those that have one
    /// without drains.
    pub(super) fn service_lost<'a>(&self, inventory: &'a Inventory) -> Option<&'a str> {
        let serves = |service: ServiceId, all: bool| {
            inventory.endpoints.iter().any(|endpoint| {
                let group = &inventory.groups[endpoint.group.index()];
                let left = !self.groups.contains(&endpoint.group)
                    && !self.links.contains(&endpoint.link)
                    && !self.services.contains(&(endpoint.group, service));
                group.services.contains(&service) && (all || left)
            })
        };
        let mut services = inventory.services.iter().enumerate();
        services.find_map(|(index, service)| {
            let id = ServiceId::from_index(index);
            (serves(id, true) && !serves(id, false)).then_some(service.served.name.as_str())
        })
    }

    /// Sites that are out.
    pub(super) const fn sites(&self) -> &BTreeSet<SiteId> {
        &self.sites
    }
}

impl Budget {
    /// The most that the rules allow.
    fn allow(&self, inventory: &Inventory, rules: &Rules) -> usize {
        match self {
            Self::NodesOf(group) => {
                rules.nodes_out_max(inventory.groups[group.index()].nodes.len())
            }
            Self::GroupsOf(_) => rules.groups_per_site,
            Self::SitesOf(_) => rules.sites_per_region,
            Self::World => rules.world_max,
        }
    }

    /// Returns what is counted.
    fn words(&self, inventory: &Inventory) -> String {
        match self {
            Self::NodesOf(group) => {
                format!(
                    "nodes out in group {}",
                    inventory.groups[group.index()].name
                )
            }
            Self::GroupsOf(site) => {
                format!("groups out in site {}", inventory.sites[site.index()].name)
            }
            Self::SitesOf(region) => format!("sites out in region {region}"),
            Self::World => "targets out worldwide".to_owned(),
        }
    }
}
