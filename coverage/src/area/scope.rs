//! Width in which an answer may be reused: runs of neighbouring ranges whose answers are equal.
//!
//! One bit per range says whether its answer differs from that of the range before it. The run
//! around a range lies between the nearest set bit at or before it and the nearest set bit after
//! it; two summary levels over the bits (64:1 each) make both searches a few word operations
//! however long the run is.

use super::ranges::{RangeKey, Ranges};
use super::{AreaTable, Key, Leaf, key};
use std::net::IpAddr;

/// The runs of one coverage class, for both families.
///
/// ```
/// use coverage::area::{AreaAttrs, AreaTableBuilder, ScopeIndex};
///
/// let known = AreaAttrs { country: "cn".into(), ..AreaAttrs::default() };
/// let mut builder = AreaTableBuilder::new();
/// builder.add_v4(0xc633_6400, 0xc633_64ff, &known); // 198.51.100.0/24
/// let table = builder.finish()?;
///
/// let addr = "198.51.100.7".parse()?;
/// let leaf = table.lookup(addr).leaf;
/// assert_eq!(ScopeIndex::build(&table, &[0, 1]).scope(&table, leaf, addr), 24);
/// assert_eq!(ScopeIndex::build(&table, &[0, 0]).scope(&table, leaf, addr), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScopeIndex {
    v4: Runs,
    v6: Runs,
}

impl ScopeIndex {
    /// Finds the runs. `class_of_area[area]` is equal for areas that get the same answer.
    ///
    /// # Panics
    /// When there are fewer classes than areas.
    #[must_use]
    pub fn build(table: &AreaTable, class_of_area: &[u32]) -> Self {
        Self {
            v4: Runs::new(&table.v4, class_of_area),
            v6: Runs::new(&table.v6, class_of_area),
        }
    }

    /// Shortest honest scope for an address: the length of the shortest prefix around it in which
    /// every address gets the same answer (RFC 7871 section 7.2.1). 0 when the whole family does.
    #[must_use]
    #[inline]
    pub fn scope(&self, table: &AreaTable, leaf: Leaf, addr: IpAddr) -> u8 {
        match (leaf, key(addr)) {
            (Leaf::V4(index), Key::V4(key)) => self.v4.scope(&table.v4, index, key),
            (Leaf::V6(index), Key::V6(key)) => self.v6.scope(&table.v6, index, key),
            _ => 0,
        }
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let level_bytes = |runs: &Runs| {
            runs.levels
                .iter()
                .map(|level| 8 * level.len())
                .sum::<usize>()
        };
        level_bytes(&self.v4) + level_bytes(&self.v6)
    }
}

/// A bit per range with its summaries: `levels[0]` the bits, each next level one bit per word of
/// the level before.
#[derive(Debug)]
struct Runs {
    levels: [Vec<u64>; 3],
}

impl Runs {
    fn new<K: RangeKey>(ranges: &Ranges<K>, class_of_area: &[u32]) -> Self {
        let areas = ranges.areas();
        let class = |area: &u32| class_of_area[*area as usize];
        let mut bits = vec![0_u64; areas.len().div_ceil(64)];
        bits[0] |= 1; // The first range begins a run.
        for (index, pair) in areas.windows(2).enumerate() {
            let differs = class(&pair[0]) != class(&pair[1]);
            bits[(index + 1) / 64] |= u64::from(differs) << ((index + 1) % 64);
        }
        let summary = summarize(&bits);
        let top = summarize(&summary);
        Self {
            levels: [bits, summary, top],
        }
    }

    #[inline]
    fn scope<K: RangeKey>(&self, ranges: &Ranges<K>, index: u32, key: K) -> u8 {
        let first = self.at_or_before(index as usize);
        let last = self
            .after(index as usize)
            .unwrap_or_else(|| ranges.areas().len())
            - 1;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the number of ranges is bounded below 2^32 when built"
        )]
        ranges.prefix_len(first as u32, last as u32, key)
    }

    /// The nearest set bit at or before `index`; bit 0 is always set. Most runs end within a word.
    #[inline]
    fn at_or_before(&self, index: usize) -> usize {
        let masked = self.levels[0][index / 64] & (u64::MAX >> (63 - index % 64));
        if masked != 0 {
            return (index | 63) - masked.leading_zeros() as usize;
        }
        self.search_back(0, index).unwrap_or(0)
    }

    fn search_back(&self, level: usize, index: usize) -> Option<usize> {
        let (word, bit) = (index / 64, index % 64);
        let masked = self.levels[level][word] & (u64::MAX >> (63 - bit));
        if masked != 0 {
            return Some(word * 64 + 63 - masked.leading_zeros() as usize);
        }
        let before = word.checked_sub(1)?;
        let word = if level + 1 < self.levels.len() {
            self.search_back(level + 1, before)?
        } else {
            self.levels[level][..=before]
                .iter()
                .rposition(|word| *word != 0)?
        };
        Some(word * 64 + 63 - self.levels[level][word].leading_zeros() as usize)
    }

    /// The nearest set bit after `index`, if any.
    #[inline]
    fn after(&self, index: usize) -> Option<usize> {
        let next = index + 1;
        let masked = self.levels[0].get(next / 64)? & (u64::MAX << (next % 64));
        if masked != 0 {
            return Some((next & !63) + masked.trailing_zeros() as usize);
        }
        self.search_on(0, next)
    }

    fn search_on(&self, level: usize, index: usize) -> Option<usize> {
        let (word, bit) = (index / 64, index % 64);
        let masked = self.levels[level].get(word)? & (u64::MAX << bit);
        if masked != 0 {
            return Some(word * 64 + masked.trailing_zeros() as usize);
        }
        let word = if level + 1 < self.levels.len() {
            self.search_on(level + 1, word + 1)?
        } else {
            word + 1
                + self.levels[level]
                    .get(word + 1..)?
                    .iter()
                    .position(|word| *word != 0)?
        };
        Some(word * 64 + self.levels[level][word].trailing_zeros() as usize)
    }
}

/// One bit per word: whether it has any bit set.
fn summarize(bits: &[u64]) -> Vec<u64> {
    bits.chunks(64)
        .map(|words| {
            words
                .iter()
                .enumerate()
                .fold(0, |bits, (at, word)| bits | u64::from(*word != 0) << at)
        })
        .collect()
}
