//! The lexicographic dual value: a lower bound for any prices. The documentation of the crate has
//! the proof.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use instance::{ContractModel, Duals, Instance, LevelBound, Price, Unit};

use crate::charges::{charged_from, excess_charge_cny, free_rps, price_above};
use crate::failure::CheckFailure;
use crate::tolerances::SHARE_TOLERANCE;

/// Three exact counts and an amount of money, compared in this order.
#[derive(Debug, Clone, Copy)]
struct Vector {
    counts: [i64; 3],
    cny: f64,
}

/// Cost of one Mbps unserved.
const UNSERVED: Vector = Vector {
    counts: [1, 0, 0],
    cny: 0.0,
};

/// Cost of one Mbps of overload.
const OVERLOAD: Vector = Vector {
    counts: [0, 1, 0],
    cny: 0.0,
};

/// No cost.
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
    let (ways, ports_mbps) = price_ways(instance, duals);
    let mut total = Total::default();
    for unit in &instance.units {
        add_unit(&mut total, instance, unit, &ways);
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

/// Prices on the way through one link.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// Price of a Mbps: of the link, its site, its region and its contract together.
    mbps: Vector,
    /// Price of a request per second at its site, in CNY.
    request_cny: f64,
}

/// Returns the way through each link, and for each contract the capacity of its links in Mbps.
fn price_ways(instance: &Instance, duals: &Duals) -> (Vec<Way>, Vec<f64>) {
    let sites = index(instance.sites.iter().map(|site| site.id.as_str()));
    let contracts = index(
        instance
            .contracts
            .iter()
            .map(|contract| contract.id.as_str()),
    );
    let regions = index(instance.regions.iter().map(|region| region.id.as_str()));
    let mut ports_mbps = vec![0.0; instance.contracts.len()];
    let mut ways = Vec::with_capacity(instance.links.len());
    for (link, price) in instance.links.iter().zip(&duals.links) {
        let mut mbps = Vector::of(price);
        let mut request_cny = 0.0;
        if let Some(&site) = sites.get(link.site.as_str()) {
            mbps = mbps.plus(Vector::of(&duals.sites[site]), 1, 1.0);
            request_cny = duals.requests[site];
            if let Some(&region) = regions.get(instance.sites[site].region.as_str()) {
                mbps = mbps.plus(Vector::of(&duals.regions[region]), 1, 1.0);
            }
        }
        if let Some(&contract) = contracts.get(link.contract.as_str()) {
            mbps = mbps.plus(Vector::of(&duals.contracts[contract]), 1, 1.0);
            ports_mbps[contract] += link.capacity_mbps;
        }
        ways.push(Way { mbps, request_cny });
    }
    (ways, ports_mbps)
}

/// Indices of rows by their ids.
fn index<'a>(ids: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    ids.enumerate().map(|(index, id)| (id, index)).collect()
}

/// Adds the least that a unit can cost at the prices of its ways: each of its ways in two pieces,
/// as much as it carries now at its price, the rest at the price and the move; the cheapest pieces
/// are taken until the unit is placed.
fn add_unit(total: &mut Total, instance: &Instance, unit: &Unit, ways: &[Way]) {
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
        let Some(&way) = ways.get(link.index()) else {
            continue;
        };
        let late = unit
            .latency_limit_ms
            .is_some_and(|limit| limit < quality_ms);
        let own = Vector {
            counts: [0, 0, i64::from(late)],
            cny: quality_ms * per_ms + rps_per_mbps * way.request_cny,
        };
        let stay = own.plus(way.mbps, 1, 1.0);
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
            "contract prices",
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

/// Subtracts the best that each row could make of its price. `ports_mbps` bounds a contract's
/// traffic.
fn subtract_rows(total: &mut Total, instance: &Instance, duals: &Duals, ports_mbps: &[f64]) {
    for (link, price) in instance.links.iter().zip(&duals.links) {
        let breakpoint = link.watermark_mbps();
        subtract_best(total, price, breakpoint, link.capacity_mbps, OVERLOAD);
    }
    for (site, price) in instance.sites.iter().zip(&duals.sites) {
        let breakpoint = site.watermark_mbps();
        subtract_best(total, price, breakpoint, site.capacity_mbps, OVERLOAD);
    }
    for (region, price) in instance.regions.iter().zip(&duals.regions) {
        let breakpoint = region.watermark_mbps();
        subtract_best(total, price, breakpoint, region.capacity_mbps, OVERLOAD);
    }
    for (index, (contract, price)) in instance.contracts.iter().zip(&duals.contracts).enumerate() {
        let end = ports_mbps[index];
        let cny = price_above(instance, contract);
        let breakpoint = match contract.model {
            ContractModel::Flat => end,
            ContractModel::PerGb => 0.0,
            _ if contract.burst => end,
            _ => charged_from(contract.free_below_mbps).min(end),
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
    // The slope falls from `before` to `after` at the breakpoint: the peak is the last point up to
    // which it is positive.
    if before.order(&ZERO) != Ordering::Greater {
        return;
    }
    total.add(before, -breakpoint);
    if after.order(&ZERO) == Ordering::Greater {
        total.add(after, breakpoint - end);
    }
}
