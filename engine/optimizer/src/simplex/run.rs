//! One run of the simplex: by rough prices first, exactly to the end, stage by stage.

use crate::network::arcs::Network;
use crate::options::{Deadline, SolveOptions};
use crate::simplex::basis::{Basis, Progress};
use crate::simplex::rough::Scope;

/// Pivots between two looks at the deadline.
pub(crate) const PIVOTS_PER_STAGE: u64 = 20_000;

/// Stages of one simplex run; far above what a feasible instance needs.
const STAGES_MAX: u64 = 100_000;

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
