//! Salvage of a solve that was stopped: the best of what was found and what was known.
//!
//! The flow of a search that was cut short is feasible, but may leave demand unserved that has room
//! elsewhere; the plan in force, as far as it still fits, may be much better. Both are filled up
//! with what room is left, and the better one is taken.

use crate::problem::compare::compare;
use crate::problem::index::Problem;
use crate::problem::loads::{AMOUNT_EPSILON_MBPS, Loads, Room};
use crate::problem::prices::own_cost;
use crate::problem::requests;
use coverage::LinkId;
use instance::{Plan, Price, Shares, Unit};

/// The better of `found` and of what is left of `known`, or of the incumbents where nothing else is
/// known, each filled up.
pub(crate) fn best(problem: &Problem<'_>, found: Plan, known: Option<&Plan>) -> Plan {
    let units = problem.instance.units.iter();
    let incumbents = || Plan {
        shares: units.map(|unit| unit.incumbent.clone()).collect(),
        input_digest: String::new(),
    };
    let known = known.cloned().unwrap_or_else(incumbents);
    let filled = |plan: &Plan| Plan {
        shares: filled(problem, plan),
        input_digest: found.input_digest.clone(),
    };
    let (found, known) = (filled(&found), filled(&known));
    if compare(problem, &known, &found).is_lt() {
        known
    } else {
        found
    }
}

/// `[unit]` -> what of its shares still fits, and the rest wherever there is room: below watermarks
/// first, the cheapest places of each unit first, units in their order.
fn filled(problem: &Problem<'_>, plan: &Plan) -> Vec<Shares> {
    let input = problem.instance;
    let nothing = Loads::none(problem);
    let limits = [Loads::soft_limits(problem), Loads::hard_limits(problem)];
    let mut filler = Filler {
        problem,
        rooms: limits.map(|limits| Room::between(limits, &nothing)),
    };
    let mut shares = vec![Shares::new(); input.units.len()];
    let mut rests = Vec::with_capacity(shares.len());
    for ((unit, wanted), shares) in input.units.iter().zip(&plan.shares).zip(&mut shares) {
        let mut rest = unit.mbps;
        for &(link, share) in wanted {
            if unit.cand.iter().any(|cand| cand.0 == link) {
                rest -= filler.give(unit, shares, (link, share * unit.mbps), 1);
            }
        }
        rests.push(rest);
    }
    for ((unit, rest), shares) in input.units.iter().zip(rests).zip(&mut shares) {
        filler.place(unit, rest, shares);
        shares.sort();
    }
    shares
}

/// Fills room up.
struct Filler<'a> {
    problem: &'a Problem<'a>,
    /// Below soft limits, below hard ones. Requests are soft alone.
    rooms: [Room; 2],
}

impl Filler<'_> {
    /// Places `rest` Mbps of a unit.
    fn place(&mut self, unit: &Unit, mut rest: f64, shares: &mut Shares) {
        if rest <= AMOUNT_EPSILON_MBPS && (unit.mbps > 0.0 || !shares.is_empty()) {
            return;
        }
        let priced = unit
            .cand
            .iter()
            .map(|&cand| (own_cost(self.problem.instance, unit, cand), cand.0));
        let mut places: Vec<(Price, LinkId)> = priced.collect();
        places.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
        for level in 0..self.rooms.len() {
            for &(_, link) in &places {
                if unit.mbps <= 0.0 {
                    // Without traffic it needs no more than an open place.
                    if self.rooms[level].left_mbps(self.problem.place(link), 0.0) > 0.0 {
                        shares.push((link, 1.0));
                        return;
                    }
                } else if rest > AMOUNT_EPSILON_MBPS {
                    rest -= self.give(unit, shares, (link, rest), level);
                }
            }
        }
    }

    /// Gives a unit up to so many Mbps of a link, as far as there is room on a level; how many it
    /// got.
    fn give(
        &mut self,
        unit: &Unit,
        shares: &mut Shares,
        (link, mbps): (LinkId, f64),
        level: usize,
    ) -> f64 {
        let rps = requests::per_mbps(unit);
        let place = self.problem.place(link);
        let taken = self.rooms[level].left_mbps(place, rps).min(mbps);
        if taken <= AMOUNT_EPSILON_MBPS {
            return 0.0;
        }
        for room in &mut self.rooms {
            room.take(place, taken, rps);
        }
        shares.give(link, taken / unit.mbps);
        taken
    }
}
