//! What is left to do for a mixture of plans: leave units whole, bring requests to where there is room.

use super::coupling::{Context, Row};
use super::levels::Loads;
use super::network::{Network, Part, SINK, money_step};
use super::relief::{AMOUNT_EPSILON_MBPS, Room, give};
use super::requests;
use super::result::Plan;
use super::simplex::Progress;
use super::solve::{main_share, run};
use super::topology::Topology;
use super::{certificate, crash};

/// Gives every site the part of each free level that it uses in `mixture` and solves that exactly.
/// Returns the plan, and whether the solve came to its end.
pub(super) fn by_parts(context: &Context<'_, '_>, mixture: &Plan) -> (Plan, bool) {
    let (input, topology) = (context.input, context.topology);
    let loads = Loads::of(input, topology, mixture);
    let mut parts = vec![Vec::new(); input.meters.len()];
    for row in context.rows {
        if let Row::Meter(meter) = *row {
            let (free_mbps, _) = money_step(input, &input.meters[meter]);
            parts[meter] = divide(topology, meter, free_mbps, &loads);
        }
    }
    let net = Network::build(input, topology, &parts);
    let mut basis = crash::start(&net, |unit| main_share(&mixture.shares[unit]));
    let finished = run(&net, &mut basis, context.options) == Progress::Optimal;
    (certificate::plan(&net, &basis, input.digest()), finished)
}

/// Divides a free level among the sites of a meter: what each uses, scaled down when that is too
/// much; what is left over in proportion to the same use.
fn divide(topology: &Topology, meter: usize, free_mbps: f64, loads: &Loads) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for &link in &topology.links_of_meter[meter] {
        let Some(site) = topology.site_of[link] else {
            continue;
        };
        let load = loads.links[link];
        match parts.iter_mut().find(|p| p.site == site) {
            Some(part) => part.free_mbps += load,
            None => parts.push(Part {
                site,
                free_mbps: load,
            }),
        }
    }
    let used: f64 = parts.iter().map(|p| p.free_mbps).sum();
    if used > 0.0 {
        for part in &mut parts {
            part.free_mbps *= free_mbps / used;
        }
    }
    parts
}

/// A way for requests out of a site that has too many.
struct Way {
    /// What it costs more, in CNY per request per second.
    regret_cny: f64,
    unit: usize,
    from: u32,
    to: u32,
}

/// `plan` with requests above limits moved to where there is room for them, the cheapest ways first, at `potential`.
/// No level before the fourth gets worse.
pub(super) fn relieved(
    context: &Context<'_, '_>,
    net: &Network,
    potential: &[i128],
    mut plan: Plan,
) -> Plan {
    let (input, topology) = (context.input, context.topology);
    let loads = Loads::of(input, topology, &plan);
    let mut room = Room::of(input, &loads, |soft, _| soft);
    let limits = input.sites.iter().map(|site| site.capacity_rps);
    let over = limits.zip(&loads.requests);
    let mut excess: Vec<f64> = over
        .map(|(limit, load)| limit.map_or(0.0, |limit| (load - limit).max(0.0)))
        .collect();
    let mut ways = Vec::new();
    for (unit, shares) in plan.shares.iter().enumerate() {
        for &(from, _) in shares {
            let full = topology.site_of[from as usize].is_some_and(|site| excess[site] > 0.0);
            if full && input.units[unit].rps > 0.0 {
                add_ways(context, net, potential, (unit, from), &mut ways);
            }
        }
    }
    ways.sort_by(|a, b| {
        let order = a.regret_cny.total_cmp(&b.regret_cny);
        order.then((a.unit, a.from, a.to).cmp(&(b.unit, b.from, b.to)))
    });
    for way in ways {
        let unit = &input.units[way.unit];
        let rps = requests::per_mbps(unit);
        let Some(site) = topology.site_of[way.from as usize] else {
            continue;
        };
        let shares = &mut plan.shares[way.unit];
        let Some(at) = shares.iter().position(|share| share.0 == way.from) else {
            continue;
        };
        let there = shares[at].1 * unit.mbps;
        let take = (excess[site] / rps)
            .min(room.left(topology, way.to, rps))
            .min(there);
        if take <= AMOUNT_EPSILON_MBPS {
            continue;
        }
        excess[site] -= take * rps;
        room.take(topology, way.to, take, rps);
        give(shares, way.to, take / unit.mbps);
        shares[at].1 -= take / unit.mbps;
        shares.retain(|share| share.1 * unit.mbps > AMOUNT_EPSILON_MBPS);
        shares.sort_unstable_by_key(|share| share.0);
    }
    plan
}

/// The ways of a unit from one of its links to those of other sites.
fn add_ways(
    context: &Context<'_, '_>,
    net: &Network,
    potential: &[i128],
    (unit, from): (usize, u32),
    ways: &mut Vec<Way>,
) {
    let site = |link: u32| context.topology.site_of[link as usize];
    let cost = |arc: usize| net.cost[arc] + potential[net.head[arc] as usize];
    let arcs = || net.arcs_of_unit(unit).filter(|&arc| net.head[arc] != SINK);
    let link = |arc: usize| net.link_of_hub[net.head[arc] as usize];
    let there = arcs().filter(|&arc| link(arc) == from);
    let Some(here) = there.min_by_key(|&arc| cost(arc)) else {
        return;
    };
    for arc in arcs().filter(|&arc| site(link(arc)) != site(from)) {
        // There is room below the soft limits of where it goes; only the floor could still be worse.
        let own = net.scale.price(net.cost[arc] - net.cost[here]);
        if own.below_floor <= 0 {
            let more = net.scale.price(cost(arc) - cost(here));
            ways.push(Way {
                regret_cny: more.cny_per_mbps / net.rps_per_mbps[unit],
                unit,
                from,
                to: link(arc),
            });
        }
    }
}
