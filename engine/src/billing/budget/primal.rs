//! A plan read from flows: its loads, the cheapest levels for them, its cost.

use super::Level;
use super::program::{Primal, Program};

/// Halvings when a level is searched; 2^-50 of the capacity is left.
const HALVINGS: usize = 50;

/// Cost of flows.
pub(super) struct Reading {
    pub(super) level_mbps: Vec<f64>,
    pub(super) slots_by_day: Vec<Vec<f64>>,
    pub(super) cost_cny: f64,
    pub(super) money_cny: f64,
}

/// Reads flows. What they carry above a link's or site's capacity is charged as unserved beside its
/// own cost, so that the cost never flatters.
pub(super) fn read(program: &Program<'_>, primal: &Primal) -> Reading {
    let [links, sites, contracts, width] = program.widths();
    let outlook = program.outlook;
    let (mut cost, mut volume) = (0.0, 0.0);
    // [level] -> (slots, load, day).
    let mut loads: Vec<Vec<(f64, f64, usize)>> = vec![Vec::new(); outlook.levels.len()];
    for (scene_index, scene) in outlook.scenes.iter().enumerate() {
        let flow = &primal.flow[scene_index * width..(scene_index + 1) * width];
        let mut link_load = vec![0.0; links];
        let mut slot = 0.0;
        for (candidate, mbps) in program.candidates.iter().zip(flow) {
            slot += candidate.cost * mbps;
            if let Some(load) = link_load.get_mut(candidate.link) {
                *load += mbps;
            }
        }
        let (mut site_load, mut contract_load) = (vec![0.0; sites], vec![0.0; contracts]);
        let mut over: f64 = 0.0;
        for link in 0..links {
            over += (link_load[link] - program.link_mbps[link]).max(0.0);
            site_load[program.site_of[link]] += link_load[link];
            contract_load[program.contract_of[link]] += link_load[link];
        }
        over += site_load
            .iter()
            .zip(&program.site_mbps)
            .map(|(load, most)| (load - most).max(0.0))
            .sum::<f64>();
        cost += scene.slots * outlook.unserved_cny_per_mbps.mul_add(over, slot);
        for (contract, load) in contract_load.iter().enumerate() {
            volume += scene.slots * load * outlook.volume_cny_per_mbps[contract];
            if let Some(level) = program.level_at[scene_index * contracts + contract] {
                loads[level].push((scene.slots, *load, scene.day));
            }
        }
    }
    let level_mbps: Vec<f64> = outlook
        .levels
        .iter()
        .zip(&loads)
        .map(|(level, loads)| cheapest(level, loads))
        .collect();
    let slots_by_day = outlook
        .levels
        .iter()
        .zip(&loads)
        .zip(&level_mbps)
        .map(|((level, loads), mbps)| above_by_day(level, loads, *mbps))
        .collect();
    let charged: f64 = outlook
        .levels
        .iter()
        .zip(&level_mbps)
        .map(|(level, mbps)| level.price_cny_per_mbps * mbps)
        .sum();
    Reading {
        level_mbps,
        slots_by_day,
        cost_cny: cost + charged,
        money_cny: volume + charged,
    }
}

/// Free slots that loads use above a level, by day: what they carry above it over what one slot
/// opens.
fn above_by_day(level: &Level, loads: &[(f64, f64, usize)], mbps: f64) -> Vec<f64> {
    let days = loads.iter().map(|(_, _, day)| day + 1).max().unwrap_or(0);
    let mut used = vec![0.0; days];
    let open = level.max_mbps - mbps;
    for (slots, load, day) in loads {
        if open > 0.0 {
            used[*day] += slots * ((load - mbps).max(0.0) / open).min(1.0);
        }
    }
    used
}

/// The lowest level whose tokens cover what these loads carry above it. The excess less what tokens
/// open is convex in the level and not positive at the capacity, so halving finds the first point
/// where they suffice.
fn cheapest(level: &Level, loads: &[(f64, f64, usize)]) -> f64 {
    let suffices = |mbps: f64| {
        let above: f64 = loads
            .iter()
            .map(|(slots, load, _)| slots * (load - mbps).max(0.0))
            .sum();
        above <= level.tokens * (level.max_mbps - mbps).max(0.0) + 1e-9 * level.max_mbps
    };
    let least = level.min_mbps.min(level.max_mbps);
    if suffices(least) {
        return level.min_mbps;
    }
    let (mut low, mut high) = (
        least,
        loads
            .iter()
            .map(|(_, load, _)| *load)
            .fold(level.max_mbps, f64::max),
    );
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if suffices(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
