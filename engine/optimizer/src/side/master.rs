//! The master problem of a Dantzig-Wolfe decomposition: the best mixture of plans seen so far.
//!
//! ```text
//! minimize   sum_k w_k cost_k + sum_m price_m z_m
//! subject to sum_k w_k load_km - z_m + s_m = free_m     for every shared contract m
//!            sum_k w_k = 1                              w, z, s >= 0
//! ```
//! Solved by the revised simplex method with an explicit inverse, which suits a few hundred rows;
//! it is made anew where pivots have spoilt it. The negated dual of row `m` is the price that the
//! plans should see next; it lies in `[0, price_m]`.

use crate::side::inverse::{Inverse, dot};

/// Reduced costs above this (relative to the largest cost) count as zero.
const REDUCED_EPSILON: f64 = 1e-12;

/// Pivot elements below this are zero.
const PIVOT_EPSILON: f64 = 1e-11;

/// A variable may get this far below 0 so that a larger pivot can be had.
const BELOW_ZERO: f64 = 1e-10;

/// An inverse that misses a row by more than this, or by more than this part of what is added up
/// there, is spoilt.
const SPOILT: f64 = 1e-9;

/// Pivots after which the inverse is looked at, which it is at the end, too.
const PIVOTS_TO_LOOK: usize = 100;

/// No row is smaller than this part of the largest.
const LEAST_SIZE: f64 = 1e-3;

/// Most pivots of one call, far above what a few new columns need: where many variables are 0 at a
/// time they may lead nowhere.
const PIVOTS_MAX: usize = 1_000;

/// A basic variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    /// Weight of a plan.
    Plan(usize),
    /// Traffic above the free level of a contract.
    Above(usize),
    /// Free level of a contract that is not used.
    Below(usize),
}

/// A plan as the master sees it.
#[derive(Debug, Clone)]
struct Column {
    cost: f64,
    /// `[row]`: its load, and the weight, which is 1.
    loads: Vec<f64>,
}

/// The restricted master problem. All rows are brought to the size of 1.
#[derive(Debug, Clone)]
pub(crate) struct Master {
    /// `[row]`: what 1 stands for.
    size: Vec<f64>,
    /// `[row]`: what is not charged, and the sum of weights, which is 1.
    free: Vec<f64>,
    /// `[row]`: what one more is charged, and the most that its price can be.
    price: Vec<f64>,
    /// `[row]`: the least that its price can be, which is what one less would earn.
    least: Vec<f64>,
    columns: Vec<Column>,
    /// `[position]`.
    basis: Vec<Variable>,
    inverse: Inverse,
    /// `[position]` -> value of the basic variable.
    value: Vec<f64>,
}

impl Master {
    /// A master with one plan. `free` in Mbps and `price` in CNY per Mbps by shared contract.
    pub(crate) fn new(free: Vec<f64>, price: Vec<f64>, cost: f64, loads: Vec<f64>) -> Self {
        let size = sizes(&free, &loads);
        let mut free = divided(&free, &size);
        free.push(1.0);
        let mut master = Self {
            inverse: Inverse::identity(free.len()),
            free,
            size,
            least: Vec::new(),
            price: Vec::new(),
            columns: Vec::new(),
            basis: Vec::new(),
            value: Vec::new(),
        };
        master.bound_prices(&vec![0.0; price.len()], &price);
        master.add(cost, &loads);
        master.begin();
        master
    }

    /// The basis of the last plan alone.
    fn begin(&mut self) {
        let rows = (0..self.size.len()).map(Variable::Below);
        let plan = Variable::Plan(self.columns.len() - 1);
        self.basis = rows.chain([plan]).collect();
        self.invert();
    }

    /// Adds a plan.
    pub(crate) fn add(&mut self, cost: f64, loads: &[f64]) {
        let mut loads = divided(loads, &self.size);
        loads.push(1.0);
        self.columns.push(Column { cost, loads });
    }

    /// Keeps prices between these ends.
    pub(crate) fn bound_prices(&mut self, least: &[f64], most: &[f64]) {
        self.least = multiplied(least, &self.size);
        self.price = multiplied(most, &self.size);
    }

    /// The rows whose price would go on but for its ends: above the least one, or below the
    /// `charge`.
    pub(crate) fn held(&self, charge: &[f64]) -> Vec<usize> {
        let held = |(variable, value): (&Variable, &f64)| {
            let (row, at_end) = match *variable {
                Variable::Above(row) => (row, self.price[row] < charge[row] * self.size[row]),
                Variable::Below(row) => (row, self.least[row] > 0.0),
                Variable::Plan(_) => return None,
            };
            (at_end && *value > PIVOT_EPSILON).then_some(row)
        };
        self.basis
            .iter()
            .zip(&self.value)
            .filter_map(held)
            .collect()
    }

    /// Solves; returns the objective and the prices of the contracts.
    pub(crate) fn solve(&mut self) -> (f64, Vec<f64>) {
        let costs = self.columns.iter().map(|column| column.cost.abs());
        let epsilon = REDUCED_EPSILON * costs.fold(1.0, f64::max);
        let mut duals = self.duals();
        for pivots in 0..PIVOTS_MAX {
            let mut entering = self.entering(&duals, epsilon);
            let is_due = entering.is_none() || pivots % PIVOTS_TO_LOOK == 0;
            if is_due && self.is_spoilt() {
                self.renew();
                duals = self.duals();
                entering = self.entering(&duals, epsilon);
            }
            let Some(entering) = entering else {
                break;
            };
            if !self.pivot(entering) {
                break;
            }
            duals = self.duals();
        }
        self.refine();
        let basis = self.basis.iter().zip(&self.value);
        let cost: f64 = basis.map(|(v, x)| self.cost(*v) * x).sum();
        let prices: Vec<f64> = (0..self.size.len())
            .map(|m| (-duals[m]).max(self.least[m]).min(self.price[m]))
            .collect();
        (cost, divided(&prices, &self.size))
    }

    /// Plans with a positive weight.
    pub(crate) fn weights(&self) -> Vec<(usize, f64)> {
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
            Variable::Above(contract) => self.price[contract],
            Variable::Below(contract) => -self.least[contract],
        }
    }

    /// `c_B B^-1`.
    fn duals(&self) -> Vec<f64> {
        self.inverse
            .priced(self.basis.iter().map(|&variable| self.cost(variable)))
    }

    /// The variable with the most negative reduced cost.
    fn entering(&self, duals: &[f64], epsilon: f64) -> Option<Variable> {
        let mut best = (-epsilon, None);
        for (index, column) in self.columns.iter().enumerate() {
            let reduced = column.cost - dot(&column.loads, duals);
            if reduced < best.0 && !self.basis.contains(&Variable::Plan(index)) {
                best = (reduced, Some(Variable::Plan(index)));
            }
        }
        // The two variables of a row have no rounding of sums; their scale is its price.
        for (contract, (&price, &dual)) in self.price.iter().zip(duals).enumerate() {
            let epsilon = REDUCED_EPSILON * price.max(1.0);
            for (variable, reduced) in [
                (Variable::Above(contract), price + dual),
                (Variable::Below(contract), -self.least[contract] - dual),
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
        let step = self.direction(entering);
        let Some(leave) = self.leaving(&step) else {
            return false;
        };
        let ratio = self.value[leave].max(0.0) / step[leave];
        for (value, step) in self.value.iter_mut().zip(&step) {
            *value -= ratio * step;
        }
        self.value[leave] = ratio;
        self.basis[leave] = entering;
        self.inverse.exchange(leave, &step);
        true
    }

    /// The position that is the first to come to 0 on the way, or the one with the largest pivot of
    /// those that come there hardly later (Harris 1973).
    fn leaving(&self, step: &[f64]) -> Option<usize> {
        let positions = step.iter().zip(&self.value).enumerate();
        let falling = positions.filter(|(_, (step, _))| **step > PIVOT_EPSILON);
        let furthest = falling
            .clone()
            .map(|(_, (step, value))| (value.max(0.0) + BELOW_ZERO) / step)
            .fold(f64::INFINITY, f64::min);
        falling
            .filter(|(_, (step, value))| value.max(0.0) / **step <= furthest)
            .max_by(|a, b| a.1.0.total_cmp(b.1.0).then(b.0.cmp(&a.0)))
            .map(|(position, _)| position)
    }

    /// `B^-1` times the column of `variable`.
    fn direction(&self, variable: Variable) -> Vec<f64> {
        match variable {
            Variable::Above(contract) => self.inverse.times_unit(contract, -1.0),
            Variable::Below(contract) => self.inverse.times_unit(contract, 1.0),
            Variable::Plan(index) => self.inverse.times(&self.columns[index].loads),
        }
    }

    /// Tells whether the values of the basis miss a row.
    fn is_spoilt(&self) -> bool {
        // Written so that NaN is a miss.
        let holds = |(missing, sum): &(f64, f64)| missing.abs() <= SPOILT * sum.max(1.0);
        !self.missing().iter().all(holds)
    }

    /// Adds to the values of the basis what they miss: dear rows charge for every rounding.
    fn refine(&mut self) {
        let missing: Vec<f64> = self.missing().into_iter().map(|sum| sum.0).collect();
        for (value, more) in self.value.iter_mut().zip(self.inverse.times(&missing)) {
            *value += more;
        }
    }

    /// `[row]` -> what the values of the basis miss, and what is added up there.
    fn missing(&self) -> Vec<(f64, f64)> {
        let mut sums: Vec<(f64, f64)> = self.free.iter().map(|&free| (free, free)).collect();
        let mut take = |row: usize, value: f64| {
            sums[row].0 -= value;
            sums[row].1 += value.abs();
        };
        for (&variable, &value) in self.basis.iter().zip(&self.value) {
            match variable {
                Variable::Above(contract) => take(contract, -value),
                Variable::Below(contract) => take(contract, value),
                Variable::Plan(index) => {
                    let loads = self.columns[index].loads.iter().enumerate();
                    loads.for_each(|(row, load)| take(row, value * load));
                }
            }
        }
        sums
    }

    /// Makes inverse and values of the basis anew, or of another one where that is none or has a
    /// negative weight.
    fn renew(&mut self) {
        let is_basis = self.invert();
        if !is_basis || self.value.iter().any(|&value| value < -SPOILT) {
            self.begin();
        }
    }

    /// Inverts the basis: first the rows that have a variable of their own, then plan by plan at
    /// the positions left. Whether it is a basis.
    fn invert(&mut self) -> bool {
        let size = self.free.len();
        self.inverse = Inverse::identity(size);
        let mut plans = Vec::new();
        let mut positions: Vec<Option<Variable>> = vec![None; size];
        for &variable in &self.basis {
            match variable {
                Variable::Plan(_) => plans.push(variable),
                Variable::Above(row) => {
                    self.inverse.negate(row);
                    positions[row] = Some(variable);
                }
                Variable::Below(row) => positions[row] = Some(variable),
            }
        }
        for plan in plans {
            let step = self.direction(plan);
            let left = (0..size).filter(|&at| positions[at].is_none());
            let largest = left.max_by(|&a, &b| step[a].abs().total_cmp(&step[b].abs()));
            let Some(at) = largest.filter(|&at| step[at].abs() > PIVOT_EPSILON) else {
                return false;
            };
            self.inverse.exchange(at, &step);
            positions[at] = Some(plan);
        }
        self.value = self.inverse.times(&self.free);
        self.basis = positions.into_iter().flatten().collect();
        self.turn_round();
        self.basis.len() == size
    }

    /// Turns what is less than nothing above its free level into what is below it, and back.
    fn turn_round(&mut self) {
        for (position, variable) in self.basis.iter_mut().enumerate() {
            let other = match *variable {
                Variable::Above(row) => Variable::Below(row),
                Variable::Below(row) => Variable::Above(row),
                Variable::Plan(_) => continue,
            };
            if self.value[position] < 0.0 {
                *variable = other;
                self.value[position] = -self.value[position];
                self.inverse.negate(position);
            }
        }
    }
}

/// `[row]`: its free level or its load, whichever is more; of a row that has next to nothing of
/// both, a part of what the largest has.
fn sizes(free: &[f64], loads: &[f64]) -> Vec<f64> {
    let most = free.iter().zip(loads).map(|(free, load)| free.max(*load));
    let least = LEAST_SIZE * most.clone().fold(0.0, f64::max);
    let size = |most: f64| if least > 0.0 { most.max(least) } else { 1.0 };
    most.map(size).collect()
}

fn divided(values: &[f64], by: &[f64]) -> Vec<f64> {
    values
        .iter()
        .zip(by)
        .map(|(value, by)| value / by)
        .collect()
}

fn multiplied(values: &[f64], by: &[f64]) -> Vec<f64> {
    values
        .iter()
        .zip(by)
        .map(|(value, by)| value * by)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_plans_mix_to_fill_the_free_level() {
        // Plan 0 is cheap but puts 10 on the contract; plan 1 costs 6 more and puts nothing there.
        // Above 4 free Mbps one Mbps costs 1, more than the 0.6 that moving it away costs.
        let mut master = Master::new(vec![4.0], vec![1.0], 0.0, vec![10.0]);
        assert!((master.solve().0 - 6.0).abs() < 1e-12);
        master.add(6.0, &[0.0]);
        let (cost, prices) = master.solve();
        assert!((cost - 3.6).abs() < 1e-12, "{cost}");
        assert!((prices[0] - 0.6).abs() < 1e-12, "{prices:?}");
        let weights = master.weights();
        assert!((weights[0].1 - 0.4).abs() < 1e-12 && (weights[1].1 - 0.6).abs() < 1e-12);
    }
}
