//! The plan in force, taken apart and put together again: who lost a place, and where there is
//! room.

use super::better_than_nothing;
use crate::limits::Limits;
use crate::model::{Facts, Reach, split_index};
use coverage::LinkId;
use instance::{Changes, ContractModel, Duals, Instance, Plan, Price, Shares};
use optimizer::{Loads, Problem, relieve};
use std::collections::BTreeMap;

/// A part counts as too full when its load is above its capacity by more than this share of it and
/// this many Mbps: maps are rounded to 64ths, and what rounding adds moves nobody.
const TOO_FULL: (f64, f64) = (0.001, 1.0);

/// A unit that lost a place.
struct Displaced {
    kept: Shares,
    /// The share that needs a place.
    lost: f64,
}

/// The plan in force while it is taken apart.
pub(super) struct Displacement<'a> {
    facts: &'a Facts<'a>,
    problem: Problem<'a>,
    in_force: &'a Plan,
    /// [link][service]: whether it may serve it.
    open: Vec<Vec<bool>>,
    /// Unit -> what is left of it; all others stay as they are.
    displaced: BTreeMap<usize, Displaced>,
    /// Loads that what stays puts on links and sites.
    pub(super) loads: Loads,
}

impl<'a> Displacement<'a> {
    pub(super) fn new(
        facts: &'a Facts<'a>,
        limits: &Limits,
        base: &'a Instance,
        in_force: &'a Plan,
    ) -> Self {
        let problem = Problem::new(base);
        let mut open = vec![vec![false; facts.inventory.services.len()]; base.links.len()];
        for (service, links) in Reach::new(facts, limits).by_service.iter().enumerate() {
            for link in links {
                open[link.index()][service] = problem.is_open(*link);
            }
        }
        let mut displacement = Self {
            facts,
            loads: Loads::none(&problem),
            problem,
            in_force,
            open,
            displaced: BTreeMap::new(),
        };
        for unit in 0..base.units.len() {
            displacement.keep(unit);
        }
        displacement
    }

    /// Keeps what a unit has on open links, and notes what it loses.
    fn keep(&mut self, unit: usize) {
        let service = self.service(unit);
        let demand = &self.problem.instance.units[unit];
        let mut lost = 0.0;
        for &(link, share) in &self.in_force.shares[unit] {
            if self.open[link.index()][service] {
                self.loads.add(demand, share, self.problem.place(link));
            } else {
                lost += share;
            }
        }
        if lost > 0.0 {
            let open = |share: &&(LinkId, f64)| self.open[share.0.index()][service];
            let kept = self.in_force.shares[unit].iter().filter(open);
            let kept = kept.copied().collect();
            self.displaced.insert(unit, Displaced { kept, lost });
        }
    }

    /// Returns what a unit has kept.
    fn kept(&self, unit: usize) -> &[(LinkId, f64)] {
        let displaced = self.displaced.get(&unit);
        displaced.map_or(&self.in_force.shares[unit], |displaced| &displaced.kept)
    }

    /// Index of a unit's service.
    fn service(&self, unit: usize) -> usize {
        let (service, _) = split_index(unit, self.facts.table.areas().len());
        service.index()
    }

    /// Takes the surplus off links and sites that have less capacity than they had.
    pub(super) fn shed(&mut self, was: &Loads) {
        let too_full = |load: f64, capacity: f64, before: f64| {
            capacity < before && load > capacity * (1.0 + TOO_FULL.0) + TOO_FULL.1
        };
        let base = self.problem.instance;
        for (index, link) in base.links.iter().enumerate() {
            let (load, before) = (self.loads.links[index], was.links[index]);
            if too_full(load, link.capacity_mbps, before) {
                self.take_off(load - link.capacity_mbps, |other| other == index);
            }
        }
        for (index, site) in base.sites.iter().enumerate() {
            let (load, before) = (self.loads.sites[index], was.sites[index]);
            if too_full(load, site.capacity_mbps, before) {
                let places = self.problem.places().iter();
                let here: Vec<bool> = places.map(|p| p.site.index() == index).collect();
                self.take_off(load - site.capacity_mbps, |link| here[link]);
            }
        }
    }

    /// Takes `surplus_mbps` off the links that `here` names: from those who lose least by going
    /// elsewhere, the last one in part.
    fn take_off(&mut self, surplus_mbps: f64, here: impl Fn(usize) -> bool) {
        let mut stand: Vec<(f64, usize)> = Vec::new();
        for unit in 0..self.problem.instance.units.len() {
            let on_here = |share: &&(LinkId, f64)| here(share.0.index());
            if let Some(&(link, _)) = self.kept(unit).iter().find(on_here)
                && self.problem.instance.units[unit].mbps > 0.0
            {
                stand.push((self.loss_ms(unit, link, &here), unit));
            }
        }
        stand.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut left_mbps = surplus_mbps;
        for (_, unit) in stand {
            if left_mbps <= 0.0 {
                break;
            }
            let demand = &self.problem.instance.units[unit];
            let mbps = demand.mbps;
            let displaced = self.displaced.entry(unit).or_insert_with(|| Displaced {
                kept: self.in_force.shares[unit].clone(),
                lost: 0.0,
            });
            for share in displaced
                .kept
                .iter_mut()
                .filter(|share| here(share.0.index()))
            {
                let taken = (left_mbps / mbps).clamp(0.0, share.1);
                share.1 -= taken;
                displaced.lost += taken;
                left_mbps -= taken * mbps;
                let place = self.problem.place(share.0);
                self.loads.add(demand, -taken, place);
            }
            displaced.kept.retain(|share| share.1 > 0.0);
        }
    }

    /// Returns what a unit loses in quality when it leaves `link` for the best place elsewhere, ms.
    fn loss_ms(&self, unit: usize, link: LinkId, here: &impl Fn(usize) -> bool) -> f64 {
        let service = self.service(unit);
        let cand = &self.problem.instance.units[unit].cand;
        let now = cand.iter().find(|c| c.0 == link).map_or(0.0, |c| c.1);
        let other = |c: &&(LinkId, f64)| self.open[c.0.index()][service] && !here(c.0.index());
        let best = cand.iter().filter(other).map(|c| c.1);
        best.fold(f64::INFINITY, f64::min) - now
    }

    /// New shares for all units that lost something. `None` when the checker finds them infeasible,
    /// or worse than leaving what is lost unserved: beside what stays, which is the same either
    /// way.
    pub(super) fn replace(&self, duals: &Duals) -> Option<Changes> {
        if self.displaced.is_empty() {
            return Some(Changes::new());
        }
        let (left_over, nowhere) = self.instance();
        let mut duals = duals.clone();
        duals.links.resize(left_over.links.len(), Price::default());
        duals.sites.resize(left_over.sites.len(), Price::default());
        duals
            .regions
            .resize(left_over.regions.len(), Price::default());
        duals
            .contracts
            .resize(left_over.contracts.len(), Price::default());
        let stranded = Plan {
            shares: vec![Shares::whole(nowhere); left_over.units.len()],
            input_digest: String::new(),
        };
        let relief = relieve(&left_over, &stranded, &duals, &[nowhere]);
        let mut placed = stranded;
        relief.apply(&mut placed);
        if !better_than_nothing(&left_over, &placed) {
            return None;
        }
        let merged = |((&unit, displaced), places): ((&usize, &Displaced), Shares)| {
            let mut shares = displaced.kept.clone();
            for &(link, share) in &places {
                shares.give(link, share * displaced.lost);
            }
            shares.sort();
            (unit, shares)
        };
        Some(
            self.displaced
                .iter()
                .zip(placed.shares)
                .map(merged)
                .collect(),
        )
    }

    /// [site] -> Mbps of the plan in force with `changed`, which are new shares for all that is
    /// displaced.
    pub(super) fn sites_with(&self, changed: &Changes) -> Vec<f64> {
        let mut sites_mbps = self.loads.sites.clone();
        for ((&unit, shares), displaced) in changed.iter().zip(self.displaced.values()) {
            let mbps = self.problem.instance.units[unit].mbps;
            for &(link, share) in shares {
                sites_mbps[self.problem.place(link).site.index()] += mbps * share;
            }
            for &(link, share) in &displaced.kept {
                sites_mbps[self.problem.place(link).site.index()] -= mbps * share;
            }
        }
        sites_mbps
    }

    /// Returns the problem without units, with only the room that the rest leaves.
    fn room_left(&self) -> Instance {
        let rest = |limit: f64, load: f64| (limit - load).max(0.0);
        let mut left = Instance {
            move_cost_ms: 0.0,
            units: Vec::new().into(),
            ..self.problem.instance.clone()
        };
        for (link, &load) in left.links.iter_mut().zip(&self.loads.links) {
            link.watermark_mbps = link.watermark_mbps.map(|soft| rest(soft, load));
            link.capacity_mbps = rest(link.capacity_mbps, load);
        }
        for (site, &load) in left.sites.iter_mut().zip(&self.loads.sites) {
            site.watermark_mbps = site.watermark_mbps.map(|soft| rest(soft, load));
            site.capacity_mbps = rest(site.capacity_mbps, load);
        }
        for (site, &rps) in left.sites.iter_mut().zip(&self.loads.requests) {
            site.capacity_rps = site.capacity_rps.map(|limit| rest(limit, rps));
        }
        for (region, &load) in left.regions.iter_mut().zip(&self.loads.regions) {
            region.watermark_mbps = region.watermark_mbps.map(|soft| rest(soft, load));
            region.capacity_mbps = rest(region.capacity_mbps, load);
        }
        left
    }

    /// Returns what lost its place, as an instance over the room that the rest leaves; all of it
    /// stands on one more link, whose index comes with it, with a site and a contract of its own.
    fn instance(&self) -> (Instance, LinkId) {
        let base = self.problem.instance;
        let mut left_over = self.room_left();
        let nowhere = add_nowhere(&mut left_over);
        let unit = |(&unit, displaced): (&usize, &Displaced)| {
            let service = self.service(unit);
            let whole = &base.units[unit];
            let open = |c: &&(LinkId, f64)| self.open[c.0.index()][service];
            instance::Unit {
                area: String::new(),
                service: String::new(),
                mbps: whole.mbps * displaced.lost,
                rps: whole.rps * displaced.lost,
                latency_limit_ms: whole.latency_limit_ms,
                incumbent: Shares::new(),
                cand: whole.cand.iter().filter(open).copied().collect(),
            }
        };
        left_over.units = self.displaced.iter().map(unit).collect();
        (left_over, nowhere)
    }
}

/// Adds a link without capacity, with a site and a contract of its own.
fn add_nowhere(instance: &mut Instance) -> LinkId {
    instance.sites.push(instance::Site {
        id: String::new(),
        region: String::new(),
        capacity_mbps: 0.0,
        watermark_mbps: None,
        capacity_rps: None,
    });
    instance.contracts.push(instance::Contract {
        id: String::new(),
        model: ContractModel::Flat,
        price_cny_per_mbps: None,
        price_cny_per_gb: None,
        free_below_mbps: 0.0,
        burst: false,
    });
    let nowhere = LinkId::from_index(instance.links.len());
    instance.links.push(instance::Link {
        id: String::new(),
        site: String::new(),
        capacity_mbps: 0.0,
        watermark_mbps: None,
        contract: String::new(),
    });
    nowhere
}
