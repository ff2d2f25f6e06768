//! Prices of the plan's limits, and the cost of a candidate beside them.

use crate::problem::index::{Place, Problem};
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
    let move_cny = if moves {
        move_cny_per_mbps(instance)
    } else {
        0.0
    };
    Price {
        late: i32::from(
            unit.latency_limit_ms
                .is_some_and(|limit| quality_ms > limit),
        ),
        cny_per_mbps: latency_cny_per_mbps(instance, quality_ms) + move_cny,
        ..Price::default()
    }
}
