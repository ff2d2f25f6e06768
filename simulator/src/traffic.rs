//! Places of traffic: what cached answers say, held against what is up and what fits.

use crate::topology::{Target, Topology};
use std::collections::BTreeSet;

/// Failures of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    /// Dead links.
    pub links: BTreeSet<usize>,
    /// Dead nodes.
    pub nodes: BTreeSet<usize>,
}

/// Demand of some clients of one service, and where they were sent. It spreads evenly over the
/// targets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    /// The service.
    pub service: usize,
    /// Demand, Mbps.
    pub mbps: f64,
    /// Targets that they were sent to; empty: they know nowhere to go.
    pub targets: &'a [Target],
}

/// Traffic by place, Mbps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Loads {
    /// [link]: what clients try to pull through it.
    pub link_offered: Vec<f64>,
    /// [link]: what gets through, at most its capacity.
    pub link_carried: Vec<f64>,
    /// [group][service], row-major: what is served.
    pub group_service: Vec<f64>,
    /// [node]: what is served.
    pub node: Vec<f64>,
    /// [service]: what is served.
    pub service: Vec<f64>,
    /// Demand of clients that know nowhere to go.
    pub unassigned: f64,
    /// Demand sent to what is dead, or beyond what fits a link.
    pub lost: f64,
}

impl Loads {
    /// Sends each offer where it was told to go. O(offers x targets + nodes of balanced groups).
    #[must_use]
    pub(crate) fn assign(topology: &Topology, failures: &Failures, offers: &[Offer<'_>]) -> Self {
        let services = topology.services.len();
        let alive: Vec<Vec<usize>> = topology
            .groups
            .iter()
            .map(|group| {
                group
                    .nodes
                    .clone()
                    .filter(|node| !failures.nodes.contains(node))
                    .collect()
            })
            .collect();
        let mut loads = Self {
            link_offered: vec![0.0; topology.links.len()],
            group_service: vec![0.0; topology.groups.len() * services],
            node: vec![0.0; topology.nodes.len()],
            service: vec![0.0; services],
            ..Self::default()
        };
        let dead = |target: &Target| is_dead(topology, failures, &alive, target);
        for offer in offers {
            if offer.targets.is_empty() {
                loads.unassigned += offer.mbps;
            }
            for target in offer.targets {
                if dead(target) {
                    loads.lost += part(offer);
                } else {
                    loads.link_offered[target.link] += part(offer);
                }
            }
        }
        let carried = topology.links.iter().zip(&loads.link_offered);
        loads.link_carried = carried
            .map(|(link, offered)| offered.min(link.capacity_mbps.max(0.0)))
            .collect();
        for offer in offers {
            for target in offer.targets.iter().filter(|target| !dead(target)) {
                let offered = loads.link_offered[target.link];
                let fits = if offered > 0.0 {
                    loads.link_carried[target.link] / offered
                } else {
                    1.0
                };
                let served = part(offer) * fits;
                loads.lost += part(offer) - served;
                loads.service[offer.service] += served;
                loads.group_service[target.group * services + offer.service] += served;
                loads.serve(target, &alive[target.group], served);
            }
        }
        loads
    }

    /// Books traffic on the node that was named, or evenly on all that live behind the balancer.
    fn serve(&mut self, target: &Target, alive: &[usize], mbps: f64) {
        if let Some(node) = target.node {
            self.node[node] += mbps;
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a group has few nodes")]
        let each = mbps / alive.len().max(1) as f64;
        for node in alive {
            self.node[*node] += each;
        }
    }

    /// Utilisation that clients ask of a link; above 1 it loses.
    #[must_use]
    pub(crate) fn utilisation(&self, topology: &Topology, link: usize) -> f64 {
        self.link_offered[link] / topology.links[link].capacity_mbps.max(1e-9)
    }
}

/// Tells whether nothing answers there: the link or the node is dead, or all nodes behind a
/// balancer that has any.
fn is_dead(
    topology: &Topology,
    failures: &Failures,
    alive: &[Vec<usize>],
    target: &Target,
) -> bool {
    let node_dead = match target.node {
        Some(node) => failures.nodes.contains(&node),
        None => alive[target.group].is_empty() && !topology.groups[target.group].nodes.is_empty(),
    };
    node_dead || failures.links.contains(&target.link)
}

/// Returns what one target of an offer gets.
fn part(offer: &Offer<'_>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an answer has few addresses")]
    let targets = offer.targets.len().max(1) as f64;
    offer.mbps / targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::small;
    use proptest::prelude::*;

    const VIP_CT: Target = Target {
        group: 0,
        link: 0,
        node: None,
    };
    const NODE: Target = Target {
        group: 1,
        link: 2,
        node: Some(2),
    };

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn balancers_spread_and_named_nodes_take_all() {
        let topology = small().topology().unwrap();
        let offers = [
            Offer {
                service: 0,
                mbps: 1000.0,
                targets: &[VIP_CT],
            },
            Offer {
                service: 1,
                mbps: 600.0,
                targets: &[NODE, VIP_CT],
            },
        ];
        let loads = Loads::assign(&topology, &Failures::default(), &offers);
        assert_eq!(loads.node, [650.0, 650.0, 300.0, 0.0]);
        assert_eq!(loads.link_carried, [1300.0, 0.0, 300.0]);
        assert_eq!(loads.group_service, [1000.0, 300.0, 0.0, 300.0]);
        assert!(close(loads.lost, 0.0) && close(loads.unassigned, 0.0));
    }

    #[test]
    fn the_dead_take_nothing_and_balancers_work_around_them() {
        let topology = small().topology().unwrap();
        let failures = Failures {
            links: [2].into(),
            nodes: [0].into(),
        };
        let offers = [
            Offer {
                service: 0,
                mbps: 1000.0,
                targets: &[VIP_CT],
            },
            Offer {
                service: 0,
                mbps: 600.0,
                targets: &[NODE],
            },
            Offer {
                service: 0,
                mbps: 50.0,
                targets: &[],
            },
        ];
        let loads = Loads::assign(&topology, &failures, &offers);
        assert_eq!(loads.node, [0.0, 1000.0, 0.0, 0.0]);
        assert!(close(loads.lost, 600.0) && close(loads.unassigned, 50.0));
        let failures = Failures {
            nodes: [0, 1].into(),
            ..Failures::default()
        };
        assert!(close(
            Loads::assign(&topology, &failures, &offers).lost,
            1000.0
        ));
    }

    #[test]
    fn a_link_carries_no_more_than_its_capacity() {
        let topology = small().topology().unwrap();
        let offers = [Offer {
            service: 0,
            mbps: 5000.0,
            targets: &[VIP_CT],
        }];
        let loads = Loads::assign(&topology, &Failures::default(), &offers);
        assert!(close(loads.link_carried[0], 4000.0) && close(loads.lost, 1000.0));
        assert!(close(loads.utilisation(&topology, 0), 1.25));
    }

    proptest! {
        #[test]
        fn no_megabit_appears_or_disappears(
            demands in proptest::collection::vec((0.0..9000.0_f64, 0..2_usize, 0..16_usize), 0..20),
            dead_links in proptest::collection::btree_set(0..3_usize, 0..3),
            dead_nodes in proptest::collection::btree_set(0..4_usize, 0..4),
        ) {
            let topology = small().topology().unwrap();
            let all = [VIP_CT, Target { link: 1, ..VIP_CT }, NODE, Target { node: Some(3), ..NODE }];
            let chosen: Vec<Vec<Target>> = demands.iter()
                .map(|(.., mask)| (0..4).filter(|bit| mask & (1 << bit) != 0).map(|bit| all[bit]).collect())
                .collect();
            let offers: Vec<Offer<'_>> = demands.iter().zip(&chosen)
                .map(|((mbps, service, _), targets)| Offer { service: *service, mbps: *mbps, targets })
                .collect();
            let failures = Failures { links: dead_links.clone(), nodes: dead_nodes };
            let loads = Loads::assign(&topology, &failures, &offers);
            let wanted: f64 = demands.iter().map(|(mbps, ..)| mbps).sum();
            let served: f64 = loads.service.iter().sum();
            prop_assert!(close(served + loads.lost + loads.unassigned, wanted));
            prop_assert!(close(loads.node.iter().sum(), served));
            prop_assert!(close(loads.group_service.iter().sum(), served));
            prop_assert!(close(loads.link_carried.iter().sum(), served));
            prop_assert!(dead_links.iter().all(|link| close(loads.link_offered[*link], 0.0)));
        }
    }
}
