//! Prices from a sample: a small solve tells a large one where to start.
//!
//! One unit in [`RATIO`] is drawn, all capacities shrink with the demand that was drawn, and that
//! problem is solved exactly, itself started from a sample of the sample. Its prices are close to the
//! true ones wherever many units share a row, which is where the work is; the simplex then
//! removes what error is left. Unlike a smoothed dual this needs no step length and works when money
//! and latency differ by many orders of magnitude.

use super::crash;
use super::network::{Network, SINK, as_u32};
use super::rough::RoughCosts;
use super::scale::UNLIMITED;
use super::simplex::{Basis, Progress};
use super::solve::{SolveOptions, run};

/// One unit in this many is drawn.
const RATIO: usize = 4;

/// Links of a unit that are tried before the others.
pub(super) const FRONT_LINKS: usize = 4;

/// Networks with fewer units are started greedily.
const UNITS_MIN: usize = 4_000;

/// A first basis for `net`: at the prices of a sample when it is large, else greedy. `pivots` counts
/// the work.
pub(super) fn start(net: &mut Network, options: &SolveOptions<'_>, pivots: &mut u64) -> Basis {
    if net.demand.len() < UNITS_MIN {
        return crash::start(net, |_| None);
    }
    let mut sample = draw(net, options.seed);
    let mut basis = start(&mut sample, options, pivots);
    let progress = run(&sample, &mut basis, options);
    *pivots += basis.pivots;
    match progress {
        Progress::Optimal => {
            net.sort_by_price(&basis.potential, FRONT_LINKS, options.threads);
            net.rough = Some(RoughCosts::of(net, options.threads));
            crash::start_at_prices(net, &basis.potential)
        }
        Progress::Paused => crash::start(net, |_| None),
    }
}

/// The network with the drawn units only. Hubs keep their indices.
fn draw(net: &Network, seed: u64) -> Network {
    let hubs = net.hubs.len();
    let drawn: Vec<usize> = (0..net.demand.len())
        .filter(|&unit| mix(seed ^ mix(unit as u64)).is_multiple_of(RATIO as u64))
        .collect();
    let total: i128 = net.demand.iter().map(|&d| i128::from(d)).sum();
    let part: i128 = drawn.iter().map(|&unit| i128::from(net.demand[unit])).sum();
    let mut sample = Network {
        hubs: net.hubs.clone(),
        tail: Vec::new(),
        head: Vec::new(),
        capacity: Vec::new(),
        cost: Vec::new(),
        unit_arcs: vec![0],
        front_end: Vec::new(),
        rough: None,
        demand: drawn.iter().map(|&unit| net.demand[unit]).collect(),
        link_hub: net.link_hub.clone(),
        link_of_hub: net.link_of_hub.clone(),
        site_hub: net.site_hub.clone(),
        region_hub: net.region_hub.clone(),
        meters: net.meters.clone(),
        rps_per_mbps: Vec::new(),
        request_cny: Vec::new(),
        scale: net.scale,
    };
    for (index, &unit) in drawn.iter().enumerate() {
        for arc in net.arcs_of_unit(unit) {
            // Incumbent arcs only matter to movement, which has no part in the prices.
            if net.head[arc] == SINK || net.capacity[arc] >= UNLIMITED {
                sample.push_arc(
                    as_u32(hubs + index),
                    net.head[arc],
                    UNLIMITED,
                    net.cost[arc],
                );
            }
        }
        sample.unit_arcs.push(as_u32(sample.tail.len()));
    }
    for hub in &mut sample.hubs {
        let (first, end) = (hub.first_arc as usize, hub.end_arc as usize);
        hub.first_arc = as_u32(sample.tail.len());
        for arc in first..end {
            let capacity = shrink(net.capacity[arc], part, total);
            sample.tail.push(net.tail[arc]);
            sample.head.push(net.head[arc]);
            sample.capacity.push(capacity);
            sample.cost.push(net.cost[arc]);
        }
        hub.end_arc = as_u32(sample.tail.len());
    }
    sample
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

/// A 64-bit finalizer (Steele, Lea and Flood, SplitMix64).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
