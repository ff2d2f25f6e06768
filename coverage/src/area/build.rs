//! Building the table: ranges laid over one another, later ones on top.

use super::ranges::{RangeKey, Ranges};
use super::{Area, AreaAttrs, AreaTable, file};
use std::collections::{BinaryHeap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most ranges of one family, before merging: several times the largest city database.
pub(super) const RANGES_MAX: usize = 64 << 20;
/// Most areas in one table.
pub(super) const AREAS_MAX: usize = 1 << 22;

/// Reason why a table could not be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AreaBuildError {
    /// A range whose end lies before its start.
    #[error("range {index} ends before it starts: {start:x} to {end:x}")]
    Reversed {
        /// Number of the addition within its family, from 0.
        index: usize,
        /// First key.
        start: u64,
        /// Last key.
        end: u64,
    },
    /// Too many ranges or areas.
    #[error("{what}: {count} are more than the {max} that a table holds; keep fewer attributes")]
    TooMany {
        /// Ranges or areas.
        what: &'static str,
        /// Number of them.
        count: usize,
        /// The bound.
        max: usize,
    },
}

/// One range as added.
#[derive(Clone, Copy, Debug)]
struct Added<K> {
    start: K,
    end: K,
    area: u32,
}

/// Identity of an area: all attributes but its coordinates.
pub(super) type Identity<'a> = (&'a str, &'a str, &'a str, &'a str, u32, u32);

/// The identity of an area with these attributes; areas are numbered in its order.
pub(super) fn identity(attrs: &AreaAttrs) -> Identity<'_> {
    (
        &attrs.country,
        &attrs.province,
        &attrs.city,
        &attrs.isp,
        attrs.asn,
        attrs.class,
    )
}

/// A hash of the identity, the same in every run.
fn identity_hash(attrs: &AreaAttrs) -> u64 {
    let mut hasher = DefaultHasher::new();
    identity(attrs).hash(&mut hasher);
    hasher.finish()
}

/// Collects ranges and lays them over one another.
#[derive(Debug, Default)]
pub struct AreaTableBuilder {
    /// Hash of an identity -> areas with it. Only ever asked by hash, so its order decides nothing.
    interned: HashMap<u64, Vec<u32>>,
    attrs: Vec<AreaAttrs>,
    /// The area of the last addition: sources come grouped, so this saves most look-ups.
    last: Option<u32>,
    v4: Vec<Added<u32>>,
    v6: Vec<Added<u64>>,
}

impl AreaTableBuilder {
    /// An empty builder: everything is area `zz`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds IPv4 addresses `start..=end`, over whatever was added before.
    pub fn add_v4(&mut self, start: u32, end: u32, attrs: &AreaAttrs) {
        let area = self.intern(attrs);
        self.v4.push(Added { start, end, area });
    }

    /// Adds IPv6 /64 subnets `start..=end`, by the upper 64 bits, over whatever was added before.
    pub fn add_v6(&mut self, start: u64, end: u64, attrs: &AreaAttrs) {
        let area = self.intern(attrs);
        self.v6.push(Added { start, end, area });
    }

    fn intern(&mut self, attrs: &AreaAttrs) -> u32 {
        if let Some(last) = self.last
            && self.attrs[last as usize] == *attrs
        {
            return last;
        }
        let same_hash = self.interned.entry(identity_hash(attrs)).or_default();
        let known = same_hash
            .iter()
            .find(|id| identity(&self.attrs[**id as usize]) == identity(attrs));
        let id = known.copied().unwrap_or_else(|| {
            let next = u32::try_from(self.attrs.len()).unwrap_or(u32::MAX);
            same_hash.push(next);
            self.attrs.push(attrs.clone());
            next
        });
        self.last = Some(id);
        id
    }

    /// Merges neighbours of one area and builds the index. Area ids follow the order of attributes,
    /// so equal content gives equal tables. O(n log n) in the number of ranges.
    ///
    /// # Errors
    /// [`AreaBuildError`] names the first reversed range, or the bound that was passed.
    pub fn finish(self) -> Result<AreaTable, AreaBuildError> {
        let too_many = |what, count, max| AreaBuildError::TooMany { what, count, max };
        if self.attrs.len() >= AREAS_MAX {
            return Err(too_many("areas", self.attrs.len(), AREAS_MAX));
        }
        let most = self.v4.len().max(self.v6.len());
        if most > RANGES_MAX {
            return Err(too_many("ranges", most, RANGES_MAX));
        }
        // Area 0 is `zz`; the others are numbered in the order of their attributes.
        let mut ordered: Vec<(u32, &AreaAttrs)> = (0..).zip(&self.attrs).collect();
        ordered.sort_unstable_by_key(|(_, attrs)| identity(attrs));
        let mut renumbered = vec![0; self.attrs.len()];
        let mut areas = vec![new_area(AreaAttrs::default())];
        for (id, attrs) in ordered {
            if identity(attrs) != identity(&AreaAttrs::default()) {
                renumbered[id as usize] = u32::try_from(areas.len()).unwrap_or(u32::MAX);
                areas.push(new_area(attrs.clone()));
            }
        }
        let v4 = overlay(self.v4, &renumbered)?;
        let v6 = overlay(self.v6, &renumbered)?;
        Ok(assemble(areas, v4, v6))
    }
}

fn new_area(attrs: AreaAttrs) -> Area {
    Area {
        name: attrs.name(),
        attrs,
        ipv4_addresses: 0,
        ipv6_subnets_48: 0,
    }
}

/// Puts the parts of a table together: sizes, index, digest.
pub(super) fn assemble(
    mut areas: Vec<Area>,
    (v4_starts, v4_areas): (Vec<u32>, Vec<u32>),
    (v6_starts, v6_areas): (Vec<u64>, Vec<u32>),
) -> AreaTable {
    for (area, size) in sizes(&v4_starts, &v4_areas) {
        areas[area].ipv4_addresses += u64::try_from(size).unwrap_or(u64::MAX);
    }
    let mut subnets_64 = vec![0_u128; areas.len()];
    for (area, size) in sizes(&v6_starts, &v6_areas) {
        subnets_64[area] += size;
    }
    for (area, size) in areas.iter_mut().zip(subnets_64) {
        area.ipv6_subnets_48 = u64::try_from(size >> 16).unwrap_or(u64::MAX);
    }
    let mut table = AreaTable {
        areas,
        v4: Ranges::new(v4_starts, v4_areas),
        v6: Ranges::new(v6_starts, v6_areas),
        digest: [0; 32],
    };
    table.digest = file::digest(&table);
    table
}

/// (area, number of keys) of each range.
fn sizes<K: RangeKey>(starts: &[K], areas: &[u32]) -> impl Iterator<Item = (usize, u128)> {
    let ends = starts.iter().skip(1).map(|start| u128::from(start.wide()));
    let ends = ends.chain([u128::from(K::MAX.wide()) + 1]);
    let spans = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| end - u128::from(start.wide()));
    areas.iter().map(|area| *area as usize).zip(spans)
}

/// Lays ranges over one another: at every key the range added last wins; gaps are area 0; equal
/// neighbours merge.
fn overlay<K: RangeKey>(
    added: Vec<Added<K>>,
    renumbered: &[u32],
) -> Result<(Vec<K>, Vec<u32>), AreaBuildError> {
    let reversed = added.iter().position(|range| range.end < range.start);
    if let Some(index) = reversed {
        let Added { start, end, .. } = added[index];
        return Err(AreaBuildError::Reversed {
            index,
            start: start.wide(),
            end: end.wide(),
        });
    }
    let mut order: Vec<u32> = (0..u32::try_from(added.len()).unwrap_or(u32::MAX)).collect();
    order.sort_unstable_by_key(|index| (added[*index as usize].start, *index));
    let mut starts: Vec<K> = Vec::new();
    let mut areas: Vec<u32> = Vec::new();
    // Ranges that have begun, the one added last on top; ended ones are dropped when they come to
    // the top.
    let mut begun: BinaryHeap<u32> = BinaryHeap::new();
    let mut coming = order.into_iter().peekable();
    let mut at = K::ZERO;
    loop {
        while let Some(index) = coming.next_if(|index| added[*index as usize].start <= at) {
            begun.push(index);
        }
        while begun
            .peek()
            .is_some_and(|index| added[*index as usize].end < at)
        {
            begun.pop();
        }
        let top = begun.peek().map(|index| added[*index as usize]);
        let area = top.map_or(0, |range| renumbered[range.area as usize]);
        if areas.last() != Some(&area) {
            starts.push(at);
            areas.push(area);
        }
        let next_start = coming.peek().map(|index| added[*index as usize].start);
        let after_top = top.and_then(|range| range.end.next());
        // The next key where anything can change.
        let next = match (next_start, after_top) {
            (Some(start), Some(after)) => Some(start.min(after)),
            (Some(start), None) => Some(start),
            (None, after) => after,
        };
        match next {
            Some(next) => at = next,
            None => return Ok((starts, areas)),
        }
    }
}
