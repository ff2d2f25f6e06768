//! The lexicographic dual value: a lower bound for any prices. The proof is in the parent module.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use instance::{Contract, ContractModel, Duals, Instance, LevelBound, Price, Site, Unit};

use super::{CAPACITY_TOLERANCE, CheckFailure, SHARE_TOLERANCE};

/// Three exact counts and an amount of money, compared in this order.
#[derive(Debug, Clone, Copy)]
struct Vector {
    counts: [i64; 3],
    cny: f64,
}

/// One Mbps unserved.
const UNSERVED: Vector = Vector {
    counts: [1, 0, 0],
    cny: 0.0,
};

/// One Mbps of overload.
const OVERLOAD: Vector = Vector {
    counts: [0, 1, 0],
    cny: 0.0,
};

/// Nothing.
const ZERO: Vector = Vector {
    counts: [0, 0, 0],
    cny: 0.0,
};

impl Vector {
    fn of(price: &Price) -> Self {
        let counts = [price.unserved, price.overload, price.late].map(i64::from);
        Self {
            counts,
            cny: price.cny_per_mbps,
        }
    }

    /// `self + factor * other`.
    fn plus(self, other: Self, factor: i64, money_factor: f64) -> Self {
        let mut counts = self.counts;
        for (mine, theirs) in counts.iter_mut().zip(other.counts) {
            *mine += factor * theirs;
        }
        Self {
            counts,
            cny: self.cny + money_factor * other.cny,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        self.counts
            .cmp(&other.counts)
            .then(self.cny.total_cmp(&other.cny))
    }
}

/// The four components of a sum of vectors times Mbps.
#[derive(Debug, Clone, Copy, Default)]
struct Total([f64; 4]);

impl Total {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts are sums of a few 32-bit numbers"
    )]
    fn add(&mut self, vector: Vector, mbps: f64) {
        for (sum, count) in self.0.iter_mut().zip(vector.counts) {
            *sum += count as f64 * mbps;
        }
        self.0[3] += vector.cny * mbps;
    }
}

/// The dual value at `duals`.
///
/// # Errors
/// [`CheckFailure::Length`] or [`CheckFailure::Price`] when the prices do not fit the instance.
pub(crate) fn dual_value(instance: &Instance, duals: &Duals) -> Result<LevelBound, CheckFailure> {
    check_shape(instance, duals)?;
    let sites: BTreeMap<&str, usize> = instance
        .sites
        .iter()
        .enumerate()
        .map(|(i, s)| (s.id.as_str(), i))
        .collect();
    let contracts: BTreeMap<&str, usize> = instance
        .contracts
        .iter()
        .enumerate()
        .map(|(i, m)| (m.id.as_str(), i))
        .collect();
    let regions: BTreeMap<&str, usize> = instance
        .regions
        .iter()
        .enumerate()
        .map(|(i, r)| (r.id.as_str(), i))
        .collect();
    let mut paths = Vec::with_capacity(instance.links.len());
    let mut ports_mbps = vec![0.0; instance.contracts.len()];
    for (index, link) in instance.links.iter().enumerate() {
        let mut path = Vector::of(&duals.links[index]);
        if let Some(&site) = sites.get(link.site.as_str()) {
            path = path.plus(Vector::of(&duals.sites[site]), 1, 1.0);
            if let Some(&region) = regions.get(instance.sites[site].region.as_str()) {
                path = path.plus(Vector::of(&duals.regions[region]), 1, 1.0);
            }
        }
        if let Some(&contract) = contracts.get(link.contract.as_str()) {
            path = path.plus(Vector::of(&duals.contracts[contract]), 1, 1.0);
            ports_mbps[contract] += link.capacity_mbps;
        }
        paths.push(path);
    }
    let mut request_cny = vec![0.0; instance.links.len()];
    for (link, cny) in instance.links.iter().zip(&mut request_cny) {
        *cny = (sites.get(link.site.as_str())).map_or(0.0, |&site| duals.requests[site]);
    }
    let mut total = Total::default();
    for unit in &instance.units {
        add_unit(&mut total, instance, unit, (&paths, &request_cny));
    }
    for (site, price) in instance.sites.iter().zip(&duals.requests) {
        if *price > 0.0 {
            total.0[3] -= price * free_rps(site);
        }
    }
    subtract_rows(&mut total, instance, duals, &ports_mbps);
    let [unserved_mbps, overload_mbps, late_mbps, cost_cny] = total.0;
    Ok(LevelBound {
        unserved_mbps,
        overload_mbps,
        late_mbps,
        cost_cny,
    })
}

/// Requests per second that a site has without charge: from where rounding ends on, so that a load
/// at the limit is not dearer for how it was summed.
pub(crate) fn free_rps(site: &Site) -> f64 {
    let limit = site.capacity_rps.unwrap_or(f64::INFINITY);
    limit + CAPACITY_TOLERANCE * limit.max(1.0)
}

/// What is charged for a request per second above a limit: a hundred times the dearest way that a
/// Mbps with the usual requests could take, whose quality, move and contract are the worst of all,
/// or 1 CNY where all of these are free.
pub(crate) fn excess_charge_cny(instance: &Instance) -> f64 {
    let (mut mbps, mut rps, mut worst_ms, mut dearest) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for unit in instance.units.iter().filter(|unit| unit.rps > 0.0) {
        mbps += unit.mbps;
        rps += unit.rps;
    }
    if rps <= 0.0 {
        return 0.0;
    }
    for unit in &instance.units {
        for &(_, quality_ms) in &unit.cand {
            worst_ms = worst_ms.max(quality_ms);
        }
    }
    for contract in &instance.contracts {
        dearest = dearest.max(money_above(instance, contract));
    }
    let ms = worst_ms + instance.move_cost_ms;
    let way = ms * instance.value_cny_per_gbps_ms_slot / 1_000.0 + dearest;
    100.0 * if way > 0.0 { way } else { 1.0 } * mbps / rps
}

/// What a Mbps above the free level of a contract costs.
fn money_above(instance: &Instance, contract: &Contract) -> f64 {
    match contract.model {
        ContractModel::Flat => 0.0,
        ContractModel::PerGb => {
            let gb_per_mbps = f64::from(instance.slot_seconds) / 8_000.0;
            gb_per_mbps * contract.price_cny_per_gb.unwrap_or(0.0)
        }
        _ if contract.burst => 0.0,
        _ => contract.price_cny_per_mbps.unwrap_or(0.0),
    }
}

/// Adds the least that a unit can cost at these path prices: each of its ways in two pieces, as
/// much as it carries now at its price, the rest at the price and the move; the cheapest pieces are
/// taken until the unit is placed.
fn add_unit(
    total: &mut Total,
    instance: &Instance,
    unit: &Unit,
    (paths, request_cny): (&[Vector], &[f64]),
) {
    let rps_per_mbps = if unit.mbps > 0.0 {
        unit.rps / unit.mbps
    } else {
        0.0
    };
    let per_ms = instance.value_cny_per_gbps_ms_slot / 1_000.0;
    let moved = Vector {
        counts: [0; 3],
        cny: if unit.incumbent.is_empty() {
            0.0
        } else {
            instance.move_cost_ms * per_ms
        },
    };
    let mut least = UNSERVED;
    let mut pieces: Vec<(Vector, f64)> = Vec::new();
    for &(link, quality_ms) in &unit.cand {
        let Some(&path) = paths.get(link.index()) else {
            continue;
        };
        let below = i64::from(
            unit.latency_limit_ms
                .is_some_and(|latency_limit_ms| latency_limit_ms < quality_ms),
        );
        let own = Vector {
            counts: [0, 0, below],
            cny: quality_ms * per_ms + rps_per_mbps * request_cny[link.index()],
        };
        let stay = own.plus(path, 1, 1.0);
        let arrive = stay.plus(moved, 1, 1.0);
        if arrive.order(&least) == Ordering::Less {
            least = arrive;
        }
        let now = unit.incumbent.iter().filter(|i| i.0 == link);
        pieces.extend(now.map(|i| (stay, i.1)));
    }
    pieces.sort_by(|a, b| a.0.order(&b.0));
    let mut rest = 1.0;
    for (price, share) in pieces {
        if price.order(&least) == Ordering::Less {
            let part = f64::min(share, rest);
            total.add(price, part * unit.mbps);
            rest -= part;
        }
    }
    total.add(least, rest * unit.mbps);
}

fn check_shape(instance: &Instance, duals: &Duals) -> Result<(), CheckFailure> {
    let lengths = [
        ("link prices", duals.links.len(), instance.links.len()),
        ("site prices", duals.sites.len(), instance.sites.len()),
        ("region prices", duals.regions.len(), instance.regions.len()),
        (
            "meter prices",
            duals.contracts.len(),
            instance.contracts.len(),
        ),
        ("request prices", duals.requests.len(), instance.sites.len()),
    ];
    for (what, found, expected) in lengths {
        if found != expected {
            return Err(CheckFailure::Length {
                what,
                found,
                expected,
            });
        }
    }
    let ids = instance.links.iter().map(|l| &l.id).zip(&duals.links);
    let ids = ids.chain(instance.sites.iter().map(|s| &s.id).zip(&duals.sites));
    let ids = ids.chain(instance.regions.iter().map(|r| &r.id).zip(&duals.regions));
    for (id, price) in ids.chain(
        instance
            .contracts
            .iter()
            .map(|m| &m.id)
            .zip(&duals.contracts),
    ) {
        if !price.cny_per_mbps.is_finite() {
            return Err(CheckFailure::Price { row: id.clone() });
        }
    }
    let charge = excess_charge_cny(instance);
    for (site, &price) in instance.sites.iter().zip(&duals.requests) {
        // Above the charge a site would make more and more of its price: there is no bound.
        let most = site.capacity_rps.map_or(0.0, |_| charge);
        if !(0.0..=most * (1.0 + SHARE_TOLERANCE)).contains(&price) {
            return Err(CheckFailure::Price {
                row: site.id.clone(),
            });
        }
    }
    Ok(())
}

/// Subtracts the best that each row could make of its price. `ports_mbps` bounds a contract's traffic.
fn subtract_rows(total: &mut Total, instance: &Instance, duals: &Duals, ports_mbps: &[f64]) {
    for (link, price) in instance.links.iter().zip(&duals.links) {
        let breakpoint = link.watermark_mbps.unwrap_or(link.capacity_mbps);
        subtract_best(total, price, breakpoint, link.capacity_mbps, OVERLOAD);
    }
    for (site, price) in instance.sites.iter().zip(&duals.sites) {
        let breakpoint = site.watermark_mbps.unwrap_or(site.capacity_mbps);
        subtract_best(total, price, breakpoint, site.capacity_mbps, OVERLOAD);
    }
    for (region, price) in instance.regions.iter().zip(&duals.regions) {
        let breakpoint = region.watermark_mbps.unwrap_or(region.capacity_mbps);
        subtract_best(total, price, breakpoint, region.capacity_mbps, OVERLOAD);
    }
    for (index, (contract, price)) in instance.contracts.iter().zip(&duals.contracts).enumerate() {
        let end = ports_mbps[index];
        let cny = money_above(instance, contract);
        let breakpoint = match contract.model {
            ContractModel::Flat => end,
            ContractModel::PerGb => 0.0,
            _ if contract.burst => end,
            _ => super::charged_from(contract.free_below_mbps).min(end),
        };
        subtract_best(
            total,
            price,
            breakpoint,
            end,
            Vector {
                counts: [0; 3],
                cny,
            },
        );
    }
}

/// Subtracts the largest of `p y - step * max(0, y - breakpoint)` over `y` in {0, breakpoint, end}.
fn subtract_best(total: &mut Total, price: &Price, breakpoint: f64, end: f64, step: Vector) {
    let before = Vector::of(price);
    let after = before.plus(step, -1, -1.0);
    // The slope falls from `before` to `after` at the breakpoint: the peak is the last point up to which
    // it is positive.
    if before.order(&ZERO) != Ordering::Greater {
        return;
    }
    total.add(before, -breakpoint);
    if after.order(&ZERO) == Ordering::Greater {
        total.add(after, breakpoint - end);
    }
}
