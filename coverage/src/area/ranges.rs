//! Flat sorted ranges over one address family, with a root index over the leading bits.

/// A key of one family: `u32` for IPv4, the upper `u64` for IPv6.
pub(super) trait RangeKey: Copy + Ord + std::fmt::Debug {
    /// Bits in a key.
    const BITS: u8;
    /// The greatest key.
    const MAX: Self;
    /// Zero.
    const ZERO: Self;
    /// Slots of a root index that looks at `root_bits` bits.
    fn slots(root_bits: u8) -> usize;
    /// The root slot of a key, below [`RangeKey::slots`]; monotone in the key.
    fn slot(self, root_bits: u8) -> usize;
    /// Leading bits shared with another key.
    fn common(self, other: Self) -> u8;
    /// The next key, `None` past the end.
    fn next(self) -> Option<Self>;
    /// The key before, `None` before the beginning.
    fn before(self) -> Option<Self>;
    /// As 64 bits.
    fn wide(self) -> u64;
    /// From 64 bits; `None` when it does not fit.
    fn narrow(wide: u64) -> Option<Self>;
}

impl RangeKey for u32 {
    const BITS: u8 = 32;
    const MAX: Self = Self::MAX;
    const ZERO: Self = 0;
    fn slots(root_bits: u8) -> usize {
        1 << root_bits
    }
    fn slot(self, root_bits: u8) -> usize {
        (self >> (32 - root_bits)) as usize
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
    fn common(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn wide(self) -> u64 {
        u64::from(self)
    }
    fn narrow(wide: u64) -> Option<Self> {
        Self::try_from(wide).ok()
    }
}

impl RangeKey for u64 {
    const BITS: u8 = 64;
    const MAX: Self = Self::MAX;
    const ZERO: Self = 0;
    /// Global unicast is 2000::/3, so the bits after these three tell most. Slot 0 holds all that
    /// lies before it, the last slot all that lies after.
    fn slots(root_bits: u8) -> usize {
        (1 << root_bits) + 2
    }
    fn slot(self, root_bits: u8) -> usize {
        const GLOBAL: u64 = 1 << 61; // 2000::/3
        let Some(inside) = self.checked_sub(GLOBAL) else {
            return 0;
        };
        let last = Self::slots(root_bits) - 1;
        usize::try_from(inside >> (61 - root_bits)).map_or(last, |slot| (slot + 1).min(last))
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
    fn common(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn wide(self) -> u64 {
        self
    }
    fn narrow(wide: u64) -> Option<Self> {
        Some(wide)
    }
}

/// Ranges that cover the whole key space: range `i` runs from `starts[i]` to before `starts[i +
/// 1]`.
#[derive(Debug)]
pub(super) struct Ranges<K> {
    starts: Vec<K>,
    areas: Vec<u32>,
    /// [slot] -> index of a range that starts before the slot's first key or on it, with none but
    /// the next between; one more at the end.
    root: Vec<u32>,
    root_bits: u8,
}

/// Bits that the root index looks at: about one slot for every two ranges, so that a search reads
/// one or two cache lines of starts, but no more than 4 MB of slots.
fn root_bits(ranges: usize) -> u8 {
    const LEAST: u32 = 12;
    const MOST: u32 = 20;
    ranges.max(1).ilog2().clamp(LEAST, MOST) as u8
}

impl<K: RangeKey> Ranges<K> {
    /// Builds the index. `starts` is strictly ascending from zero, `areas` as long, neighbours
    /// differ in area.
    pub(super) fn new(starts: Vec<K>, areas: Vec<u32>) -> Self {
        debug_assert!(starts.first() == Some(&K::ZERO) && starts.len() == areas.len());
        debug_assert!(starts.is_sorted_by(|a, b| a < b));
        let root_bits = root_bits(starts.len());
        let mut root = vec![0; K::slots(root_bits) + 1];
        // Every slot points at the last range that starts at or before the slot's first key: walk
        // ranges and fill.
        let mut slot_done = 0;
        for (index, start) in starts.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let slot = start.slot(root_bits);
            // Slots after the previous range's slot, up to this range's, begin inside the range
            // before this one; where this range starts a slot exactly, the binary search finds it
            // all the same.
            root[slot_done + 1..=slot].fill(index.saturating_sub(1));
            slot_done = slot_done.max(slot);
        }
        let last = u32::try_from(starts.len() - 1).unwrap_or(u32::MAX);
        root[slot_done + 1..].fill(last);
        Self {
            starts,
            areas,
            root,
            root_bits,
        }
    }

    /// Reads where a search for a key begins, so that it is near when the search comes.
    #[inline]
    pub(super) fn touch(&self, key: K) -> u32 {
        self.root[key.slot(self.root_bits)]
    }

    /// The range that holds a key: its index and area.
    #[inline]
    pub(super) fn find(&self, key: K) -> (u32, u32) {
        let slot = key.slot(self.root_bits);
        let low = self.root[slot] as usize;
        let high = self.root[slot + 1] as usize;
        // Range `low` starts at or before the slot, range `high` is the last that starts before the
        // next slot or on it.
        let within = &self.starts[low + 1..=high];
        let index = low + within.partition_point(|start| *start <= key);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the number of ranges is bounded below 2^32 when built"
        )]
        (index as u32, self.areas[index])
    }

    /// Length of the shortest prefix around `key` that lies within ranges `first..=last`.
    ///
    /// The block of length n around a key stays clear of a neighbour key outside exactly when the
    /// two share fewer than n leading bits; so n is one more than the bits shared with the nearest
    /// key outside on either side.
    #[inline]
    pub(super) fn prefix_len(&self, first: u32, last: u32, key: K) -> u8 {
        let below = self.starts[first as usize].before();
        let above = self.starts.get(last as usize + 1).copied();
        let beyond = |outside: Option<K>| outside.map_or(0, |outside| key.common(outside) + 1);
        beyond(below).max(beyond(above)).min(K::BITS)
    }

    /// (start, area) of all ranges.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (K, u32)> + '_ {
        self.starts.iter().copied().zip(self.areas.iter().copied())
    }

    /// Areas of all ranges.
    pub(super) fn areas(&self) -> &[u32] {
        &self.areas
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<K>() * self.starts.capacity() + 4 * (self.areas.capacity() + self.root.capacity())
    }
}
