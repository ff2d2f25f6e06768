//! Where links, sites, regions and contracts stand in the tree of hubs.

use crate::network::arcs::{ContractPlace, Network, Part, SINK, as_u32, money_step};
use crate::network::scale::{Scale, UNLIMITED};
use crate::problem::topology::Topology;
use instance::{Contract, Instance};

/// A hub before its arcs exist: parent, and steps of (capacity in quanta, cost).
pub(crate) struct Draft {
    pub(crate) parent: u32,
    pub(crate) steps: Vec<(i64, i128)>,
}

impl Network {
    /// Decides the tree of hubs; fills the hub maps and `contracts`.
    pub(crate) fn place_hubs(
        &mut self,
        instance: &Instance,
        topology: &Topology,
        parts: &[Vec<Part>],
    ) -> Vec<Draft> {
        let mut drafts = vec![Draft {
            parent: SINK,
            steps: Vec::new(),
        }];
        let usable = usable_links(instance, topology, self.scale);
        self.place_regions(instance, topology, &mut drafts);
        for (site, links) in topology.links_of_site.iter().enumerate() {
            let limits = &instance.sites[site];
            let ports: f64 = links.iter().map(|&l| instance.links[l].capacity_mbps).sum();
            // A site that its own ports cannot fill never binds and needs no hub, unless requests
            // will ask for one.
            let may_bind = limits.watermark_mbps() < ports || limits.capacity_rps.is_some();
            if links.iter().any(|&l| usable[l]) && may_bind {
                let steps = self.limit_steps(limits.watermark_mbps(), limits.capacity_mbps, 0);
                let region = self.region_above(topology, site);
                self.site_hub[site] = Some(push(&mut drafts, region, steps));
            }
        }
        let above = self.place_contracts(instance, topology, parts, &mut drafts);
        for (site, hub) in self.site_hub.iter().enumerate() {
            let first = topology.links_of_site[site].first();
            if let (Some(hub), Some(over)) = (hub, first.and_then(|&l| above[l].over)) {
                drafts[*hub as usize].parent = over;
            }
        }
        for (index, link) in instance.links.iter().enumerate() {
            if !usable[index] {
                continue;
            }
            let site = topology.site_of[index].and_then(|s| self.site_hub[s]);
            let Above { within, over } = above[index];
            let parent = within.or(site).or(over);
            let parent = parent.unwrap_or_else(|| self.hub_above(topology, index));
            let linear = match topology.contract_of[index].map(|m| self.contracts[m]) {
                Some(ContractPlace::Linear(cost) | ContractPlace::Shared(cost)) => cost,
                _ => 0,
            };
            let steps = self.limit_steps(link.watermark_mbps(), link.capacity_mbps, linear);
            self.link_hub[index] = Some(push(&mut drafts, parent, steps));
        }
        drafts
    }

    /// A hub for every region that its sites can fill.
    fn place_regions(&mut self, instance: &Instance, topology: &Topology, drafts: &mut Vec<Draft>) {
        let mut sites_mbps = vec![0.0; instance.regions.len()];
        for (site, region) in instance.sites.iter().zip(&topology.region_of) {
            if let Some(region) = *region {
                sites_mbps[region] += site.capacity_mbps;
            }
        }
        for (region, limits) in instance.regions.iter().enumerate() {
            let (soft, hard) = (limits.watermark_mbps(), limits.capacity_mbps);
            if soft < sites_mbps[region] && self.scale.flow(hard) > 0 {
                let steps = self.limit_steps(soft, hard, 0);
                self.region_hub[region] = Some(push(drafts, SINK, steps));
            }
        }
    }

    /// The hub above a site and all that stands over it: its region's, or the sink.
    fn region_above(&self, topology: &Topology, site: usize) -> u32 {
        let region = topology.region_of[site].and_then(|region| self.region_hub[region]);
        region.unwrap_or(SINK)
    }

    /// The hub above a link when no contract is counted: its site's, its region's, or the sink.
    fn hub_above(&self, topology: &Topology, link: usize) -> u32 {
        topology.site_of[link].map_or(SINK, |site| {
            self.site_hub[site].unwrap_or_else(|| self.region_above(topology, site))
        })
    }

    /// Places every contract; fills `contracts` and returns the contract hubs above each link.
    fn place_contracts(
        &mut self,
        instance: &Instance,
        topology: &Topology,
        parts: &[Vec<Part>],
        drafts: &mut Vec<Draft>,
    ) -> Vec<Above> {
        let mut above = vec![Above::default(); instance.links.len()];
        for (index, contract) in instance.contracts.iter().enumerate() {
            let links = &topology.links_of_contract[index];
            let (place, position) =
                self.place_contract(instance, topology, contract, links, drafts);
            let divided = parts.get(index).map_or(&[][..], Vec::as_slice);
            match (place, position) {
                (ContractPlace::Hub(hub), Position::Within) => {
                    links.iter().for_each(|&l| above[l].within = Some(hub));
                }
                (ContractPlace::Hub(hub), Position::Over) => {
                    links.iter().for_each(|&l| above[l].over = Some(hub));
                }
                _ => {}
            }
            if !matches!(place, ContractPlace::Shared(_)) || divided.is_empty() {
                self.contracts.push(place);
                continue;
            }
            let price = self.scale.money(money_step(instance, contract).1);
            for part in divided {
                let free = (self.scale.flow(part.free_mbps), 0);
                let steps = [free, (UNLIMITED, price)];
                let steps = steps.into_iter().filter(|s| s.0 > 0).collect();
                let site = self.site_hub[part.site];
                let parent = site.unwrap_or_else(|| self.region_above(topology, part.site));
                let hub = push(drafts, parent, steps);
                for &link in links
                    .iter()
                    .filter(|&&l| topology.site_of[l] == Some(part.site))
                {
                    above[link].within = Some(hub);
                }
            }
            self.contracts.push(ContractPlace::Parts);
        }
        above
    }

    /// Parallel arcs of a soft and a hard limit, each with `cost` on top.
    fn limit_steps(&self, watermark: f64, capacity: f64, cost: i128) -> Vec<(i64, i128)> {
        let hard = self.scale.flow(capacity);
        let soft = self.scale.flow(watermark).min(hard);
        let steps = [(soft, cost), (hard - soft, self.scale.overload() + cost)];
        steps.into_iter().filter(|step| step.0 > 0).collect()
    }

    /// What becomes of one contract, and on which side of the sites it stands.
    fn place_contract(
        &self,
        instance: &Instance,
        topology: &Topology,
        contract: &Contract,
        links: &[usize],
        drafts: &mut Vec<Draft>,
    ) -> (ContractPlace, Position) {
        let (free_mbps, price) = money_step(instance, contract);
        let ports: f64 = links.iter().map(|&l| instance.links[l].capacity_mbps).sum();
        if price <= 0.0 || free_mbps >= ports {
            return (ContractPlace::Linear(0), Position::Within);
        }
        let price = self.scale.money(price);
        if free_mbps <= 0.0 {
            return (ContractPlace::Linear(price), Position::Within);
        }
        let site_of = |l: usize| topology.site_of[l].filter(|&s| self.site_hub[s].is_some());
        let region_of = |l: usize| topology.site_of[l].map(|s| self.region_above(topology, s));
        let first = links.first().map(|&l| self.hub_above(topology, l));
        let region = links.first().and_then(|&l| region_of(l));
        let steps = vec![(self.scale.flow(free_mbps).max(1), 0), (UNLIMITED, price)];
        if links
            .iter()
            .all(|&l| Some(self.hub_above(topology, l)) == first)
        {
            let hub = push(drafts, first.unwrap_or(SINK), steps);
            return (ContractPlace::Hub(hub), Position::Within);
        }
        let whole = |s: usize| {
            topology.links_of_site[s]
                .iter()
                .all(|l| links.binary_search(l).is_ok())
        };
        let inside = |&l: &usize| site_of(l).is_none_or(whole) && region_of(l) == region;
        if links.iter().all(inside) {
            let hub = push(drafts, region.unwrap_or(SINK), steps);
            return (ContractPlace::Hub(hub), Position::Over);
        }
        (ContractPlace::Shared(0), Position::Within)
    }
}

/// The contract hubs above a link.
#[derive(Debug, Clone, Copy, Default)]
struct Above {
    /// Between the link and its site.
    within: Option<u32>,
    /// Between its whole site and its region.
    over: Option<u32>,
}

/// On which side of the sites a contract stands.
#[derive(Debug, Clone, Copy)]
enum Position {
    /// Between links and their site.
    Within,
    /// Between whole sites and their region.
    Over,
}

/// Links through which at least one quantum can pass.
fn usable_links(instance: &Instance, topology: &Topology, scale: Scale) -> Vec<bool> {
    let open = |index: usize| {
        let Some(site) = topology.site_of[index] else {
            return false;
        };
        let region = topology.region_of[site].map(|region| &instance.regions[region]);
        scale.flow(instance.links[index].capacity_mbps) > 0
            && scale.flow(instance.sites[site].capacity_mbps) > 0
            && region.is_none_or(|region| scale.flow(region.capacity_mbps) > 0)
    };
    (0..instance.links.len()).map(open).collect()
}

fn push(drafts: &mut Vec<Draft>, parent: u32, steps: Vec<(i64, i128)>) -> u32 {
    drafts.push(Draft { parent, steps });
    as_u32(drafts.len() - 1)
}
