//! Prices of the plan's limits, and the cost of a candidate beside them.

use crate::problem::index::{Place, Problem};
use crate::problem::levels::is_late;
use crate::problem::money::{latency_cny_per_mbps, move_cny_per_mbps};
use coverage::{LinkId, RegionId};
use instance::{Duals, Instance, Price, Unit};

/// Cost of one Mbps left unserved.
pub(crate) const UNSERVED_PRICE: Price = Price {
    unserved: 1,
    overload: 0,
    late: 0,
    cny_per_mbps: 0.0,
};

/// Sum of two prices.
pub(crate) fn add(a: Price, b: Price) -> Price {
    Price {
        unserved: a.unserved.saturating_add(b.unserved),
        overload: a.overload.saturating_add(b.overload),
        late: a.late.saturating_add(b.late),
        cny_per_mbps: a.cny_per_mbps + b.cny_per_mbps,
    }
}

/// Difference of two prices.
pub(crate) fn less(a: Price, b: Price) -> Price {
    Price {
        unserved: a.unserved - b.unserved,
        overload: a.overload - b.overload,
        late: a.late - b.late,
        cny_per_mbps: a.cny_per_mbps - b.cny_per_mbps,
    }
}

/// Price of a link's path: its own, its site's, its region's and its contract's.
pub(crate) fn path_price(duals: &Duals, place: Place) -> Price {
    let own = add(
        duals.links[place.link.index()],
        duals.sites[place.site.index()],
    );
    let contract = duals.contracts[place.contract.index()];
    add(own, add(region_price(duals, place), contract))
}

/// Prices of the paths of all links, by link.
pub(crate) fn path_prices(problem: &Problem<'_>, duals: &Duals) -> Vec<Price> {
    let places = problem.places().iter();
    places.map(|&place| path_price(duals, place)).collect()
}

/// Price of the region that a link is in.
pub(crate) fn region_price(duals: &Duals, place: Place) -> Price {
    let price = |region: RegionId| duals.regions[region.index()];
    place.region.map_or_else(Price::default, price)
}

/// Cost of one Mbps of `unit` at candidate `(link, quality)`, before any price; with the move when
/// the link does not serve it now.
pub(crate) fn own_cost(
    instance: &Instance,
    unit: &Unit,
    (link, quality_ms): (LinkId, f64),
) -> Price {
    let moves = !unit.incumbent.is_empty() && unit.incumbent.iter().all(|i| i.0 != link);
    let mut cost = staying_cost(instance, unit, quality_ms);
    if moves {
        cost.cny_per_mbps += move_cny_per_mbps(instance);
    }
    cost
}

/// Cost of one Mbps of `unit` at this quality, before any price and any move.
pub(crate) fn staying_cost(instance: &Instance, unit: &Unit, quality_ms: f64) -> Price {
    Price {
        late: i32::from(is_late(unit, quality_ms)),
        cny_per_mbps: latency_cny_per_mbps(instance, quality_ms),
        ..Price::default()
    }
}
