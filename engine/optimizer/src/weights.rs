//! From shares to weights: a plan whose every share is a multiple of 1/64, as answers have them.
//!
//! Each unit is rounded to the largest remainders (Hamilton's method), but a step goes first to
//! where it still fits: below the hard limits of link, site and region, then below the soft ones.
//! What a unit leaves unserved is spread over its links, because an answer names somebody for
//! everyone. The result is what the map will really do, and is to be judged as that.

use crate::problem::levels::Loads;
use crate::problem::topology::Topology;
use crate::trim::total;
use coverage::LinkId;
use instance::{Instance, Plan, Shares};

/// `plan` with weights out of `steps`. Units with one link keep it whole; units without any stay
/// without.
#[must_use]
pub fn on_ladder(instance: &Instance, plan: &Plan, steps: u8) -> Plan {
    let topology = Topology::of(instance);
    let mut ladder = Ladder {
        instance,
        topology: &topology,
        loads: Loads::of(instance, &topology, plan),
        steps: steps.max(1),
    };
    let rounded = plan
        .shares
        .iter()
        .enumerate()
        .map(|(unit, shares)| ladder.round(unit, shares))
        .collect();
    Plan {
        shares: rounded,
        input_digest: plan.input_digest.clone(),
    }
}

/// Loads while units are rounded one after another.
struct Ladder<'a> {
    instance: &'a Instance,
    topology: &'a Topology,
    loads: Loads,
    steps: u8,
}

/// A link of a unit that is being rounded.
struct Rung {
    link: LinkId,
    weight: u8,
    /// What the exact share has above the weight, in steps.
    rest: f64,
}

impl Ladder<'_> {
    fn round(&mut self, unit: usize, shares: &[(LinkId, f64)]) -> Shares {
        let total = total(shares);
        if total <= 0.0 {
            return Shares::new();
        }
        let mbps = self.instance.units[unit].mbps;
        if let &[(link, share)] = shares {
            self.add(link, (1.0 - share) * mbps);
            return Shares::whole(link);
        }
        let steps = f64::from(self.steps);
        let mut rungs: Vec<Rung> = shares
            .iter()
            .map(|&(link, share)| {
                self.add(link, -share * mbps);
                let exact = share / total * steps;
                let weight = whole(exact, self.steps);
                self.add(link, f64::from(weight) / steps * mbps);
                let rest = exact - f64::from(weight);
                Rung { link, weight, rest }
            })
            .collect();
        let placed: u8 = rungs.iter().map(|rung| rung.weight).sum();
        let step_mbps = mbps / steps;
        for _ in placed..self.steps {
            let fits = rungs.iter().map(|rung| self.fits(rung.link, step_mbps));
            let ranked = fits.zip(&rungs).enumerate();
            let best = ranked.max_by(|(at, (a, x)), (other, (b, y))| {
                let order = a.cmp(b).then(x.rest.total_cmp(&y.rest));
                order.then(other.cmp(at))
            });
            let Some((at, _)) = best else { break };
            rungs[at].weight += 1;
            rungs[at].rest -= 1.0;
            self.add(rungs[at].link, step_mbps);
        }
        let kept = rungs.iter().filter(|rung| rung.weight > 0);
        kept.map(|rung| (rung.link, f64::from(rung.weight) / steps))
            .collect()
    }

    /// 2 when `mbps` more stay below all soft limits of a link, 1 when they stay below the hard
    /// ones, else 0.
    fn fits(&self, link: LinkId, mbps: f64) -> u8 {
        let link = link.index();
        let row = &self.instance.links[link];
        let mut rows = vec![(
            self.loads.links[link],
            row.watermark_mbps(),
            row.capacity_mbps,
        )];
        if let Some(site) = self.topology.site_of[link] {
            let row = &self.instance.sites[site];
            rows.push((
                self.loads.sites[site],
                row.watermark_mbps(),
                row.capacity_mbps,
            ));
            if let Some(region) = self.topology.region_of[site] {
                let row = &self.instance.regions[region];
                let load = self.loads.regions[region];
                rows.push((load, row.watermark_mbps(), row.capacity_mbps));
            }
        }
        let within = |limit: f64, load: f64| load + mbps <= limit * (1.0 + 1e-9);
        if rows.iter().all(|&(load, soft, _)| within(soft, load)) {
            2
        } else {
            u8::from(rows.iter().all(|&(load, _, hard)| within(hard, load)))
        }
    }

    fn add(&mut self, link: LinkId, mbps: f64) {
        let link = link.index();
        self.loads.links[link] += mbps;
        if let Some(site) = self.topology.site_of[link] {
            self.loads.sites[site] += mbps;
            if let Some(region) = self.topology.region_of[site] {
                self.loads.regions[region] += mbps;
            }
        }
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
