//! From a plan to a basic solution: no more units split than rows are tight.
//!
//! While more shares are open than units and tight rows hold, some of them can be moved round so
//! that every tight row stays as full as it is. Costs change linearly on the way, so one of the two
//! directions is no dearer; it is followed until a share ends or another row gets tight. What is
//! left is a basic solution: the push phase of a crossover (Bixby and Saltzman 1994). Thousands of
//! steps add up their roundings; last, the shares of the basis are solved for again from what the
//! rows hold.

use coverage::LinkId;
use std::collections::BTreeMap;

use crate::network::numbers::as_u32;
use crate::problem::dust::sweep;
use crate::problem::index::Problem;
use crate::problem::loads::Loads;
use crate::problem::requests;
use crate::side::breakpoints::{Row, Slope, piece, rows};
use crate::side::echelon::{Echelon, Sparse};
use instance::Plan;

/// Rates below this, relative to the largest of a direction, are rounding.
const RATE_EPSILON: f64 = 1e-9;

/// Most values added up, which is seconds of work. Shares not looked at by then stay as they are.
const WORK_MAX: usize = 1_000_000_000;

/// Values added up in one pass, for each share: after many steps the columns are dense and off, and
/// fresh ones are cheap.
const WORK_PER_SHARE: usize = 20;

/// A pass of fewer steps was hardly worth its fresh columns; the next one may do more.
const STEPS_MIN: usize = 32;

/// A share this small, which the solve for the basis can do without, has ended.
const DUST: f64 = 1e-9;

/// Times that the basis is solved for: once against the rounding of the steps, and once against its
/// own.
const SOLVES: usize = 2;

/// A share that may grow and shrink.
struct Share {
    unit: usize,
    link: LinkId,
    mbps: f64,
    /// The breakpoints of its cost that it lies between.
    between: (f64, f64),
    slope: Slope,
    /// The row of its unit.
    unit_row: u32,
    /// Requests per Mbps, in the unit of rows of requests.
    requests: f64,
    /// Amount that is no more than the rounding of nothing.
    dust_mbps: f64,
}

impl Share {
    /// Brings it to a breakpoint that is no more than dust away; whether there was none, so that it
    /// stays open.
    fn stays_open(&mut self) -> bool {
        let (from, to) = self.between;
        let near = |breakpoint: &f64| (self.mbps - breakpoint).abs() <= self.dust_mbps;
        match [from, to].into_iter().find(near) {
            Some(breakpoint) => {
                self.mbps = breakpoint;
                false
            }
            None => true,
        }
    }
}

/// End of a step.
#[derive(Clone, Copy)]
enum End {
    Share { at: usize, mbps: f64 },
    Row { at: usize, load: f64 },
}

/// Work of a pass over the shares.
struct Pass {
    /// True when it came to the last of them.
    ended: bool,
    steps: usize,
    /// Values added up.
    work: usize,
}

/// Plan on its way to a basic solution.
struct Descent<'a> {
    problem: &'a Problem<'a>,
    shares: Vec<Share>,
    rows: Vec<Row>,
    /// `[row]` -> its load without `shares`.
    fixed: Vec<f64>,
    /// Rows that hold: units first, then what is tight.
    holding: u32,
    /// `[row of a unit]` -> what its `shares` come to, in Mbps.
    unit_mbps: Vec<f64>,
}

/// A plan like `plan`, no dearer, with no more open shares than units and tight rows.
pub(crate) fn below(problem: &Problem<'_>, plan: &Plan) -> Plan {
    let mut descent = Descent::of(problem, plan);
    let mut work_left = WORK_MAX;
    let mut at_once = WORK_PER_SHARE * descent.shares.len();
    // A whole pass without a step has found a basic solution, and solved for it by fresh columns.
    loop {
        let pass = descent.pass(at_once.min(work_left));
        work_left = work_left.saturating_sub(pass.work);
        if (pass.ended && pass.steps == 0) || work_left == 0 {
            return descent.plan(plan);
        }
        if pass.steps < STEPS_MIN {
            at_once = at_once.saturating_mul(2);
        }
    }
}

impl<'a> Descent<'a> {
    fn of(problem: &'a Problem<'a>, plan: &Plan) -> Self {
        let input = problem.instance;
        let mbps: f64 = input.units.iter().map(|unit| unit.mbps).sum();
        let rps: f64 = input.units.iter().map(|unit| unit.rps).sum();
        // Brings requests to the size of traffic.
        let per_rps = if rps > 0.0 { mbps / rps } else { 1.0 };
        let mut descent = Self {
            problem,
            shares: Vec::new(),
            rows: rows(input, &Loads::of(problem, &plan.shares), per_rps),
            fixed: Vec::new(),
            holding: 0,
            unit_mbps: Vec::new(),
        };
        for (unit, shares) in plan.shares.iter().enumerate() {
            if shares.len() > 1 && input.units[unit].mbps > 0.0 {
                descent.add_unit(unit, shares, per_rps);
            }
        }
        descent.fixed = vec![0.0; descent.rows.len()];
        let moving = descent.loads().into_iter().zip(&descent.rows);
        descent.fixed = moving.map(|(moving, row)| row.load - moving).collect();
        for row in &mut descent.rows {
            if row.is_tight() {
                row.held = Some((descent.holding, row.load));
                descent.holding += 1;
            }
        }
        descent
    }

    fn add_unit(&mut self, index: usize, shares: &[(LinkId, f64)], per_rps: f64) {
        let unit = &self.problem.instance.units[index];
        let unit_row = self.holding;
        self.holding += 1;
        let mut mbps = 0.0;
        for &(link, share) in shares {
            let Some((between, slope)) = piece(self.problem.instance, unit, link, share) else {
                continue;
            };
            mbps += share * unit.mbps;
            self.shares.push(Share {
                unit: index,
                link,
                mbps: share * unit.mbps,
                between,
                slope,
                unit_row,
                requests: requests::per_mbps(unit) * per_rps,
                dust_mbps: DUST * unit.mbps,
            });
        }
        self.unit_mbps.push(mbps);
    }

    /// Makes a basis of the open shares as far as `work_max` values go, and gives them the values
    /// that it has.
    fn pass(&mut self, work_max: usize) -> Pass {
        for (load, row) in self.loads().into_iter().zip(&mut self.rows) {
            row.load = load;
        }
        let mut echelon = Echelon::default();
        let mut steps = 0;
        let ended = (0..self.shares.len()).all(|share| {
            if self.shares[share].stays_open() {
                steps += usize::from(self.admit(&mut echelon, share));
            }
            echelon.work <= work_max
        });
        for _ in 0..SOLVES {
            self.settle(&echelon);
        }
        Pass {
            ended,
            steps,
            work: echelon.work,
        }
    }

    /// The rows that a share is part of, and what one Mbps of it counts there.
    fn rows_of(&self, share: usize) -> impl Iterator<Item = (usize, f64)> {
        let (instance, share) = (self.problem.instance, &self.shares[share]);
        let at = self.problem.place(share.link);
        let sites = instance.links.len();
        let regions = sites + instance.sites.len();
        let contracts = regions + instance.regions.len();
        let requests = contracts + instance.contracts.len();
        let site = at.site.index();
        let traffic = [
            Some(at.link.index()),
            Some(sites + site),
            at.region.map(|region| regions + region.index()),
            Some(contracts + at.contract.index()),
        ];
        let traffic = traffic.into_iter().flatten().map(|row| (row, 1.0));
        traffic.chain([(requests + site, share.requests)])
    }

    /// Makes an open share part of the basis, or moves traffic round until it need not be or
    /// another can leave. Whether anything was moved.
    fn admit(&mut self, echelon: &mut Echelon, share: usize) -> bool {
        let holds = |(row, value): (usize, f64)| self.rows[row].held.map(|held| (held.0, value));
        let mut column: Sparse = self.rows_of(share).filter_map(holds).collect();
        column.push((self.shares[share].unit_row, 1.0));
        column.retain(|entry| entry.1 != 0.0);
        column.sort_unstable_by_key(|entry| entry.0);
        let Some(nothing) = echelon.add(as_u32(share), column) else {
            return false;
        };
        match self.step(&nothing) {
            None => return false,
            Some(End::Share { at, .. }) if at == share => {}
            Some(End::Share { at, .. }) => echelon.exchange(as_u32(at), &nothing),
            Some(End::Row { at, load }) => {
                let entry = |share: u32| {
                    let mut rows = self.rows_of(share as usize);
                    rows.find(|entry| entry.0 == at)
                        .map_or(0.0, |entry| entry.1)
                };
                echelon.add_row(self.holding, entry, nothing);
                self.rows[at].held = Some((self.holding, load));
                self.holding += 1;
            }
        }
        true
    }

    /// Goes along a direction that leaves tight rows as they are, the cheaper way, as far as its
    /// costs are linear. `None` where rounding has made the direction worthless.
    fn step(&mut self, direction: &Sparse) -> Option<End> {
        let size = direction
            .iter()
            .map(|entry| entry.1.abs())
            .fold(0.0, f64::max);
        let mut rates: BTreeMap<usize, f64> = BTreeMap::new();
        let mut slope = [0.0; 3];
        for &(share, rate) in direction {
            add(&mut slope, rate, self.shares[share as usize].slope);
            for (row, value) in self.rows_of(share as usize) {
                *rates.entry(row).or_default() += rate * value;
            }
        }
        rates.retain(|_, rate| rate.abs() > RATE_EPSILON * size);
        for (&row, &rate) in &rates {
            if self.rows[row].held.is_some() {
                return None;
            }
            add(&mut slope, rate, self.rows[row].slope());
        }
        let counts =
            |(level, slope): &(usize, f64)| *level == 2 || slope.abs() > RATE_EPSILON * size;
        let first = slope.into_iter().enumerate().find(counts);
        let sign = if first.is_some_and(|(_, slope)| slope > 0.0) {
            -1.0
        } else {
            1.0
        };
        let (length, end) = self.reach(direction, &rates, sign)?;
        for &(share, rate) in direction {
            self.shares[share as usize].mbps += sign * rate * length;
        }
        for (&row, &rate) in &rates {
            self.rows[row].load += sign * rate * length;
        }
        if let End::Share { at, mbps } = end {
            self.shares[at].mbps = mbps;
        }
        Some(end)
    }

    /// Distance to the first breakpoint, and which that is.
    fn reach(
        &self,
        direction: &Sparse,
        rates: &BTreeMap<usize, f64>,
        sign: f64,
    ) -> Option<(f64, End)> {
        let shares = direction.iter().map(|&(at, rate)| {
            let (at, rate) = (at as usize, sign * rate);
            let share = &self.shares[at];
            let breakpoint = if rate > 0.0 {
                share.between.1
            } else {
                share.between.0
            };
            (
                (breakpoint - share.mbps) / rate,
                End::Share {
                    at,
                    mbps: breakpoint,
                },
            )
        });
        let rows = rates.iter().map(|(&at, &rate)| {
            let rate = sign * rate;
            let (load, breakpoint) = (self.rows[at].load, self.rows[at].next(rate > 0.0));
            (
                (breakpoint - load) / rate,
                End::Row {
                    at,
                    load: breakpoint,
                },
            )
        });
        // The first of equals, shares before rows.
        let nearest = shares.chain(rows).min_by(|a, b| a.0.total_cmp(&b.0));
        nearest
            .filter(|(length, _)| length.is_finite())
            .map(|(length, end)| (length.max(0.0), end))
    }

    /// `[row]` -> its load, added up anew.
    fn loads(&self) -> Vec<f64> {
        let mut loads = self.fixed.clone();
        for share in 0..self.shares.len() {
            for (row, value) in self.rows_of(share) {
                loads[row] += value * self.shares[share].mbps;
            }
        }
        loads
    }

    /// Gives the shares of the basis the values at which the rows hold what they should.
    fn settle(&mut self, echelon: &Echelon) {
        let mut missing = vec![0.0; self.holding as usize];
        for (row, load) in self.rows.iter().zip(self.loads()) {
            if let Some((row, held)) = row.held {
                missing[row as usize] = held - load;
            }
        }
        for share in &self.shares {
            missing[share.unit_row as usize] -= share.mbps;
        }
        for (row, mbps) in missing.iter_mut().zip(&self.unit_mbps) {
            *row += mbps;
        }
        for (share, mbps) in echelon.solve(missing) {
            let share = &mut self.shares[share as usize];
            share.mbps = (share.mbps + mbps).clamp(share.between.0, share.between.1);
        }
    }

    /// `plan` with the shares as they are now.
    fn plan(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        for of_unit in self.shares.chunk_by(|a, b| a.unit == b.unit) {
            let unit = of_unit[0].unit;
            let shares = &mut plan.shares[unit];
            let whole = shares.total();
            for share in of_unit {
                if let Some(old) = shares.iter_mut().find(|old| old.0 == share.link) {
                    old.1 = share.mbps / self.problem.instance.units[unit].mbps;
                }
            }
            // Also what went with a share that was brought to its breakpoint, where none was left
            // to take it.
            sweep(shares, whole, DUST);
        }
        plan
    }
}

fn add(slope: &mut Slope, factor: f64, other: Slope) {
    for (sum, other) in slope.iter_mut().zip(other) {
        *sum = factor.mul_add(other, *sum);
    }
}
