//! The levels of any plan, from the raw instance.

use coverage::LinkId;

use instance::{Changes, ContractModel, Duals, Instance, Levels, Plan, Price, RowKind, Unit};

use crate::charges::{charged_from, excess_charge_cny, free_rps};
use crate::failure::CheckFailure;
use crate::loads::{Loads, Rows};
use crate::shares::{add_loads, check_length, check_shares};
use crate::tolerances::{CAPACITY_TOLERANCE, EXCESS_TOLERANCE, SHARE_TOLERANCE};

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
    /// Requests per second of sites.
    requests: Rows,
}

/// Load and price of a row.
pub(crate) struct RowFigures {
    /// Mbps; requests per second on a row of requests.
    pub(crate) load: f64,
    pub(crate) price: Price,
}

impl Evaluation {
    /// Returns load and price of a row by its id; none when it is not known or has no price.
    pub(crate) fn row(&self, kind: RowKind, id: &str, duals: &Duals) -> Option<RowFigures> {
        if kind == RowKind::Requests {
            let row = self.requests.get(id)?;
            let price = Price {
                cny_per_mbps: *duals.requests.get(row.index)?,
                ..Price::default()
            };
            return Some(RowFigures {
                load: row.load,
                price,
            });
        }
        let row = self.loads.rows(kind)?.get(id)?;
        let prices = match kind {
            RowKind::Link => &duals.links,
            RowKind::Site => &duals.sites,
            RowKind::Region => &duals.regions,
            RowKind::Contract | RowKind::Requests => &duals.contracts,
        };
        Some(RowFigures {
            load: row.load,
            price: *prices.get(row.index)?,
        })
    }
}

/// Parts of their limits by which loads may exceed them before they count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bands {
    /// Part of watermarks.
    pub overload: f64,
    /// Part of the free levels of contracts.
    pub level: f64,
}

/// Recomputes the levels of `plan` and checks its shares and the hard limits.
///
/// ```
/// use checker::{CheckFailure, evaluate};
/// use coverage::LinkId;
/// use instance::{Plan, Shares};
///
/// # use instance::Instance;
/// # let text = r#"{"version": 1, "value_cny_per_gbps_ms_slot": 0.02,
/// #     "links": [{"id": "gz1/ct", "site": "gz1", "capacity_mbps": 100, "contract": "m1"}],
/// #     "sites": [{"id": "gz1", "region": "south", "capacity_mbps": 100}],
/// #     "contracts": [{"id": "m1", "model": "flat"}],
/// #     "units": [{"area": "cn/44/ct", "service": "live", "mbps": 80, "cand": [[0, 10]]}]}"#;
/// // A unit of 80 Mbps whose only candidate is 10 ms away, on a link of 100 Mbps.
/// let mut instance = Instance::read(text.as_bytes())?;
/// let plan = Plan {
///     shares: vec![Shares::whole(LinkId(0))],
///     input_digest: instance.digest(),
/// };
/// let found = evaluate(&instance, &plan)?;
/// assert_eq!(found.levels.unserved_mbps, 0.0);
/// assert!((found.levels.latency_cny - 0.08 * 10.0 * 0.02).abs() < 1e-12);
///
/// instance.links[0].capacity_mbps = 60.0;
/// let refused = evaluate(&instance, &plan);
/// assert!(matches!(refused, Err(CheckFailure::Capacity { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`CheckFailure::Length`], [`CheckFailure::Share`] or [`CheckFailure::Capacity`].
pub fn evaluate(instance: &Instance, plan: &Plan) -> Result<Evaluation, CheckFailure> {
    let found = measure(instance, plan)?;
    found.loads.check_within(instance)?;
    Ok(found)
}

/// Checks the hard limits under `plan` with the shares of the units in `changed` instead of those
/// it has, and these shares: for a plan that leaves all others where they were found good before.
/// Says nothing of its levels.
///
/// # Errors
/// Same as [`evaluate`].
pub fn fits(instance: &Instance, plan: &Plan, changed: &Changes) -> Result<(), CheckFailure> {
    check_length(instance, plan)?;
    let mut links_mbps = vec![0.0; instance.links.len()];
    let mut changed = changed.iter().peekable();
    for (index, (unit, mut shares)) in instance.units.iter().zip(&plan.shares).enumerate() {
        if let Some((_, instead)) = changed.next_if(|next| *next.0 == index) {
            check_shares(index, unit, instead)?;
            shares = instead;
        }
        add_loads(index, unit, shares, &mut links_mbps)?;
    }
    Loads::of(instance, &links_mbps).check_within(instance)
}

/// Recomputes the levels of `plan` and checks its shares, as if links had no end.
///
/// # Errors
/// [`CheckFailure::Length`] or [`CheckFailure::Share`].
pub fn measure(instance: &Instance, plan: &Plan) -> Result<Evaluation, CheckFailure> {
    let mut found = count(instance, plan)?;
    add_row_levels(instance, Bands::default(), &mut found);
    Ok(found)
}

/// Measures `plan` once for each of `bands`: overload and money count only beyond them, overload
/// always from the hard limit on.
///
/// # Errors
/// Same as [`measure`].
pub fn measure_beyond<const N: usize>(
    instance: &Instance,
    plan: &Plan,
    bands: [Bands; N],
) -> Result<[Evaluation; N], CheckFailure> {
    let counted = count(instance, plan)?;
    Ok(bands.map(|bands| {
        let mut found = counted.clone();
        add_row_levels(instance, bands, &mut found);
        found
    }))
}

/// Checks shares and counts loads; the levels that follow from loads are still missing.
fn count(instance: &Instance, plan: &Plan) -> Result<Evaluation, CheckFailure> {
    check_length(instance, plan)?;
    let mut levels = Levels::default();
    let mut links_mbps = vec![0.0; instance.links.len()];
    for (index, (unit, shares)) in instance.units.iter().zip(&plan.shares).enumerate() {
        check_shares(index, unit, shares)?;
        add_unit_levels(instance, unit, shares, &mut levels);
        add_loads(index, unit, shares, &mut links_mbps)?;
    }
    let mut found = Evaluation {
        levels,
        split_units: plan.shares.iter().filter(|s| s.len() >= 2).count(),
        over_capacity_mbps: 0.0,
        loads: Loads::of(instance, &links_mbps),
        requests: Rows::of(instance.sites.iter().map(|s| &s.id)),
    };
    count_requests(instance, plan, &mut found);
    Ok(found)
}

/// Counts requests by site, and those above the limits. All shares have been checked.
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
        found.requests.add(&link.site, rps);
    }
    let mut excess_rps = 0.0;
    for site in &instance.sites {
        excess_rps += (found.requests.load(&site.id) - free_rps(site)).max(0.0);
    }
    let all_rps: f64 = instance.units.iter().map(|unit| unit.rps).sum();
    if excess_rps > EXCESS_TOLERANCE * all_rps {
        found.levels.excess_rps = excess_rps;
        found.levels.excess_cny = excess_rps * excess_charge_cny(instance);
    }
}

/// Adds the part of one unit in levels 1, 3 and 5 and in the latency of level 4.
fn add_unit_levels(
    instance: &Instance,
    unit: &Unit,
    shares: &[(LinkId, f64)],
    levels: &mut Levels,
) {
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
            .is_some_and(|limit| limit < quality_ms)
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

/// Traffic and limits of one row, Mbps.
struct Limited {
    load: f64,
    soft: f64,
    hard: f64,
}

/// Returns links, sites and regions with their traffic, in this order.
fn limited_rows<'a>(instance: &'a Instance, loads: &'a Loads) -> impl Iterator<Item = Limited> {
    let links = instance.links.iter().map(|link| Limited {
        load: loads.links.load(&link.id),
        soft: link.watermark_mbps(),
        hard: link.capacity_mbps,
    });
    let sites = instance.sites.iter().map(|site| Limited {
        load: loads.sites.load(&site.id),
        soft: site.watermark_mbps(),
        hard: site.capacity_mbps,
    });
    let regions = instance.regions.iter().map(|region| Limited {
        load: loads.regions.load(&region.id),
        soft: region.watermark_mbps(),
        hard: region.capacity_mbps,
    });
    links.chain(sites).chain(regions)
}

/// Adds overload, traffic above hard limits, money and the cost of moves.
fn add_row_levels(instance: &Instance, bands: Bands, found: &mut Evaluation) {
    for Limited { load, soft, hard } in limited_rows(instance, &found.loads) {
        let soft = f64::min(soft * (1.0 + bands.overload), hard.max(soft));
        // Sums of many shares end a few roundings above a limit that they fill exactly.
        if load - soft > CAPACITY_TOLERANCE * soft.max(1.0) {
            found.levels.overload_mbps += load - soft;
        }
        found.over_capacity_mbps += (load - hard).max(0.0);
    }
    for contract in &instance.contracts {
        let load = found.loads.contracts.load(&contract.id);
        found.levels.money_cny += match contract.model {
            ContractModel::Flat => 0.0,
            ContractModel::PerGb => {
                let gb = load * f64::from(instance.slot_seconds) / 8_000.0;
                gb * contract.price_cny_per_gb.unwrap_or(0.0)
            }
            _ if contract.burst => 0.0,
            _ => {
                let free_mbps = contract.free_below_mbps * (1.0 + bands.level);
                (load - charged_from(free_mbps)).max(0.0)
                    * contract.price_cny_per_mbps.unwrap_or(0.0)
            }
        };
    }
    let move_cny_per_gbps = instance.move_cost_ms * instance.value_cny_per_gbps_ms_slot;
    found.levels.moving_cny = found.levels.moved_mbps / 1_000.0 * move_cny_per_gbps;
}
