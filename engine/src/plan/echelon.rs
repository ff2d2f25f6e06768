//! Sparse columns in echelon form: is a new one a sum of those before it, and of which?
//!
//! Each column that is kept begins at a row where no other one begins. A new column is reduced from its first row on: as long
//! as some kept column begins where it does, a multiple of that is taken off. Either it comes to begin at a row of its own,
//! and is kept, or nothing is left of it, and what was taken off says how the kept ones add up to it.

/// (index, value) by rising index.
pub(super) type Sparse = Vec<(u32, f64)>;

/// Values of a column below this are rounding; those that count are of the order of 1.
const VALUE_EPSILON: f64 = 1e-10;

/// Columns found independent so far.
#[derive(Debug, Default)]
pub(super) struct Echelon {
    columns: Vec<Column>,
    /// `[row]` -> the column that begins there.
    begins: Vec<Option<usize>>,
    /// Values added up so far, a measure of the time taken.
    pub(super) work: usize,
}

/// A reduced column.
#[derive(Debug)]
struct Column {
    /// By row.
    values: Sparse,
    /// By variable: which sum of their columns it is.
    made_of: Sparse,
}

impl Echelon {
    /// Keeps the column of `variable` when it is independent of those kept; else returns the sum of columns, by variable,
    /// that is nothing, in which the new one counts once.
    pub(super) fn add(&mut self, variable: u32, values: Sparse) -> Option<Sparse> {
        let mut column = Column {
            values,
            made_of: vec![(variable, 1.0)],
        };
        while let Some(&(row, value)) = column.values.first() {
            let Some(at) = self.begins.get(row as usize).copied().flatten() else {
                self.keep(row, column);
                return None;
            };
            let other = &self.columns[at];
            let factor = -value / other.values[0].1;
            column.values = sum(&column.values[1..], factor, &other.values[1..]);
            column.made_of = sum(&column.made_of, factor, &other.made_of);
            self.work += column.values.len() + column.made_of.len();
        }
        Some(column.made_of)
    }

    /// Lets a variable of a sum that is nothing leave; what it was part of is made of the others of that sum now.
    pub(super) fn exchange(&mut self, leaving: u32, nothing: &Sparse) {
        let share = value_of(nothing, leaving);
        for column in &mut self.columns {
            let part = value_of(&column.made_of, leaving);
            if part != 0.0 {
                column.made_of = sum(&column.made_of, -part / share, nothing);
                column.made_of.retain(|entry| entry.0 != leaving);
                self.work += column.made_of.len();
            }
        }
    }

    /// Adds a row after all others, in which a variable has the value that `entry` says. A sum that was nothing before
    /// and is something there becomes a column that begins there.
    pub(super) fn add_row(&mut self, row: u32, entry: impl Fn(u32) -> f64, something: Sparse) {
        let value = |made_of: &Sparse| {
            made_of
                .iter()
                .map(|&(v, part)| part * entry(v))
                .sum::<f64>()
        };
        for column in &mut self.columns {
            let value = value(&column.made_of);
            if value.abs() > VALUE_EPSILON {
                column.values.push((row, value));
            }
            self.work += column.made_of.len();
        }
        let values = vec![(row, value(&something))];
        let made_of = something;
        self.keep(row, Column { values, made_of });
    }

    fn keep(&mut self, row: u32, column: Column) {
        let row = row as usize;
        if self.begins.len() <= row {
            self.begins.resize(row + 1, None);
        }
        self.begins[row] = Some(self.columns.len());
        self.columns.push(column);
    }
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
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let Some(index) = a
        .peek()
        .into_iter()
        .chain(b.peek())
        .map(|entry| entry.0)
        .min()
    {
        let x = a
            .next_if(|entry| entry.0 == index)
            .map_or(0.0, |entry| entry.1);
        let y = b
            .next_if(|entry| entry.0 == index)
            .map_or(0.0, |entry| entry.1);
        let value = factor.mul_add(y, x);
        if value.abs() > VALUE_EPSILON {
            sum.push((index, value));
        }
    }
    sum
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
