//! Wishes to move in a step, and how urgent they are.

use super::moves::{Urgency, Wish, may_stand, moved_mbps};
use super::walk::Walk;
use coverage::LinkId;
use instance::Shares;
use optimizer::{Loads, ROUNDING};

impl Walk<'_> {
    /// The first site at which a unit wants more than it has.
    pub(super) fn goal(&self, unit: usize) -> Option<usize> {
        let more = |share: &&(LinkId, f64)| share.1 > self.shares[unit].on(share.0);
        let first = self.target.shares[unit].iter().find(more);
        first.map(|share| self.problem.place(share.0).site.index())
    }

    /// Tells whether a unit has no place, or stands on one that is no candidate or can carry
    /// nothing any more.
    pub(super) fn is_displaced(&self, unit: usize) -> bool {
        let shares = &self.shares[unit];
        let gone = |share: &(LinkId, f64)| !may_stand(self.problem, unit, share.0);
        shares.is_empty() || shares.iter().any(gone)
    }

    /// Lists the units that the target wants elsewhere, most urgent first.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        let instance = self.problem.instance;
        let mut wishes = Vec::new();
        for (unit, now) in self.shares.iter().enumerate() {
            let mbps = moved_mbps(self.problem, unit, now, self.target);
            if *now == self.target.shares[unit] {
                continue;
            }
            let mean_ms = |shares: &Shares| {
                let quality = |link: LinkId| {
                    let cand = instance.units[unit].cand.iter().find(|c| c.0 == link);
                    cand.map_or(0.0, |c| c.1)
                };
                shares
                    .iter()
                    .map(|&(l, share)| share * quality(l))
                    .sum::<f64>()
            };
            wishes.push(Wish {
                unit,
                urgency: self.urgency(unit, now),
                moved_mbps: mbps,
                gain_ms: mean_ms(now) - mean_ms(&self.target.shares[unit]),
            });
        }
        wishes.sort_by(|a, b| {
            let urgency = a.urgency.cmp(&b.urgency);
            urgency
                .then(b.gain_ms.total_cmp(&a.gain_ms))
                .then(a.unit.cmp(&b.unit))
        });
        wishes
    }

    fn urgency(&self, unit: usize, shares: &Shares) -> Urgency {
        if shares.iter().map(|share| share.1).sum::<f64>() < 1.0 - ROUNDING {
            return Urgency::Lost;
        }
        let above = |limits: &Loads| {
            let mut places = shares.iter().map(|share| self.problem.place(share.0));
            places.any(|place| self.loads.exceeds(limits, place))
        };
        if above(&self.hard) {
            Urgency::Lost
        } else if above(&self.soft) {
            Urgency::Overload
        } else if self.late(unit, shares) > self.late(unit, &self.target.shares[unit]) + ROUNDING {
            Urgency::Late
        } else {
            Urgency::Gain
        }
    }

    /// The part of a unit that these shares serve above its latency limit.
    fn late(&self, unit: usize, shares: &Shares) -> f64 {
        let unit = &self.problem.instance.units[unit];
        let latency_limit_ms = unit.latency_limit_ms.unwrap_or(f64::MAX);
        let below = |link: LinkId| {
            unit.cand
                .iter()
                .any(|c| c.0 == link && c.1 > latency_limit_ms)
        };
        let shares = shares.iter().filter(|share| below(share.0));
        shares.map(|share| share.1).sum()
    }
}
