//! The sift: at good prices most units are decided, and the simplex is for the others.
//!
//! A unit whose best place leads its second best by more than prices may be wrong stays there, as
//! far as there is room. What is left is a network with as many full hubs and a fraction of the
//! units; its optimal basis, with the decided units as leaves, is where the whole starts from. A
//! tree that only knows where units are, not which hubs are full and what their room is worth,
//! costs a hundred thousand pivots more, even where nearly every unit is in its place.

use crate::network::arcs::Network;
use crate::network::numbers::NONE;
use crate::network::numbers::as_u32;
use crate::options::SolveOptions;
use crate::simplex::basis::{Basis, Progress};
use crate::simplex::run::run;
use crate::simplex::tree::Tree;
use crate::start::crash;
use crate::start::extract::Extract;

/// A basis at `potential`, by whose prices the arcs of units must have been sorted; `pivots` counts
/// the work. `None` when the deadline came first.
pub(crate) fn start(
    net: &Network,
    potential: &[i128],
    options: &SolveOptions<'_>,
    pivots: &mut u64,
) -> Option<Basis> {
    let decided = crash::decide(net, potential);
    let undecided: Vec<(usize, i64)> = (0..net.demand.len())
        .filter(|&unit| decided[unit].is_none())
        .map(|unit| (unit, net.demand[unit]))
        .collect();
    let taken = taken(net, &decided);
    let extract = Extract::of(net, &undecided, |arc| net.capacity[arc] - taken[arc]);
    let mut basis = crash::start_at_prices(&extract.net, potential);
    basis.take_rough_costs(&extract.net);
    let ended = run(&extract.net, &mut basis, options);
    *pivots += basis.pivots;
    if ended == Progress::Paused {
        return None;
    }
    whole(net, &extract, &undecided, (&basis, &decided), taken)
}

/// `[arc]` -> what decided units leave no room for: the steps that they fill, cheapest first.
fn taken(net: &Network, decided: &[Option<usize>]) -> Vec<i64> {
    let mut load = vec![0; net.hubs.len()];
    for (unit, arc) in decided.iter().enumerate() {
        let Some(arc) = *arc else { continue };
        for hub in net.way_to_sink(net.head[arc]) {
            load[hub as usize] += net.demand[unit];
        }
    }
    let mut taken = vec![0; net.tail.len()];
    for (hub, mut rest) in net.hubs.iter().zip(load) {
        let steps = hub.first_arc as usize..hub.end_arc as usize;
        for (taken, capacity) in taken[steps.clone()].iter_mut().zip(&net.capacity[steps]) {
            *taken = rest.min(*capacity);
            rest -= *taken;
        }
    }
    taken
}

/// The basis of the whole: that of the extract, and decided units as leaves. `None` if a step were
/// neither full nor empty nor in the tree, which an optimal extract rules out.
fn whole(
    net: &Network,
    extract: &Extract,
    undecided: &[(usize, i64)],
    (inner, decided): (&Basis, &[Option<usize>]),
    taken: Vec<i64>,
) -> Option<Basis> {
    let hubs = net.hubs.len();
    let mut flow = taken;
    let steps = flow.iter().zip(&net.capacity);
    let mut at_upper: Vec<bool> = steps.map(|(flow, capacity)| flow == capacity).collect();
    for (arc, &of) in extract.arcs.iter().enumerate() {
        flow[of as usize] += inner.flow[arc];
        at_upper[of as usize] = inner.at_upper[arc];
    }
    let mut tree = grown(net, extract, undecided, inner);
    for (unit, arc) in decided.iter().enumerate() {
        let Some(arc) = *arc else { continue };
        crash::put_rest(net, (unit, arc), (&mut flow, &mut at_upper));
        tree.attach(as_u32(hubs + unit), net.head[arc], as_u32(arc));
    }
    (!has_loose_step(net, &tree, &flow)).then(|| Basis::new(net, tree, flow, at_upper))
}

/// The tree of the extract, its units and arcs numbered as in the whole.
fn grown(net: &Network, extract: &Extract, undecided: &[(usize, i64)], inner: &Basis) -> Tree {
    let hubs = net.hubs.len();
    let in_whole = |node: u32| match (node as usize).checked_sub(hubs) {
        Some(unit) => as_u32(hubs + undecided[unit].0),
        None => node,
    };
    let mut tree = Tree::new(hubs, hubs + net.demand.len());
    for node in inner.tree.downwards() {
        let arc = inner.tree.pred[node as usize];
        if arc != NONE {
            let parent = in_whole(inner.tree.parent(node));
            tree.attach(in_whole(node), parent, extract.arcs[arc as usize]);
        }
    }
    tree
}

/// Tells whether a step of a hub is in use, but neither full nor in the tree.
fn has_loose_step(net: &Network, tree: &Tree, flow: &[i64]) -> bool {
    let hubs = net.hubs.iter().enumerate().skip(1);
    let mut steps = hubs.flat_map(|(index, hub)| {
        let above = hub.parent as usize;
        (hub.first_arc..hub.end_arc).map(move |arc| (arc, index, above))
    });
    steps.any(|(arc, hub, above)| {
        let in_tree = tree.pred[hub] == arc || tree.pred[above] == arc;
        let used = flow[arc as usize];
        used > 0 && used < net.capacity[arc as usize] && !in_tree
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::index::Problem;
    use instance::Instance;

    /// Links of three sites that are nearly full: a hundred units each, half of which have
    /// somewhere near to go.
    fn instance() -> Instance {
        let links: Vec<String> = (0..9)
            .map(|link| {
                format!(
                    r#"{{"id": "l{link}", "site": "s{}", "capacity_mbps": 700, "watermark_mbps": 600, "meter": "m"}}"#,
                    link / 3
                )
            })
            .collect();
        let unit = |unit: usize| {
            let far = |index: usize| 5 + (unit * (7 + index) + index * index * 31) % 97;
            let cand: Vec<String> = (0..9)
                .map(|link| format!("[{link}, {}]", far(link)))
                .collect();
            let mbps = if unit.is_multiple_of(50) {
                150
            } else {
                1 + unit % 7
            };
            format!(
                r#"{{"area": "a{unit}", "service": "live", "mbps": {mbps}, "incumbent": [[{}, 0.5]], "cand": [{}]}}"#,
                unit % 9,
                cand.join(",")
            )
        };
        let units: Vec<String> = (0..900).map(unit).collect();
        let text = format!(
            r#"{{"version": 1, "slot_seconds": 300, "value_cny_per_gbps_ms_slot": 0.02, "move_cost_ms": 2,
                "links": [{}],
                "sites": [{{"id": "s0", "region": "r", "capacity_mbps": 1500}},
                          {{"id": "s1", "region": "r", "capacity_mbps": 2100}},
                          {{"id": "s2", "region": "r", "capacity_mbps": 1900}}],
                "meters": [{{"id": "m", "model": "flat"}}],
                "units": [{}]}}"#,
            links.join(","),
            units.join(",")
        );
        Instance::read(text.as_bytes()).unwrap()
    }

    const LOW: i128 = (1 << 32) - 1;

    /// The levels of a flow, each exact; money in two parts, the lower one of 32 bits.
    fn objective(net: &Network, basis: &Basis) -> [i128; 5] {
        let mut levels = [0; 5];
        for (&flow, &cost) in basis.flow.iter().zip(&net.cost) {
            let (counts, money) = net.scale.parts(cost);
            let [unserved, overload, late] = counts.map(i128::from);
            let parts = [unserved, overload, late, money >> 32, money & LOW];
            for (level, part) in levels.iter_mut().zip(parts) {
                *level += i128::from(flow) * part;
            }
        }
        levels[3] += levels[4] >> 32;
        levels[4] &= LOW;
        levels
    }

    #[test]
    fn from_sifted_prices_the_same_optimum_is_a_few_pivots_away() {
        let input = instance();
        let mut net = Network::build(&Problem::new(&input));
        let options = SolveOptions::default();
        let mut cold = crash::start(&net, |_| None);
        assert_eq!(run(&net, &mut cold, &options), Progress::Optimal);
        let full = (0..net.hubs.len()).filter(|&hub| cold.potential[hub] > 0);
        assert!(full.count() > 5, "there is something to compete for");
        net.sort_by_price(&cold.potential, 4);
        for seed in 0..20 {
            // Prices that are wrong by up to a tenth, as those of a sample are.
            let wrong = |(hub, price): (usize, &i128)| {
                price + price / 100 * ((hub as i128 * 37 + seed * 11) % 21 - 10)
            };
            let prices: Vec<i128> = cold.potential.iter().enumerate().map(wrong).collect();
            net.sort_by_price(&prices, 4);
            let mut sifted = start(&net, &prices, &options, &mut 0).unwrap();
            sifted.take_rough_costs(&net);
            assert_eq!(run(&net, &mut sifted, &options), Progress::Optimal);
            let mut plain = crash::start_at_prices(&net, &prices);
            plain.take_rough_costs(&net);
            assert_eq!(run(&net, &mut plain, &options), Progress::Optimal);
            assert_eq!(objective(&net, &sifted), objective(&net, &plain));
            assert!(
                sifted.pivots * 2 < plain.pivots,
                "{} {}",
                sifted.pivots,
                plain.pivots
            );
        }
    }
}
