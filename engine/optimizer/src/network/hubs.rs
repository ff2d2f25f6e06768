//! Tree of hubs: where links, sites, regions and contracts stand.

use crate::network::arcs::{ContractPlace, Network};
use crate::network::numbers::{SINK, as_u32};
use crate::network::scale::{Scale, UNLIMITED};
use crate::problem::index::{Place, Problem};
use crate::problem::money::money_step;
use coverage::{LinkId, RegionId, SiteId};
use instance::Contract;

/// A hub before its arcs exist: parent, and steps of (capacity in quanta, cost).
pub(crate) struct Draft {
    pub(crate) parent: u32,
    pub(crate) steps: Vec<(i64, i128)>,
}

impl Network {
    /// Decides the tree of hubs; fills the hub maps and `contracts`.
    pub(crate) fn place_hubs(&mut self, problem: &Problem<'_>) -> Vec<Draft> {
        let instance = problem.instance;
        let mut drafts = vec![Draft {
            parent: SINK,
            steps: Vec::new(),
        }];
        let usable = usable_links(problem, self.scale);
        self.place_regions(problem, &mut drafts);
        for (site, limits) in problem.sites() {
            let links = problem.links_of_site(site);
            // A site that its own ports cannot fill never binds and needs no hub, unless requests
            // will ask for one.
            let may_bind = limits.watermark_mbps() < problem.ports_mbps(links)
                || limits.capacity_rps.is_some();
            if links.iter().any(|&l| usable[l.index()]) && may_bind {
                let steps = self.limit_steps(limits.watermark_mbps(), limits.capacity_mbps, 0);
                let region = self.hub_of_region(problem.region_of(site));
                self.site_hub[site.index()] = Some(push(&mut drafts, region, steps));
            }
        }
        let above = self.place_contracts(problem, &mut drafts);
        for (site, _) in problem.sites() {
            let first = problem.links_of_site(site).first();
            let over = first.and_then(|&link| above[link.index()].over);
            if let (Some(hub), Some(over)) = (self.site_hub[site.index()], over) {
                drafts[hub as usize].parent = over;
            }
        }
        for (place, link) in problem.places().iter().zip(&instance.links) {
            let index = place.link.index();
            if !usable[index] {
                continue;
            }
            let site = self.site_hub[place.site.index()];
            let Above { within, over } = above[index];
            let parent = within.or(site).or(over);
            let parent = parent.unwrap_or_else(|| self.hub_above(*place));
            let linear = self.contracts[place.contract.index()].price_of_links();
            let steps = self.limit_steps(link.watermark_mbps(), link.capacity_mbps, linear);
            self.link_hub[index] = Some(push(&mut drafts, parent, steps));
        }
        drafts
    }

    /// A hub for every region that its sites can fill.
    fn place_regions(&mut self, problem: &Problem<'_>, drafts: &mut Vec<Draft>) {
        let mut sites_mbps = vec![0.0; problem.instance.regions.len()];
        for (site, limits) in problem.sites() {
            if let Some(region) = problem.region_of(site) {
                sites_mbps[region.index()] += limits.capacity_mbps;
            }
        }
        for (region, limits) in problem.instance.regions.iter().enumerate() {
            let (soft, hard) = (limits.watermark_mbps(), limits.capacity_mbps);
            if soft < sites_mbps[region] && self.scale.flow(hard) > 0 {
                let steps = self.limit_steps(soft, hard, 0);
                self.region_hub[region] = Some(push(drafts, SINK, steps));
            }
        }
    }

    /// The hub of a region, or the sink.
    fn hub_of_region(&self, region: Option<RegionId>) -> u32 {
        let hub = region.and_then(|region| self.region_hub[region.index()]);
        hub.unwrap_or(SINK)
    }

    /// The hub above a link when no contract is counted: its site's, its region's, or the sink.
    fn hub_above(&self, place: Place) -> u32 {
        self.site_hub[place.site.index()].unwrap_or_else(|| self.hub_of_region(place.region))
    }

    /// Places every contract; fills `contracts` and returns the contract hubs above each link.
    fn place_contracts(&mut self, problem: &Problem<'_>, drafts: &mut Vec<Draft>) -> Vec<Above> {
        let mut above = vec![Above::default(); problem.instance.links.len()];
        for (id, contract) in problem.contracts() {
            let links = problem.links_of_contract(id);
            let (place, position) = self.place_contract(problem, contract, links, drafts);
            if let ContractPlace::Hub(hub) = place {
                for link in links {
                    let above = &mut above[link.index()];
                    match position {
                        Position::Within => above.within = Some(hub),
                        Position::Over => above.over = Some(hub),
                    }
                }
            }
            self.contracts.push(place);
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

    /// Finds the place of one contract, and the side of the sites on which it stands.
    fn place_contract(
        &self,
        problem: &Problem<'_>,
        contract: &Contract,
        links: &[LinkId],
        drafts: &mut Vec<Draft>,
    ) -> (ContractPlace, Position) {
        let (free_mbps, price) = money_step(problem.instance, contract);
        if price <= 0.0 || free_mbps >= problem.ports_mbps(links) {
            return (ContractPlace::Linear(0), Position::Within);
        }
        let price = self.scale.money(price);
        if free_mbps <= 0.0 {
            return (ContractPlace::Linear(price), Position::Within);
        }
        let places = || links.iter().map(|&link| problem.place(link));
        let steps = vec![(self.scale.flow(free_mbps).max(1), 0), (UNLIMITED, price)];
        let first = places().next().map(|place| self.hub_above(place));
        if places().all(|place| Some(self.hub_above(place)) == first) {
            let hub = push(drafts, first.unwrap_or(SINK), steps);
            return (ContractPlace::Hub(hub), Position::Within);
        }
        let region = places()
            .next()
            .map(|place| self.hub_of_region(place.region));
        let whole = |site: SiteId| {
            let mut of_site = problem.links_of_site(site).iter();
            of_site.all(|link| links.binary_search(link).is_ok())
        };
        let inside = |place: Place| {
            (self.site_hub[place.site.index()].is_none() || whole(place.site))
                && Some(self.hub_of_region(place.region)) == region
        };
        if places().all(inside) {
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
fn usable_links(problem: &Problem<'_>, scale: Scale) -> Vec<bool> {
    let instance = problem.instance;
    let open = |place: &Place| {
        let region = place.region.map(|region| &instance.regions[region.index()]);
        scale.flow(instance.links[place.link.index()].capacity_mbps) > 0
            && scale.flow(instance.sites[place.site.index()].capacity_mbps) > 0
            && region.is_none_or(|region| scale.flow(region.capacity_mbps) > 0)
    };
    problem.places().iter().map(open).collect()
}

fn push(drafts: &mut Vec<Draft>, parent: u32, steps: Vec<(i64, i128)>) -> u32 {
    drafts.push(Draft { parent, steps });
    as_u32(drafts.len() - 1)
}
