//! Sparse columns in echelon form: is a new one a sum of those before it, and of which?
//!
//! Each column that is kept has a row of its own, in which later ones have nothing. A new column is
//! reduced by the kept ones in their order: a multiple of each is taken off, so that its row is
//! empty. Either something is left, the column gets a row of its own and is kept, or nothing is
//! left of it, and what was taken off says how the kept ones add up to it.

use std::collections::BTreeMap;

/// (index, value) by rising index.
pub(crate) type Sparse = Vec<(u32, f64)>;

/// Values below this are rounding; those that count are of the order of 1.
const ROUNDING: f64 = 1e-13;

/// A column of which no more than this is left, relative to the sum that was taken off it, is
/// nothing: more would be made of less.
const DEPENDENT: f64 = 1e-8;

/// A column's own row is the first whose value is at least this part of its largest: the first rows
/// have the fewest values.
const OWN_SHARE: f64 = 0.01;

/// Columns found independent so far.
#[derive(Debug, Default)]
pub(crate) struct Echelon {
    columns: Vec<Column>,
    /// `[row]` -> the column whose own it is.
    owner: Vec<Option<usize>>,
    /// Values added up so far, a measure of the time taken.
    pub(crate) work: usize,
}

/// A reduced column.
#[derive(Debug)]
struct Column {
    /// By row.
    values: Sparse,
    /// Row of its own.
    row: u32,
    /// Value in that row.
    own: f64,
    /// By variable: which sum of their columns it is.
    made_of: Sparse,
}

impl Echelon {
    /// Keeps the column of `variable` when it is independent of those kept; else returns the sum of
    /// columns, by variable, that is nothing, in which the new one counts once.
    pub(crate) fn add(&mut self, variable: u32, values: Sparse) -> Option<Sparse> {
        let (mut values, mut made_of) = (values, vec![(variable, 1.0)]);
        while let Some((row, value, at)) = self.first_owned(&values) {
            let other = &self.columns[at];
            let factor = -value / other.own;
            values = sum(&values, factor, &other.values);
            values.retain(|entry| entry.0 != row);
            made_of = sum(&made_of, factor, &other.made_of);
            self.work += values.len() + made_of.len();
        }
        let grown = largest(&made_of).max(1.0);
        if largest(&values) <= DEPENDENT * grown {
            return Some(made_of);
        }
        self.keep(values, made_of);
        None
    }

    /// Of the rows of a column that belong to kept ones, that of the earliest: (row, value, kept
    /// column).
    fn first_owned(&self, values: &Sparse) -> Option<(u32, f64, usize)> {
        let owner = |row: u32| self.owner.get(row as usize).copied().flatten();
        let owned = values
            .iter()
            .filter_map(|&(row, value)| Some((row, value, owner(row)?)));
        owned.min_by_key(|owned| owned.2)
    }

    /// Lets a variable of a sum that is nothing leave; what it was part of is made of the others of
    /// that sum now.
    pub(crate) fn exchange(&mut self, leaving: u32, nothing: &Sparse) {
        let share = value_of(nothing, leaving);
        self.work += self.columns.len();
        for column in &mut self.columns {
            let part = value_of(&column.made_of, leaving);
            if part != 0.0 {
                column.made_of = sum(&column.made_of, -part / share, nothing);
                column.made_of.retain(|entry| entry.0 != leaving);
                self.work += column.made_of.len();
            }
        }
    }

    /// Adds a row after all others, in which a variable has the value that `entry` says. A sum that
    /// was nothing before and is something there becomes a column that begins there.
    pub(crate) fn add_row(&mut self, row: u32, entry: impl Fn(u32) -> f64, something: Sparse) {
        let value = |made_of: &Sparse| {
            made_of
                .iter()
                .map(|&(v, part)| part * entry(v))
                .sum::<f64>()
        };
        for column in &mut self.columns {
            let value = value(&column.made_of);
            if value.abs() > ROUNDING {
                column.values.push((row, value));
            }
            self.work += column.made_of.len();
        }
        self.keep(vec![(row, value(&something))], something);
    }

    /// The sum of kept columns, by variable, that comes to `wanted` (`[row]`) in every row that a
    /// column owns.
    pub(crate) fn solve(&self, mut wanted: Vec<f64>) -> Sparse {
        let mut solution = BTreeMap::<u32, f64>::new();
        for column in &self.columns {
            let factor = wanted[column.row as usize] / column.own;
            if factor == 0.0 {
                continue;
            }
            for &(row, value) in &column.values {
                wanted[row as usize] -= factor * value;
            }
            for &(variable, part) in &column.made_of {
                *solution.entry(variable).or_default() += factor * part;
            }
        }
        solution.into_iter().collect()
    }

    /// Gives a column a row of its own.
    fn keep(&mut self, values: Sparse, made_of: Sparse) {
        let least = OWN_SHARE * largest(&values);
        let Some(&(row, own)) = values.iter().find(|entry| entry.1.abs() >= least) else {
            return;
        };
        let at = row as usize;
        if self.owner.len() <= at {
            self.owner.resize(at + 1, None);
        }
        self.owner[at] = Some(self.columns.len());
        self.columns.push(Column {
            values,
            row,
            own,
            made_of,
        });
    }
}

/// The largest absolute value.
fn largest(sparse: &Sparse) -> f64 {
    sparse.iter().map(|entry| entry.1.abs()).fold(0.0, f64::max)
}

/// The value at an index; 0 where there is none.
fn value_of(sparse: &Sparse, index: u32) -> f64 {
    sparse
        .binary_search_by_key(&index, |entry| entry.0)
        .map_or(0.0, |at| sparse[at].1)
}

/// `a + factor * b`, without what is rounding.
fn sum(a: &[(u32, f64)], factor: f64, b: &[(u32, f64)]) -> Sparse {
    let mut sum = Vec::with_capacity(a.len() + b.len());
    let (mut in_a, mut in_b) = (0, 0);
    loop {
        let (first, second) = (a.get(in_a).copied(), b.get(in_b).copied());
        let Some(index) = first.into_iter().chain(second).map(|entry| entry.0).min() else {
            return sum;
        };
        let mut value = 0.0;
        if let Some(entry) = first.filter(|entry| entry.0 == index) {
            value += entry.1;
            in_a += 1;
        }
        if let Some(entry) = second.filter(|entry| entry.0 == index) {
            value = factor.mul_add(entry.1, value);
            in_b += 1;
        }
        if value.abs() > ROUNDING {
            sum.push((index, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependent_column_names_the_sum_that_is_nothing() {
        let mut echelon = Echelon::default();
        assert_eq!(echelon.add(0, vec![(0, 1.0), (2, 2.0)]), None);
        assert_eq!(echelon.add(1, vec![(0, 1.0), (1, 1.0)]), None);
        let nothing = echelon.add(2, vec![(1, 2.0), (2, -4.0)]).unwrap();
        assert_eq!(nothing, vec![(0, 2.0), (1, -2.0), (2, 1.0)]);
        // The first leaves; the same column is now a sum of the other two.
        echelon.exchange(0, &nothing);
        let nothing = echelon.add(3, vec![(0, 1.0), (2, 2.0)]).unwrap();
        assert_eq!(nothing, vec![(1, -1.0), (2, 0.5), (3, 1.0)]);
    }

    #[test]
    fn a_wanted_sum_is_found_from_the_columns() {
        let mut echelon = Echelon::default();
        echelon.add(0, vec![(0, 2.0), (2, 1.0)]);
        echelon.add(1, vec![(0, 1.0), (1, 4.0)]);
        // 3 times the first and once the second; the last row belongs to none of the two.
        assert_eq!(echelon.solve(vec![7.0, 4.0, 3.0]), vec![(0, 3.0), (1, 1.0)]);
    }

    #[test]
    fn a_new_row_can_tell_columns_apart() {
        let mut echelon = Echelon::default();
        assert_eq!(echelon.add(0, vec![(0, 1.0)]), None);
        let nothing = echelon.add(1, vec![(0, 1.0)]).unwrap();
        let entry = |variable| if variable == 1 { 3.0 } else { 0.0 };
        echelon.add_row(1, entry, nothing);
        let nothing = echelon.add(2, vec![(0, 1.0), (1, 6.0)]).unwrap();
        assert_eq!(nothing, vec![(0, 1.0), (1, -2.0), (2, 1.0)]);
    }
}
