//! Preferences: policies applied to places and networks, once per area.

use super::{At, Policy, Prefer};
use crate::distance::angle;
use coverage::{AreaId, Place};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Preference that an area gets from one policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Preference {
    /// Labels in order, as indices into [`Policy::labels`]; at least one.
    pub labels: Vec<u16>,
    /// True when the first one is given whatever its state.
    pub pinned: bool,
}

/// Preferences that every area gets from every policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAreas {
    /// [policy][preference id].
    pub preferences: Vec<Vec<Preference>>,
    /// [area][policy] -> preference id.
    pub of_area: Vec<Vec<u32>>,
}

impl PolicyAreas {
    /// Preference that an area gets from a policy.
    ///
    /// # Panics
    /// When either is not of these.
    #[must_use]
    pub fn preference(&self, area: AreaId, policy: usize) -> &Preference {
        &self.preferences[policy][self.of_area[area.index()][policy] as usize]
    }
}

/// Applies all policies to places and interns what comes out.
#[derive(Debug)]
pub struct Judge<'a> {
    policies: &'a [Policy],
    /// [policy].
    known: Vec<BTreeMap<Preference, u32>>,
}

impl<'a> Judge<'a> {
    /// A judge that has seen nothing yet.
    #[must_use]
    pub fn new(policies: &'a [Policy]) -> Self {
        Self {
            policies,
            known: vec![BTreeMap::new(); policies.len()],
        }
    }

    /// [policy] -> preference id. `nets` has for each policy the rule of the longest network that
    /// holds the addresses.
    pub fn judge(&mut self, place: &Place, nets: &[Option<u32>]) -> Vec<u32> {
        let policies = self.policies.iter().zip(&mut self.known).zip(nets);
        policies
            .map(|((policy, known), net)| {
                let preference = preference(policy, place, *net);
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                *known.entry(preference).or_insert(next)
            })
            .collect()
    }

    /// Preferences that were given: `[policy][preference id]`.
    #[must_use]
    pub fn preferences(self) -> Vec<Vec<Preference>> {
        let by_id = |known: BTreeMap<Preference, u32>| {
            let mut all: Vec<(Preference, u32)> = known.into_iter().collect();
            all.sort_unstable_by_key(|(_, id)| *id);
            all.into_iter().map(|(preference, _)| preference).collect()
        };
        self.known.into_iter().map(by_id).collect()
    }
}

/// Preference that a place gets from a policy.
fn preference(policy: &Policy, place: &Place, net: Option<u32>) -> Preference {
    let by_net = net.and_then(|rule| policy.rules.get(rule as usize));
    let by_place = || {
        let ranked = policy
            .rules
            .iter()
            .filter_map(|rule| Some((rank(&rule.at, place)?, rule)));
        // Of two rules as specific as each other the first counts.
        let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, rule)| rule)
    };
    let rule = by_net.or_else(by_place);
    let prefer = rule.map_or(&policy.default, |rule| &rule.prefer);
    Preference {
        labels: match prefer {
            Prefer::Labels(labels) => labels.clone(),
            Prefer::Nearest => nearest(policy, place.coordinates),
        },
        pinned: rule.is_some_and(|rule| rule.pinned),
    }
}

/// Closeness with which a rule meets a place: by AS number, by names below the country, by country,
/// by continent.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    asn: bool,
    within: Levels,
    country: bool,
    continent: bool,
}

/// Levels of a place that the names of a rule met, outermost first. A rule that meets an outer
/// level first ranks higher, as if all rules were one tree that is walked from the country inwards.
/// Of two that go the same way, the longer one ranks higher.
#[derive(PartialEq, Eq)]
struct Levels(Vec<usize>);

impl PartialOrd for Levels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Levels {
    fn cmp(&self, other: &Self) -> Ordering {
        let differ = self.0.iter().zip(&other.0).find(|(a, b)| a != b);
        differ.map_or_else(|| self.0.len().cmp(&other.0.len()), |(a, b)| b.cmp(a))
    }
}

/// `None` for a rule that does not hold at a place, or says nothing of places.
fn rank(at: &At, place: &Place) -> Option<Rank> {
    let same = |asked: &Option<String>, is: &String| asked.as_ref().is_none_or(|asked| asked == is);
    let holds = same(&at.continent, &place.continent)
        && same(&at.country, &place.country)
        && at.asn.is_none_or(|asn| asn == place.asn);
    (holds && *at != At::default()).then_some(())?;
    Some(Rank {
        asn: at.asn.is_some(),
        within: Levels(levels(&at.within, place)?),
        country: at.country.is_some(),
        continent: at.continent.is_some(),
    })
}

/// The level at which each name is met; `None` when one is not met behind the one before it.
fn levels(names: &[String], place: &Place) -> Option<Vec<usize>> {
    let mut levels = place.subdivisions.iter().chain([&place.city]).enumerate();
    names
        .iter()
        .map(|name| levels.find(|(_, level)| *level == name).map(|(at, _)| at))
        .collect()
}

/// Labels by distance, ties in their order; in their order when the client's coordinates are not
/// known. Labels without coordinates are never near.
fn nearest(policy: &Policy, from: Option<(f64, f64)>) -> Vec<u16> {
    let labels = || (0_u16..).zip(&policy.coordinates);
    let Some(from) = from else {
        return labels().map(|(label, _)| label).collect();
    };
    let mut near: Vec<(f64, u16)> = labels()
        .filter_map(|(label, at)| Some((angle(from, (*at)?), label)))
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    near.truncate(policy.nearest_max);
    near.into_iter().map(|(_, label)| label).collect()
}
