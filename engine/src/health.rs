//! Which nodes may serve, after failing open: when more of a region looks down than can be, the last good map is believed
//! and not the reports.

use crate::estimate::Estimates;
use crate::inventory::Inventory;
use coverage::NodeId;
use std::collections::BTreeMap;

/// Verdict of one cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// [node]: whether it may serve.
    pub nodes_up: Vec<bool>,
    /// Regions where so much looked down that all of it is believed up.
    pub failed_open: Vec<String>,
}

/// Judges all nodes. A region fails open when the nodes that look down hold more than `down_share_max` of its capacity.
#[must_use]
pub fn judge(inventory: &Inventory, estimates: &Estimates, down_share_max: f64) -> Health {
    let region_of = |node: usize| {
        let group = inventory.nodes[node].group;
        inventory.sites[inventory.groups[group.index()].site.index()]
            .region
            .as_str()
    };
    let mut nodes_up: Vec<bool> = (0..inventory.nodes.len())
        .map(|node| estimates.health(NodeId::from_index(node)).up)
        .collect();
    let mut regions: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (node, up) in nodes_up.iter().enumerate() {
        let (down_mbps, total_mbps) = regions.entry(region_of(node)).or_default();
        let capacity_mbps = inventory.nodes[node].capacity_mbps;
        *total_mbps += capacity_mbps;
        *down_mbps += if *up { 0.0 } else { capacity_mbps };
    }
    let open = |&(_, (down, total)): &(&str, (f64, f64))| down > down_share_max * total;
    let failed_open: Vec<String> = regions
        .into_iter()
        .filter(open)
        .map(|(region, _)| region.to_owned())
        .collect();
    for (node, up) in nodes_up.iter_mut().enumerate() {
        *up |= failed_open.iter().any(|region| region == region_of(node));
    }
    Health {
        nodes_up,
        failed_open,
    }
}
