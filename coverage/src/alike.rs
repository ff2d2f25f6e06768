//! Likeness of answers: what of an answer set a client can see when it asks for one family.
//!
//! Two sets that name other endpoints, but the same addresses of the family asked for, are one
//! answer to whoever asks; and a set that weighs endpoints which are alike in that family splits
//! nobody. Scopes follow what can be seen.

use crate::catalog::{Catalog, Endpoint};
use crate::ids::EndpointId;
use crate::map::{AnswerSet, CoverageMap};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Purpose of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// All that is known of the endpoint.
    Endpoint,
}

impl Asked {
    /// All of them; the order is that of their indices.
    pub(crate) const ALL: [Self; 3] = [Self::Ipv4, Self::Ipv6, Self::Endpoint];
}

/// Visible part of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen<'a> {
    Ipv4(&'a [Ipv4Addr]),
    Ipv6(&'a [Ipv6Addr]),
    Alias(&'a str),
    /// All of it; or more addresses than one answer holds, of which the endpoint's id says which
    /// are given.
    Endpoint(EndpointId),
}

/// Visible part of an answer set.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum View<'a> {
    Whole(Seen<'a>),
    /// Clients are divided, by their prefixes and these weights.
    Split(&'a [(EndpointId, u8)]),
}

/// The answer sets of a map, divided by what can be seen of them.
#[derive(Debug)]
pub(crate) struct Alike {
    /// [answer set] -> class; sets of one class cannot be told apart.
    pub(crate) class: Vec<u32>,
    /// [answer set]: whether its clients get different answers.
    pub(crate) splits: Vec<bool>,
}

impl Alike {
    /// Divides the sets of a map for answers of at most `addresses_max` addresses.
    pub(crate) fn of(
        catalog: &Catalog,
        map: &CoverageMap,
        asked: Asked,
        addresses_max: u8,
    ) -> Self {
        let mut known: BTreeMap<View<'_>, u32> = BTreeMap::new();
        let mut alike = Self {
            class: Vec::with_capacity(map.answer_sets().len()),
            splits: Vec::with_capacity(map.answer_sets().len()),
        };
        for set in map.answer_sets() {
            let view = view(catalog, set, asked, usize::from(addresses_max));
            alike.splits.push(matches!(view, View::Split(_)));
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            alike.class.push(*known.entry(view).or_insert(next));
        }
        alike
    }
}

fn view<'a>(
    catalog: &'a Catalog,
    set: &'a AnswerSet,
    asked: Asked,
    addresses_max: usize,
) -> View<'a> {
    let mut seen = set
        .shares
        .iter()
        .map(|(id, _)| seen(&catalog.endpoints[id.index()], *id, asked, addresses_max));
    match seen.next() {
        Some(first) if seen.all(|other| other == first) => View::Whole(first),
        _ => View::Split(&set.shares),
    }
}

fn seen(endpoint: &Endpoint, id: EndpointId, asked: Asked, addresses_max: usize) -> Seen<'_> {
    match (asked, &endpoint.alias) {
        (Asked::Endpoint, _) => Seen::Endpoint(id),
        (_, Some(alias)) => Seen::Alias(alias),
        (Asked::Ipv4, None) if endpoint.ipv4.len() <= addresses_max => Seen::Ipv4(&endpoint.ipv4),
        (Asked::Ipv6, None) if endpoint.ipv6.len() <= addresses_max => Seen::Ipv6(&endpoint.ipv6),
        _ => Seen::Endpoint(id),
    }
}
