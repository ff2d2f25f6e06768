//! Input that differs too much from the last is held back until it has proved to stay.
//!
//! A wrong geo or quality feed moves everybody at once, and so does a demand feed that counts
//! twice. Real demand grows by per cent between two cycles, so a jump is doubted first. What stays
//! at its new level for a while is believed. Prices of contracts come with a restart, and are
//! compared with those before it.

use coverage::LinkId;
use coverage::Timestamp;
use instance::{Contract, ContractModel, Instance};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Most totals of the past that are kept.
const TRAIL_MAX: u32 = 64;

/// Contract -> its price, CNY per Mbps and month or CNY per GB.
pub type Prices = BTreeMap<String, f64>;

/// Bounds from which a change is a jump.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputRules {
    /// Relative change of total demand from any that was believed within `settle`: a slow creep is
    /// a jump, too.
    pub demand_shift_max: f64,
    /// Share of demand whose best place changed for no visible reason.
    pub best_changed_max: f64,
    /// Factor by which a price may change.
    pub price_factor_max: f64,
    /// Time that a jump must last to be believed.
    pub settle: Duration,
}

impl Default for InputRules {
    fn default() -> Self {
        Self {
            demand_shift_max: 0.3,
            best_changed_max: 0.3,
            price_factor_max: 3.0,
            settle: Duration::from_mins(10),
        }
    }
}

/// Figures of an input that are compared.
#[derive(Clone, Debug)]
struct Seen {
    demand_mbps: f64,
    /// [unit] -> (Mbps, its best candidate).
    units: Vec<(f64, Option<LinkId>)>,
    /// [link]: whether it can carry anything.
    open: Vec<bool>,
    /// [contract] -> CNY per GB; 0 for other contracts, whose price of a slot changes by nature.
    per_gb: Vec<f64>,
}

/// The last input that was believed, and one that is doubted.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    rules: InputRules,
    believed: Option<Seen>,
    /// Time at which the first input was seen: for a while after a start much of it is assumed, and
    /// becomes what is measured.
    first: Option<Timestamp>,
    doubted: Option<(Seen, Timestamp)>,
    /// Text that says how a price jumped over the restart, as long as that is doubted.
    repriced: Option<String>,
    /// Totals that were believed, each with its time, Mbps; as far back as `settle`.
    trail: VecDeque<(Timestamp, f64)>,
}

impl Inputs {
    /// Nothing was seen yet; the first input is believed.
    #[must_use]
    pub(super) const fn new(rules: InputRules) -> Self {
        Self {
            rules,
            believed: None,
            first: None,
            doubted: None,
            repriced: None,
            trail: VecDeque::new(),
        }
    }

    /// Believes an input, or says what is wrong with it.
    ///
    /// # Errors
    /// What jumped, from where to where, and until when it is doubted.
    pub(super) fn judge(&mut self, instance: &Instance, now: Timestamp) -> Result<(), String> {
        let first = *self.first.get_or_insert(now);
        let settled = now.since(first) >= self.rules.settle;
        if let Some(jump) = self.repriced.as_ref().filter(|_| !settled) {
            return Err(self.doubt(jump, first, now));
        }
        self.repriced = None;
        let seen = Seen::of(instance);
        let Some(believed) = self.believed.as_ref().filter(|_| settled) else {
            self.believe(seen, now);
            return Ok(());
        };
        let jump = believed.jump_to(&seen, &self.rules);
        let Some(jump) = jump.or_else(|| self.creep_to(&seen, now)) else {
            self.believe(seen, now);
            return Ok(());
        };
        let since = match &self.doubted {
            Some((before, since)) if before.jump_to(&seen, &self.rules).is_none() => *since,
            _ => now,
        };
        if now.since(since) >= self.rules.settle {
            self.trail.clear();
            self.believe(seen, now);
            return Ok(());
        }
        self.doubted = Some((seen, since));
        Err(self.doubt(&jump, since, now))
    }

    fn doubt(&self, jump: &str, since: Timestamp, now: Timestamp) -> String {
        let left = self.rules.settle.saturating_sub(now.since(since));
        let seconds = left.as_secs();
        format!("{jump}; believed if it stays for {seconds} s more")
    }

    /// Doubts the prices that there are now if one of them jumped from what it was before the
    /// restart.
    pub(super) fn compare_prices(&mut self, before: &Prices, now: &Prices) {
        let both = now
            .iter()
            .filter_map(|(name, is)| Some((name, *before.get(name)?, *is)));
        let mut jumps = both.filter(|(_, was, is)| is_repriced(*was, *is, &self.rules));
        self.repriced = jumps.next().map(|(name, was, is)| {
            format!("the price of {name} jumped from {was} to {is} CNY over the restart")
        });
    }

    /// Tells whether the prices that there are now are not doubted.
    pub(super) const fn believes_prices(&self) -> bool {
        self.repriced.is_none()
    }

    /// Believes the next input whatever it is: an operator says so.
    pub(super) fn trust_next(&mut self) {
        (self.believed, self.doubted, self.repriced) = (None, None, None);
        self.trail.clear();
    }

    /// Brings what was noted under a clock that was ahead back to `now`.
    pub(super) fn not_after(&mut self, now: Timestamp) {
        let doubted = self.doubted.iter_mut().map(|(_, since)| since);
        let trail = self.trail.iter_mut().map(|(at, _)| at);
        for at in self.first.iter_mut().chain(doubted).chain(trail) {
            *at = (*at).min(now);
        }
    }

    fn believe(&mut self, seen: Seen, now: Timestamp) {
        let apart = self.rules.settle / TRAIL_MAX;
        let due = |last: &(Timestamp, f64)| now.since(last.0) >= apart;
        if self.trail.back().is_none_or(due) {
            self.trail.push_back((now, seen.demand_mbps));
        }
        if self.trail.len() > TRAIL_MAX as usize {
            self.trail.pop_front();
        }
        (self.believed, self.doubted) = (Some(seen), None);
    }

    /// Tells how demand has changed in many small steps, when that is more than it may in one.
    fn creep_to(&self, next: &Seen, now: Timestamp) -> Option<String> {
        let is = next.demand_mbps;
        let recent = |past: &&(Timestamp, f64)| now.since(past.0) <= self.rules.settle;
        let far = |past: &&(Timestamp, f64)| is_far(past.1, is, &self.rules);
        let (then, was) = self.trail.iter().filter(recent).find(far)?;
        let seconds = now.since(*then).as_secs();
        Some(format!(
            "demand went from {was:.0} to {is:.0} Mbps within {seconds} s"
        ))
    }
}

impl Seen {
    fn of(instance: &Instance) -> Self {
        let best = |unit: &instance::Unit| {
            let nearest = unit.cand.iter().min_by(|a, b| a.1.total_cmp(&b.1));
            (unit.mbps, nearest.map(|c| c.0))
        };
        let shut: Vec<&str> = instance
            .sites
            .iter()
            .filter(|site| site.capacity_mbps <= 0.0)
            .map(|site| site.id.as_str())
            .collect();
        let open =
            |link: &instance::Link| link.capacity_mbps > 0.0 && !shut.contains(&link.site.as_str());
        let per_gb = |contract: &Contract| match contract.model {
            ContractModel::PerGb => contract.price_cny_per_gb.unwrap_or(0.0),
            _ => 0.0,
        };
        Self {
            demand_mbps: instance.units.iter().map(|unit| unit.mbps).sum(),
            units: instance.units.iter().map(best).collect(),
            open: instance.links.iter().map(open).collect(),
            per_gb: instance.contracts.iter().map(per_gb).collect(),
        }
    }

    /// Tells what changed more than it may; `None` also when the two speak of other things and
    /// cannot be compared.
    fn jump_to(&self, next: &Self, rules: &InputRules) -> Option<String> {
        let alike = self.units.len() == next.units.len()
            && self.open.len() == next.open.len()
            && self.per_gb.len() == next.per_gb.len();
        if !alike {
            return None;
        }
        let (was, is) = (self.demand_mbps, next.demand_mbps);
        if is_far(was, is, rules) {
            return Some(format!("demand jumped from {was:.0} to {is:.0} Mbps"));
        }
        let prices = self.per_gb.iter().zip(&next.per_gb).enumerate();
        for (contract, (&was, &is)) in prices {
            if is_repriced(was, is, rules) {
                return Some(format!(
                    "the price of contract number {contract} jumped from {was} to {is} CNY per GB"
                ));
            }
        }
        let explained = |link: Option<LinkId>| {
            link.is_some_and(|link| self.open[link.index()] != next.open[link.index()])
        };
        let units = self.units.iter().zip(&next.units);
        let changed =
            units.filter(|((_, was), (_, is))| was != is && !explained(*was) && !explained(*is));
        let changed_mbps: f64 = changed.map(|(_, (mbps, _))| mbps).sum();
        let share = changed_mbps / is.max(f64::MIN_POSITIVE);
        (share > rules.best_changed_max).then(|| {
            format!(
                "the best place of {:.0} % of all demand changed at once",
                share * 100.0
            )
        })
    }
}

fn is_repriced(was: f64, is: f64, rules: &InputRules) -> bool {
    let factor = rules.price_factor_max;
    was > 0.0 && !(was / factor..=was * factor).contains(&is)
}

fn is_far(was: f64, is: f64, rules: &InputRules) -> bool {
    was > 0.0 && (is - was).abs() > rules.demand_shift_max * was
}
