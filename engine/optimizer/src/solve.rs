//! One solve from beginning to end: network, first basis, simplex, shared contracts, certificate.

use coverage::LinkId;
use serde::{Deserialize, Serialize};

use crate::certificate;
use crate::movement::Least;
use crate::network::arcs::Network;
use crate::network::rough::Scope;
use crate::problem::topology::Topology;
use crate::side::constraints::Rows;
use crate::side::settle;
use crate::simplex::basis::{Basis, Progress};
use crate::threads::both;
use crate::trim;
use crate::warm::Standing;
use instance::Instance;
use instance::{Certificate, Duals, Plan};

/// Pivots between two looks at the deadline.
pub(crate) const PIVOTS_PER_STAGE: u64 = 20_000;

/// Stages of one simplex run; far above what a feasible instance needs.
const STAGES_MAX: u64 = 100_000;

/// Tells a solve when to stop. Consulted between stages only, so that a plan depends on how many
/// stages ran and on nothing finer.
pub trait Deadline: Sync {
    /// Whether no further stage should start.
    fn expired(&self) -> bool;
}

impl<F: Fn() -> bool + Sync> Deadline for F {
    fn expired(&self) -> bool {
        self()
    }
}

/// What a caller may choose.
#[derive(Clone, Copy)]
pub struct SolveOptions<'a> {
    /// Threads allowed. From 2 on the least movement and the digest are found beside the plan, and
    /// the bound beside its levels; the simplex itself is sequential. The result does not depend on
    /// it.
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
/// The result is a function of `input`, `options` (without `threads`) and `warm`, unless the
/// deadline cuts it short. `warm` is an earlier plan for similar input; its choices are tried
/// first, but where rows cut across the tree: prices say more there.
#[must_use]
pub fn solve(input: &Instance, options: &SolveOptions<'_>, warm: Option<&Plan>) -> Solved {
    Standing::cold(input, options, warm).0
}

/// A plan and the prices that bound it.
pub(crate) struct Found {
    pub(crate) plan: Plan,
    pub(crate) duals: Duals,
    pub(crate) outcome: Outcome,
}

impl Found {
    /// The result with its certificate. `pivots` is for the record, `moved` the least movement as
    /// far as it is known.
    pub(crate) fn certify(
        self,
        input: &Instance,
        topology: &Topology,
        options: &SolveOptions<'_>,
        pivots: u64,
        moved: Least,
    ) -> Solved {
        let moved = match self.outcome {
            Outcome::Finished => moved,
            Outcome::Stopped => Least::Unknown,
        };
        Solved {
            certificate: certificate::certify(
                input,
                topology,
                &self.plan,
                self.duals,
                moved,
                options.threads,
            ),
            plan: self.plan,
            outcome: self.outcome,
            pivots,
            threads: options.threads,
        }
    }
}

/// Runs the simplex to its end from a feasible basis and settles the rows that have no place in the
/// tree.
pub(crate) fn optimize(
    input: &Instance,
    topology: &Topology,
    rows: &Rows<'_>,
    (net, basis): (&mut Network, &mut Basis),
    options: &SolveOptions<'_>,
) -> Found {
    let (ended, digest) = both(
        options.threads,
        || run(net, basis, options),
        || input.digest(),
    );
    let mut finished = ended == Progress::Optimal;
    let mut plan = certificate::plan(net, basis, digest);
    if finished && !rows.is_empty() {
        let context = settle::Context {
            input,
            topology,
            options,
            rows,
        };
        let settled = settle::settle(&context, net, basis, &plan);
        finished = settled.finished;
        plan = settled.plan;
    }
    trim::trim(input, topology, &mut plan);
    Found {
        plan,
        duals: certificate::duals(input, topology, net, basis),
        outcome: if finished {
            Outcome::Finished
        } else {
            Outcome::Stopped
        },
    }
}

/// The link with the largest share; the first of equals.
pub(crate) fn main_share(shares: &[(LinkId, f64)]) -> Option<LinkId> {
    shares
        .iter()
        .rev()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|s| s.0)
}

/// Runs the simplex stage by stage: by rough prices on the fronts and then on all arcs, and exactly
/// to the end.
pub(crate) fn run(net: &Network, basis: &mut Basis, options: &SolveOptions<'_>) -> Progress {
    let mut steps = [
        Step::Rough(Scope::Front),
        Step::Rough(Scope::All),
        Step::Exact,
    ]
    .into_iter();
    let mut step = steps.next();
    for _ in 0..STAGES_MAX {
        let Some(now) = step else {
            return Progress::Optimal;
        };
        if options.deadline.is_some_and(Deadline::expired) {
            return Progress::Paused;
        }
        let progress = match now {
            Step::Rough(scope) => basis.run_roughly(net, scope, PIVOTS_PER_STAGE),
            Step::Exact => basis.run(net, PIVOTS_PER_STAGE),
        };
        if progress == Progress::Optimal {
            step = steps.next();
        }
    }
    Progress::Paused
}

/// A way to run the simplex.
#[derive(Debug, Clone, Copy)]
enum Step {
    Rough(Scope),
    Exact,
}
