//! From shares to weights: a plan whose every share is a multiple of 1/64, as answers have them.
//!
//! Each unit is rounded to the largest remainders (Hamilton's method), but a step goes first to
//! where it still fits: below the hard limits of link, site and region, then below the soft ones.
//! What a unit leaves unserved is spread over its links, because an answer names somebody for
//! everyone. The result is what the map will really do, and is to be judged as that.

use crate::problem::index::Problem;
use crate::problem::loads::{Loads, ROUNDING};
use coverage::LinkId;
use instance::{Instance, Plan, Shares};

/// `plan` with weights out of `steps`. Units with one link keep it whole; units without any stay
/// without.
#[must_use]
pub fn round_to_weights(instance: &Instance, plan: &Plan, steps: u8) -> Plan {
    let problem = Problem::new(instance);
    let mut rounding = Rounding {
        problem: &problem,
        loads: Loads::of(&problem, &plan.shares),
        soft: Loads::soft_limits(&problem),
        hard: Loads::hard_limits(&problem),
        steps: steps.max(1),
    };
    let rounded = plan
        .shares
        .iter()
        .enumerate()
        .map(|(unit, shares)| rounding.round(unit, shares))
        .collect();
    Plan {
        shares: rounded,
        input_digest: plan.input_digest.clone(),
    }
}

/// Loads while units are rounded one after another.
struct Rounding<'a> {
    problem: &'a Problem<'a>,
    loads: Loads,
    soft: Loads,
    hard: Loads,
    steps: u8,
}

/// A link of a unit that is being rounded.
struct Portion {
    link: LinkId,
    weight: u8,
    /// Excess of the exact share over the weight, in steps.
    rest: f64,
}

impl Rounding<'_> {
    fn round(&mut self, unit: usize, shares: &Shares) -> Shares {
        let total = shares.total();
        if total <= 0.0 {
            return Shares::new();
        }
        let mbps = self.problem.instance.units[unit].mbps;
        if let &[(link, share)] = shares.as_slice() {
            self.add(link, (1.0 - share) * mbps);
            return Shares::whole(link);
        }
        let steps = f64::from(self.steps);
        let mut portions: Vec<Portion> = shares
            .iter()
            .map(|&(link, share)| {
                self.add(link, -share * mbps);
                let exact = share / total * steps;
                let weight = whole(exact, self.steps);
                self.add(link, f64::from(weight) / steps * mbps);
                let rest = exact - f64::from(weight);
                Portion { link, weight, rest }
            })
            .collect();
        let placed: u8 = portions.iter().map(|portion| portion.weight).sum();
        let step_mbps = mbps / steps;
        for _ in placed..self.steps {
            let fits = portions
                .iter()
                .map(|portion| self.fits(portion.link, step_mbps));
            let ranked = fits.zip(&portions).enumerate();
            let best = ranked.max_by(|(at, (a, x)), (other, (b, y))| {
                let order = a.cmp(b).then(x.rest.total_cmp(&y.rest));
                order.then(other.cmp(at))
            });
            let Some((at, _)) = best else { break };
            portions[at].weight += 1;
            portions[at].rest -= 1.0;
            self.add(portions[at].link, step_mbps);
        }
        let kept = portions.iter().filter(|portion| portion.weight > 0);
        kept.map(|portion| (portion.link, f64::from(portion.weight) / steps))
            .collect()
    }

    /// 2 when `mbps` more stay below all soft limits of a link, 1 when they stay below the hard
    /// ones, else 0.
    fn fits(&self, link: LinkId, mbps: f64) -> u8 {
        let place = self.problem.place(link);
        let within = |limits: &Loads| {
            let [link_limit, site_limit, _, region_limit] = limits.at(place);
            let [link_load, site_load, _, region_load] = self.loads.at(place);
            let holds = |limit: f64, load: f64| load + mbps <= limit * (1.0 + ROUNDING);
            holds(link_limit, link_load)
                && holds(site_limit, site_load)
                && (place.region.is_none() || holds(region_limit, region_load))
        };
        if within(&self.soft) {
            2
        } else {
            u8::from(within(&self.hard))
        }
    }

    fn add(&mut self, link: LinkId, mbps: f64) {
        self.loads.add_mbps(self.problem.place(link), mbps);
    }
}

/// The whole part of a number between 0 and `most`, with a little forgiven to what is whole but for
/// rounding.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a weight"
)]
fn whole(exact: f64, most: u8) -> u8 {
    (exact + 1e-9).floor().clamp(0.0, f64::from(most)) as u8
}
