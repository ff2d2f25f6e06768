//! Yardsticks for the optimizer: what others would do with the same candidates.
//!
//! | policy | candidates by | capacity |
//! |---|---|---|
//! | [`nearest`] | quality, that is round-trip time and loss | ignored |
//! | [`spread`] | weights, the capacities of the links | as far as weights follow it |
//! | [`rank_and_fill`] | quality | up to a watermark, first come, first served |
//! | [`cost_and_spill`] | latency and money when each unit is placed | kept, watermarks first |
//! | [`stable`] | quality, on both sides | kept |
//! | [`pop`] | the optimizer's levels | kept, in equal parts of the problem |
//!
//! Every baseline returns a plan whose levels come from the checker's evaluation, so that figures
//! compare like with like.

mod dear;
mod pop;
mod spread;
mod stable;

pub use dear::cost_and_spill;
pub use pop::pop;
pub use spread::spread;
pub use stable::stable;

use checker::CheckFailure;
use coverage::split::scatter;
use instance::{Instance, Levels, Plan, Shares, Unit};
use optimizer::{Loads, Problem};

/// Share of a capacity that rank-and-fill uses before it goes on to the next candidate.
pub const RANK_FILL_SHARE: f64 = 0.8;

/// Amounts below this are rounding, in Mbps.
const AMOUNT_EPSILON_MBPS: f64 = 1e-9;

/// A baseline's plan in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Shares of every unit.
    pub plan: Plan,
    /// The five levels.
    pub levels: Levels,
    /// Traffic above hard capacities, in Mbps; only [`nearest`] and [`spread`] may have any.
    pub over_capacity_mbps: f64,
}

impl Baseline {
    fn of(instance: &Instance, shares: Vec<Shares>) -> Result<Self, CheckFailure> {
        let plan = Plan {
            shares,
            input_digest: instance.digest(),
        };
        let found = checker::measure(instance, &plan)?;
        let (levels, over_capacity_mbps) = (found.levels, found.over_capacity_mbps);
        Ok(Self {
            plan,
            levels,
            over_capacity_mbps,
        })
    }
}

/// Every unit at its best quality, whatever the capacity: steering by lowest round-trip time. Plain
/// geography would take a little worse; distances are not part of an instance.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn nearest(instance: &Instance) -> Result<Baseline, CheckFailure> {
    let best = |unit: &Unit| unit.ranked().first().map(|&link| Shares::whole(link));
    let shares = instance
        .units
        .iter()
        .map(|unit| best(unit).unwrap_or_default());
    Baseline::of(instance, shares.collect())
}

/// Units in a random order, each filling its candidates by quality up to [`RANK_FILL_SHARE`] of
/// link, site and region capacity.
///
/// # Errors
/// [`CheckFailure`] when the instance is not valid.
pub fn rank_and_fill(instance: &Instance, seed: u64) -> Result<Baseline, CheckFailure> {
    let problem = Problem::new(instance);
    let mut room = Loads::hard_limits(&problem);
    room.scale(RANK_FILL_SHARE);
    let mut shares = vec![Shares::new(); instance.units.len()];
    for unit in order(instance, seed) {
        let demand = instance.units[unit].mbps;
        let mut rest = demand;
        for link in instance.units[unit].ranked() {
            let place = problem.place(link);
            let take = room.least_mbps(place).max(0.0).min(rest);
            if take > AMOUNT_EPSILON_MBPS || (demand <= AMOUNT_EPSILON_MBPS && rest >= 0.0) {
                room.add_mbps(place, -take);
                shares[unit].push((link, share(take, demand)));
                rest -= take;
            }
            if rest <= AMOUNT_EPSILON_MBPS {
                break;
            }
        }
        shares[unit].sort();
    }
    Baseline::of(instance, shares)
}

/// An amount as a share of a demand; a unit without demand is placed whole.
fn share(amount: f64, demand: f64) -> f64 {
    if demand > AMOUNT_EPSILON_MBPS {
        (amount / demand).min(1.0)
    } else {
        1.0
    }
}

/// Units in an order drawn from `seed`.
fn order(instance: &Instance, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..instance.units.len()).collect();
    order.sort_by_key(|&unit| (scatter(seed ^ scatter(unit as u64)), unit));
    order
}
