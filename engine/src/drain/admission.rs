//! Admission: may a target be taken out, together with all that are out already?
//!
//! Let `U(D, s, f)` be the demand that a maximum flow leaves unserved when demand is multiplied by
//! `f`, the targets in `D` carry nothing, and site `s` (or none) is lost. `A` is the set of active
//! drains, returning ones included: a cold target counts as gone until it serves. A request for `t`
//! is admitted when all of this holds:
//!
//! 1. every service that has an endpoint without drains keeps one with `A + t` (not even `force`
//!    may break this: no map could be published that leaves a name without an answer);
//! 2. no budget is overdrawn further than `A` does;
//! 3. `U(A + t, none, headroom) <= U({}, none, headroom)`: drains leave nobody unserved who would
//!    be served without; the same holds for requests per second where sites have limits on them, by
//!    a flow of their own;
//! 4. for every other site `s`: `U(A + t, s, 1) <= U({}, s, 1)`: whatever single site is lost
//!    meanwhile, its loss is no worse than it would be today. A loss that is survivable today stays
//!    survivable, and one that is not is no excuse for making it worse.
//!
//! A request that fails with `{}` in place of `A` is refused, because waiting would not help; one
//! that fails only because of `A` waits. Both comparisons are against the undrained network of the
//! same moment, so a shortage that has other causes does not forbid a drain that has no part in it.
//!
//! The proof is `Judge::prove`, which computes points 3 and 4; `step.rs` repeats it later.
//! What is not a finite number fails every comparison: no data admits nothing.

use std::collections::{BTreeMap, BTreeSet};

use coverage::{SiteId, Timestamp};

use super::extent::{Extent, limits_at_zero, remaining_mbps};
use super::rules::Rules;
use super::state::{Proof, Refusal, WorstSite};
use super::target::{Part, Target};
use super::world::{Bottleneck, Unanswered, World, list_names};
use crate::limits::Limits;

/// Fate of a request.
pub(super) enum Verdict {
    /// Start, by the proof or by force. The refusal is what force overrode.
    Start(Option<Proof>, Option<Refusal>),
    /// Wait for other drains.
    Wait(Refusal),
    /// Turn down: it would fail with no other drain.
    Refuse(Refusal),
}

/// Drains that are out: their parts, and their targets by name.
#[derive(Clone, Default)]
pub(super) struct Active {
    /// Parts.
    pub(super) parts: BTreeSet<Part>,
    /// Targets, for the record.
    pub(super) targets: Vec<Target>,
}

/// Judges requests in one world; remembers what does not depend on the request.
pub(super) struct Judge<'a> {
    world: &'a World<'a>,
    rules: &'a Rules,
    now: Timestamp,
    /// `U({}, s, f)`, by site and the bits of the factor.
    baselines: BTreeMap<(Option<SiteId>, u64), f64>,
    /// Sites, those with most capacity first; none when the rules reserve nothing.
    by_capacity: Vec<SiteId>,
}

impl<'a> Judge<'a> {
    /// A judge for one moment.
    pub(super) fn new(world: &'a World<'a>, rules: &'a Rules, now: Timestamp) -> Self {
        let sites = (0..world.inventory.sites.len()).map(SiteId::from_index);
        let capacity = |site: SiteId| Part::Site(site).capacity_mbps(world.inventory);
        let mut sized: Vec<(f64, SiteId)> = sites
            .filter(|_| rules.reserve_worst_site)
            .map(|site| (capacity(site), site))
            .collect();
        sized.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let by_capacity = sized.into_iter().map(|(_, site)| site).collect();
        Self {
            world,
            rules,
            now,
            baselines: BTreeMap::new(),
            by_capacity,
        }
    }

    /// Returns what is to become of a new request for `part` while `active` are out.
    pub(super) fn judge(&mut self, part: Part, force: bool, active: &Active) -> Verdict {
        let inventory = self.world.inventory;
        let alone = Active {
            parts: BTreeSet::from([part]),
            targets: Vec::new(),
        };
        let reach = Extent::of(&alone.parts, inventory);
        if let Some(service) = reach.service_lost(inventory) {
            let words = format!("nothing else serves {service}: add capacity for it first");
            return Verdict::Refuse(Refusal::words(words));
        }
        let never = reach.find_overdrawn(&Extent::default(), inventory, self.rules);
        if let Some(words) = never.filter(|_| !force) {
            return Verdict::Refuse(Refusal::words(format!(
                "the budget never allows it: {words}"
            )));
        }
        let shortfall = match self.retry(part, force, active) {
            Verdict::Wait(shortfall) if !force => shortfall,
            verdict => return verdict,
        };
        if active.parts.is_subset(&alone.parts) {
            return Verdict::Refuse(shortfall);
        }
        match self.prove(
            &alone,
            self.rules.demand_headroom,
            self.rules.reserve_sites_max,
        ) {
            Ok(_) => Verdict::Wait(shortfall),
            Err(refusal) => Verdict::Refuse(refusal),
        }
    }

    /// Judges whether a request that was worth waiting for may start while `active` are out. Never
    /// refuses: capacity that was lost since may come back before the lease ends.
    pub(super) fn retry(&mut self, part: Part, force: bool, active: &Active) -> Verdict {
        let inventory = self.world.inventory;
        let mut together = active.clone();
        together.parts.insert(part);
        let reach = Extent::of(&together.parts, inventory);
        if let Some(service) = reach.service_lost(inventory) {
            let words =
                format!("with the other drains nothing would be left that serves {service}");
            return Verdict::Wait(Refusal::words(words));
        }
        let before = Extent::of(&active.parts, inventory);
        let overdrawn = reach.find_overdrawn(&before, inventory, self.rules);
        if let Some(words) = overdrawn.filter(|_| !force) {
            let words = format!("the budget is used by other drains: {words}");
            return Verdict::Wait(Refusal::words(words));
        }
        match self.prove(
            &together,
            self.rules.demand_headroom,
            self.rules.reserve_sites_max,
        ) {
            Ok(proof) => Verdict::Start(Some(proof), None),
            Err(refusal) if force => Verdict::Start(None, Some(refusal)),
            Err(refusal) => Verdict::Wait(refusal),
        }
    }

    /// Proves points 3 and 4 for `out` at 0, with the loss of at most `sites_max` sites. Asks for
    /// two maximum flows per site, half of them only once per judge.
    ///
    /// # Errors
    /// A [`Refusal`] that names what is missing and where.
    pub(super) fn prove(
        &mut self,
        out: &Active,
        headroom: f64,
        sites_max: usize,
    ) -> Result<Proof, Refusal> {
        let World {
            inventory,
            facts,
            demand_mbps,
            ..
        } = *self.world;
        let limits = limits_at_zero(&out.parts, inventory);
        let others = self.reserve(out, sites_max);
        // All questions without drains come first: whoever answers may keep one prepared network at
        // a time.
        let baseline_unserved_mbps = self.baseline(None, headroom);
        for &site in &others {
            self.baseline(Some(site), 1.0);
        }
        let baseline_rps = facts.unanswered(&Limits::default(), headroom).rps;
        let now = facts.feasibility(&limits, None, headroom);
        if !self.no_worse(now.unserved_mbps, baseline_unserved_mbps) {
            let extra_mbps = now.unserved_mbps - baseline_unserved_mbps;
            let what = format!("demand x {headroom} could not be carried without it");
            return Err(Refusal::capacity(&what, extra_mbps, now.bottleneck));
        }
        let unanswered = facts.unanswered(&limits, headroom);
        if !self.no_worse(unanswered.rps, baseline_rps) {
            return Err(Refusal::requests(headroom, &unanswered, baseline_rps));
        }
        let worst_site = self.worst_site(&limits, &others)?;
        let remaining_mbps = remaining_mbps(inventory, &limits, None);
        Ok(Proof {
            at: self.now,
            demand_mbps,
            headroom,
            remaining_mbps,
            spare_mbps: remaining_mbps - demand_mbps * headroom,
            unserved_mbps: now.unserved_mbps,
            baseline_unserved_mbps,
            worst_site,
            sites_checked: others.len(),
            together_with: out.targets.clone(),
        })
    }

    /// Sites whose loss is tried: those in the regions of what is out first, because there the
    /// capacity is missing, then those with most capacity. A site that is out has nothing left to
    /// lose.
    fn reserve(&self, out: &Active, sites_max: usize) -> Vec<SiteId> {
        let inventory = self.world.inventory;
        let region = |site: SiteId| inventory.sites[site.index()].region.as_str();
        let near: BTreeSet<&str> = out
            .parts
            .iter()
            .map(|part| region(part.site(inventory)))
            .collect();
        let gone = Extent::of(&out.parts, inventory);
        let left = self
            .by_capacity
            .iter()
            .copied()
            .filter(|site| !gone.sites().contains(site));
        let (mut first, then): (Vec<SiteId>, Vec<SiteId>) =
            left.partition(|&site| near.contains(region(site)));
        first.extend(then);
        first.truncate(sites_max);
        first
    }

    /// The worst of `others` to lose under `limits`; `None` when there are none.
    ///
    /// # Errors
    /// A [`Refusal`] that names it, when its loss would be worse than without drains.
    fn worst_site(
        &mut self,
        limits: &Limits,
        others: &[SiteId],
    ) -> Result<Option<WorstSite>, Refusal> {
        let World {
            inventory,
            facts,
            demand_mbps,
            ..
        } = *self.world;
        let mut worst: Option<(WorstSite, Option<Bottleneck>)> = None;
        for &site in others {
            let baseline_unserved_mbps = self.baseline(Some(site), 1.0);
            let lost = facts.feasibility(limits, Some(site), 1.0);
            let candidate = WorstSite {
                site: inventory.sites[site.index()].name.clone(),
                unserved_mbps: lost.unserved_mbps,
                baseline_unserved_mbps,
                spare_mbps: remaining_mbps(inventory, limits, Some(site)) - demand_mbps,
            };
            if worst
                .as_ref()
                .is_none_or(|(kept, _)| candidate.is_worse_than(kept))
            {
                worst = Some((candidate, lost.bottleneck));
            }
        }
        let Some((worst, bottleneck)) = worst else {
            return Ok(None);
        };
        if self.no_worse(worst.unserved_mbps, worst.baseline_unserved_mbps) {
            return Ok(Some(worst));
        }
        let what = format!("the reserve for losing site {} would be gone", worst.site);
        Err(Refusal::capacity(&what, worst.extra_mbps(), bottleneck))
    }

    /// `U({}, lost, factor)`.
    fn baseline(&mut self, lost: Option<SiteId>, factor: f64) -> f64 {
        let facts = self.world.facts;
        *self
            .baselines
            .entry((lost, factor.to_bits()))
            .or_insert_with(|| {
                facts
                    .feasibility(&Limits::default(), lost, factor)
                    .unserved_mbps
            })
    }

    /// Tells whether what is unserved is at most what it was, in Mbps or requests per second, but
    /// for rounding. False when either is not a finite number.
    fn no_worse(&self, unserved: f64, baseline: f64) -> bool {
        baseline.is_finite() && unserved <= baseline + self.rules.tolerance_mbps
    }
}

impl WorstSite {
    /// Demand that is unserved because of the drains, in Mbps.
    fn extra_mbps(&self) -> f64 {
        self.unserved_mbps - self.baseline_unserved_mbps
    }

    /// Orders by what the drains add, then by all that is unserved, then by the least capacity to
    /// spare. `total_cmp` puts what is not a number above all numbers, so it is named and refused.
    fn is_worse_than(&self, other: &Self) -> bool {
        let order = self
            .extra_mbps()
            .total_cmp(&other.extra_mbps())
            .then(self.unserved_mbps.total_cmp(&other.unserved_mbps))
            .then(other.spare_mbps.total_cmp(&self.spare_mbps));
        order.is_gt()
    }
}

impl Refusal {
    /// A refusal that has nothing to do with capacity.
    pub(super) const fn words(text: String) -> Self {
        Self {
            text,
            bottleneck: None,
        }
    }

    /// A refusal because too few sites would be left to answer all requests.
    fn requests(headroom: f64, left: &Unanswered, baseline_rps: f64) -> Self {
        let extra_rps = left.rps - baseline_rps;
        Self::words(format!(
            "demand x {headroom} could not be answered without it: {extra_rps:.0} requests per second more than without \
             drains find no site (full: {})",
            list_names(&left.saturated)
        ))
    }

    /// A refusal for want of capacity: `extra_mbps` more unserved than without drains.
    fn capacity(what: &str, extra_mbps: f64, bottleneck: Option<Bottleneck>) -> Self {
        let mut text = format!("{what}: {extra_mbps:.0} Mbps more unserved than without drains");
        if let Some(bottleneck) = &bottleneck {
            text.push_str(&format!(" ({bottleneck})"));
        }
        Self { text, bottleneck }
    }
}
