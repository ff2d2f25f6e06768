//! The units of an instance, shared by all copies of it.

use crate::sink::Sink;
use crate::unit::Unit;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

/// Vector of units that is copied when one of its owners changes it, and not before: instances
/// that differ in limits alone hold the same units.
///
/// ```
/// use instance::{Unit, Units};
///
/// let day = Units::from(vec![Unit {
///     mbps: 250.0,
///     ..Unit::default()
/// }]);
/// let mut night = day.clone();
/// assert_eq!(night.digest(), day.digest());
/// night[0].mbps = 40.0;
/// assert_eq!(day[0].mbps, 250.0);
/// assert_ne!(night.digest(), day.digest());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Units(Arc<Shared>);

#[derive(Debug, Clone, Default)]
struct Shared {
    units: Vec<Unit>,
    /// Digest of the units, computed at the first question for it.
    digest: OnceLock<[u8; 32]>,
}

impl Units {
    /// Digest of all units. O(units) the first time, and after a change.
    pub fn digest(&self) -> [u8; 32] {
        *self.0.digest.get_or_init(|| self.compute_digest())
    }

    fn compute_digest(&self) -> [u8; 32] {
        let mut sink = Sink::default();
        sink.count(self.len());
        for unit in self {
            sink.text(&unit.area);
            sink.text(&unit.service);
            sink.number(unit.mbps);
            sink.number(unit.rps);
            sink.optional(unit.latency_limit_ms);
            sink.pairs(&unit.incumbent);
            sink.pairs(&unit.cand);
        }
        sink.finish()
    }
}

impl PartialEq for Units {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Deref for Units {
    type Target = Vec<Unit>;

    fn deref(&self) -> &Vec<Unit> {
        &self.0.units
    }
}

impl DerefMut for Units {
    fn deref_mut(&mut self) -> &mut Vec<Unit> {
        let shared = Arc::make_mut(&mut self.0);
        shared.digest = OnceLock::new();
        &mut shared.units
    }
}

impl From<Vec<Unit>> for Units {
    fn from(units: Vec<Unit>) -> Self {
        Self(Arc::new(Shared {
            units,
            digest: OnceLock::new(),
        }))
    }
}

impl FromIterator<Unit> for Units {
    fn from_iter<T: IntoIterator<Item = Unit>>(units: T) -> Self {
        Vec::from_iter(units).into()
    }
}

impl<'a> IntoIterator for &'a Units {
    type Item = &'a Unit;
    type IntoIter = std::slice::Iter<'a, Unit>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.units.iter()
    }
}

impl<'a> IntoIterator for &'a mut Units {
    type Item = &'a mut Unit;
    type IntoIter = std::slice::IterMut<'a, Unit>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.units.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_units_until_one_is_changed_and_digests_follow() {
        let unit = Unit {
            mbps: 1.0,
            ..Unit::default()
        };
        let first: Units = vec![unit].into();
        let before = first.digest();
        let mut second = first.clone();
        assert!(Arc::ptr_eq(&first.0, &second.0));
        second[0].mbps = 2.0;
        assert_ne!(second.digest(), before);
        assert_eq!(first.digest(), before);
        second[0].mbps = 1.0;
        assert_eq!(second, first);
        assert_eq!(second.digest(), before);
    }
}
