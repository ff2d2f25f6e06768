//! Links that may serve a service, and of these the candidates of one area.

use super::Facts;
use crate::limits::Limits;
use coverage::{AreaId, LinkId};
use instance::by_quality;

/// Of a unit's candidates, how many are kept for being large rather than near, so that a shortage
/// can be met.
const LARGE_CANDIDATES: usize = 6;

/// Links that may serve services under limits, computed once per instance.
pub(crate) struct Reach {
    /// `[service]` -> links, rising.
    pub(crate) by_service: Vec<Vec<LinkId>>,
    /// `[link]`, Mbps.
    capacity_mbps: Vec<f64>,
}

impl Reach {
    pub(crate) fn new(facts: &Facts<'_>, limits: &Limits) -> Self {
        let inventory = facts.inventory;
        let open = |link: LinkId| limits.opens(link, inventory.links[link.index()].site);
        let mut by_service = vec![Vec::new(); inventory.services.len()];
        for endpoint in inventory.endpoints.iter().filter(|e| open(e.link)) {
            for &service in &inventory.groups[endpoint.group.index()].services {
                if facts.service_capacity_mbps(endpoint.group, service, limits) > 0.0 {
                    by_service[service.index()].push(endpoint.link);
                }
            }
        }
        for links in &mut by_service {
            links.sort_unstable();
            links.dedup();
        }
        let capacity_mbps = inventory
            .links
            .iter()
            .map(|link| link.capacity_mbps)
            .collect();
        Self {
            by_service,
            capacity_mbps,
        }
    }
}

/// The candidates of the area at hand, as long as services share them.
#[derive(Default)]
pub(super) struct Shortlist {
    /// Links that they were chosen from; `None` at a new area.
    pub(super) links: Option<Vec<LinkId>>,
    pub(super) cand: Vec<(LinkId, f64)>,
}

impl Facts<'_> {
    /// Of the links that may serve an area, the nearest and a few of the largest among the rest, by
    /// quality.
    pub(super) fn near_and_large(
        &self,
        area: AreaId,
        links: &[LinkId],
        reach: &Reach,
    ) -> Vec<(LinkId, f64)> {
        let mut cand: Vec<(LinkId, f64)> = links
            .iter()
            .map(|link| (*link, self.quality_ms(area, *link)))
            .collect();
        let most = self.options.candidates_max.max(LARGE_CANDIDATES + 1);
        if cand.len() > most {
            let near = most - LARGE_CANDIDATES;
            cand.select_nth_unstable_by(near, by_quality);
            let mut rest = cand.split_off(near);
            // A large link twice as far is no better than a near one half its size.
            let pull = |&(link, quality): &(LinkId, f64)| {
                reach.capacity_mbps[link.index()] / quality.max(1.0)
            };
            let by_pull = |a: &(LinkId, f64), b: &(LinkId, f64)| {
                pull(b).total_cmp(&pull(a)).then(a.0.cmp(&b.0))
            };
            rest.select_nth_unstable_by(LARGE_CANDIDATES - 1, by_pull);
            rest.truncate(LARGE_CANDIDATES);
            cand.append(&mut rest);
        }
        cand.sort_unstable_by(by_quality);
        cand
    }
}
