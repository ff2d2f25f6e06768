//! Rank and spill by what it costs.

use super::{AMOUNT_EPSILON_MBPS, Baseline, order, share};
use checker::CheckFailure;
use coverage::LinkId;
use instance::Instance;
use optimizer::{Loads, Place, Problem, money_step};
use std::collections::BTreeMap;

/// Rank and spill with prices: units in a random order, each at the candidate that costs least at
/// that moment, latency and money together, and on to the next where that is full; first up to
/// watermarks, then, with what is left, up to capacities. It knows of contracts and that their free
/// part gets used up, but never moves anybody again.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn cost_and_spill(instance: &Instance, seed: u64) -> Result<Baseline, CheckFailure> {
    let problem = &Problem::new(instance);
    let mut soft = Loads::hard_limits(problem);
    soft.merge(&Loads::soft_limits(problem), f64::min);
    let mut rooms = [soft, Loads::hard_limits(problem)];
    let mut bills = Bills::of(instance);
    let mut amounts = vec![BTreeMap::new(); instance.units.len()];
    let mut rests: Vec<f64> = instance.units.iter().map(|unit| unit.mbps).collect();
    for room in 0..rooms.len() {
        for &unit in &order(instance, seed) {
            while (rests[unit] > AMOUNT_EPSILON_MBPS || amounts[unit].is_empty())
                && let Some((link, mbps)) = best(problem, unit, rests[unit], &rooms[room], &bills)
            {
                let place = problem.place(link);
                for room in &mut rooms {
                    room.add_mbps(place, -mbps);
                }
                bills.carried_mbps[place.contract.index()] += mbps;
                rests[unit] -= mbps;
                *amounts[unit].entry(link).or_insert(0.0) += mbps;
            }
        }
    }
    let demands = instance.units.iter().map(|unit| unit.mbps);
    let of_unit = |(amounts, demand): (BTreeMap<LinkId, f64>, f64)| {
        let shares = amounts.into_iter();
        shares
            .map(|(link, mbps)| (link, share(mbps, demand)))
            .collect()
    };
    let shares = amounts.into_iter().zip(demands).map(of_unit).collect();
    Baseline::of(instance, shares)
}

/// The cheapest candidate with room, and how much may go there at its price; `None` when there is
/// no room. A unit without demand fits anywhere.
fn best(
    problem: &Problem<'_>,
    unit: usize,
    rest: f64,
    room: &Loads,
    bills: &Bills,
) -> Option<(LinkId, f64)> {
    let instance = problem.instance;
    let demand = &instance.units[unit];
    let nothing = rest <= AMOUNT_EPSILON_MBPS;
    let open = demand.cand.iter().filter_map(|&(link, ms)| {
        let place = problem.place(link);
        let (price, free) = bills.price(place);
        let mbps = room.least_mbps(place).max(0.0).min(rest).min(free);
        let cost = ms * instance.value_cny_per_gbps_ms_slot / 1e3 + price;
        (mbps > AMOUNT_EPSILON_MBPS || nothing).then_some((cost, link, mbps))
    });
    let cheapest = open.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    cheapest.map(|(_, link, mbps)| (link, mbps))
}

/// Traffic that contracts have been given so far.
struct Bills {
    /// `[contract]`: free level in Mbps, and price above it in CNY per Mbps.
    steps: Vec<(f64, f64)>,
    carried_mbps: Vec<f64>,
}

impl Bills {
    fn of(instance: &Instance) -> Self {
        let contracts = instance.contracts.iter();
        Self {
            steps: contracts
                .map(|contract| money_step(instance, contract))
                .collect(),
            carried_mbps: vec![0.0; instance.contracts.len()],
        }
    }

    /// Price of one more Mbps at a place in CNY, and the Mbps for which it holds.
    fn price(&self, place: Place) -> (f64, f64) {
        let (free_mbps, price) = self.steps[place.contract.index()];
        let left = free_mbps - self.carried_mbps[place.contract.index()];
        if price > 0.0 && left > AMOUNT_EPSILON_MBPS {
            (0.0, left)
        } else {
            (price, f64::INFINITY)
        }
    }
}
