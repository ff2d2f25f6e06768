//! Limits that drains, refills and failures leave of the inventory: the only way in which they
//! reach the plan.

use coverage::{GroupId, LinkId, NodeId, ServiceId, SiteId};
use std::collections::{BTreeMap, BTreeSet};

/// Upper bounds on top of the inventory. What is not named is unlimited; 0 takes a part out of
/// candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Most traffic on a link, Mbps.
    pub links_mbps: BTreeMap<LinkId, f64>,
    /// Most traffic in a site, Mbps.
    pub sites_mbps: BTreeMap<SiteId, f64>,
    /// Most traffic in a group, Mbps.
    pub groups_mbps: BTreeMap<GroupId, f64>,
    /// Most traffic of a service in a group, Mbps.
    pub services_mbps: BTreeMap<(GroupId, ServiceId), f64>,
    /// Nodes that take no new clients.
    pub nodes_out: BTreeSet<NodeId>,
}

impl Limits {
    /// Tells whether clients may come to a link of a site, whichever group serves there.
    #[must_use]
    pub(crate) fn opens(&self, link: LinkId, site: SiteId) -> bool {
        let some = |bound: Option<&f64>| bound.is_none_or(|&mbps| mbps > 0.0);
        some(self.links_mbps.get(&link)) && some(self.sites_mbps.get(&site))
    }
}
