//! Judgement whether a plan on the way is worth publishing: the checker's figures for it beside
//! both ends.

use instance::{Instance, Levels, Plan};

/// Differences below this share of a figure, or of 1 Mbps, are rounding.
const ROUNDING_SHARE: f64 = 1e-6;

/// Worth of a plan on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// Not worse than both ends on the first level where it differs.
    Fine,
    /// Worse by what is above soft limits or below a floor; nothing is lost.
    OnlySoft,
    /// Beyond a hard limit, or with more unserved than both ends.
    Loses,
}

/// Both ends of a way.
pub(super) struct Judge<'a> {
    instance: &'a Instance,
    /// Of both the worse on each level; `None` when an end cannot be judged.
    worst: Option<([f64; 3], [f64; 3])>,
}

impl<'a> Judge<'a> {
    /// The ends. What the plan in force does on links that are gone cannot be judged; nothing is
    /// worse than that. The target may be worse than the plan in force by what rounding onto 64ths
    /// costs.
    pub(super) fn new(instance: &'a Instance, before: &Plan, target: &Plan) -> Self {
        let levels =
            |plan: &Plan| Some(first_three(&checker::evaluate(instance, plan).ok()?.levels));
        let ends = levels(before).zip(levels(target));
        let worst = ends.map(|(was, wanted)| {
            let worst = std::array::from_fn(|level| f64::max(was[level], wanted[level]));
            (was, worst)
        });
        Self { instance, worst }
    }

    /// Judges `plan`.
    pub(super) fn of(&self, plan: &Plan) -> Worth {
        let Some((was, worst)) = self.worst else {
            return Worth::Fine;
        };
        let Ok(found) = checker::evaluate(self.instance, plan) else {
            return Worth::Loses;
        };
        let is = first_three(&found.levels);
        for level in 0..is.len() {
            let rounding = ROUNDING_SHARE * was[level].abs().max(1.0);
            if is[level] > worst[level] + rounding {
                return if level == 0 {
                    Worth::Loses
                } else {
                    Worth::OnlySoft
                };
            }
            if is[level] < was[level] - rounding {
                return Worth::Fine;
            }
        }
        Worth::Fine
    }
}

fn first_three(levels: &Levels) -> [f64; 3] {
    [levels.unserved_mbps, levels.overload_mbps, levels.late_mbps]
}
