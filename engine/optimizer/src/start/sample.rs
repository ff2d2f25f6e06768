//! Prices from a sample: a small solve tells a large one where to start.
//!
//! One unit in [`RATIO`] is drawn, the large ones surely and each small one for others of its kind,
//! and that problem is solved exactly, itself started from a sample of the sample. Its prices are
//! close to the true ones wherever many units share a row, which is where the work is; the simplex
//! then removes what error is left. Unlike a smoothed dual this needs no step length and works when
//! money and latency differ by many orders of magnitude.

use std::cmp::Reverse;

use crate::network::arcs::Network;
use crate::network::numbers::SINK;
use crate::network::scale::UNLIMITED;
use crate::options::SolveOptions;
use crate::side::columns::{Ends, Search};
use crate::side::constraints::SideConstraints;
use crate::simplex::basis::{Basis, Progress};
use crate::simplex::run::run;
use crate::start::crash;
use crate::start::extract::Extract;
use crate::start::sift;
use coverage::split::scatter;

/// One unit in this many is drawn.
const RATIO: usize = 8;

/// Links of a unit that are tried before the others.
pub(crate) const FRONT_LINKS: usize = 4;

/// Networks with fewer units are started greedily.
const UNITS_MIN: usize = 4_000;

/// A first basis for `net`: at the prices of a sample when it is large, which `rows` have then,
/// too, else greedy. `pivots` counts the work.
pub(crate) fn start(
    net: &mut Network,
    rows: &SideConstraints<'_>,
    options: &SolveOptions<'_>,
    pivots: &mut u64,
) -> Basis {
    if net.demand.len() < UNITS_MIN {
        return crash::start(net, |_| None);
    }
    let (mut sample, drawn_rows) = draw(net, rows, options.seed);
    let mut basis = start(&mut sample, &drawn_rows, options, pivots);
    let mut finished = run(&sample, &mut basis, options) == Progress::Optimal;
    if finished && !rows.is_empty() {
        let mut search = Search::begin(&drawn_rows, &sample, &basis);
        if !search.is_settled() {
            finished = search.run((&mut sample, &mut basis), Ends::OF_A_SAMPLE, options);
            let prices = search.best_prices();
            finished &= drawn_rows.reprice(&mut sample, &mut basis, prices, options);
        }
    }
    *pivots += basis.pivots;
    if !finished {
        return crash::start(net, |_| None);
    }
    rows.set_prices(net, &drawn_rows.prices(&sample));
    net.sort_by_price(&basis.potential, FRONT_LINKS);
    let sifted = sift::start(net, &basis.potential, options, pivots);
    let mut first = sifted.unwrap_or_else(|| crash::start_at_prices(net, &basis.potential));
    first.take_rough_costs(net);
    first
}

/// The network with the drawn units only, and its rows. Hubs keep their indices.
fn draw<'a>(
    net: &Network,
    rows: &SideConstraints<'a>,
    seed: u64,
) -> (Network, SideConstraints<'a>) {
    let drawn = drawn(&net.demand, seed);
    let total: i128 = net.demand.iter().map(|&d| i128::from(d)).sum();
    let part: i128 = drawn.iter().map(|drawn| i128::from(drawn.1)).sum();
    let unit_arcs = net.unit_arc_count();
    let capacity = |arc: usize| {
        if arc >= unit_arcs {
            shrink(net.capacity[arc], part, total)
        } else if net.head[arc] == SINK || net.capacity[arc] >= UNLIMITED {
            UNLIMITED
        } else {
            // Incumbent arcs only matter to movement, which has no part in the prices.
            0
        }
    };
    let sample = Extract::of(net, &drawn, capacity).net;
    let part = |drawn: f64, all: f64| if all > 0.0 { drawn / all } else { 1.0 };
    let rows = rows.shrunk(
        part(sample.traffic(), net.traffic()),
        part(sample.requests(), net.requests()),
    );
    (sample, rows)
}

/// (unit, quanta) of the units drawn: all that want more than a step, and of the others one for
/// every step of traffic in their order, which stands for that much (systematic sampling with
/// probability proportional to size; Madow 1949).
fn drawn(demand: &[i64], seed: u64) -> Vec<(usize, i64)> {
    let step = step(demand);
    let mut drawn = Vec::with_capacity(demand.len() / RATIO + 1);
    let mut passed = i64::try_from(scatter(seed) % step.unsigned_abs()).unwrap_or(0);
    for (unit, &quanta) in demand.iter().enumerate() {
        if quanta >= step {
            drawn.push((unit, quanta));
            continue;
        }
        passed += quanta;
        if passed >= step {
            passed -= step;
            drawn.push((unit, step));
        }
    }
    drawn
}

/// The least step, at least 1, by which no more than one unit in [`RATIO`] is drawn. O(units *
/// log(units)).
fn step(demand: &[i64]) -> i64 {
    let mut sizes = demand.to_vec();
    sizes.sort_unstable_by_key(|&quanta| Reverse(quanta));
    let mut small: i64 = sizes.iter().sum();
    let mut left = i64::try_from(demand.len() / RATIO).unwrap_or(i64::MAX);
    // The largest are drawn surely as long as they are larger than an even part of what is left.
    for quanta in sizes {
        if left <= 1 || quanta <= small / left {
            break;
        }
        small -= quanta;
        left -= 1;
    }
    let left = left.max(1);
    ((small + left - 1) / left).max(1)
}

/// `capacity * part / total`, at least 1; what has no limit keeps none.
fn shrink(capacity: i64, part: i128, total: i128) -> i64 {
    if capacity >= UNLIMITED || total == 0 {
        return capacity;
    }
    i64::try_from(i128::from(capacity) * part / total)
        .unwrap_or(capacity)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_units_are_drawn_than_wanted_whatever_their_sizes() {
        let geometric = (0..5_000).map(|unit| 1_i64 << (unit % 40));
        let one_large = (0..5_000).map(|unit| if unit == 7 { 1 << 50 } else { 3 });
        let some_none = (0..5_000).map(|unit| i64::from(unit % 3 == 0) * 1_000);
        let demands: [Vec<i64>; 6] = [
            vec![1; 5_000],
            vec![123_456; 5_000],
            vec![0; 5_000],
            geometric.collect(),
            one_large.collect(),
            some_none.collect(),
        ];
        for demand in demands {
            let units = drawn(&demand, 1);
            assert!(units.len() <= demand.len() / RATIO, "{}", units.len());
            let total: i64 = demand.iter().sum();
            let of_sample: i64 = units.iter().map(|unit| unit.1).sum();
            assert!(
                (total - of_sample).abs() <= step(&demand),
                "{total} {of_sample}"
            );
        }
    }
}
