//! Which link is in which site and on which contract, by index.

use instance::Instance;

/// The references of an instance, resolved.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    /// `[link]` -> site index; `None` when the instance was not validated and the site is missing.
    pub(crate) site_of: Vec<Option<usize>>,
    /// `[link]` -> contract index; `None` as above.
    pub(crate) contract_of: Vec<Option<usize>>,
    /// `[site]` -> index of its region; `None` when that has no limits.
    pub(crate) region_of: Vec<Option<usize>>,
    /// `[site]` -> its links, rising.
    pub(crate) links_of_site: Vec<Vec<usize>>,
    /// `[contract]` -> its links, rising.
    pub(crate) links_of_contract: Vec<Vec<usize>>,
}

impl Topology {
    /// Resolves the references of `instance`. O((links + sites + contracts) log).
    pub(crate) fn of(instance: &Instance) -> Self {
        let sites = Index::of(instance.sites.iter().map(|s| s.id.as_str()));
        let contracts = Index::of(instance.contracts.iter().map(|m| m.id.as_str()));
        let regions = Index::of(instance.regions.iter().map(|r| r.id.as_str()));
        let region_of = instance.sites.iter().map(|s| regions.find(&s.region));
        let mut topology = Self {
            site_of: Vec::with_capacity(instance.links.len()),
            contract_of: Vec::with_capacity(instance.links.len()),
            region_of: region_of.collect(),
            links_of_site: vec![Vec::new(); instance.sites.len()],
            links_of_contract: vec![Vec::new(); instance.contracts.len()],
        };
        for (index, link) in instance.links.iter().enumerate() {
            let site = sites.find(&link.site);
            let contract = contracts.find(&link.contract);
            if let Some(site) = site {
                topology.links_of_site[site].push(index);
            }
            if let Some(contract) = contract {
                topology.links_of_contract[contract].push(index);
            }
            topology.site_of.push(site);
            topology.contract_of.push(contract);
        }
        topology
    }
}

/// Ids in sorted order with their places.
struct Index<'a>(Vec<(&'a str, usize)>);

impl<'a> Index<'a> {
    fn of(ids: impl Iterator<Item = &'a str>) -> Self {
        let mut sorted: Vec<(&str, usize)> = ids.enumerate().map(|(i, id)| (id, i)).collect();
        sorted.sort_unstable();
        Self(sorted)
    }

    fn find(&self, id: &str) -> Option<usize> {
        self.0
            .binary_search_by_key(&id, |entry| entry.0)
            .ok()
            .map(|at| self.0[at].1)
    }
}
