//! The method: a primal-dual hybrid gradient (Chambolle and Pock 2011) with averaged restarts and
//! adapted primal weight (Applegate et al., PDLP, 2021). Units keep their demand by projection, so
//! that only capacities and levels have prices.

use super::outlook::Budget;
use super::program::Program;
use super::run::Run;
use super::{bound, primal};
use optimizer::Deadline;

/// Limits at which the method stops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetOptions {
    /// Stops when plan and bound are this close, relative to the plan.
    pub gap: f64,
    /// Stops after this many rounds.
    pub rounds_max: usize,
    /// Most flows (candidates of units, times scenes) that are planned one by one. Where there are
    /// more, units whose best links are the same are taken together. A flow takes about 60 bytes,
    /// and 20 to 30 ns in a round.
    pub flows_max: usize,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self {
            gap: 2e-3,
            rounds_max: 3000,
            flows_max: 1_000_000,
        }
    }
}

/// Rounds between two looks at the gap, and at whether to restart.
const ROUNDS_PER_LOOK: usize = 50;
/// The same as a real number.
const LOOK_ROUNDS: f64 = 50.0;
/// Restart when the mean's gap has fallen to this part of the one at the last restart,
const GOOD_SHARE: f64 = 0.2;
/// or to this part and rises again,
const SETTLED_SHARE: f64 = 0.8;
/// or when this many rounds have passed,
const LONG_ROUNDS: f64 = 400.0;
/// which are this part of all.
const LONG_SHARE: f64 = 0.36;

/// Finds the plan; `None` when `deadline` came before it was good enough.
pub(super) fn solve(
    program: &Program<'_>,
    options: &BudgetOptions,
    deadline: &dyn Deadline,
) -> Option<Budget> {
    let mut run = Run::start(program);
    let mut best = primal::read(program, &run.primal);
    let mut lower = f64::NEG_INFINITY;
    let mut token = run.dual.token.clone();
    let (mut rounds, mut rounds_done) = (0, 0.0);
    // Gap of the point at the last restart, and of the mean at the last look.
    let (mut gap_then, mut gap_last) = (f64::INFINITY, f64::INFINITY);
    while rounds < options.rounds_max {
        for _ in 0..ROUNDS_PER_LOOK {
            if deadline.expired() {
                return None;
            }
            program.round(&mut run);
        }
        rounds += ROUNDS_PER_LOOK;
        rounds_done += LOOK_ROUNDS;
        let mean = run.mean();
        let found = primal::read(program, &mean.0);
        let of_mean = bound::lower(program, &mean.1);
        let gap = found.cost_cny - of_mean;
        if found.cost_cny < best.cost_cny {
            best = found;
        }
        if of_mean > lower {
            lower = of_mean;
            token.clone_from(&mean.1.token);
        }
        if best.cost_cny - lower <= options.gap * best.cost_cny.abs() {
            break;
        }
        let long = run.summed >= LONG_ROUNDS && run.summed >= LONG_SHARE * rounds_done;
        let settled = gap <= SETTLED_SHARE * gap_then && gap > gap_last;
        if gap <= GOOD_SHARE * gap_then || settled || long {
            gap_then = gap;
            gap_last = f64::INFINITY;
            run.restart(mean);
        } else {
            gap_last = gap;
        }
    }
    Some(Budget {
        level_mbps: best.level_mbps,
        slots_by_day: best.slots_by_day,
        above_cny_per_mbps: token,
        cost_cny: best.cost_cny,
        money_cny: best.money_cny,
        lower_bound_cny: lower,
        rounds,
    })
}
