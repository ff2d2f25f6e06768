//! Who prefers what: policies applied to places and networks, once per area.

use super::distance::angle;
use super::{At, Policy, Prefer};
use coverage::Place;
use std::collections::BTreeMap;

/// What an area gets from one policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preference {
    /// Labels in order, as indices into [`Policy::labels`]; at least one.
    pub labels: Vec<u16>,
    /// Whether the first one is given whatever its state.
    pub pinned: bool,
}

/// What every area gets from every policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyAreas {
    /// [policy][preference id].
    pub preferences: Vec<Vec<Preference>>,
    /// [area][policy] -> preference id.
    pub of_area: Vec<Vec<u32>>,
}

impl PolicyAreas {
    /// What an area gets from a policy.
    ///
    /// # Panics
    /// When either is not of these.
    #[must_use]
    pub fn preference(&self, area: usize, policy: usize) -> &Preference {
        &self.preferences[policy][self.of_area[area][policy] as usize]
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
    /// A judge who has seen nothing yet.
    #[must_use]
    pub fn new(policies: &'a [Policy]) -> Self {
        Self {
            policies,
            known: vec![BTreeMap::new(); policies.len()],
        }
    }

    /// [policy] -> preference id. `nets` has for each policy the rule of the longest network that holds the addresses.
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

    /// Everything that was given: [policy][preference id].
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

/// What a place gets from a policy.
fn preference(policy: &Policy, place: &Place, net: Option<u32>) -> Preference {
    let by_net = net.and_then(|rule| policy.rules.get(rule as usize));
    let by_place = || {
        let mut best: Option<(Rank, usize)> = None;
        for (index, rule) in policy.rules.iter().enumerate() {
            let rank = rank(&rule.at).filter(|_| matches(&rule.at, place));
            // Of two rules as specific as each other the first counts.
            if let Some(rank) = rank
                && best.is_none_or(|(top, _)| rank > top)
            {
                best = Some((rank, index));
            }
        }
        best.map(|(_, index)| &policy.rules[index])
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

/// How specific a rule is: AS number, city, subdivisions, country, continent.
type Rank = (bool, bool, usize, bool, bool);

/// `None` for a rule that says nothing of places.
fn rank(at: &At) -> Option<Rank> {
    let subdivisions = at.subdivisions.as_ref().map_or(0, Vec::len);
    let rank = (
        at.asn.is_some(),
        at.city.is_some(),
        subdivisions,
        at.country.is_some(),
        at.continent.is_some(),
    );
    (*at != At::default()).then_some(rank)
}

/// Whether all that a rule asks for is so.
fn matches(at: &At, place: &Place) -> bool {
    let same = |asked: &Option<String>, is: &String| asked.as_ref().is_none_or(|asked| asked == is);
    let subdivisions = at.subdivisions.as_ref().is_none_or(|asked| {
        if at.city.is_some() {
            *asked == place.subdivisions
        } else {
            place.subdivisions.starts_with(asked)
        }
    });
    subdivisions
        && same(&at.continent, &place.continent)
        && same(&at.country, &place.country)
        && same(&at.city, &place.city)
        && at.asn.is_none_or(|asn| asn == place.asn)
}

/// Labels by distance, ties in their order; in their order when the client's coordinates are not known. Labels without
/// coordinates are never near.
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
