//! The plan in force, taken apart and put together again: units that lost a place, and the room
//! that is left for them.

use crate::model::Reach;
use coverage::LinkId;
use instance::{Changes, Contract, ContractModel, Duals, Instance, Link, Plan, Shares, Site};
use optimizer::{Loads, Problem, relieve};
use std::collections::BTreeMap;

/// A part counts as too full when its load is above its capacity by more than this share of it and
/// this many Mbps: maps are rounded to 64ths, and what rounding adds moves nobody.
const TOO_FULL: (f64, f64) = (0.001, 1.0);

/// A unit that lost a place.
struct Unit {
    kept: Shares,
    /// The share that needs a place.
    lost: f64,
}

/// The plan in force without the units, or parts of them, that lost their place.
pub(super) struct Displaced<'a> {
    problem: &'a Problem<'a>,
    in_force: &'a Plan,
    /// `[service][link]`: true when the link may serve it.
    open: Vec<Vec<bool>>,
    /// Units that lost something; all others stay as they are.
    units: BTreeMap<usize, Unit>,
    /// Loads of what stays.
    pub(super) loads: Loads,
}

impl<'a> Displaced<'a> {
    /// Takes off what stands on closed links.
    pub(super) fn new(problem: &'a Problem<'a>, reach: &Reach, in_force: &'a Plan) -> Self {
        let open = |links: &Vec<LinkId>| {
            let mut open = vec![false; problem.places().len()];
            for link in links {
                open[link.index()] = problem.is_open(*link);
            }
            open
        };
        let mut displaced = Self {
            problem,
            in_force,
            open: reach.by_service.iter().map(open).collect(),
            units: BTreeMap::new(),
            loads: Loads::none(problem),
        };
        for unit in 0..problem.instance.units.len() {
            displaced.keep(unit);
        }
        displaced
    }

    /// Keeps what a unit has on open links, and notes what it loses.
    fn keep(&mut self, unit: usize) {
        let (problem, shares) = (self.problem, &self.in_force.shares[unit]);
        let mut lost = 0.0;
        for &(link, share) in shares {
            if self.is_open(unit, link) {
                let whole = &problem.instance.units[unit];
                self.loads.add(whole, share, problem.place(link));
            } else {
                lost += share;
            }
        }
        if lost > 0.0 {
            let kept = shares.iter().filter(|share| self.is_open(unit, share.0));
            let kept = kept.copied().collect();
            self.units.insert(unit, Unit { kept, lost });
        }
    }

    /// Shares that a unit has kept.
    fn kept(&self, unit: usize) -> &[(LinkId, f64)] {
        let displaced = self.units.get(&unit);
        displaced.map_or(&self.in_force.shares[unit], |unit| &unit.kept)
    }

    /// Tells whether a link may serve a unit; units are service-major.
    fn is_open(&self, unit: usize, link: LinkId) -> bool {
        let areas = self.problem.instance.units.len() / self.open.len();
        self.open[unit / areas][link.index()]
    }

    /// Takes the surplus off links and sites that have less capacity than `before`.
    pub(super) fn shed(&mut self, before: &Instance) {
        let too_full = |load: f64, capacity: f64, before: f64| {
            capacity < before && load > capacity * (1.0 + TOO_FULL.0) + TOO_FULL.1
        };
        let (problem, ground) = (self.problem, self.problem.instance);
        for (index, (link, before)) in ground.links.iter().zip(&before.links).enumerate() {
            let (load, capacity) = (self.loads.links[index], link.capacity_mbps);
            if too_full(load, capacity, before.capacity_mbps) {
                self.take_off(load - capacity, |other| other.index() == index);
            }
        }
        for (index, (site, before)) in ground.sites.iter().zip(&before.sites).enumerate() {
            let (load, capacity) = (self.loads.sites[index], site.capacity_mbps);
            if too_full(load, capacity, before.capacity_mbps) {
                let here = |link| problem.place(link).site.index() == index;
                self.take_off(load - capacity, here);
            }
        }
    }

    /// Takes `surplus_mbps` off the links that `here` names: from the units that lose least by
    /// going elsewhere, the last one in part.
    fn take_off(&mut self, surplus_mbps: f64, here: impl Fn(LinkId) -> bool) {
        let (problem, units) = (self.problem, &self.problem.instance.units);
        let mut stand: Vec<(f64, usize)> = Vec::new();
        for unit in (0..units.len()).filter(|unit| units[*unit].mbps > 0.0) {
            if let Some(&(link, _)) = self.kept(unit).iter().find(|share| here(share.0)) {
                stand.push((self.loss_ms(unit, link, &here), unit));
            }
        }
        stand.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut left_mbps = surplus_mbps;
        for (_, unit) in stand {
            if left_mbps <= 0.0 {
                break;
            }
            let whole = &units[unit];
            let displaced = self.units.entry(unit).or_insert_with(|| Unit {
                kept: self.in_force.shares[unit].clone(),
                lost: 0.0,
            });
            for share in displaced.kept.iter_mut().filter(|share| here(share.0)) {
                let taken = (left_mbps / whole.mbps).clamp(0.0, share.1);
                share.1 -= taken;
                displaced.lost += taken;
                left_mbps -= taken * whole.mbps;
                self.loads.add(whole, -taken, problem.place(share.0));
            }
            displaced.kept.retain(|share| share.1 > 0.0);
        }
    }

    /// Quality that a unit loses when it leaves `link` for the best place elsewhere, ms.
    fn loss_ms(&self, unit: usize, link: LinkId, here: &impl Fn(LinkId) -> bool) -> f64 {
        let cand = &self.problem.instance.units[unit].cand;
        let now = cand.iter().find(|c| c.0 == link).map_or(0.0, |c| c.1);
        let other = cand
            .iter()
            .filter(|c| self.is_open(unit, c.0) && !here(c.0));
        other.map(|c| c.1).fold(f64::INFINITY, f64::min) - now
    }

    /// Finds new shares for all units that lost something. `None` when the checker finds them
    /// infeasible, or worse than leaving what is lost unserved: beside what stays, which is the
    /// same either way.
    pub(super) fn place(&self, duals: &Duals) -> Option<Changes> {
        if self.units.is_empty() {
            return Some(Changes::new());
        }
        let (instance, nowhere) = self.instance();
        let mut duals = duals.clone();
        duals.resize(&instance);
        let mut placed = Plan {
            shares: vec![Shares::whole(nowhere); instance.units.len()],
            input_digest: String::new(),
        };
        let relief = relieve(&instance, &placed, &duals, &[nowhere]);
        relief.apply(&mut placed);
        if !is_better_than_nothing(&instance, &placed) {
            return None;
        }
        let merged = |((&unit, displaced), places): ((&usize, &Unit), Shares)| {
            let mut shares = displaced.kept.clone();
            for &(link, share) in &places {
                shares.give(link, share * displaced.lost);
            }
            shares.sort();
            (unit, shares)
        };
        Some(self.units.iter().zip(placed.shares).map(merged).collect())
    }

    /// `[site]` -> Mbps of the plan in force with `changed`, which are new shares for all displaced
    /// units.
    pub(super) fn sites_with(&self, changed: &Changes) -> Vec<f64> {
        let mut loads = self.loads.clone();
        for ((&unit, shares), displaced) in changed.iter().zip(self.units.values()) {
            let whole = &self.problem.instance.units[unit];
            for &(link, share) in shares {
                loads.add(whole, share, self.problem.place(link));
            }
            for &(link, share) in &displaced.kept {
                loads.add(whole, -share, self.problem.place(link));
            }
        }
        loads.sites
    }

    /// Instance of all that lost its place, over the room that the rest leaves. All of it
    /// stands on one more link, whose index comes with it; its site and contract are its own.
    fn instance(&self) -> (Instance, LinkId) {
        let ground = self.problem.instance;
        let left = |mut limits: Loads| {
            limits.merge(&self.loads, |limit, load| (limit - load).max(0.0));
            limits
        };
        let hard = left(Loads::hard_limits(self.problem));
        let soft = left(Loads::soft_limits(self.problem));
        let mut instance = Instance {
            move_cost_ms: 0.0,
            units: self.units.iter().map(|unit| self.unit(unit)).collect(),
            ..ground.clone()
        };
        for (index, link) in instance.links.iter_mut().enumerate() {
            link.watermark_mbps = Some(soft.links[index]);
            link.capacity_mbps = hard.links[index];
        }
        for (index, site) in instance.sites.iter_mut().enumerate() {
            site.watermark_mbps = Some(soft.sites[index]);
            site.capacity_mbps = hard.sites[index];
            site.capacity_rps = site.capacity_rps.map(|_| soft.requests[index]);
        }
        for (index, region) in instance.regions.iter_mut().enumerate() {
            region.watermark_mbps = Some(soft.regions[index]);
            region.capacity_mbps = hard.regions[index];
        }
        let nowhere = LinkId::from_index(instance.links.len());
        instance.links.push(Link {
            id: String::new(),
            site: String::new(),
            capacity_mbps: 0.0,
            watermark_mbps: None,
            contract: String::new(),
        });
        instance.sites.push(Site {
            id: String::new(),
            region: String::new(),
            capacity_mbps: 0.0,
            watermark_mbps: None,
            capacity_rps: None,
        });
        instance.contracts.push(Contract {
            id: String::new(),
            model: ContractModel::Flat,
            price_cny_per_mbps: None,
            price_cny_per_gb: None,
            free_below_mbps: 0.0,
            burst: false,
        });
        (instance, nowhere)
    }

    /// The lost part of a unit.
    fn unit(&self, (&unit, displaced): (&usize, &Unit)) -> instance::Unit {
        let whole = &self.problem.instance.units[unit];
        let open = whole.cand.iter().filter(|c| self.is_open(unit, c.0));
        instance::Unit {
            area: String::new(),
            service: String::new(),
            mbps: whole.mbps * displaced.lost,
            rps: whole.rps * displaced.lost,
            latency_limit_ms: whole.latency_limit_ms,
            incumbent: Shares::new(),
            cand: open.copied().collect(),
        }
    }
}

/// Tells whether a plan is feasible and at least as good on levels 1 to 3, in their order, as one
/// that serves nobody.
fn is_better_than_nothing(instance: &Instance, plan: &Plan) -> bool {
    let nothing = Plan {
        shares: vec![Shares::new(); plan.shares.len()],
        input_digest: String::new(),
    };
    let levels = |plan: &Plan| {
        let levels = checker::evaluate(instance, plan).ok()?.levels;
        Some([levels.unserved_mbps, levels.overload_mbps, levels.late_mbps])
    };
    let (Some(with), Some(without)) = (levels(plan), levels(&nothing)) else {
        return false;
    };
    with <= without
}
