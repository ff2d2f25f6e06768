//! Drains of an instance in use: the local answer at once, the exact one from the standing tree.

use super::Failure;
use super::measure::{Times, quantile};
use instance::{Instance, Plan};
use optimizer::{Movement, SolveOptions, WarmStart, relieve};
use serde_json::{Value, json};
use simulator::instances::{StormEvent, apply, storm};

/// Drains measured one by one, each from the same plan.
const DRAINS: usize = 200;
/// Cost of a move, in equivalent ms. In an emergency whoever need not move stays, unless that
/// costs others more.
const MOVE_COST_MS: f64 = 50.0;
/// Sites below this part of their soft limit are not tight.
const TIGHT_SHARE: f64 = 0.9;
/// Every so many drains the independent checker looks, too.
const CHECK_EVERY: usize = 20;

/// Measures single drains of tight sites, then a storm of ten drains and three losses in a row.
pub(super) fn measure(instance: &Instance, seed: u64) -> Result<Value, Failure> {
    let options = SolveOptions {
        movement: Movement::Unbounded,
        threads: 2,
        ..SolveOptions::default()
    };
    let first = optimizer::solve(instance, &options, None);
    let settled = settle(instance, &first.plan);
    let (base, standing) = WarmStart::solve(&settled, &options, Some(&first.plan));
    let mut drains = Run::default();
    for event in tight_drains(&settled, &base.plan, seed) {
        let mut next = settled.clone();
        apply(&mut next, event);
        let mut standing = standing.clone();
        drains.event(
            &base.plan,
            &base.certificate.duals,
            &next,
            &mut standing,
            &options,
        )?;
    }
    let mut stormy = Run::default();
    let (mut next, mut plan, mut duals) = (settled, base.plan, base.certificate.duals);
    let mut standing = standing;
    for event in storm(&next, &plan, (10, 3), seed) {
        apply(&mut next, event);
        (plan, duals) = stormy.event(&plan, &duals, &next, &mut standing, &options)?;
    }
    Ok(json!({ "drains": drains.figures(), "ten_drains_three_losses": stormy.figures() }))
}

/// The instance as the next cycle sees it: `plan` is in force and leaving it costs.
fn settle(instance: &Instance, plan: &Plan) -> Instance {
    let mut settled = instance.clone();
    settled.move_cost_ms = MOVE_COST_MS;
    for (unit, shares) in settled.units.iter_mut().zip(&plan.shares) {
        unit.incumbent.clone_from(shares);
    }
    settled
}

/// Drains of sites that are nearly full in `plan`.
fn tight_drains(instance: &Instance, plan: &Plan, seed: u64) -> Vec<StormEvent> {
    let site_of = |link: u32| {
        let id = &instance.links[link as usize].site;
        instance.sites.iter().position(|site| site.id == *id)
    };
    let sites: Vec<Option<usize>> = (0..instance.links.len())
        .map(|link| site_of(u32::try_from(link).unwrap_or(u32::MAX)))
        .collect();
    let mut load_mbps = vec![0.0; instance.sites.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            if let Some(site) = sites[link.index()] {
                load_mbps[site] += unit.mbps * share;
            }
        }
    }
    let tight = |event: &StormEvent| match *event {
        StormEvent::Drain { site } => {
            let site = site as usize;
            load_mbps[site] > TIGHT_SHARE * instance.sites[site].watermark_mbps()
        }
        StormEvent::Loss { .. } => false,
    };
    let events = storm(instance, plan, (instance.sites.len(), 0), seed);
    events.into_iter().filter(tight).take(DRAINS).collect()
}

/// Figures over some events.
#[derive(Default)]
struct Run {
    local: Times,
    exact: Times,
    /// Moved traffic per traffic that had to move.
    churn: Vec<f64>,
    gap: Vec<f64>,
    pivots: Vec<f64>,
    local_unserved_mbps: f64,
    exact_unserved_mbps: f64,
    checked: usize,
}

impl Run {
    /// Answers one event twice and returns the exact answer with its prices.
    fn event(
        &mut self,
        plan: &Plan,
        duals: &instance::Duals,
        next: &Instance,
        standing: &mut WarmStart,
        options: &SolveOptions<'_>,
    ) -> Result<(Plan, instance::Duals), Failure> {
        let relief = self.local.of(|| relieve(next, plan, duals, &[]));
        let solved = self.exact.of(|| standing.resolve(next, options));
        let solved = solved.ok_or("the standing solve refused the event")?;
        self.local_unserved_mbps += relief.unserved_mbps;
        self.exact_unserved_mbps += solved.certificate.levels.unserved_mbps;
        self.pivots
            .push(f64::from(u32::try_from(solved.pivots).unwrap_or(u32::MAX)));
        self.gap.push(solved.certificate.gap);
        self.churn
            .push(moved_mbps(next, plan, &solved.plan) / relief.lost_mbps.max(1e-9));
        let mut local = plan.clone();
        relief.apply(&mut local);
        if self.gap.len() % CHECK_EVERY == 1 {
            checker::verify(next, &solved.plan, &solved.certificate)?;
            checker::evaluate(next, &local)?;
            self.checked += 1;
        }
        Ok((solved.plan, solved.certificate.duals))
    }

    fn figures(&self) -> Value {
        json!({
            "events": self.gap.len(),
            "local": self.local.figures(),
            "exact": self.exact.figures(),
            "pivots_median": quantile(&self.pivots, 0.5),
            "pivots_p99": quantile(&self.pivots, 0.99),
            "churn_median": quantile(&self.churn, 0.5),
            "churn_p99": quantile(&self.churn, 0.99),
            "gap_max": quantile(&self.gap, 1.0),
            "local_unserved_mbps": self.local_unserved_mbps,
            "exact_unserved_mbps": self.exact_unserved_mbps,
            "checked": self.checked,
        })
    }
}

/// Traffic that is elsewhere in `after`, in Mbps.
fn moved_mbps(instance: &Instance, before: &Plan, after: &Plan) -> f64 {
    let pairs = instance
        .units
        .iter()
        .zip(before.shares.iter().zip(&after.shares));
    pairs
        .map(|(unit, (before, after))| {
            let gained = after.iter().map(|&(link, share)| {
                let old = before.iter().find(|b| b.0 == link).map_or(0.0, |b| b.1);
                (share - old).max(0.0)
            });
            unit.mbps * gained.sum::<f64>()
        })
        .sum()
}
