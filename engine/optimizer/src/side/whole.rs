//! Last steps for a mixture of plans: leave units whole, bring requests to where there is
//! room.

use crate::network::arcs::Network;
use crate::network::numbers::SINK;
use crate::problem::loads::{AMOUNT_EPSILON_MBPS, Loads, Room};
use crate::problem::requests;
use crate::side::constraints::Placements;
use crate::side::settle::Context;
use coverage::LinkId;
use instance::{Plan, Shares};

/// A mixture of plans as one plan for the input of `first`.
pub(crate) fn mixed(first: &Plan, mixture: &[(f64, &Placements)]) -> Plan {
    let mut entries = Placements::new();
    for (weight, shares) in mixture {
        let weighted = shares
            .iter()
            .map(|&(unit, link, share)| (unit, link, weight * share));
        entries.extend(weighted);
    }
    entries.sort_unstable_by_key(|entry| (entry.0, entry.1));
    let mut plan = Plan {
        shares: vec![Shares::new(); first.shares.len()],
        input_digest: first.input_digest.clone(),
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

/// A way for requests out of a site that has too many.
struct Way {
    /// Cost beyond that of staying, in CNY per request per second.
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
    let (problem, input) = (context.problem, context.problem.instance);
    let loads = Loads::of(problem, &plan.shares);
    let mut room = Room::between(Loads::soft_limits(problem), &loads);
    let limits = input.sites.iter().map(requests::filled_rps);
    let over = limits.zip(&loads.requests);
    let mut excess: Vec<f64> = over
        .map(|(limit, load)| limit.map_or(0.0, |limit| (load - limit).max(0.0)))
        .collect();
    let mut ways = Vec::new();
    for (unit, shares) in plan.shares.iter().enumerate() {
        for &(from, _) in shares {
            if excess[problem.place(from).site.index()] > 0.0 && input.units[unit].rps > 0.0 {
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
        let site = problem.place(way.from).site.index();
        let to = problem.place(way.to);
        let shares = &mut plan.shares[way.unit];
        let Some(at) = shares.iter().position(|share| share.0 == way.from) else {
            continue;
        };
        let there = shares[at].1 * unit.mbps;
        let take = (excess[site] / rps).min(room.left_mbps(to, rps)).min(there);
        if take <= AMOUNT_EPSILON_MBPS {
            continue;
        }
        excess[site] -= take * rps;
        room.take(to, take, rps);
        shares.give(way.to, take / unit.mbps);
        shares[at].1 -= take / unit.mbps;
        shares.retain(|share| share.1 * unit.mbps > AMOUNT_EPSILON_MBPS);
        shares.sort();
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
    let site = |link: LinkId| context.problem.place(link).site;
    let cost = |arc: usize| net.cost[arc] + potential[net.head[arc] as usize];
    let arcs = || net.arcs_of_unit(unit).filter(|&arc| net.head[arc] != SINK);
    let link = |arc: usize| LinkId(net.link_of_hub[net.head[arc] as usize]);
    let there = arcs().filter(|&arc| link(arc) == from);
    let Some(here) = there.min_by_key(|&arc| cost(arc)) else {
        return;
    };
    for arc in arcs().filter(|&arc| site(link(arc)) != site(from)) {
        // There is room below the soft limits of where it goes; only the latency limit could be
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
