//! The coverage map: the published function (service, area) -> weighted answers plus ordered
//! runners-up.

mod interned;

use crate::area::AreaId;
use crate::ids::{AnswerSetId, EndpointId, ServiceId};
use crate::units::WEIGHT_TOTAL;
use interned::Interned;
use serde::{Deserialize, Serialize};

/// Most endpoints that one answer set may weigh against each other: each has a 64th at least.
pub const SHARES_MAX: usize = 64;
/// Most runners-up that one answer set may list.
pub const RUNNERS_UP_MAX: usize = 4;

/// Endpoints that answer: weights out of 64 that sum to 64, and who is next in order if all are
/// lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AnswerSet {
    /// Endpoints with weights, ordered by endpoint; the weights sum to [`WEIGHT_TOTAL`].
    pub shares: Vec<(EndpointId, u8)>,
    /// Next best endpoints, best first; none of them in `shares`.
    pub runners_up: Vec<EndpointId>,
}

impl AnswerSet {
    /// Tells whether clients of one area may get different answers.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.shares.len() > 1
    }
}

/// The map itself: one interned answer set for each (service, area). Built by
/// [`CoverageMapBuilder`].
///
/// ```
/// use coverage::map::{AnswerSet, CoverageMapBuilder};
/// use coverage::{AreaId, EndpointId, ServiceId};
///
/// let near = AnswerSet {
///     shares: vec![(EndpointId(0), 40), (EndpointId(1), 24)],
///     runners_up: vec![EndpointId(2)],
/// };
/// let mut builder = CoverageMapBuilder::new(1, 1);
/// builder.set(ServiceId(0), AreaId(0), near.clone());
/// let map = builder.finish()?;
///
/// assert_eq!(map.get(ServiceId(0), AreaId(0)), &near);
/// assert_eq!(map.fault(3), None);
/// # Ok::<(), coverage::map::Uncovered>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageMap {
    areas: u32,
    answer_sets: Vec<AnswerSet>,
    /// [service][area], row-major.
    entries: Vec<AnswerSetId>,
}

impl CoverageMap {
    /// The answer set of a service in an area.
    ///
    /// # Panics
    /// When an id does not belong to this map; [`CoverageMap::fault`] is checked before a map is
    /// served.
    #[must_use]
    pub fn get(&self, service: ServiceId, area: AreaId) -> &AnswerSet {
        &self.answer_sets[self.id(service, area).index()]
    }

    /// The interned id of that answer set.
    #[must_use]
    pub fn id(&self, service: ServiceId, area: AreaId) -> AnswerSetId {
        self.entries[service.index() * self.areas as usize + area.0 as usize]
    }

    /// One answer-set id per area, for one service.
    #[must_use]
    pub fn row(&self, service: ServiceId) -> &[AnswerSetId] {
        let areas = self.areas as usize;
        &self.entries[service.index() * areas..][..areas]
    }

    /// All interned answer sets.
    #[must_use]
    pub fn answer_sets(&self) -> &[AnswerSet] {
        &self.answer_sets
    }

    /// Number of areas a row has.
    #[must_use]
    pub const fn areas(&self) -> u32 {
        self.areas
    }

    /// Number of services the map covers.
    #[must_use]
    pub fn services(&self) -> usize {
        self.entries
            .len()
            .checked_div(self.areas as usize)
            .unwrap_or(0)
    }

    /// The first way in which this map is not in normal form for `endpoints` endpoints, in words;
    /// `None` when it is.
    #[must_use]
    pub fn fault(&self, endpoints: usize) -> Option<String> {
        if self.areas == 0 || !self.entries.len().is_multiple_of(self.areas as usize) {
            return Some(format!(
                "{} entries do not divide by {} areas",
                self.entries.len(),
                self.areas
            ));
        }
        let bad = |id: &EndpointId| id.index() >= endpoints;
        for (index, set) in self.answer_sets.iter().enumerate() {
            let total: u32 = set
                .shares
                .iter()
                .map(|&(_, weight)| u32::from(weight))
                .sum();
            let fault = if set.shares.is_empty() {
                "is empty"
            } else if total != u32::from(WEIGHT_TOTAL)
                || set.shares.iter().any(|&(_, weight)| weight == 0)
            {
                "has weights that are zero or do not sum to 64"
            } else if set.shares.len() > SHARES_MAX || set.runners_up.len() > RUNNERS_UP_MAX {
                "is too long"
            } else if !set.shares.is_sorted_by(|a, b| a.0 < b.0) {
                "lists an endpoint twice or out of order"
            } else if set.shares.iter().any(|(id, _)| bad(id)) || set.runners_up.iter().any(bad) {
                "names an endpoint that does not exist"
            } else {
                continue;
            };
            return Some(format!("answer set {index} {fault}"));
        }
        let sets = self.answer_sets.len();
        let dangling = self.entries.iter().position(|id| id.index() >= sets)?;
        Some(format!(
            "entry {dangling} names an answer set that does not exist"
        ))
    }
}

/// Builds a [`CoverageMap`] entry by entry, interning equal answer sets.
#[derive(Debug)]
pub struct CoverageMapBuilder {
    areas: u32,
    interned: Interned,
    entries: Vec<Option<AnswerSetId>>,
}

/// Reason why a map could not be finished: some (service, area) has no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "service {service} has no answer in area {area}: give every service at least one usable endpoint"
)]
pub struct Uncovered {
    /// Index of the service.
    pub service: u32,
    /// Index of the area.
    pub area: u32,
}

impl CoverageMapBuilder {
    /// An empty map of `services` x `areas`.
    #[must_use]
    pub fn new(services: usize, areas: u32) -> Self {
        Self {
            areas,
            interned: Interned::default(),
            entries: vec![None; services * areas as usize],
        }
    }

    /// Number of areas a row has.
    #[must_use]
    pub const fn areas(&self) -> u32 {
        self.areas
    }

    /// The id of an answer set, for [`CoverageMapBuilder::put`].
    pub fn intern(&mut self, answers: AnswerSet) -> AnswerSetId {
        self.interned.id(answers)
    }

    /// Sets the answers of one (service, area) to an interned set.
    pub fn put(&mut self, service: ServiceId, area: AreaId, id: AnswerSetId) {
        self.entries[service.index() * self.areas as usize + area.0 as usize] = Some(id);
    }

    /// Sets the answers of one (service, area).
    pub fn set(&mut self, service: ServiceId, area: AreaId, answers: AnswerSet) {
        let id = self.intern(answers);
        self.put(service, area, id);
    }

    /// The finished map.
    ///
    /// # Errors
    /// [`Uncovered`] names the first (service, area) that was never set.
    pub fn finish(self) -> Result<CoverageMap, Uncovered> {
        let areas = self.areas;
        let entries = self
            .entries
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                entry.ok_or(Uncovered {
                    service: index / areas,
                    area: index % areas,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(CoverageMap {
            areas,
            answer_sets: self.interned.into_sets(),
            entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(endpoint: u32) -> AnswerSet {
        AnswerSet {
            shares: vec![(EndpointId(endpoint), 64)],
            runners_up: vec![],
        }
    }

    #[test]
    fn equal_answers_are_interned_and_found() {
        let mut builder = CoverageMapBuilder::new(2, 2);
        for (service, area, endpoint) in [(0, 0, 5), (0, 1, 5), (1, 0, 6), (1, 1, 5)] {
            builder.set(ServiceId(service), AreaId(area), alone(endpoint));
        }
        let map = builder.finish().unwrap();
        assert_eq!(map.answer_sets().len(), 2);
        assert_eq!(map.get(ServiceId(1), AreaId(0)), &alone(6));
        assert_eq!(map.row(ServiceId(0))[0], map.row(ServiceId(0))[1]);
        assert_eq!(map.fault(7), None);
        assert!(
            map.fault(6)
                .is_some_and(|fault| fault.contains("does not exist"))
        );
    }

    #[test]
    fn ids_follow_the_order_of_first_use_however_many_sets_there_are() {
        let mut builder = CoverageMapBuilder::new(1, 1);
        let weights = |low: u32| {
            let first = u8::try_from(low % 63 + 1).unwrap();
            let shares = vec![
                (EndpointId(low / 63), first),
                (EndpointId(1000), 64 - first),
            ];
            let runners_up = (0..low % 3).map(EndpointId).collect();
            AnswerSet { shares, runners_up }
        };
        for _ in 0..2 {
            for low in 0..5000 {
                assert_eq!(builder.intern(weights(low)), AnswerSetId(low));
            }
        }
        builder.set(ServiceId(0), AreaId(0), weights(0));
        let map = builder.finish().unwrap();
        assert!((0..5000).map(weights).eq(map.answer_sets().iter().cloned()));
    }

    #[test]
    fn a_hole_is_refused() {
        let mut builder = CoverageMapBuilder::new(1, 3);
        builder.set(ServiceId(0), AreaId(0), alone(0));
        builder.set(ServiceId(0), AreaId(2), alone(0));
        assert_eq!(
            builder.finish(),
            Err(Uncovered {
                service: 0,
                area: 1
            })
        );
    }

    #[test]
    fn empty_and_unbalanced_sets_are_faults() {
        for (shares, word) in [(vec![], "empty"), (vec![(EndpointId(0), 63)], "64")] {
            let mut builder = CoverageMapBuilder::new(1, 1);
            builder.set(
                ServiceId(0),
                AreaId(0),
                AnswerSet {
                    shares,
                    runners_up: vec![],
                },
            );
            let fault = builder.finish().unwrap().fault(1).unwrap();
            assert!(fault.contains(word), "{fault}");
        }
    }
}
