//! The problem: an instance with its references resolved.

use coverage::{ContractId, LinkId, RegionId, SiteId};
use instance::{Contract, Instance, Site};
use std::collections::BTreeMap;

/// An instance whose links know their site, region and contract by index.
///
/// Everybody but the checker works on it; the record itself is for files. Limits and demand are
/// read from [`Self::instance`], which it borrows.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    /// The record.
    pub instance: &'a Instance,
    /// `[link]` -> what its traffic counts on.
    places: Vec<Place>,
    /// `[site]` -> its region, when that has limits.
    region_of: Vec<Option<RegionId>>,
    /// `[site]` -> its links, rising.
    links_of_site: Vec<Vec<LinkId>>,
    /// `[contract]` -> its links, rising.
    links_of_contract: Vec<Vec<LinkId>>,
}

/// A link with everything that its traffic counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The link.
    pub link: LinkId,
    /// Site of the link.
    pub site: SiteId,
    /// Region of the site, when that has limits.
    pub region: Option<RegionId>,
    /// Contract that bills it.
    pub contract: ContractId,
}

impl<'a> Problem<'a> {
    /// Resolves the references of a valid instance. O((links + sites + contracts) log).
    ///
    /// # Panics
    /// When a link names a site or contract that does not exist: see [`Instance::validate`].
    #[must_use]
    pub fn new(instance: &'a Instance) -> Self {
        let sites = positions(instance.sites.iter().map(|site| site.id.as_str()));
        let contracts = positions(
            instance
                .contracts
                .iter()
                .map(|contract| contract.id.as_str()),
        );
        let regions = positions(instance.regions.iter().map(|region| region.id.as_str()));
        let region = |name: &str| regions.get(name).copied().map(RegionId::from_index);
        let mut problem = Self {
            instance,
            places: Vec::with_capacity(instance.links.len()),
            region_of: instance.sites.iter().map(|s| region(&s.region)).collect(),
            links_of_site: vec![Vec::new(); instance.sites.len()],
            links_of_contract: vec![Vec::new(); instance.contracts.len()],
        };
        for (index, row) in instance.links.iter().enumerate() {
            let site = sites.get(row.site.as_str());
            let site = *site.expect("the site of a valid link exists");
            let contract = contracts.get(row.contract.as_str());
            let contract = *contract.expect("the contract of a valid link exists");
            let place = Place {
                link: LinkId::from_index(index),
                site: SiteId::from_index(site),
                region: problem.region_of[site],
                contract: ContractId::from_index(contract),
            };
            problem.links_of_site[site].push(place.link);
            problem.links_of_contract[contract].push(place.link);
            problem.places.push(place);
        }
        problem
    }

    /// Returns what the traffic of `link` counts on.
    #[must_use]
    pub fn place(&self, link: LinkId) -> Place {
        self.places[link.index()]
    }

    /// Returns what the traffic of `link` counts on; `None` when there is no such link.
    #[must_use]
    pub fn find(&self, link: LinkId) -> Option<Place> {
        self.places.get(link.index()).copied()
    }

    /// All links, in their order.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Region of a site, when that has limits.
    #[must_use]
    pub fn region_of(&self, site: SiteId) -> Option<RegionId> {
        self.region_of[site.index()]
    }

    /// Links of a site, rising.
    #[must_use]
    pub fn links_of_site(&self, site: SiteId) -> &[LinkId] {
        &self.links_of_site[site.index()]
    }

    /// Links of a contract, rising.
    #[must_use]
    pub fn links_of_contract(&self, contract: ContractId) -> &[LinkId] {
        &self.links_of_contract[contract.index()]
    }

    /// Sites with their ids, in their order.
    pub fn sites(&self) -> impl Iterator<Item = (SiteId, &'a Site)> + use<'a> {
        (0..).map(SiteId).zip(&self.instance.sites)
    }

    /// Contracts with their ids, in their order.
    pub fn contracts(&self) -> impl Iterator<Item = (ContractId, &'a Contract)> + use<'a> {
        (0..).map(ContractId).zip(&self.instance.contracts)
    }

    /// Sum of the capacities of links, in Mbps.
    #[must_use]
    pub fn ports_mbps(&self, links: &[LinkId]) -> f64 {
        let capacity = |link: &LinkId| self.instance.links[link.index()].capacity_mbps;
        links.iter().map(capacity).sum()
    }

    /// Tells whether a link can carry anything: it and its site have capacity.
    #[must_use]
    pub fn is_open(&self, link: LinkId) -> bool {
        let site = self.place(link).site;
        self.instance.links[link.index()].capacity_mbps > 0.0
            && self.instance.sites[site.index()].capacity_mbps > 0.0
    }

    /// Links that can carry nothing, rising.
    #[must_use]
    pub fn closed_links(&self) -> Vec<LinkId> {
        let links = self.places.iter().map(|place| place.link);
        links.filter(|&link| !self.is_open(link)).collect()
    }
}

/// Position of each name.
fn positions<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    names.zip(0..).collect()
}
