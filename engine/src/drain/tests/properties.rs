//! Properties that hold whatever is asked for, in whatever order.

use proptest::prelude::*;

use super::*;

/// Something that happens.
#[derive(Clone, Debug)]
enum Act {
    /// Target, minutes of lease, whether by another requester.
    Ask(usize, u64, bool),
    /// Drain, minutes of lease.
    Renew(usize, u64),
    /// Drain.
    Cancel(usize),
    /// Seconds.
    Tick(u64),
    /// Store, lose everything else, restore.
    Restart,
    /// Demand of the south, in Mbps.
    Demand(f64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => (0..64_usize, 0..100_u64, any::<bool>()).prop_map(|(t, l, o)| Act::Ask(t, l, o)),
        1 => (0..20_usize, 0..6000_u64).prop_map(|(d, l)| Act::Renew(d, l)),
        2 => (0..20_usize).prop_map(Act::Cancel),
        5 => (0..400_u64).prop_map(Act::Tick),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..80)
}

/// Every target of the toy network.
fn targets(inventory: &Inventory) -> Vec<Target> {
    let mut all: Vec<Target> = Vec::new();
    all.extend(
        inventory
            .nodes
            .iter()
            .map(|node| Target::Node(node.name.clone())),
    );
    all.extend(
        inventory
            .sites
            .iter()
            .map(|site| Target::Site(site.name.clone())),
    );
    all.extend(
        inventory
            .links
            .iter()
            .map(|link| Target::Link(link.name.clone())),
    );
    for group in &inventory.groups {
        all.push(Target::Group(group.name.clone()));
        all.extend(group.services.iter().map(|service| Target::Service {
            service: inventory.services[service.index()].served.name.clone(),
            group: group.name.clone(),
        }));
    }
    all
}

impl Act {
    fn play(&self, bench: &mut Bench) {
        let id = |index: usize| format!("d{}", index + 1);
        let now = bench.now;
        // What is refused for good reasons changes nothing; the invariants tell.
        match self {
            Self::Ask(target, minutes, other) => {
                let all = targets(&bench.toy.inventory);
                let requester = if *other { "repair" } else { "rollout" }.to_owned();
                let target = all[target % all.len()].clone();
                let (lease, ramp) = (Duration::from_mins(*minutes), None);
                let asked = Request {
                    target,
                    requester,
                    lease,
                    ramp,
                    ..request("site:gz1")
                };
                _ = bench.request(asked);
            }
            Self::Renew(index, minutes) => {
                _ = bench
                    .drains
                    .renew(&id(*index), Duration::from_mins(*minutes), now);
            }
            Self::Cancel(index) => _ = bench.drains.cancel(&id(*index), now),
            Self::Tick(seconds) => _ = bench.tick(*seconds),
            Self::Restart => {
                let text = serde_json::to_string(&bench.drains.iter().collect::<Vec<_>>()).unwrap();
                let rules = bench.drains.rules().clone();
                bench.drains = Drains::restore(serde_json::from_str(&text).unwrap(), rules);
            }
            Self::Demand(mbps) => _ = bench.toy.demand.insert("south", *mbps),
        }
    }
}

/// Asserts what holds at any time.
fn check(bench: &Bench) {
    let limits = bench.limits();
    let bounds = [
        limits.links_mbps.values().copied().collect::<Vec<f64>>(),
        limits.sites_mbps.values().copied().collect(),
        limits.groups_mbps.values().copied().collect(),
        limits.services_mbps.values().copied().collect(),
    ];
    assert!(
        bounds
            .iter()
            .flatten()
            .all(|bound| *bound >= 0.0 && bound.is_finite())
    );
    for drain in bench.drains.iter() {
        assert!(drain.expires_at <= bench.now.after(LEASE_MAX));
        assert!((0.0..=1.0).contains(&drain.planned_share));
        assert!(
            drain.history.is_sorted_by_key(|event| event.at),
            "{:?}",
            drain.history
        );
        assert!(drain.history.len() <= bench.drains.rules().history_max);
        assert_eq!(drain.history.last().unwrap().state, drain.state);
        assert!(drain.state != State::Drained || drain.planned_share == 0.0);
        for pair in path(drain).windows(2) {
            assert!(is_arrow(pair[0], pair[1]), "{} -> {}", pair[0], pair[1]);
        }
    }
}

/// The arrows of the drawing.
fn is_arrow(from: State, to: State) -> bool {
    use State::*;
    matches!(
        (from, to),
        (Requested, Refused | Queued)
            | (Queued, Shifting | Refilling)
            | (Shifting, Drained | Refilling)
            | (Drained, Refilling)
            | (Refilling, Serving)
    )
}

/// With everything that is out at 0: nobody is unserved who would be served without drains, and no
/// single site's loss is worse than without. Computed from the drains alone, by the toy's own
/// arithmetic.
fn admitted_is_feasible(bench: &Bench) {
    let mut out = Limits::default();
    for drain in bench.drains.iter().filter(|drain| drain.state.is_active()) {
        match drain.target.resolve(&bench.toy.inventory).unwrap() {
            Part::Node(node) => _ = out.nodes_out.insert(node),
            Part::Group(group) => _ = out.groups_mbps.insert(group, 0.0),
            Part::Site(site) => _ = out.sites_mbps.insert(site, 0.0),
            Part::Link(link) => _ = out.links_mbps.insert(link, 0.0),
            Part::Service(group, service) => {
                _ = out.services_mbps.insert((group, service), 0.0);
            }
        }
    }
    let sites = (0..4).map(|site| (Some(SiteId(site)), 1.0));
    for (lost, factor) in sites.chain([(None, 1.1)]) {
        let with = bench.toy.feasibility(&out, lost, factor).unserved_mbps;
        let without = bench
            .toy
            .feasibility(&Limits::default(), lost, factor)
            .unserved_mbps;
        let gone = lost.is_some_and(|site| bench.toy.site_mbps(site, &out) == 0.0);
        assert!(
            gone || with <= without + 0.1,
            "{lost:?}: {with} > {without}"
        );
    }
    // Neither does any service lose its last group.
    for service in (0..2).map(ServiceId) {
        let left = bench
            .toy
            .inventory
            .groups
            .iter()
            .zip(0..)
            .any(|(group, id)| {
                let id = GroupId(id);
                let nodes = group.nodes.iter().any(|node| !out.nodes_out.contains(node));
                group.services.contains(&service)
                    && nodes
                    && !out.groups_mbps.contains_key(&id)
                    && !out.sites_mbps.contains_key(&group.site)
                    && !out.links_mbps.contains_key(&LinkId(group.site.0))
                    && !out.services_mbps.contains_key(&(id, service))
            });
        assert!(left, "nothing is left of {service:?}");
    }
}

/// Rules that leave the proof alone to hold things together.
fn without_budgets() -> Rules {
    Rules {
        nodes_per_group_share: 1.0,
        groups_per_site: 100,
        sites_per_region: 100,
        world_max: 1_000,
        ..Rules::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Any sequence keeps the invariants, what was admitted stays feasible, and in the end all
    /// serves again.
    #[test]
    fn any_sequence_is_safe_and_ends(
        acts in acts(), demand in 0.0..1300.0_f64, budgets in any::<bool>(),
    ) {
        let rules = if budgets { Rules::default() } else { without_budgets() };
        let mut bench = Bench::new(demand, rules);
        for act in &acts {
            act.play(&mut bench);
            check(&bench);
            admitted_is_feasible(&bench);
        }
        // Nobody renews any more. The longest lease, then the longest refill.
        for _ in 0..(72 * 4 + 100) {
            bench.tick(900);
        }
        check(&bench);
        prop_assert!(bench.drains.iter().all(|drain| drain.state.is_final()));
        prop_assert_eq!(bench.limits(), Limits::default());
    }

    /// The same while demand jumps about: less can be promised, but nothing breaks and all ends.
    #[test]
    fn any_sequence_ends_under_any_demand(
        acts in acts(), demands in prop::collection::vec(0.0..2000.0_f64, 1..8),
    ) {
        let mut bench = Bench::new(300.0, Rules::default());
        for (act, demand) in acts.iter().zip(demands.iter().cycle()) {
            Act::Demand(*demand).play(&mut bench);
            act.play(&mut bench);
            check(&bench);
        }
        for _ in 0..(72 * 4 + 100) {
            bench.tick(900);
        }
        prop_assert!(bench.drains.iter().all(|drain| drain.state.is_final()));
    }

    /// Draining everything in many small calls, in any order, stops where capacity stops. The
    /// demand is one that every single drain would leave served.
    #[test]
    fn everything_cannot_be_drained_piece_by_piece(
        order in Just((0..24_u32).collect::<Vec<u32>>()).prop_shuffle(),
        demand in 1.0..590.0_f64,
        ticks in prop::collection::vec(0..120_u64, 24),
    ) {
        let mut bench = Bench::new(demand, without_budgets());
        let lease = Duration::from_hours(72);
        for (node, seconds) in order.iter().zip(ticks) {
            let name = bench.toy.inventory.nodes[*node as usize].name.clone();
            let asked = Request { lease, ramp: None, ..request(&format!("node:{name}")) };
            bench.request(asked).unwrap();
            bench.tick(seconds);
            admitted_is_feasible(&bench);
        }
        let out = bench.limits().nodes_out.len();
        prop_assert!(out < 24, "all {out} nodes are out");
        let waiting = bench.drains.iter().filter(|drain| {
            matches!(drain.state, State::Queued | State::Refused) && drain.refusal.is_some()
        });
        prop_assert_eq!(waiting.count(), 24 - out, "each of the others was told why");
    }
}
