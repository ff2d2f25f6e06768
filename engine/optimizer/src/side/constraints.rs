//! Side constraints, which have no place in the tree of hubs: contracts over several sites,
//! requests per second of sites.
//!
//! They are relaxed. For given prices, between 0 and what a row charges, the network is exact, and
//! its dual value is a lower bound.

use crate::network::arcs::{ContractPlace, Network};
use crate::network::numbers::{NONE, SINK, as_u32};
use crate::options::SolveOptions;
use crate::problem::index::Problem;
use crate::problem::money::money_step;
use crate::problem::requests;
use crate::simplex::basis::{Basis, Progress};
use crate::simplex::run::run;
use coverage::{ContractId, LinkId, SiteId};

/// A row without a place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SideConstraint {
    /// A contract over several sites, in Mbps.
    Contract(ContractId),
    /// The requests per second of a site.
    Requests(SiteId),
}

/// The rows of an instance, or of a sample of it.
#[derive(Debug, Clone)]
pub(crate) struct SideConstraints<'a> {
    problem: &'a Problem<'a>,
    pub(crate) list: Vec<SideConstraint>,
    /// `[row]`: what it carries without charge.
    pub(crate) free: Vec<f64>,
    /// `[row]`: what it charges for one more, in CNY.
    pub(crate) charge: Vec<f64>,
}

/// (unit, link, share) of a plan; of one unit all together, of one link perhaps twice.
pub(crate) type Placements = Vec<(u32, u32, f64)>;

/// Cost of a plan without its rows, and its loads on them.
pub(crate) struct Measured {
    /// Cost of level 4 without rows, in CNY.
    pub(crate) cost: f64,
    /// `[row]`.
    pub(crate) loads: Vec<f64>,
}

impl<'a> SideConstraints<'a> {
    /// The rows of an instance that may bind.
    pub(crate) fn of(problem: &'a Problem<'a>, net: &Network) -> Self {
        let mut rows = Self {
            problem,
            list: Vec::new(),
            free: Vec::new(),
            charge: Vec::new(),
        };
        for ((id, contract), place) in problem.contracts().zip(&net.contracts) {
            if let ContractPlace::Shared(_) = place {
                let (free, charge) = money_step(problem.instance, contract);
                rows.push(SideConstraint::Contract(id), free, charge);
            }
        }
        if net.rps_per_mbps.is_empty() {
            return rows;
        }
        let excess_cny = requests::excess_cny_per_rps(problem.instance);
        let limits = requests::limits_that_bind(problem);
        for ((site, _), limit) in problem.sites().zip(limits) {
            if let Some(limit) = limit {
                rows.push(SideConstraint::Requests(site), limit, excess_cny);
            }
        }
        rows
    }

    fn push(&mut self, row: SideConstraint, free: f64, charge: f64) {
        self.list.push(row);
        self.free.push(free);
        self.charge.push(charge);
    }

    /// The same rows for a sample that has these parts of the traffic and of the requests.
    pub(crate) fn shrunk(&self, mbps_part: f64, rps_part: f64) -> Self {
        let mut rows = self.clone();
        for (row, free) in rows.list.iter().zip(&mut rows.free) {
            *free *= match row {
                SideConstraint::Contract(_) => mbps_part,
                SideConstraint::Requests(_) => rps_part,
            };
        }
        rows
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn any_requests(&self) -> bool {
        self.list
            .iter()
            .any(|row| matches!(row, SideConstraint::Requests(_)))
    }

    /// `[row]` -> the price that a network has for it.
    pub(crate) fn prices(&self, net: &Network) -> Vec<f64> {
        let price = |row: &SideConstraint| match *row {
            SideConstraint::Contract(contract) => match net.contracts[contract.index()] {
                ContractPlace::Shared(cost) => net.scale.price(cost).cny_per_mbps,
                _ => 0.0,
            },
            SideConstraint::Requests(site) => {
                let link = self.problem.links_of_site(site).first();
                link.map_or(0.0, |link| net.request_cny[link.index()])
            }
        };
        self.list.iter().map(price).collect()
    }

    /// Gives a network these prices. Rough costs must be taken anew when there are rows of
    /// requests.
    pub(crate) fn set_prices(&self, net: &mut Network, prices: &[f64]) {
        let mut sites = vec![0.0; self.problem.instance.sites.len()];
        for (&row, &price) in self.list.iter().zip(prices) {
            match row {
                SideConstraint::Contract(contract) => {
                    net.set_shared_price(self.problem, contract, net.scale.money(price));
                }
                SideConstraint::Requests(site) => sites[site.index()] = price,
            }
        }
        if self.any_requests() {
            net.set_request_prices(requests::by_link(self.problem, &sites));
        }
    }

    /// Sets the prices and solves again from the present basis; whether it came to its end.
    pub(crate) fn reprice(
        &self,
        net: &mut Network,
        basis: &mut Basis,
        prices: &[f64],
        options: &SolveOptions<'_>,
    ) -> bool {
        self.set_prices(net, prices);
        if self.any_requests() && basis.costs.is_some() {
            basis.take_rough_costs(net);
        }
        basis.reprice(net);
        run(net, basis, options) == Progress::Optimal
    }

    /// Takes down the present plan. O(arcs).
    pub(crate) fn measure(&self, net: &Network, basis: &Basis) -> Measured {
        let used = basis
            .flow
            .iter()
            .enumerate()
            .filter(|(_, flow)| **flow != 0);
        let mut cost = 0.0;
        let mut links = vec![0.0; self.problem.instance.links.len()];
        let mut sites = vec![0.0; self.problem.instance.sites.len()];
        for (arc, &flow) in used {
            let mbps = net.scale.mbps(flow);
            cost += mbps * net.scale.price(net.cost[arc]).cny_per_mbps;
            let Some(unit) = (net.tail[arc] as usize).checked_sub(net.hubs.len()) else {
                continue;
            };
            let link = net.link_of_hub.get(net.head[arc] as usize).copied();
            let Some(link) = link.filter(|&link| link != NONE) else {
                continue;
            };
            links[link as usize] += mbps;
            let rps = net.rps_per_mbps.get(unit).map_or(0.0, |rps| rps * mbps);
            sites[self.problem.place(LinkId(link)).site.index()] += rps;
        }
        let load = |row: &SideConstraint| match *row {
            SideConstraint::Contract(contract) => {
                let links_of = self.problem.links_of_contract(contract).iter();
                links_of.map(|link| links[link.index()]).sum::<f64>()
            }
            SideConstraint::Requests(site) => sites[site.index()],
        };
        let loads: Vec<f64> = self.list.iter().map(load).collect();
        let prices = self.prices(net);
        let priced: f64 = prices
            .iter()
            .zip(&loads)
            .map(|(price, load)| price * load)
            .sum();
        Measured {
            cost: cost - priced,
            loads,
        }
    }

    /// The dual value of what was found at these prices.
    pub(crate) fn relaxed(&self, found: &Measured, prices: &[f64]) -> f64 {
        let over = found
            .loads
            .iter()
            .zip(&self.free)
            .map(|(load, free)| load - free);
        let priced = prices.iter().zip(over).map(|(price, over)| price * over);
        found.cost + priced.sum::<f64>()
    }

    /// The present plan.
    #[expect(
        clippy::cast_precision_loss,
        reason = "flows are below 2^59; the relative error is 2^-53"
    )]
    pub(crate) fn placements(net: &Network, basis: &Basis) -> Placements {
        let used = |arc: &usize| basis.flow[*arc] != 0 && net.head[*arc] != SINK;
        let share = |arc: usize| {
            let unit = net.tail[arc] - as_u32(net.hubs.len());
            let part = basis.flow[arc] as f64 / net.demand[unit as usize] as f64;
            (unit, net.link_of_hub[net.head[arc] as usize], part)
        };
        (0..net.unit_arc_count()).filter(used).map(share).collect()
    }
}
