//! The master problem of a Dantzig-Wolfe decomposition: the best mixture of plans seen so far.
//!
//! ```text
//! minimize   sum_k w_k cost_k + sum_m price_m z_m
//! subject to sum_k w_k load_km - z_m + s_m = free_m     for every shared meter m
//!            sum_k w_k = 1                              w, z, s >= 0
//! ```
//! Solved by the revised simplex method with an explicit inverse, which suits a few hundred rows. The
//! negated dual of row `m` is the price that the plans should see next; it lies in `[0, price_m]`.

/// Reduced costs above this (relative to the largest cost) count as zero.
const REDUCED_EPSILON: f64 = 1e-12;

/// Pivot elements below this are zero.
const PIVOT_EPSILON: f64 = 1e-11;

/// Most pivots of one call; far above what a few new columns need.
const PIVOTS_MAX: usize = 10_000;

/// A basic variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    /// Weight of a plan.
    Plan(usize),
    /// Traffic above the free level of a meter.
    Above(usize),
    /// Free level of a meter that is not used.
    Below(usize),
}

/// A plan as the master sees it.
#[derive(Debug, Clone)]
struct Column {
    cost: f64,
    /// `[meter]` -> Mbps.
    loads: Vec<f64>,
}

/// The restricted master problem.
#[derive(Debug, Clone)]
pub(super) struct Master {
    free: Vec<f64>,
    /// `[row]`: what one more is charged, and the most that its price can be.
    price: Vec<f64>,
    /// `[row]`: the least that its price can be, which is what one less would earn.
    least: Vec<f64>,
    columns: Vec<Column>,
    basis: Vec<Variable>,
    /// Row-major inverse of the basis, `rows * rows`.
    inverse: Vec<f64>,
    /// `[row]` -> value of the basic variable.
    value: Vec<f64>,
}

impl Master {
    /// A master with one plan. `free` in Mbps and `price` in CNY per Mbps by shared meter.
    pub(super) fn new(free: Vec<f64>, price: Vec<f64>, cost: f64, loads: Vec<f64>) -> Self {
        let meters = free.len();
        let rows = meters + 1;
        let mut basis = Vec::with_capacity(rows);
        let mut inverse = vec![0.0; rows * rows];
        let mut value = vec![0.0; rows];
        for meter in 0..meters {
            let above = loads[meter] - free[meter];
            // The basis matrix is triangular: its inverse can be written down.
            let sign = if above > 0.0 { -1.0 } else { 1.0 };
            inverse[meter * rows + meter] = sign;
            inverse[meter * rows + meters] = -sign * loads[meter];
            value[meter] = above.abs();
            basis.push(if above > 0.0 {
                Variable::Above(meter)
            } else {
                Variable::Below(meter)
            });
        }
        inverse[meters * rows + meters] = 1.0;
        value[meters] = 1.0;
        basis.push(Variable::Plan(0));
        let columns = vec![Column { cost, loads }];
        Self {
            free,
            least: vec![0.0; meters],
            price,
            columns,
            basis,
            inverse,
            value,
        }
    }

    /// Adds a plan.
    pub(super) fn add(&mut self, cost: f64, loads: Vec<f64>) {
        self.columns.push(Column { cost, loads });
    }

    /// Keeps prices between these ends.
    pub(super) fn bound_prices(&mut self, least: Vec<f64>, most: Vec<f64>) {
        (self.least, self.price) = (least, most);
    }

    /// The rows whose price would go on but for its ends: above the least one, or below the `charge`.
    pub(super) fn held(&self, charge: &[f64]) -> Vec<usize> {
        let held = |(variable, value): (&Variable, &f64)| {
            let (row, at_end) = match *variable {
                Variable::Above(row) => (row, self.price[row] < charge[row]),
                Variable::Below(row) => (row, self.least[row] > 0.0),
                Variable::Plan(_) => return None,
            };
            (at_end && *value > PIVOT_EPSILON * self.free[row].max(1.0)).then_some(row)
        };
        self.basis
            .iter()
            .zip(&self.value)
            .filter_map(held)
            .collect()
    }

    /// Solves; returns the objective and the prices of the meters.
    pub(super) fn solve(&mut self) -> (f64, Vec<f64>) {
        let meters = self.free.len();
        let largest = self
            .columns
            .iter()
            .map(|c| c.cost.abs())
            .fold(1.0, f64::max);
        let mut duals = self.duals();
        for _ in 0..PIVOTS_MAX {
            let Some(entering) = self.entering(&duals, REDUCED_EPSILON * largest) else {
                break;
            };
            if !self.pivot(entering) {
                break;
            }
            duals = self.duals();
        }
        let cost: f64 = self
            .basis
            .iter()
            .zip(&self.value)
            .map(|(v, x)| self.cost(*v) * x)
            .sum();
        let prices = (0..meters)
            .map(|m| (-duals[m]).max(self.least[m]).min(self.price[m]))
            .collect();
        (cost, prices)
    }

    /// Plans with a positive weight.
    pub(super) fn weights(&self) -> Vec<(usize, f64)> {
        let mut weights = Vec::new();
        for (variable, &value) in self.basis.iter().zip(&self.value) {
            if let Variable::Plan(index) = *variable
                && value > 1e-12
            {
                weights.push((index, value));
            }
        }
        weights.sort_unstable_by_key(|w| w.0);
        weights
    }

    fn cost(&self, variable: Variable) -> f64 {
        match variable {
            Variable::Plan(index) => self.columns[index].cost,
            Variable::Above(meter) => self.price[meter],
            Variable::Below(meter) => -self.least[meter],
        }
    }

    /// `c_B B^-1`.
    fn duals(&self) -> Vec<f64> {
        let rows = self.basis.len();
        let mut duals = vec![0.0; rows];
        for (values, &variable) in self.inverse.chunks_exact(rows).zip(&self.basis) {
            let cost = self.cost(variable);
            if cost.abs() > 0.0 {
                for (dual, value) in duals.iter_mut().zip(values) {
                    *dual += cost * value;
                }
            }
        }
        duals
    }

    /// The variable with the most negative reduced cost.
    fn entering(&self, duals: &[f64], epsilon: f64) -> Option<Variable> {
        let meters = self.free.len();
        let mut best = (-epsilon, None);
        for (index, column) in self.columns.iter().enumerate() {
            let priced = dot(&column.loads, duals);
            let reduced = column.cost - priced - duals[meters];
            if reduced < best.0 && !self.basis.contains(&Variable::Plan(index)) {
                best = (reduced, Some(Variable::Plan(index)));
            }
        }
        // A meter's two variables have no rounding of sums; their scale is the price itself.
        for (meter, &dual) in duals.iter().take(meters).enumerate() {
            let epsilon = REDUCED_EPSILON * self.price[meter].max(1.0);
            for (variable, reduced) in [
                (Variable::Above(meter), self.price[meter] + dual),
                (Variable::Below(meter), -self.least[meter] - dual),
            ] {
                if reduced < best.0 && reduced < -epsilon && !self.basis.contains(&variable) {
                    best = (reduced, Some(variable));
                }
            }
        }
        best.1
    }

    /// Brings `entering` into the basis; whether some variable could leave.
    fn pivot(&mut self, entering: Variable) -> bool {
        let rows = self.basis.len();
        let step = self.direction(entering);
        let mut leaving: Option<(f64, usize)> = None;
        for (row, (&step, value)) in step.iter().zip(&self.value).enumerate() {
            if step > PIVOT_EPSILON {
                let ratio = value.max(0.0) / step;
                if leaving.is_none_or(|(best, _)| ratio < best) {
                    leaving = Some((ratio, row));
                }
            }
        }
        let Some((ratio, leave)) = leaving else {
            return false;
        };
        for (value, step) in self.value.iter_mut().zip(&step) {
            *value -= ratio * step;
        }
        self.value[leave] = ratio;
        self.basis[leave] = entering;
        let pivot_row = &mut self.inverse[leave * rows..(leave + 1) * rows];
        pivot_row.iter_mut().for_each(|value| *value /= step[leave]);
        let pivot_row = pivot_row.to_vec();
        let others = self.inverse.chunks_exact_mut(rows).zip(&step).enumerate();
        for (row, (values, &factor)) in others {
            if row != leave && factor.abs() > 0.0 {
                for (value, pivot) in values.iter_mut().zip(&pivot_row) {
                    *value -= factor * pivot;
                }
            }
        }
        true
    }

    /// `B^-1` times the column of `variable`.
    fn direction(&self, variable: Variable) -> Vec<f64> {
        let rows = self.basis.len();
        let meters = rows - 1;
        let row = |row: usize| &self.inverse[row * rows..(row + 1) * rows];
        match variable {
            Variable::Above(meter) => (0..rows).map(|r| -row(r)[meter]).collect(),
            Variable::Below(meter) => (0..rows).map(|r| row(r)[meter]).collect(),
            Variable::Plan(index) => {
                let loads = &self.columns[index].loads;
                let product = |r: usize| dot(loads, row(r)) + row(r)[meters];
                (0..rows).map(product).collect()
            }
        }
    }
}

/// The sum of products over the shorter of both, in eight strands that a processor can add side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
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
    fn two_plans_mix_to_fill_the_free_level() {
        // Plan 0 is cheap but puts 10 on the meter; plan 1 costs 6 more and puts nothing there. Above
        // 4 free Mbps one Mbps costs 1, more than the 0.6 that moving it away costs.
        let mut master = Master::new(vec![4.0], vec![1.0], 0.0, vec![10.0]);
        assert!((master.solve().0 - 6.0).abs() < 1e-12);
        master.add(6.0, vec![0.0]);
        let (cost, prices) = master.solve();
        assert!((cost - 3.6).abs() < 1e-12, "{cost}");
        assert!((prices[0] - 0.6).abs() < 1e-12, "{prices:?}");
        let weights = master.weights();
        assert!((weights[0].1 - 0.4).abs() < 1e-12 && (weights[1].1 - 0.6).abs() < 1e-12);
    }
}
