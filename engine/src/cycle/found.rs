//! A plan with all that is known of it: its levels as answers have it, the checker's verdict, and
//! how the map in force fares on the same instance.

use super::tier::Tier;
use super::tree::Tree;
use super::weights::{OnWeights, measure_answers};
use checker::{Bands, CheckFailure, Verified};
use coverage::{Timestamp, WEIGHT_TOTAL};
use instance::{Certificate, Instance, Levels, Plan};
use optimizer::{Outcome, both, on_ladder};
use std::sync::Arc;

/// The last solve that the checker accepted.
#[derive(Debug)]
pub struct LastSolve {
    /// Time at which its input was taken.
    pub at: Timestamp,
    /// Tier that solved it.
    pub tier: Tier,
    /// The instance.
    pub instance: Arc<Instance>,
    /// The plan.
    pub plan: Plan,
    /// The plan as answers can have it.
    pub weights: OnWeights,
    /// Certificate of the plan.
    pub certificate: Certificate,
    /// Levels of the map in force on the same instance; `None` when it named what was gone, or
    /// there was none.
    pub incumbent: Option<Levels>,
}

/// The plan in force, if there is one, and from where its loads count.
#[derive(Clone, Copy)]
pub(super) struct Incumbent<'a> {
    pub(super) plan: Option<&'a Plan>,
    pub(super) bands: Bands,
}

/// A plan with all that is known of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) instance: Arc<Instance>,
    pub(super) plan: Plan,
    pub(super) weights: OnWeights,
    /// Levels of the plan as the map in force is judged, too.
    pub(super) answered: Option<Levels>,
    pub(super) certificate: Certificate,
    pub(super) outcome: Outcome,
    pub(super) verified: Result<Verified, CheckFailure>,
    pub(super) incumbent: Option<Levels>,
    /// Tree to go on from; `None` when the solve did not get to its end.
    pub(super) tree: Option<Tree>,
}

impl Found {
    /// Checks a plan, and measures how the one in force fares on the same instance.
    pub(super) fn new(
        instance: Arc<Instance>,
        solved: optimizer::Solved,
        tree: Tree,
        incumbent: Incumbent<'_>,
    ) -> Self {
        let bands = incumbent.bands;
        let judge = || {
            let before = |plan| measure_answers(&instance, plan, [bands]).map(|[levels]| levels);
            let plan = on_ladder(&instance, &solved.plan, WEIGHT_TOTAL);
            let judged = measure_answers(&instance, &plan, [bands, Bands::default()]);
            let exact = judged.map(|[_, exact]| exact).unwrap_or_default();
            let weights = OnWeights::new(&instance, plan, exact, &solved.certificate);
            let answered = judged.map(|[answered, _]| answered);
            (weights, answered, incumbent.plan.and_then(before))
        };
        let verify = || checker::verify(&instance, &solved.plan, &solved.certificate);
        let ((weights, answered, incumbent), verified) = both(solved.threads, judge, verify);
        Self {
            weights,
            answered,
            verified,
            plan: solved.plan,
            certificate: solved.certificate,
            outcome: solved.outcome,
            incumbent,
            tree: (solved.outcome == Outcome::Finished).then_some(tree),
            instance,
        }
    }

    /// Cost that the plan saves against the map in force, as a share.
    pub(super) fn gain_share(&self) -> f64 {
        let cost = |levels: &Option<Levels>| levels.as_ref().map_or(0.0, Levels::cost_cny);
        let incumbent = cost(&self.incumbent);
        if incumbent > 0.0 {
            (incumbent - cost(&self.answered)) / incumbent
        } else {
            0.0
        }
    }

    /// Keeps it as the solve that everything goes on from, and the tree of it.
    pub(super) fn into_last(self, at: Timestamp, tier: Tier) -> (LastSolve, Option<Tree>) {
        let last = LastSolve {
            at,
            tier,
            instance: self.instance,
            plan: self.plan,
            weights: self.weights,
            certificate: self.certificate,
            incumbent: self.incumbent,
        };
        (last, self.tree)
    }
}
