//! Cells: one client prefix and one service each (and one session, where clients are redirected).
//! What a cell was told, and until when it goes by that.

use crate::cache::{ScopeCache, Validity};
use crate::population::Population;
use crate::topology::Target;
use crate::traffic::Offer;
use crate::world::{Service, Way};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most answers that a resolver keeps for one name and type.
const CACHE_ENTRIES_MAX: usize = 256;

/// Clients and what they want.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    /// Index of the client prefix.
    pub(crate) client: usize,
    /// Index of the service.
    pub(crate) service: usize,
    /// Object a redirected client fetches; 0 otherwise.
    pub(crate) object: u32,
    /// Share of its area's demand for the service.
    pub(crate) share: f64,
}

/// Targets that a cell goes to now, and until when.
#[derive(Clone, Debug, Default)]
struct Held {
    /// Targets; `None` before the first answer.
    targets: Option<Arc<[Target]>>,
    /// End of its session, where it has one of its own. Resolvers' clients go by the resolver's
    /// cache.
    until_ms: u64,
}

/// Cells whose answers have run out, by the way they ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Ask the DNS server.
    pub(crate) dns: Vec<usize>,
    /// Ask the 302 server.
    pub(crate) redirect: Vec<usize>,
    /// Ask the HTTPDNS API.
    pub(crate) httpdns: Vec<usize>,
}

/// A cache: resolver, service, and whether IPv6 addresses are asked for.
pub(crate) type CacheKey = (usize, usize, bool);

/// All cells.
#[derive(Debug)]
pub(crate) struct Cells {
    /// Cells of the population.
    pub(crate) cells: Vec<Cell>,
    held: Vec<Held>,
    caches: BTreeMap<CacheKey, ScopeCache<Arc<[Target]>>>,
}

impl Cells {
    /// One cell for each client prefix and service, `sessions` of them where clients are
    /// redirected.
    pub(crate) fn new(population: &Population, services: &[Service], sessions: u32) -> Self {
        let mut cells = Vec::new();
        for (client, known) in population.clients.iter().enumerate() {
            for (service, wanted) in services.iter().enumerate() {
                let objects = if wanted.way == Way::Redirect {
                    sessions.max(1)
                } else {
                    1
                };
                let share = known.share / f64::from(objects);
                cells.extend((0..objects).map(|object| Cell {
                    client,
                    service,
                    object,
                    share,
                }));
            }
        }
        let held = vec![Held::default(); cells.len()];
        Self {
            cells,
            held,
            caches: BTreeMap::new(),
        }
    }

    /// Gives each cell the answer that its resolver has for it, and lists the cells that must ask.
    /// A cell whose question fails goes on with its last answer, as resolvers that serve stale data
    /// do (RFC 8767).
    pub(crate) fn due(
        &mut self,
        population: &Population,
        services: &[Service],
        all_ipv6: bool,
        now_ms: u64,
    ) -> Due {
        let mut due = Due::default();
        for (index, cell) in self.cells.iter().enumerate() {
            let held = &mut self.held[index];
            match services[cell.service].way {
                Way::Dns => {
                    let client = &population.clients[cell.client];
                    let key = (
                        client.resolver,
                        cell.service,
                        asks_ipv6(client.addr, all_ipv6),
                    );
                    match self
                        .caches
                        .get(&key)
                        .and_then(|cache| cache.get(client.addr, now_ms))
                    {
                        Some(targets) => held.targets = Some(Arc::clone(targets)),
                        None => due.dns.push(index),
                    }
                }
                Way::Redirect if now_ms >= held.until_ms => due.redirect.push(index),
                Way::Httpdns if now_ms >= held.until_ms => due.httpdns.push(index),
                Way::Redirect | Way::Httpdns => {}
            }
        }
        due
    }

    /// Tells whether a cell was never answered: its answer has been in use for a while when the
    /// simulation begins.
    pub(crate) fn is_new(&self, index: usize) -> bool {
        self.held[index].targets.is_none()
    }

    /// Books an answer of the DNS server in the cache of the cell's resolver.
    pub(crate) fn answered_by_dns(
        &mut self,
        (index, key): (usize, CacheKey),
        (validity, targets): (Validity, Arc<[Target]>),
        now_ms: u64,
        until_ms: u64,
    ) {
        self.held[index].targets = Some(Arc::clone(&targets));
        let cache = self
            .caches
            .entry(key)
            .or_insert_with(|| ScopeCache::new(CACHE_ENTRIES_MAX));
        cache.insert(validity, targets, now_ms, until_ms);
    }

    /// Books an answer that is the cell's own.
    pub(crate) fn answered(&mut self, index: usize, targets: Arc<[Target]>, until_ms: u64) {
        self.held[index] = Held {
            targets: Some(targets),
            until_ms,
        };
    }

    /// Returns what all cells want and where they go; `demand` is [area][service] in Mbps. One
    /// offer per cell, in their order.
    pub(crate) fn offers<'a>(
        &'a self,
        population: &Population,
        services: usize,
        demand: &[f64],
    ) -> Vec<Offer<'a>> {
        let offer = |(cell, held): (&Cell, &'a Held)| {
            let area = population.clients[cell.client].area;
            let mbps = demand[area * services + cell.service] * cell.share;
            Offer {
                service: cell.service,
                mbps,
                targets: held.targets.as_deref().unwrap_or_default(),
            }
        };
        self.cells.iter().zip(&self.held).map(offer).collect()
    }
}

/// Tells whether a client asks for IPv6 addresses: if it has one itself and every group can be
/// reached so.
pub(crate) const fn asks_ipv6(client: std::net::IpAddr, all_ipv6: bool) -> bool {
    client.is_ipv6() && all_ipv6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Prefix;
    use crate::population::PopulationOptions;
    use crate::population::tests::table;
    use crate::world::tests::small;

    fn world() -> (Population, Vec<Service>, Cells) {
        let options = PopulationOptions {
            ipv6_share: 0.0,
            ..PopulationOptions::default()
        };
        let population = Population::draw(&table(), &options, 1);
        let services = small().topology().unwrap().services;
        let cells = Cells::new(&population, &services, 3);
        (population, services, cells)
    }

    fn somewhere() -> Arc<[Target]> {
        Arc::from([Target {
            group: 0,
            link: 0,
            node: None,
        }])
    }

    #[test]
    fn everyone_asks_once_and_again_when_it_runs_out() {
        let (population, services, mut cells) = world();
        let due = cells.due(&population, &services, true, 0);
        let clients = population.clients.len();
        assert_eq!(
            (due.dns.len(), due.redirect.len(), due.httpdns.len()),
            (clients, 3 * clients, 0)
        );
        for index in due.dns {
            assert!(cells.is_new(index));
            let client = &population.clients[cells.cells[index].client];
            let key = (client.resolver, 0, false);
            let validity = Validity::of(client.source, Some(24));
            cells.answered_by_dns((index, key), (validity, somewhere()), 0, 1_000);
        }
        due.redirect
            .iter()
            .for_each(|index| cells.answered(*index, somewhere(), 500));
        assert_eq!(cells.due(&population, &services, true, 499), Due::default());
        assert_eq!(
            cells.due(&population, &services, true, 500).redirect.len(),
            3 * clients
        );
        assert_eq!(
            cells.due(&population, &services, true, 1_000).dns.len(),
            clients
        );
    }

    #[test]
    fn clients_of_one_resolver_share_an_answer_within_its_scope() {
        let (population, services, mut cells) = world();
        let first = &population.clients[0];
        let same_resolver = population
            .clients
            .iter()
            .filter(|other| other.resolver == first.resolver);
        let covered = |scope: u8| {
            let scope = Prefix::new(first.addr, scope);
            same_resolver
                .clone()
                .filter(|other| scope.covers(other.addr))
                .count()
        };
        let all = population.clients.len();
        let key = (first.resolver, 0, false);
        let narrow = Validity::of(first.source, Some(24));
        cells.answered_by_dns((0, key), (narrow, somewhere()), 0, 1_000);
        assert_eq!(
            cells.due(&population, &services, true, 1).dns.len(),
            all - covered(24)
        );
        let wide = Validity::of(first.source, Some(8));
        cells.answered_by_dns((0, key), (wide, somewhere()), 0, 1_000);
        assert_eq!(
            cells.due(&population, &services, true, 1).dns.len(),
            all - covered(8)
        );
        assert!(
            covered(8) > covered(24),
            "the test has a second client to cover"
        );
    }

    #[test]
    fn offers_add_up_to_the_demand() {
        let (population, services, cells) = world();
        let demand = vec![10.0; population.areas.len() * services.len()];
        let offers = cells.offers(&population, services.len(), &demand);
        let total: f64 = offers.iter().map(|offer| offer.mbps).sum();
        assert!((total - demand.iter().sum::<f64>()).abs() < 1e-6);
        assert!(
            offers.iter().all(|offer| offer.targets.is_empty()),
            "nobody was told anything yet"
        );
    }
}
