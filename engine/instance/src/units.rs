//! The units of an instance, shared by all copies of it.

use crate::digest;
use crate::unit::Unit;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

/// A vector of units that is copied when one of its owners changes it, and not before: instances
/// that differ in limits alone hold the same units.
#[derive(Debug, Clone, Default)]
pub struct Units(Arc<Shared>);

#[derive(Debug, Clone, Default)]
struct Shared {
    units: Vec<Unit>,
    /// Made when it is first asked for.
    digest: OnceLock<[u8; 32]>,
}

impl Units {
    /// Digest of all units. O(units) the first time, and after a change.
    pub fn digest(&self) -> [u8; 32] {
        *self.0.digest.get_or_init(|| digest::of_units(self))
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
            area: "a".to_owned(),
            service: "s".to_owned(),
            mbps: 1.0,
            rps: 0.0,
            latency_limit_ms: None,
            incumbent: crate::Shares::new(),
            cand: Vec::new(),
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
