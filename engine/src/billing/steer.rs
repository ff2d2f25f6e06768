//! One contract under control: where the optimizer is stopped, what a free slot is worth now, and
//! what a slot teaches.

use super::deviation::Deviation;
use instance::ContractModel;

/// A contract that burst in the slot before is asked at this part of its price: changing contracts
/// moves clients.
const STAY_SHARE: f64 = 0.8;
/// Excess below this share of the capacity is none.
const TOLERANCE: f64 = 1e-4;
/// Of slots planned to the level, how many reality may leave below it: more than that, and noise
/// would spend the free slots.
const WITHIN_SHARE: f64 = 0.99;
/// The same while no free slot is left and each slot above raises the bill.
const WITHIN_SHARE_SPENT: f64 = 0.999;
/// Slope by which a free slot becomes dearer beyond the day's part, in logarithms per such part.
const PACE_SLOPE: f64 = 2.0;
/// Fewer planned slots than this are taken for this many.
const PACE_SLOTS_MIN: f64 = 4.0;
/// Most that pace makes of a price.
const PACE_FACTOR_MAX: f64 = 100.0;

/// Free slots since the last plan of the day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Free slots the plan wants used.
    pub(super) planned: f64,
    /// Free slots that were used.
    pub(super) spent: f64,
}

impl Pace {
    /// Returns what a free slot is worth now over what the plan says: more and more once the day's
    /// part is spent.
    ///
    /// The price that a linear program finds leaves open how often to accept it, because many slots
    /// are worth just that. Accepting all of them empties some contracts within days; their levels
    /// then rise with every slot that noise lifts.
    fn factor(self) -> f64 {
        let over = (self.spent - self.planned).max(0.0) / self.planned.max(PACE_SLOTS_MIN);
        (PACE_SLOPE * over).exp().min(PACE_FACTOR_MAX)
    }
}

/// State of one contract.
#[derive(Debug, Clone)]
pub(super) struct Steer {
    pub(super) model: ContractModel,
    pub(super) capacity_mbps: f64,
    /// Level planned to be charged; `None` while nothing was planned.
    pub(super) level_mbps: Option<f64>,
    /// Worth of one Mbps above the level in one slot by the plan, CNY.
    pub(super) above_cny_per_mbps: f64,
    pub(super) today: Pace,
    /// The same at the pace at which free slots are spent, CNY.
    pub(super) worth_cny_per_mbps: f64,
    /// Price the optimizer is asked above the level in this round, CNY.
    pub(super) asked_cny_per_mbps: f64,
    /// Cost of one Mbps more of level, CNY.
    pub(super) level_cny_per_mbps: f64,
    /// Level less what plans and reality differ by: where the mean of the slot is to stay.
    target_mbps: f64,
    /// Rest that leaves for the slot: where the optimizer is stopped.
    pub(super) rest_mbps: f64,
    /// Part of the slot that has passed, and its mean, Mbps.
    passed: (f64, f64),
    pub(super) tokens: u64,
    pub(super) bursting: bool,
    pub(super) burst_before: bool,
    pub(super) planned_mbps: f64,
    deviation: Deviation,
    deviation_spent: Deviation,
}

impl Steer {
    pub(super) const fn new(model: ContractModel, capacity_mbps: f64) -> Self {
        Self {
            model,
            capacity_mbps,
            level_mbps: None,
            above_cny_per_mbps: 0.0,
            today: Pace {
                planned: 0.0,
                spent: 0.0,
            },
            worth_cny_per_mbps: 0.0,
            asked_cny_per_mbps: 0.0,
            level_cny_per_mbps: 0.0,
            target_mbps: 0.0,
            rest_mbps: 0.0,
            passed: (0.0, 0.0),
            tokens: 0,
            bursting: false,
            burst_before: false,
            planned_mbps: 0.0,
            deviation: Deviation::within(WITHIN_SHARE),
            deviation_spent: Deviation::within(WITHIN_SHARE_SPENT),
        }
    }

    /// Tells whether the contract has a level at all.
    pub(super) const fn has_level(&self) -> bool {
        matches!(
            self.model,
            ContractModel::Month95 | ContractModel::Daily95Mean | ContractModel::DailyPeakMean
        )
    }

    /// Begins a slot at a level with so many free slots left.
    pub(super) fn open(&mut self, level_mbps: f64, tokens: u64) {
        self.tokens = tokens;
        let margin = if tokens > 0 {
            self.deviation.margin()
        } else {
            self.deviation_spent.margin()
        };
        self.target_mbps = level_mbps * (1.0 - margin);
        self.rest_mbps = self.target_mbps;
        self.passed = (0.0, 0.0);
        // The free slots of a day all belong to it: nothing is to be kept for later.
        let pace = match self.model {
            ContractModel::Month95 => self.today.factor(),
            _ => 1.0,
        };
        self.worth_cny_per_mbps = self.above_cny_per_mbps * pace;
        let stay = if self.burst_before { STAY_SHARE } else { 1.0 };
        self.asked_cny_per_mbps = self.worth_cny_per_mbps * stay;
    }

    /// Takes the slot up again after a part of it with the given mean. Whether the rest would end
    /// above the target.
    pub(super) fn reopen(&mut self, passed: f64, carried_mbps: f64, expected_mbps: f64) -> bool {
        self.passed = (passed, carried_mbps);
        self.planned_mbps = expected_mbps;
        if self.level_mbps.is_none() || !self.has_level() {
            return false;
        }
        let rest = (self.target_mbps - passed * carried_mbps) / (1.0 - passed);
        self.rest_mbps = rest.clamp(0.0, self.capacity_mbps.max(0.0));
        !self.bursting && self.excess_mbps(expected_mbps) > 0.0
    }

    pub(super) fn excess_mbps(&self, load_mbps: f64) -> f64 {
        let excess = load_mbps - self.rest_mbps;
        if excess > TOLERANCE * self.capacity_mbps {
            excess
        } else {
            0.0
        }
    }

    /// Of what a free slot opens, the part by which a load exceeds the target; 0 where none may be
    /// spent.
    pub(super) fn wanted_share(&self) -> f64 {
        let open = self.capacity_mbps - self.rest_mbps;
        let may =
            self.level_mbps.is_some() && self.has_level() && !self.bursting && self.tokens > 0;
        if may && open > 0.0 {
            self.excess_mbps(self.planned_mbps) / open
        } else {
            0.0
        }
    }

    /// Of what the free slot under way opens, the part that was used; `None` when none was spent.
    pub(super) fn used_share(&self, carried_mbps: f64) -> Option<f64> {
        let open = self.capacity_mbps - self.target_mbps;
        let spent = self.bursting && open > 0.0 && carried_mbps > self.target_mbps;
        spent.then(|| ((carried_mbps - self.target_mbps) / open).min(1.0))
    }

    /// Ends the slot. `bursts`: whether free slots may be used at all. Returns whether one was
    /// spent.
    pub(super) fn close(&mut self, carried_mbps: f64, bursts: bool) -> bool {
        let Some(level) = &mut self.level_mbps else {
            return false;
        };
        let spent = carried_mbps > *level;
        if spent {
            self.today.spent += 1.0;
        }
        let (passed, before) = self.passed;
        let planned = (1.0 - passed).mul_add(self.planned_mbps, passed * before);
        if !self.bursting && planned > 0.9 * self.target_mbps && self.target_mbps > 0.0 {
            let above = carried_mbps / planned - 1.0;
            self.deviation.learn(above);
            self.deviation_spent.learn(above);
        }
        // Where nothing is forgiven, what was carried is what is charged. Where free slots are
        // merely spent, one slot above raises the charge to the next larger sample alone, which the
        // ledger knows.
        let forgives = bursts && self.model != ContractModel::DailyPeakMean;
        if !forgives && carried_mbps.is_finite() {
            *level = level.max(carried_mbps);
        }
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_slots_become_dearer_once_the_days_part_is_spent() {
        let mut steer = Steer::new(ContractModel::Month95, 100.0);
        steer.level_mbps = Some(40.0);
        steer.above_cny_per_mbps = 1.0;
        steer.today.planned = 10.0;
        let mut worth = Vec::new();
        for _ in 0..30 {
            steer.open(40.0, 400);
            worth.push(steer.worth_cny_per_mbps);
            steer.close(90.0, true);
        }
        assert!((worth[10] - 1.0).abs() < 1e-9, "{worth:?}");
        assert!(worth[11..].is_sorted() && worth[15] > 2.0, "{worth:?}");
        assert!(worth[29] <= PACE_FACTOR_MAX);
    }

    #[test]
    fn the_rest_of_a_slot_makes_good_what_its_beginning_carried_too_much() {
        let mut steer = Steer::new(ContractModel::Month95, 100.0);
        steer.level_mbps = Some(40.0);
        steer.open(40.0, 5);
        let target = steer.rest_mbps;
        assert!(!steer.reopen(0.4, target, target));
        assert!(steer.reopen(0.4, target + 3.0, target + 3.0));
        let mean = 0.4f64.mul_add(target + 3.0, 0.6 * steer.rest_mbps);
        assert!((mean - target).abs() < 1e-9, "{mean}");
        // A start that alone is more than the whole slot may carry leaves nothing, not less than
        // nothing.
        steer.reopen(0.9, 99.0, 50.0);
        assert!(steer.rest_mbps.abs() < 1e-12);
    }

    #[test]
    fn the_margin_is_wider_once_no_slot_is_free() {
        let mut steer = Steer::new(ContractModel::Month95, 100.0);
        steer.level_mbps = Some(40.0);
        for slot in 0..20_000_u32 {
            steer.open(40.0, 1);
            steer.planned_mbps = steer.rest_mbps;
            let noise = f64::from(slot.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
            // Most slots turn out as planned, a few far above.
            steer.close(steer.planned_mbps * (1.0 + 0.05 * noise.powi(20)), true);
        }
        steer.open(40.0, 1);
        let with = steer.rest_mbps;
        steer.open(40.0, 0);
        assert!(
            steer.rest_mbps < with && with < 40.0,
            "{} {with}",
            steer.rest_mbps
        );
    }
}
