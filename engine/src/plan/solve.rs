//! One solve from beginning to end: network, first basis, simplex, shared meters, certificate.

use serde::{Deserialize, Serialize};

use super::input::Instance;
use super::network::Network;
use super::result::{Certificate, Plan};
use super::scale::{MOVED, Scale};
use super::simplex::{Basis, Progress};
use super::topology::Topology;
use super::{certificate, crash, meters, sample};

/// Pivots between two looks at the deadline.
const PIVOTS_PER_STAGE: u64 = 20_000;

/// Stages of one simplex run; far above what a feasible instance needs.
const STAGES_MAX: u64 = 100_000;

/// Tells a solve when to stop. Consulted between stages only, so that a plan depends on how many
/// stages ran and on nothing finer.
pub trait Deadline {
    /// Whether no further stage should start.
    fn expired(&self) -> bool;
}

impl<F: Fn() -> bool> Deadline for F {
    fn expired(&self) -> bool {
        self()
    }
}

/// What a caller may choose.
#[derive(Clone, Copy)]
pub struct SolveOptions<'a> {
    /// Threads for the stages that can use them; the result does not depend on it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// When to stop early with the best plan so far; `None`: never.
    pub deadline: Option<&'a dyn Deadline>,
    /// Whether to find the least movement possible, which is a second, shorter solve.
    pub movement: Movement,
}

/// Whether the least possible movement is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Movement {
    /// Compute it when some unit has an incumbent.
    Bounded,
    /// Leave it out.
    Unbounded,
}

impl Default for SolveOptions<'_> {
    fn default() -> Self {
        Self {
            threads: 1,
            seed: 0,
            deadline: None,
            movement: Movement::Bounded,
        }
    }
}

/// How a solve ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The plan is optimal up to the gap of the certificate.
    Finished,
    /// The deadline came first; the plan is feasible and its gap is true, but may be large.
    Stopped,
}

/// The result of [`solve`].
#[derive(Debug, Clone, PartialEq)]
pub struct Solved {
    /// Where every unit goes.
    pub plan: Plan,
    /// How good that is.
    pub certificate: Certificate,
    /// How the solve ended.
    pub outcome: Outcome,
    /// Simplex pivots made, for the record.
    pub pivots: u64,
    /// Threads that were allowed.
    pub threads: usize,
}

/// Solves a valid instance. Never fails: demand that fits nowhere is unserved.
///
/// The result is a function of `input`, `options` (without `threads`) and `warm`, unless the deadline
/// cuts it short. `warm` is an earlier plan for similar input; its choices are tried first.
#[must_use]
pub fn solve(input: &Instance, options: &SolveOptions<'_>, warm: Option<&Plan>) -> Solved {
    let topology = Topology::of(input);
    let mut net = Network::build(input, &topology, &[]);
    let mut pivots = 0;
    let mut basis = match warm {
        Some(plan) => crash::start(&net, |unit| main_share(plan.shares.get(unit)?)),
        None => sample::start(&net, options, &mut pivots),
    };
    let mut finished = run(&net, &mut basis, options) == Progress::Optimal;
    let mut plan = certificate::plan(&net, &basis, input.digest());
    if finished && meters::any_shared(&net) {
        let context = meters::Context {
            input,
            topology: &topology,
            options,
        };
        let settled = meters::settle(&context, &mut net, &mut basis, &plan);
        finished = settled.finished;
        plan = settled.plan;
    }
    let duals = certificate::duals(input, &topology, &net, &basis);
    pivots += basis.pivots;
    let moved = match options.movement {
        Movement::Bounded if finished => least_movement(input, net, options, &mut pivots),
        _ => None,
    };
    let certificate = certificate::certify(input, &topology, &plan, duals, moved);
    let outcome = if finished {
        Outcome::Finished
    } else {
        Outcome::Stopped
    };
    Solved {
        plan,
        certificate,
        outcome,
        pivots,
        threads: options.threads,
    }
}

/// The link with the largest share; the first of equals.
pub(super) fn main_share(shares: &[(u32, f64)]) -> Option<u32> {
    shares
        .iter()
        .rev()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|s| s.0)
}

/// Runs the simplex stage by stage.
pub(super) fn run(net: &Network, basis: &mut Basis, options: &SolveOptions<'_>) -> Progress {
    for _ in 0..STAGES_MAX {
        if options.deadline.is_some_and(Deadline::expired) {
            return Progress::Paused;
        }
        if basis.run(net, PIVOTS_PER_STAGE) == Progress::Optimal {
            return Progress::Optimal;
        }
    }
    Progress::Paused
}

/// Least traffic moved among all plans as good on levels 1 to 3, in Mbps.
///
/// The same network with money and latency taken out of every cost, started from the incumbents.
fn least_movement(
    input: &Instance,
    mut net: Network,
    options: &SolveOptions<'_>,
    pivots: &mut u64,
) -> Option<f64> {
    if input.units.iter().all(|u| u.incumbent.is_empty()) {
        return Some(0.0);
    }
    for cost in &mut net.cost {
        *cost = Scale::without_money(*cost);
    }
    let incumbent = |unit: usize| main_share(&input.units[unit].incumbent);
    let mut basis = crash::start(&net, incumbent);
    let progress = run(&net, &mut basis, options);
    *pivots += basis.pivots;
    if progress == Progress::Paused {
        return None;
    }
    let moved = (0..net.unit_arc_count())
        .filter(|&arc| Scale::moved(net.cost[arc]) == MOVED)
        .map(|arc| basis.flow[arc])
        .sum();
    Some(net.scale.mbps(moved))
}
