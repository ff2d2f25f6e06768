//! Running order statistics: the exact k-th largest of samples that come, change and go.

/// A multiset of finite numbers in ascending order.
///
/// A month has below ten thousand samples, so that moving half of a sorted array (some 36 kB) costs
/// a microsecond or two: less than any tree of that size, and exact at every moment.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderStatistics {
    ascending: Vec<f64>,
}

impl OrderStatistics {
    /// The samples of an iterator, which must be finite.
    #[must_use]
    pub(super) fn of(samples: impl Iterator<Item = f64>) -> Self {
        let mut ascending: Vec<f64> = samples.collect();
        ascending.sort_unstable_by(f64::total_cmp);
        Self { ascending }
    }

    /// Adds a sample. O(n) moves, O(log n) comparisons.
    pub(super) fn insert(&mut self, sample: f64) {
        let place = self.below(sample);
        self.ascending.insert(place, sample);
    }

    /// Removes one sample of exactly this value; whether there was one.
    pub(super) fn remove(&mut self, sample: f64) -> bool {
        let place = self.below(sample);
        let found = self
            .ascending
            .get(place)
            .is_some_and(|known| known.total_cmp(&sample).is_eq());
        if found {
            self.ascending.remove(place);
        }
        found
    }

    /// The sample that exactly `rank` others stand before in descending order; 0 when there are not
    /// that many.
    #[must_use]
    pub(super) fn nth_largest(&self, rank: u64) -> f64 {
        let index = usize::try_from(rank)
            .ok()
            .and_then(|rank| self.ascending.len().checked_sub(rank.checked_add(1)?));
        index.map_or(0.0, |index| self.ascending[index])
    }

    /// Counts the samples that are greater than `level`.
    #[must_use]
    pub(super) fn count_above(&self, level: f64) -> usize {
        self.ascending.len()
            - self
                .ascending
                .partition_point(|sample| sample.total_cmp(&level).is_le())
    }

    fn below(&self, sample: f64) -> usize {
        self.ascending
            .partition_point(|known| known.total_cmp(&sample).is_lt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_naive_sort(
            steps in prop::collection::vec((prop::bool::weighted(0.3), 0_u32..50), 1..300),
            rank in 0_u64..60,
        ) {
            let mut naive: Vec<f64> = Vec::new();
            let mut running = OrderStatistics::default();
            for (take, value) in steps {
                let value = f64::from(value) / 7.0;
                if take {
                    let place = naive.iter().position(|known| known.total_cmp(&value).is_eq());
                    prop_assert_eq!(running.remove(value), place.is_some());
                    place.map(|place| naive.swap_remove(place));
                } else {
                    running.insert(value);
                    naive.push(value);
                }
                naive.sort_by(|a, b| b.total_cmp(a));
                let expected = naive.get(usize::try_from(rank).unwrap()).copied().unwrap_or(0.0);
                prop_assert_eq!(running.nth_largest(rank).to_bits(), expected.to_bits());
                prop_assert_eq!(running.count_above(3.0), naive.iter().filter(|v| **v > 3.0).count());
                prop_assert_eq!(running.ascending.len(), naive.len());
            }
        }
    }
}
