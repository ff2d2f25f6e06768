//! The inverse of a small dense basis, changed column by column.

/// Row-major; a column of the basis has a position, which is a row here.
#[derive(Debug, Clone)]
pub(crate) struct Inverse {
    size: usize,
    values: Vec<f64>,
}

impl Inverse {
    /// The inverse of nothing but ones on the diagonal.
    pub(crate) fn identity(size: usize) -> Self {
        let mut inverse = Self {
            size,
            values: vec![0.0; size * size],
        };
        for at in 0..size {
            inverse.values[at * size + at] = 1.0;
        }
        inverse
    }

    /// Rows by position.
    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.size)
    }

    /// Product of the inverse with a column.
    pub(crate) fn times(&self, column: &[f64]) -> Vec<f64> {
        self.rows().map(|row| dot(row, column)).collect()
    }

    /// Product of the inverse with a column that has one value.
    pub(crate) fn times_unit(&self, row: usize, value: f64) -> Vec<f64> {
        self.rows().map(|values| value * values[row]).collect()
    }

    /// The product of a row of costs by position with it.
    pub(crate) fn priced(&self, costs: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.size];
        for (values, cost) in self.rows().zip(costs) {
            if cost.abs() > 0.0 {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += cost * value;
                }
            }
        }
        sums
    }

    /// Puts a column, of which `step` is the product with this inverse, at a position.
    pub(crate) fn exchange(&mut self, position: usize, step: &[f64]) {
        let size = self.size;
        let own = &mut self.values[position * size..(position + 1) * size];
        own.iter_mut().for_each(|value| *value /= step[position]);
        let own = own.to_vec();
        let others = self.values.chunks_exact_mut(size).zip(step).enumerate();
        for (at, (values, &factor)) in others {
            if at != position && factor.abs() > 0.0 {
                for (value, own) in values.iter_mut().zip(&own) {
                    *value -= factor * own;
                }
            }
        }
    }

    /// Turns the sign of the column at a position round.
    pub(crate) fn negate(&mut self, position: usize) {
        let own = &mut self.values[position * self.size..(position + 1) * self.size];
        own.iter_mut().for_each(|value| *value = -*value);
    }
}

/// The sum of products over the shorter of both, in eight strands that a processor can add side by
/// side.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let length = a.len().min(b.len());
    let (a, a_rest) = a[..length].as_chunks::<8>();
    let (b, b_rest) = b[..length].as_chunks::<8>();
    let mut strands = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in strands.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    strands.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_make_up_a_basis_one_by_one() {
        // The columns (2, 1) and (1, 1), whose inverse is (1, -1; -1, 2).
        let mut inverse = Inverse::identity(2);
        for (position, column) in [[2.0, 1.0], [1.0, 1.0]].iter().enumerate() {
            let step = inverse.times(column);
            inverse.exchange(position, &step);
        }
        assert_eq!(inverse.times(&[5.0, 3.0]), vec![2.0, 1.0]);
        assert_eq!(inverse.priced([1.0, 0.0].into_iter()), vec![1.0, -1.0]);
        inverse.negate(1);
        assert_eq!(inverse.times(&[5.0, 3.0]), vec![2.0, -1.0]);
    }
}
