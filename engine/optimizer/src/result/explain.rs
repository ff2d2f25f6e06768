//! Explanation of a unit's place: every candidate with what it costs at the plan's prices.

use coverage::LinkId;
use serde::{Deserialize, Serialize};

use crate::problem::index::Problem;
use crate::problem::prices::{UNSERVED_PRICE, add, less, own_cost, path_price, region_price};
use crate::problem::requests;
use instance::Instance;
use instance::{Certificate, Plan, Price};

/// One candidate of one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateView {
    /// Index of the link.
    pub link: LinkId,
    /// Quality in equivalent ms.
    pub quality_ms: f64,
    /// Price of the link's capacity and watermark.
    pub link_price: Price,
    /// Price of the site's capacity and watermark.
    pub site_price: Price,
    /// Price of the region's capacity and watermark.
    pub region_price: Price,
    /// Marginal money of the link's contract, in CNY per Mbps.
    pub money_cny_per_mbps: f64,
    /// Cost of the requests of one Mbps of the unit at the site's price, in CNY.
    #[serde(default)]
    pub requests_cny_per_mbps: f64,
    /// Cost of one Mbps here beyond that at the unit's best place, level by level. Zero (up to
    /// rounding) for the places that are used; the first component that is not zero is the reason
    /// why another one is not.
    pub reduced_cost: Price,
    /// Share of the unit that the plan sends here.
    pub chosen_share: f64,
}

/// All candidates of `unit`, in the order of the instance. Empty for an unknown unit.
///
/// Resolves the references of the instance anew: O(links + sites + contracts + candidates).
#[must_use]
pub fn explain_unit(
    instance: &Instance,
    plan: &Plan,
    certificate: &Certificate,
    unit: usize,
) -> Vec<CandidateView> {
    let Some(data) = instance.units.get(unit) else {
        return Vec::new();
    };
    let problem = Problem::new(instance);
    let duals = &certificate.duals;
    let requests = requests::by_link(&problem, &duals.requests);
    let total = |link: LinkId, quality_ms: f64| {
        let mut price = add(
            own_cost(instance, data, (link, quality_ms)),
            path_price(duals, problem.place(link)),
        );
        price.cny_per_mbps += requests::price_per_mbps(data, &requests, link);
        price
    };
    let mut best = UNSERVED_PRICE;
    for &(link, quality_ms) in &data.cand {
        let price = total(link, quality_ms);
        if price < best {
            best = price;
        }
    }
    let view = |&(link, quality_ms): &(LinkId, f64)| {
        let price = total(link, quality_ms);
        let place = problem.place(link);
        CandidateView {
            link,
            quality_ms,
            link_price: duals.links[link.index()],
            site_price: duals.sites[place.site.index()],
            region_price: region_price(duals, place),
            money_cny_per_mbps: duals.contracts[place.contract.index()].cny_per_mbps,
            requests_cny_per_mbps: requests::price_per_mbps(data, &requests, link),
            reduced_cost: less(price, best),
            chosen_share: plan.shares.get(unit).map_or(0.0, |shares| shares.on(link)),
        }
    };
    data.cand.iter().map(view).collect()
}
