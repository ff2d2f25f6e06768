//! Policies on small worlds, and properties of what they give.

use super::*;
use coverage::catalog::Catalog;
use coverage::map::{CoverageMap, CoverageMapBuilder};
use coverage::{AreaId, Place, ServiceId};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn labels(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn rule(at: At, labels: &[u16]) -> Rule {
    Rule {
        at,
        prefer: Prefer::Labels(labels.to_vec()),
        pinned: false,
    }
}

fn world(rules: Vec<Rule>) -> Policy {
    Policy {
        name: "world".into(),
        labels: labels(&["us", "eu", "ap"]),
        coordinates: vec![Some((39.0, -77.5)), Some((50.1, 8.7)), Some((1.35, 103.8))],
        nearest_max: 2,
        default: Prefer::Labels(vec![0, 1, 2]),
        rules,
        nets: vec![],
    }
}

fn at(text: &str) -> At {
    let mut at = At::default();
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap();
        let value = value.to_owned();
        match key {
            "continent" => at.continent = Some(value),
            "country" => at.country = Some(value),
            "asn" => at.asn = value.parse().ok(),
            _ => {
                at.within = value.split(',').map(str::to_owned).collect();
            }
        }
    }
    at
}

fn munich() -> Place {
    Place {
        continent: "eu".into(),
        country: "de".into(),
        subdivisions: labels(&["by", "m"]),
        city: "munich".into(),
        asn: 3320,
        coordinates: Some((48.1, 11.6)),
        ..Place::default()
    }
}

fn judged(policy: &Policy, place: &Place, net: Option<u32>) -> Vec<u16> {
    let policies = std::slice::from_ref(policy);
    let mut judge = Judge::new(policies);
    let id = judge.judge(place, &[net])[0];
    judge.preferences()[0][id as usize].labels.clone()
}

#[test]
fn the_most_specific_rule_wins_and_networks_win_over_places() {
    let chain = [
        ("continent=eu", 10),
        ("country=de", 11),
        ("country=de within=munich", 12),
        ("country=de within=m", 13),
        ("country=de within=by", 14),
        ("country=de within=by,munich", 16),
        ("within=by,m", 17),
        ("asn=3320", 15),
    ];
    for upto in 1..=chain.len() {
        let rules = chain[..upto]
            .iter()
            .map(|(text, label)| rule(at(text), &[*label]));
        // The order in which rules are written does not matter.
        let policy = world(rules.rev().collect());
        assert_eq!(judged(&policy, &munich(), None), [chain[upto - 1].1]);
        assert_eq!(judged(&policy, &munich(), Some(0)), [chain[upto - 1].1]);
    }
    let policy = world(vec![rule(at("asn=3320"), &[1]), rule(At::default(), &[2])]);
    assert_eq!(
        judged(&policy, &munich(), Some(1)),
        [2],
        "the network's rule"
    );
    assert_eq!(
        judged(&policy, &Place::default(), None),
        [0, 1, 2],
        "a rule without a place is for networks alone"
    );
}

#[test]
fn names_below_the_country_may_leave_levels_out_but_not_change_their_order() {
    for (text, applies) in [
        ("within=by", true),
        ("within=m", true),
        ("within=munich", true),
        ("within=by,munich", true),
        ("within=by,m,munich", true),
        ("within=m,by", false),
        ("within=munich,munich", false),
        ("within=he", false),
        ("country=at within=by", false),
    ] {
        let got = judged(&world(vec![rule(at(text), &[2])]), &munich(), None);
        assert_eq!(got == [2], applies, "{text}");
    }
}

#[test]
fn who_meets_an_outer_level_has_the_say() {
    // A tree with branches `by` and `m`, where the place lies in both: the walk goes into `by` and
    // stays there.
    let rules = vec![
        rule(at("within=by"), &[0]),
        rule(at("within=m,munich"), &[1]),
    ];
    assert_eq!(judged(&world(rules), &munich(), None), [0]);
}

#[test]
fn nearest_orders_by_distance_and_falls_back_to_the_list() {
    let mut policy = world(vec![]);
    policy.default = Prefer::Nearest;
    assert_eq!(judged(&policy, &munich(), None), [1, 0]);
    let tokyo = Place {
        coordinates: Some((35.7, 139.7)),
        ..Place::default()
    };
    assert_eq!(judged(&policy, &tokyo, None), [2, 1]);
    assert_eq!(judged(&policy, &Place::default(), None), [0, 1, 2]);
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

fn family<A>(serve: Serve, up_share_min: f64, members: &[(A, u32)]) -> Option<Family<A>>
where
    A: Copy,
{
    let member = |&(address, weight)| Member {
        address,
        weight,
        forced: None,
    };
    Some(Family {
        serve,
        up_share_min,
        members: members.iter().map(member).collect(),
    })
}

fn pool(name: &str, ipv4: Option<Family<Ipv4Addr>>, ipv6: Option<Family<Ipv6Addr>>) -> Pool {
    Pool {
        name: name.into(),
        checks: vec![0],
        forced: None,
        kind: PoolKind::Addresses { ipv4, ipv6 },
    }
}

fn service(name: &str, steering: Steering) -> StaticService {
    let served = coverage::catalog::Service {
        name: name.into(),
        domains: vec![format!("{name}.example.com")],
        redirect_hosts: vec![],
        ttl_s: 60,
        addresses_max: 64,
    };
    StaticService { served, steering }
}

fn compiled(
    policies: &Policies,
    areas: &PolicyAreas,
    states: &CheckStates,
) -> (Catalog, CoverageMap) {
    let count = u32::try_from(areas.of_area.len()).unwrap();
    let mut catalog = Catalog::default();
    let mut map = CoverageMapBuilder::new(policies.services.len(), count);
    compile(policies, areas, states, &mut catalog, &mut map);
    let map = map.finish().unwrap();
    assert_eq!(map.fault(catalog.endpoints.len()), None);
    assert_eq!(catalog.fault(), None);
    (catalog, map)
}

fn one_area() -> PolicyAreas {
    PolicyAreas {
        preferences: vec![],
        of_area: vec![vec![]],
    }
}

/// IPv4 addresses of the endpoints that area 0 gets, with weights.
fn given((catalog, map): &(Catalog, CoverageMap), area: u32) -> Vec<(Vec<Ipv4Addr>, u8)> {
    let set = map.get(ServiceId(0), AreaId(area));
    let shares = set.shares.iter();
    shares
        .map(|(id, weight)| (catalog.endpoints[id.index()].ipv4.clone(), *weight))
        .collect()
}

#[test]
fn failover_goes_down_the_list_and_ends_at_its_head() {
    let main = pool(
        "main",
        family(Serve::All, 0.5, &[(v4(1), 1), (v4(2), 1), (v4(3), 1)]),
        None,
    );
    let spare = pool(
        "spare",
        family(Serve::First, 0.0, &[(v4(8), 1), (v4(9), 1)]),
        None,
    );
    let policies = Policies {
        pools: vec![main, spare],
        services: vec![service("www", Steering::Pools(vec![0, 1]))],
        ..Policies::default()
    };
    let mut states = CheckStates::default();
    let mut step = |last: u8, up: bool| {
        states.set(0, IpAddr::V4(v4(last)), up);
        given(&compiled(&policies, &one_area(), &states), 0)
    };
    assert_eq!(
        step(1, false),
        [(vec![v4(2), v4(3)], 64)],
        "two of three are enough for one half"
    );
    assert_eq!(step(2, false), [(vec![v4(8)], 64)]);
    assert_eq!(step(8, false), [(vec![v4(9)], 64)]);
    assert_eq!(
        step(9, false),
        [(vec![v4(1), v4(2), v4(3)], 64)],
        "nothing is up: the first, whole"
    );
    assert_eq!(step(1, true), [(vec![v4(1), v4(3)], 64)]);
    let whole = [(vec![v4(1), v4(2), v4(3)], 64)];
    assert_eq!(step(3, false), whole, "one of three is not enough");
}

#[test]
fn forced_labels_and_pins_beat_checks() {
    let pools: Vec<Pool> = (1..=3)
        .map(|n| pool("p", family(Serve::All, 0.5, &[(v4(n), 1)]), None))
        .collect();
    let steering = |states: [Option<bool>; 3]| Steering::Policy {
        policy: 0,
        pools: vec![vec![0], vec![1], vec![2]],
        states: states.to_vec(),
    };
    let areas = |pinned| PolicyAreas {
        preferences: vec![vec![Preference {
            labels: vec![1, 2, 0],
            pinned,
        }]],
        of_area: vec![vec![0]],
    };
    let mut states = CheckStates::default();
    states.set(0, IpAddr::V4(v4(3)), false);
    let get = |forced, pinned| {
        let policies = Policies {
            pools: pools.clone(),
            policies: vec![world(vec![])],
            services: vec![service("www", steering(forced))],
            ..Policies::default()
        };
        given(&compiled(&policies, &areas(pinned), &states), 0)[0].0[0]
    };
    assert_eq!(get([None; 3], false), v4(2));
    assert_eq!(
        get([None, Some(false), None], false),
        v4(1),
        "label 1 is forced down, the pool of label 2 is down"
    );
    assert_eq!(get([None, Some(false), Some(true)], false), v4(3));
    assert_eq!(get([None, Some(false), None], true), v4(2), "pinned");
}

#[test]
fn when_nothing_is_up_the_first_label_answers_with_what_it_has() {
    // Two pools stand behind the first label, of which the first is down; the label itself is
    // forced down.
    let forced = |name: &str, n: u8, up: Option<bool>| Pool {
        forced: up,
        ..pool(name, family(Serve::All, 0.5, &[(v4(n), 1)]), None)
    };
    let policies = |label: Option<bool>, last: Option<bool>| Policies {
        pools: vec![
            forced("a", 1, Some(false)),
            forced("b", 2, None),
            forced("c", 3, last),
        ],
        policies: vec![world(vec![])],
        services: vec![service(
            "www",
            Steering::Policy {
                policy: 0,
                pools: vec![vec![0, 1], vec![2], vec![2]],
                states: vec![label, None, None],
            },
        )],
        ..Policies::default()
    };
    let areas = PolicyAreas {
        preferences: vec![vec![Preference {
            labels: vec![0, 1],
            pinned: false,
        }]],
        of_area: vec![vec![0]],
    };
    let get = |label, last| {
        given(
            &compiled(&policies(label, last), &areas, &CheckStates::default()),
            0,
        )[0]
        .0[0]
    };
    assert_eq!(get(None, None), v4(2));
    assert_eq!(get(Some(false), None), v4(3));
    assert_eq!(
        get(Some(false), Some(false)),
        v4(2),
        "its own first that is up"
    );
    assert_eq!(get(Some(true), Some(true)), v4(2));
}

proptest! {
    /// Both families of a pool are split by their own weights, in one row of the map; states never
    /// move endpoints.
    #[test]
    fn weights_of_both_families_hold_at_once(
        weights_v4 in prop::collection::vec(1_u32..1000, 1..9),
        weights_v6 in prop::collection::vec(1_u32..1000, 1..9),
        down in prop::collection::vec(any::<bool>(), 9),
    ) {
        let members_v4: Vec<_> = (0..).zip(&weights_v4).map(|(n, w)| (v4(n), *w)).collect();
        let members_v6: Vec<_> = (0..).zip(&weights_v6).map(|(n, w)| (Ipv6Addr::from(n), *w)).collect();
        let both = pool("p", family(Serve::One, 0.0, &members_v4), family(Serve::One, 0.0, &members_v6));
        let policies = Policies {
            pools: vec![both],
            services: vec![service("www", Steering::Pools(vec![0]))],
            ..Policies::default()
        };
        let mut states = CheckStates::default();
        let before = compiled(&policies, &one_area(), &states);
        for ((address, _), down) in members_v4.iter().zip(&down) {
            states.set(0, IpAddr::V4(*address), !down);
        }
        let after = compiled(&policies, &one_area(), &states);
        prop_assert_eq!(&before.0.endpoints, &after.0.endpoints);
        let usable: Vec<u32> = members_v4.iter().zip(&down).filter(|(_, down)| !**down).map(|((_, w), _)| *w).collect();
        let all_down = usable.is_empty();
        let total: u32 = if all_down { weights_v4.iter().sum() } else { usable.iter().sum() };
        for ((address, weight), down) in members_v4.iter().zip(&down) {
            let got: u32 = given(&after, 0).iter().filter(|(a, _)| a == &[*address]).map(|(_, w)| u32::from(*w)).sum();
            if *down && !all_down {
                prop_assert_eq!(got, 0);
            } else {
                let exact = f64::from(*weight) / f64::from(total) * 64.0;
                prop_assert!(got >= 1 && (f64::from(got) - exact).abs() < 9.0, "{} for {}", got, exact);
            }
        }
    }
}
