//! The levels of any plan, from the raw instance.

use coverage::LinkId;
use std::collections::BTreeMap;

use instance::{Changes, ContractModel, Duals, Instance, Levels, Plan, Price, RowKind, Unit};

use super::loads::{Loads, rows};
use super::{CAPACITY_TOLERANCE, CheckFailure, SHARE_TOLERANCE};

/// A plan in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The five levels.
    pub levels: Levels,
    /// Units with more than one link.
    pub split_units: usize,
    /// Traffic above hard capacities, summed over links, sites and regions, in Mbps. Always within
    /// tolerance when it comes from [`evaluate`]; baselines that ignore capacity may have more.
    pub over_capacity_mbps: f64,
    loads: Loads,
    /// Site id -> (index, requests per second).
    requests: BTreeMap<String, (usize, f64)>,
}

impl Evaluation {
    /// Load and price of a row by its id.
    pub(crate) fn row(&self, kind: RowKind, id: &str, duals: &Duals) -> Option<(f64, Price)> {
        let (rows, prices) = match kind {
            RowKind::Link => (&self.loads.links, &duals.links),
            RowKind::Site => (&self.loads.sites, &duals.sites),
            RowKind::Region => (&self.loads.regions, &duals.regions),
            RowKind::Contract => (&self.loads.contracts, &duals.contracts),
            RowKind::Requests => {
                let &(index, load) = self.requests.get(id)?;
                let price = Price {
                    cny_per_mbps: *duals.requests.get(index)?,
                    ..Price::default()
                };
                return Some((load, price));
            }
        };
        let &(index, load) = rows.get(id)?;
        Some((load, *prices.get(index)?))
    }
}

/// From where loads count, as shares above their limits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bands {
    /// Above watermarks.
    pub overload: f64,
    /// Above what contracts have free.
    pub level: f64,
}

/// Recomputes the levels of `plan` and checks its shares and the hard limits.
///
/// # Errors
/// [`CheckFailure::Length`], [`CheckFailure::Share`] or [`CheckFailure::Capacity`].
pub fn evaluate(instance: &Instance, plan: &Plan) -> Result<Evaluation, CheckFailure> {
    let found = measure(instance, plan)?;
    found.loads.within(instance)?;
    Ok(found)
}

/// Checks the hard limits under `plan` with the shares of the units in `changed` instead of those
/// it has, and these shares: for a plan that leaves all others where they were found good before.
/// Says nothing of its levels.
///
/// # Errors
/// Those of [`evaluate`].
pub fn fits(instance: &Instance, plan: &Plan, changed: &Changes) -> Result<(), CheckFailure> {
    same_length(instance, plan)?;
    let mut links_mbps = vec![0.0; instance.links.len()];
    let mut changed = changed.iter().peekable();
    for (index, (unit, mut shares)) in instance.units.iter().zip(&plan.shares).enumerate() {
        if let Some((_, instead)) = changed.next_if(|next| *next.0 == index) {
            check_shares(index, unit, instead)?;
            shares = instead;
        }
        add_loads(index, unit, shares, &mut links_mbps)?;
    }
    Loads::of(instance, &links_mbps).within(instance)
}

/// The same without the hard limits: what a plan would be if links had no end.
pub fn measure(instance: &Instance, plan: &Plan) -> Result<Evaluation, CheckFailure> {
    let mut found = counted(instance, plan)?;
    row_levels(instance, Bands::default(), &mut found);
    Ok(found)
}

/// The same once for each of `bands`: overload and money count only beyond them, overload never
/// beyond the hard limit.
pub fn measure_beyond<const N: usize>(
    instance: &Instance,
    plan: &Plan,
    bands: [Bands; N],
) -> Result<[Evaluation; N], CheckFailure> {
    let counted = counted(instance, plan)?;
    Ok(bands.map(|bands| {
        let mut found = counted.clone();
        row_levels(instance, bands, &mut found);
        found
    }))
}

/// Shares checked and loads counted; what follows from loads is still missing.
fn counted(instance: &Instance, plan: &Plan) -> Result<Evaluation, CheckFailure> {
    same_length(instance, plan)?;
    let mut levels = Levels::default();
    let mut links_mbps = vec![0.0; instance.links.len()];
    for (index, (unit, shares)) in instance.units.iter().zip(&plan.shares).enumerate() {
        check_shares(index, unit, shares)?;
        unit_levels(instance, unit, shares, &mut levels);
        add_loads(index, unit, shares, &mut links_mbps)?;
    }
    let mut found = Evaluation {
        levels,
        split_units: plan.shares.iter().filter(|s| s.len() >= 2).count(),
        over_capacity_mbps: 0.0,
        loads: Loads::of(instance, &links_mbps),
        requests: rows(instance.sites.iter().map(|s| &s.id)),
    };
    count_requests(instance, plan, &mut found);
    Ok(found)
}

pub(crate) fn same_length(instance: &Instance, plan: &Plan) -> Result<(), CheckFailure> {
    let (found, expected) = (plan.shares.len(), instance.units.len());
    if found == expected {
        return Ok(());
    }
    Err(CheckFailure::Length {
        what: "plan",
        found,
        expected,
    })
}

pub(crate) fn add_loads(
    index: usize,
    unit: &Unit,
    shares: &[(LinkId, f64)],
    links_mbps: &mut [f64],
) -> Result<(), CheckFailure> {
    for &(link, share) in shares {
        let Some(load) = links_mbps.get_mut(link.index()) else {
            let problem = format!("candidate link {} does not exist", link.0);
            return Err(CheckFailure::Share {
                unit: index,
                problem,
            });
        };
        *load += share * unit.mbps;
    }
    Ok(())
}

/// Requests by site, and what is above the limits. All shares have been checked.
fn count_requests(instance: &Instance, plan: &Plan, found: &mut Evaluation) {
    if instance.sites.iter().all(|s| s.capacity_rps.is_none()) {
        return;
    }
    let mut by_link = vec![0.0; instance.links.len()];
    for (unit, shares) in instance.units.iter().zip(&plan.shares) {
        for &(link, share) in shares {
            by_link[link.index()] += unit.rps * share;
        }
    }
    for (link, rps) in instance.links.iter().zip(by_link) {
        if let Some(row) = found.requests.get_mut(&link.site) {
            row.1 += rps;
        }
    }
    let mut excess_rps = 0.0;
    for site in &instance.sites {
        let rps = found.requests.get(&site.id).map_or(0.0, |row| row.1);
        excess_rps += (rps - super::bound::free_rps(site)).max(0.0);
    }
    let all_rps: f64 = instance.units.iter().map(|unit| unit.rps).sum();
    if excess_rps > super::EXCESS_TOLERANCE * all_rps {
        found.levels.excess_rps = excess_rps;
        found.levels.excess_cny = excess_rps * super::bound::excess_charge_cny(instance);
    }
}

/// Range, sum, eligibility and uniqueness of the shares of one unit.
pub(crate) fn check_shares(
    index: usize,
    unit: &Unit,
    shares: &[(LinkId, f64)],
) -> Result<(), CheckFailure> {
    let refuse = |problem: String| {
        Err(CheckFailure::Share {
            unit: index,
            problem,
        })
    };
    let mut sum = 0.0;
    for (at, &(link, share)) in shares.iter().enumerate() {
        if !(share > 0.0 && share <= 1.0 + SHARE_TOLERANCE) {
            return refuse(format!("share {share} of link {} is not in (0, 1]", link.0));
        }
        if !unit.cand.iter().any(|c| c.0 == link) {
            return refuse(format!("link {} is no candidate", link.0));
        }
        if shares[..at].iter().any(|s| s.0 == link) {
            return refuse(format!("link {} is listed twice", link.0));
        }
        sum += share;
    }
    if sum > 1.0 + SHARE_TOLERANCE {
        return refuse(format!("shares sum to {sum}"));
    }
    Ok(())
}

/// Levels 1, 3, 5 and the latency part of 4.
fn unit_levels(instance: &Instance, unit: &Unit, shares: &[(LinkId, f64)], levels: &mut Levels) {
    let placed: f64 = shares.iter().map(|s| s.1).sum();
    if 1.0 - placed > SHARE_TOLERANCE * 1e-3 {
        levels.unserved_mbps += (1.0 - placed) * unit.mbps;
    }
    let mut stayed = 0.0;
    for &(link, share) in shares {
        let quality_ms = unit.cand.iter().find(|c| c.0 == link).map_or(0.0, |c| c.1);
        let gbps = share * unit.mbps / 1_000.0;
        levels.latency_cny += gbps * quality_ms * instance.value_cny_per_gbps_ms_slot;
        if unit
            .latency_limit_ms
            .is_some_and(|latency_limit_ms| latency_limit_ms < quality_ms)
        {
            levels.late_mbps += share * unit.mbps;
        }
        let before: f64 = unit
            .incumbent
            .iter()
            .filter(|i| i.0 == link)
            .map(|i| i.1)
            .sum();
        stayed += before.min(share);
    }
    if !unit.incumbent.is_empty() {
        levels.moved_mbps += (placed - stayed).max(0.0) * unit.mbps;
    }
}

/// Overload, hard excess and money.
fn row_levels(instance: &Instance, bands: Bands, found: &mut Evaluation) {
    let load = |rows: &BTreeMap<String, (usize, f64)>, id: &str| rows.get(id).map_or(0.0, |r| r.1);
    let mut limits = Vec::new();
    for link in &instance.links {
        let soft = link.watermark_mbps.unwrap_or(link.capacity_mbps);
        limits.push((load(&found.loads.links, &link.id), soft, link.capacity_mbps));
    }
    for site in &instance.sites {
        let soft = site.watermark_mbps.unwrap_or(site.capacity_mbps);
        limits.push((load(&found.loads.sites, &site.id), soft, site.capacity_mbps));
    }
    for region in &instance.regions {
        let soft = region.watermark_mbps.unwrap_or(region.capacity_mbps);
        limits.push((
            load(&found.loads.regions, &region.id),
            soft,
            region.capacity_mbps,
        ));
    }
    for (load, soft, hard) in limits {
        let soft = f64::min(soft * (1.0 + bands.overload), hard.max(soft));
        // Sums of many shares end a few roundings above a limit that they fill exactly.
        if load - soft > CAPACITY_TOLERANCE * soft.max(1.0) {
            found.levels.overload_mbps += load - soft;
        }
        found.over_capacity_mbps += (load - hard).max(0.0);
    }
    for contract in &instance.contracts {
        let load = load(&found.loads.contracts, &contract.id);
        found.levels.money_cny += match contract.model {
            ContractModel::Flat => 0.0,
            ContractModel::PerGb => {
                let gb = load * f64::from(instance.slot_seconds) / 8_000.0;
                gb * contract.price_cny_per_gb.unwrap_or(0.0)
            }
            _ if contract.burst => 0.0,
            _ => {
                let free_mbps = contract.free_below_mbps * (1.0 + bands.level);
                (load - super::charged_from(free_mbps)).max(0.0)
                    * contract.price_cny_per_mbps.unwrap_or(0.0)
            }
        };
    }
    let move_cny_per_gbps = instance.move_cost_ms * instance.value_cny_per_gbps_ms_slot;
    found.levels.moving_cny = found.levels.moved_mbps / 1_000.0 * move_cny_per_gbps;
}
