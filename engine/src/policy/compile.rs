//! Static services as rows of the coverage map, with the endpoints that they name.

use super::pool::choose;
use super::{CheckStates, Policies, PolicyAreas, Pool, PoolKind, StaticService, Steering};
use coverage::catalog::{Catalog, Endpoint, Group};
use coverage::map::{AnswerSet, CoverageMapBuilder, RUNNERS_UP_MAX};
use coverage::{AnswerSetId, AreaId, EndpointId, GroupId, ServiceId, WEIGHT_TOTAL};
use std::collections::BTreeMap;
use std::slice;

/// Answer of a pool as it is now.
struct PoolAnswer {
    up: bool,
    /// Endpoints with weights that sum to 64, ordered by endpoint.
    shares: Vec<(EndpointId, u8)>,
}

/// Adds pools and static services to a catalog, and their rows to a map whose services are those of
/// the finished catalog. Endpoints depend on configuration alone, and only their addresses on
/// states, so that clients keep their answers. O(services x areas), with one answer set per
/// preference and service.
pub(crate) fn compile(
    policies: &Policies,
    areas: &PolicyAreas,
    states: &CheckStates,
    catalog: &mut Catalog,
    map: &mut CoverageMapBuilder,
) {
    let answers: Vec<PoolAnswer> = policies
        .pools
        .iter()
        .map(|pool| add_pool(pool, states, catalog))
        .collect();
    for service in &policies.services {
        let id = ServiceId::from_index(catalog.services.len());
        catalog.services.push(service.served.clone());
        add_rows(service, id, areas, &answers, map);
    }
}

/// Fills the row of one service.
fn add_rows(
    service: &StaticService,
    id: ServiceId,
    areas: &PolicyAreas,
    answers: &[PoolAnswer],
    map: &mut CoverageMapBuilder,
) {
    match &service.steering {
        Steering::Pools(pools) => {
            let order: Vec<_> = pools
                .iter()
                .map(|pool| Choice::of(slice::from_ref(pool), None))
                .collect();
            let set = map.intern(answer_set(&order, false, answers));
            (0..map.areas()).for_each(|area| map.put(id, AreaId(area), set));
        }
        Steering::Policy {
            policy,
            pools,
            states,
        } => {
            let mut sets: BTreeMap<u32, AnswerSetId> = BTreeMap::new();
            for area in (0..map.areas()).map(AreaId) {
                let preference = areas.of_area[area.index()][*policy];
                let set = *sets.entry(preference).or_insert_with(|| {
                    let given = areas.preference(area, *policy);
                    let labels = given.labels.iter().map(|label| usize::from(*label));
                    let order: Vec<_> = labels
                        .map(|label| Choice::of(&pools[label], states[label]))
                        .collect();
                    map.intern(answer_set(&order, given.pinned, answers))
                });
                map.put(id, area, set);
            }
        }
    }
}

/// Pools that stand behind one label, in order, with the label's forced state.
#[derive(Clone, Copy)]
struct Choice<'a> {
    pools: &'a [usize],
    forced: Option<bool>,
}

impl<'a> Choice<'a> {
    const fn of(pools: &'a [usize], forced: Option<bool>) -> Self {
        Self { pools, forced }
    }

    fn is_up(&self, answers: &[PoolAnswer]) -> bool {
        let any = || self.pools.iter().any(|pool| answers[*pool].up);
        self.forced.unwrap_or_else(any)
    }

    /// The first pool that is up, else the first.
    fn pool<'p>(&self, answers: &'p [PoolAnswer]) -> Option<&'p PoolAnswer> {
        let up = self.pools.iter().find(|pool| answers[**pool].up);
        up.or_else(|| self.pools.first())
            .map(|pool| &answers[*pool])
    }
}

/// The first choice that is up, or the first of all when none is; what is up behind it are
/// runners-up.
fn answer_set(order: &[Choice<'_>], pinned: bool, answers: &[PoolAnswer]) -> AnswerSet {
    let first_up = order.iter().find(|choice| choice.is_up(answers));
    let chosen = first_up.filter(|_| !pinned).or_else(|| order.first());
    let chosen = chosen.and_then(|choice| choice.pool(answers));
    let shares = chosen.map_or_else(Vec::new, |pool| pool.shares.clone());
    let mut runners_up: Vec<EndpointId> = Vec::new();
    for next in order.iter().filter(|choice| choice.is_up(answers)) {
        let next = next.pool(answers).and_then(|pool| pool.shares.first());
        let taken = |endpoint| shares.iter().any(|(id, _)| *id == endpoint);
        if let Some(&(endpoint, _)) = next
            && !taken(endpoint)
            && !runners_up.contains(&endpoint)
            && runners_up.len() < RUNNERS_UP_MAX
        {
            runners_up.push(endpoint);
        }
    }
    AnswerSet { shares, runners_up }
}

/// Adds a pool's group and endpoints to the catalog.
fn add_pool(pool: &Pool, states: &CheckStates, catalog: &mut Catalog) -> PoolAnswer {
    let group = GroupId::from_index(catalog.groups.len());
    catalog.groups.push(Group {
        name: pool.name.clone(),
        site: String::new(),
        region: String::new(),
    });
    let endpoint = |ipv4, ipv6, alias| Endpoint {
        group,
        // No link has a colon in its name's first word, so that nothing is taken for an egress
        // link.
        link: format!("pool:{}", pool.name),
        ipv4,
        ipv6,
        alias,
        nodes: Vec::new(),
    };
    let first = catalog.endpoints.len();
    match &pool.kind {
        PoolKind::Alias(name) => {
            let alias = endpoint(Vec::new(), Vec::new(), Some(name.clone()));
            catalog.endpoints.push(alias);
            PoolAnswer {
                up: pool.forced.unwrap_or(true),
                shares: vec![(EndpointId::from_index(first), WEIGHT_TOTAL)],
            }
        }
        PoolKind::Addresses { ipv4, ipv6 } => {
            let ipv4 = choose(ipv4.as_ref(), &pool.checks, states);
            let ipv6 = choose(ipv6.as_ref(), &pool.checks, states);
            for v4 in &ipv4.slots {
                for v6 in &ipv6.slots {
                    catalog
                        .endpoints
                        .push(endpoint(v4.clone(), v6.clone(), None));
                }
            }
            let id =
                |v4: usize, v6: usize| EndpointId::from_index(first + v4 * ipv6.slots.len() + v6);
            PoolAnswer {
                up: pool.forced.unwrap_or(ipv4.up && ipv6.up),
                shares: couple(&ipv4.weights, &ipv6.weights, id),
            }
        }
    }
}

/// Pairs of slots with weights whose sums by family are the weights given: both ladders are laid
/// side by side and cut where either has a step, so there are fewer pairs than steps in both.
fn couple(
    v4: &[(usize, u8)],
    v6: &[(usize, u8)],
    id: impl Fn(usize, usize) -> EndpointId,
) -> Vec<(EndpointId, u8)> {
    let (mut v4, mut v6) = (v4.iter().copied(), v6.iter().copied());
    let (mut left, mut right) = (v4.next(), v6.next());
    let mut shares = Vec::new();
    while let (Some((slot_v4, weight_v4)), Some((slot_v6, weight_v6))) = (left, right) {
        let weight = weight_v4.min(weight_v6);
        shares.push((id(slot_v4, slot_v6), weight));
        let rest =
            |slot, over: u8, steps: &mut dyn Iterator<Item = (usize, u8)>| match over - weight {
                0 => steps.next(),
                over => Some((slot, over)),
            };
        left = rest(slot_v4, weight_v4, &mut v4);
        right = rest(slot_v6, weight_v6, &mut v6);
    }
    shares.sort_unstable_by_key(|(endpoint, _)| *endpoint);
    shares
}
