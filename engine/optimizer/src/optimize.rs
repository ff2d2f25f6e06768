//! From a first basis to a plan with prices: simplex, side constraints, the last rounding.

use crate::network::arcs::Network;
use crate::options::{Outcome, SolveOptions, Solved};
use crate::problem::index::Problem;
use crate::result::certificate::{self, Least};
use crate::result::{reading, trim};
use crate::side::constraints::SideConstraints;
use crate::side::settle;
use crate::simplex::basis::{Basis, Progress};
use crate::simplex::run::run;
use crate::threads::both;
use instance::{Duals, Plan};

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
        problem: &Problem<'_>,
        options: &SolveOptions<'_>,
        pivots: u64,
        moved: Least,
    ) -> Solved {
        let moved = match self.outcome {
            Outcome::Finished => moved,
            Outcome::Stopped => Least::Unknown,
        };
        Solved {
            certificate: certificate::certify(problem, &self.plan, self.duals, moved),
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
    problem: &Problem<'_>,
    rows: &SideConstraints<'_>,
    (net, basis): (&mut Network, &mut Basis),
    options: &SolveOptions<'_>,
) -> Found {
    let (ended, digest) = both(
        options.threads,
        || run(net, basis, options),
        || problem.instance.digest(),
    );
    let mut finished = ended == Progress::Optimal;
    let mut plan = reading::plan(net, basis, digest);
    if finished && !rows.is_empty() {
        let context = settle::Context {
            problem,
            options,
            rows,
        };
        let settled = settle::settle(&context, net, basis, &plan);
        finished = settled.finished;
        plan = settled.plan;
    }
    trim::trim(problem, &mut plan);
    Found {
        plan,
        duals: reading::duals(problem, net, basis),
        outcome: if finished {
            Outcome::Finished
        } else {
            Outcome::Stopped
        },
    }
}
