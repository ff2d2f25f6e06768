//! Population that asks: areas with their share of demand, resolvers in them, and client prefixes
//! behind the resolvers.

mod draw;

use crate::cache::Prefix;
use crate::geography::Place;
use crate::random::Random;
use crate::weights::area_shares;
use coverage::area::AreaAttrs;
use coverage::{AreaId, AreaTable};
use draw::{draw_v4, draw_v6};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Prefix that resolvers tell of an IPv4 client: RFC 7871 section 11.1 recommends /24 at most.
const SOURCE_LEN_V4: u8 = 24;
/// The same for IPv6 would be /56; most operators cut at the /48 of a site.
const SOURCE_LEN_V6: u8 = 48;
/// Shortest and longest excess of resolvers that keep answers beyond their TTL, as a factor.
const OVERSTAY: (f64, f64) = (2.0, 10.0);

/// Shape of the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PopulationOptions {
    /// Most areas with demand; the smallest are left out.
    pub areas_max: usize,
    /// Client prefixes behind each resolver.
    pub clients_per_resolver: usize,
    /// Share of client prefixes in IPv6, where the area has any.
    pub ipv6_share: f64,
    /// Share of resolvers that do not send ECS.
    pub without_ecs_share: f64,
    /// Share of resolvers that keep answers for 2 to 10 times their TTL.
    pub overstay_share: f64,
    /// Country whose share is set by `home_share`.
    pub home: String,
    /// Share of the demand.
    pub home_share: f64,
}

impl Default for PopulationOptions {
    fn default() -> Self {
        Self {
            areas_max: 1_000,
            clients_per_resolver: 2,
            ipv6_share: 0.3,
            without_ecs_share: 0.05,
            overstay_share: 0.03,
            home: "cn".to_owned(),
            home_share: 0.9,
        }
    }
}

/// An area with demand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DemandArea {
    /// Id in the area table.
    pub id: AreaId,
    /// Name.
    pub name: String,
    /// Share of the world's demand; all shares sum to 1.
    pub share: f64,
    /// Middle.
    pub place: Place,
    /// ISP, empty when unknown.
    pub isp: String,
    /// Country, empty when unknown.
    pub country: String,
}

/// A resolver.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolver {
    /// True when it tells the client's prefix.
    pub sends_ecs: bool,
    /// Multiple of its TTL for which it keeps an answer; 1 is honest.
    pub overstay: f64,
}

/// A client prefix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Client {
    /// Index of its area in [`Population::areas`].
    pub area: usize,
    /// Index of its resolver.
    pub resolver: usize,
    /// An address in the prefix.
    pub addr: IpAddr,
    /// The prefix that a resolver tells.
    pub source: Prefix,
    /// Share of the area's demand.
    pub share: f64,
}

/// Everyone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Population {
    /// Areas with demand.
    pub areas: Vec<DemandArea>,
    /// Resolvers, area by area.
    pub resolvers: Vec<Resolver>,
    /// Client prefixes, area by area.
    pub clients: Vec<Client>,
}

impl Population {
    /// Draws a population. Equal arguments draw equally. O(ranges of the table + clients).
    #[must_use]
    pub(crate) fn draw(table: &AreaTable, options: &PopulationOptions, seed: u64) -> Self {
        let shares = area_shares(table.areas(), &options.home, options.home_share);
        let chosen = heaviest(&shares, options.areas_max);
        let mut random = Random::new(seed);
        let resolvers_of = |share: f64| resolver_count(share, chosen.len());
        // What is drawn for each area: more than needed, since some prefixes straddle areas.
        let wanted: Vec<usize> = chosen
            .iter()
            .map(|id| resolvers_of(shares[*id]) * options.clients_per_resolver.max(1))
            .collect();
        let v4 = draw_v4(table, &chosen, &wanted, &mut random);
        let v6 = draw_v6(table, &chosen, &wanted, &mut random);
        let mut population = Self::default();
        for (slot, id) in chosen.iter().enumerate() {
            let clients = pick_family(&v4[slot], &v6[slot], options.ipv6_share, &mut random);
            if !clients.is_empty() {
                let resolvers = resolvers_of(shares[*id]);
                population.settle(
                    table,
                    *id,
                    shares[*id],
                    (clients, resolvers),
                    options,
                    &mut random,
                );
            }
        }
        let total: f64 = population.areas.iter().map(|area| area.share).sum();
        population
            .areas
            .iter_mut()
            .for_each(|area| area.share /= total);
        population
    }

    fn settle(
        &mut self,
        table: &AreaTable,
        id: usize,
        share: f64,
        (clients, resolvers): (Vec<IpAddr>, usize),
        options: &PopulationOptions,
        random: &mut Random,
    ) {
        let known = &table.areas()[id];
        self.areas.push(DemandArea {
            id: AreaId::from_index(id),
            name: known.name.clone(),
            share,
            place: middle(&known.attrs),
            isp: known.attrs.isp.clone(),
            country: known.attrs.country.clone(),
        });
        let first = self.resolvers.len();
        for _ in 0..resolvers {
            let sends_ecs = random.unit() >= options.without_ecs_share;
            let overstays = random.unit() < options.overstay_share;
            let excess = random.unit().mul_add(OVERSTAY.1 - OVERSTAY.0, OVERSTAY.0);
            self.resolvers.push(Resolver {
                sends_ecs,
                overstay: if overstays { excess } else { 1.0 },
            });
        }
        let weights: Vec<f64> = clients.iter().map(|_| 0.5 + random.unit()).collect();
        let total: f64 = weights.iter().sum();
        for (index, (addr, weight)) in clients.into_iter().zip(weights).enumerate() {
            self.clients.push(Client {
                area: self.areas.len() - 1,
                resolver: first + index % resolvers,
                addr,
                source: source_of(addr),
                share: weight / total,
            });
        }
    }
}

/// The prefix that a resolver tells of a client.
fn source_of(addr: IpAddr) -> Prefix {
    Prefix::new(
        addr,
        if addr.is_ipv4() {
            SOURCE_LEN_V4
        } else {
            SOURCE_LEN_V6
        },
    )
}

/// Ids of the areas with the greatest shares, ascending.
fn heaviest(shares: &[f64], count_max: usize) -> Vec<usize> {
    let mut ids: Vec<usize> = (0..shares.len()).filter(|id| shares[*id] > 0.0).collect();
    ids.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]).then(a.cmp(b)));
    ids.truncate(count_max);
    ids.sort_unstable();
    ids
}

/// One resolver in a small area, two in an average one, three in a large one.
fn resolver_count(share: f64, areas: usize) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 areas")]
    let relative = share * areas as f64;
    1 + usize::from(relative >= 0.5) + usize::from(relative >= 2.0)
}

/// The middle of an area; where it is not known, the middle of China, whose clients are most.
fn middle(attrs: &AreaAttrs) -> Place {
    let (latitude, longitude) = (
        attrs.latitude.unwrap_or(34.0),
        attrs.longitude.unwrap_or(109.0),
    );
    Place {
        latitude: latitude.into(),
        longitude: longitude.into(),
    }
}

/// For each client either family, where both were drawn.
fn pick_family(v4: &[IpAddr], v6: &[IpAddr], ipv6_share: f64, random: &mut Random) -> Vec<IpAddr> {
    let count = v4.len().max(v6.len());
    let pick = |index: usize| {
        let prefers_v6 = random.unit() < ipv6_share;
        let (first, second) = if prefers_v6 { (v6, v4) } else { (v4, v6) };
        first.get(index).or_else(|| second.get(index)).copied()
    };
    (0..count).filter_map(pick).collect()
}

#[cfg(test)]
pub(crate) mod tests;
