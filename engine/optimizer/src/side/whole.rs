//! What is left to do for a mixture of plans: leave units whole, bring requests to where there is
//! room.

use crate::certificate;
use crate::network::arcs::{ContractPlace, Network, Part, SINK};
use crate::network::rough::RoughCosts;
use crate::problem::levels::Loads;
use crate::problem::requests;
use crate::problem::topology::Topology;
use crate::relief::{AMOUNT_EPSILON_MBPS, Room};
use crate::side::constraints::{Row, Shares};
use crate::side::settle::Context;
use crate::simplex::basis::Progress;
use crate::solve::run;
use crate::start::crash;
use crate::start::sample;
use coverage::LinkId;
use instance::Instance;
use instance::Plan;

/// A mixture of plans as one plan.
pub(crate) fn mixed(input: &Instance, mixture: &[(f64, &Shares)]) -> Plan {
    let mut entries: Shares = Vec::new();
    for (weight, shares) in mixture {
        let weighted = shares
            .iter()
            .map(|&(unit, link, share)| (unit, link, weight * share));
        entries.extend(weighted);
    }
    entries.sort_unstable_by_key(|entry| (entry.0, entry.1));
    let mut plan = Plan {
        shares: vec![instance::Shares::new(); input.units.len()],
        input_digest: input.digest(),
    };
    for (unit, link, share) in entries {
        let shares = &mut plan.shares[unit as usize];
        match shares.last_mut() {
            Some(last) if last.0.0 == link => last.1 += share,
            _ => shares.push((LinkId(link), share)),
        }
    }
    plan
}

/// Gives every site the part of each free level that it uses at these loads of links, and solves
/// that exactly, from `near` on. Returns the plan, and whether the solve came to its end.
pub(crate) fn by_parts(
    context: &Context<'_, '_>,
    loads: &[f64],
    (priced, potential): (&Network, &[i128]),
) -> (Plan, bool) {
    let (input, topology) = (context.input, context.topology);
    let mut parts = vec![Vec::new(); input.contracts.len()];
    for (row, &free_mbps) in context.rows.rows.iter().zip(&context.rows.free) {
        if let Row::Contract(contract) = *row {
            parts[contract] = divide(topology, contract, free_mbps, loads);
        }
    }
    let mut net = Network::build(input, topology, &parts);
    let potential = carried_over(topology, (priced, potential), &net);
    net.sort_by_price(&potential, sample::FRONT_LINKS, context.options.threads);
    net.rough = Some(RoughCosts::of(&net, context.options.threads));
    let mut basis = crash::start_at_prices(&net, &potential);
    let finished = run(&net, &mut basis, context.options) == Progress::Optimal;
    (certificate::plan(&net, &basis, input.digest()), finished)
}

/// The potentials of a network whose rows are priced, for the hubs of one in which they are
/// divided.
fn carried_over(
    topology: &Topology,
    (from, potential): (&Network, &[i128]),
    to: &Network,
) -> Vec<i128> {
    let mut carried = vec![0; to.hubs.len()];
    let mut copy = |from: Option<u32>, to: Option<u32>| {
        if let (Some(from), Some(to)) = (from, to) {
            carried[to as usize] = potential[from as usize];
        }
    };
    let hubs = |net: &Network| {
        let contracts = net.contracts.iter().map(|place| match *place {
            ContractPlace::Hub(hub) => Some(hub),
            _ => None,
        });
        let limits = net
            .link_hub
            .iter()
            .chain(&net.site_hub)
            .chain(&net.region_hub);
        limits.copied().chain(contracts).collect::<Vec<_>>()
    };
    for (from, to) in hubs(from).into_iter().zip(hubs(to)) {
        copy(from, to);
    }
    for (link, hub) in to.link_hub.iter().enumerate() {
        let contract = topology.contract_of[link]
            .map(|contract| (from.contracts[contract], to.contracts[contract]));
        if let (Some(hub), Some((ContractPlace::Shared(price), ContractPlace::Parts))) =
            (hub, contract)
        {
            let part = to.hubs[*hub as usize].parent;
            let above = to.hubs[part as usize].parent;
            carried[part as usize] = carried[above as usize] + price;
        }
    }
    carried
}

/// Divides a free level among the sites of a contract: what each uses, scaled down when that is too
/// much; what is left over in proportion to the same use.
fn divide(topology: &Topology, contract: usize, free_mbps: f64, loads: &[f64]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for &link in &topology.links_of_contract[contract] {
        let Some(site) = topology.site_of[link] else {
            continue;
        };
        let load = loads[link];
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
    from: LinkId,
    to: LinkId,
}

/// `plan` with requests above limits moved to where there is room for them, the cheapest ways
/// first, at `potential`. No level before the fourth gets worse.
pub(crate) fn relieved(
    context: &Context<'_, '_>,
    net: &Network,
    potential: &[i128],
    mut plan: Plan,
) -> Plan {
    let (input, topology) = (context.input, context.topology);
    let loads = Loads::of(input, topology, &plan);
    let mut room = Room::of(input, &loads, |soft, _| soft);
    let limits = input.sites.iter().map(requests::filled_rps);
    let over = limits.zip(&loads.requests);
    let mut excess: Vec<f64> = over
        .map(|(limit, load)| limit.map_or(0.0, |limit| (load - limit).max(0.0)))
        .collect();
    let mut ways = Vec::new();
    for (unit, shares) in plan.shares.iter().enumerate() {
        for &(from, _) in shares {
            let full = topology.site_of[from.index()].is_some_and(|site| excess[site] > 0.0);
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
        let Some(site) = topology.site_of[way.from.index()] else {
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
        shares.give(way.to, take / unit.mbps);
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
    (unit, from): (usize, LinkId),
    ways: &mut Vec<Way>,
) {
    let site = |link: LinkId| context.topology.site_of[link.index()];
    let cost = |arc: usize| net.cost[arc] + potential[net.head[arc] as usize];
    let arcs = || net.arcs_of_unit(unit).filter(|&arc| net.head[arc] != SINK);
    let link = |arc: usize| LinkId(net.link_of_hub[net.head[arc] as usize]);
    let there = arcs().filter(|&arc| link(arc) == from);
    let Some(here) = there.min_by_key(|&arc| cost(arc)) else {
        return;
    };
    for arc in arcs().filter(|&arc| site(link(arc)) != site(from)) {
        // There is room below the soft limits of where it goes; only the floor could still be
        // worse.
        let own = net.scale.price(net.cost[arc] - net.cost[here]);
        if own.late <= 0 {
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
