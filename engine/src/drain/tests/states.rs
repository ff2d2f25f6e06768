//! Every arrow of the state drawing, in virtual time.

use super::*;

const MINUTE: u64 = 60;

fn gz1_a(bench: &Bench) -> Option<f64> {
    bench.limits().groups_mbps.get(&GroupId(0)).copied()
}

#[test]
fn a_drain_shifts_is_measured_and_is_given_back() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("group:gz1-a").id;
    assert_eq!(bench.state(&id), State::Shifting);
    assert_eq!(gz1_a(&bench), Some(100.0));
    bench.tick(150);
    assert!((gz1_a(&bench).unwrap() - 50.0).abs() < 1e-9);
    bench.tick(150);
    assert_eq!(gz1_a(&bench), Some(0.0));
    assert_eq!(bench.state(&id), State::Shifting);
    // The map is at 0 now; the tail of lag and TTL lasts 70 s.
    bench.tick(60);
    assert_eq!(bench.state(&id), State::Shifting);
    assert_eq!(
        bench.drains.get(&id).unwrap().ttl_tail_left,
        Some(Duration::from_secs(10))
    );
    let changed = bench.tick(10);
    assert_eq!(bench.state(&id), State::Drained);
    assert_eq!(
        (changed[0].from, changed[0].to),
        (State::Shifting, State::Drained)
    );

    let now = bench.now;
    bench.drains.cancel(&id, now).unwrap();
    assert_eq!(bench.state(&id), State::Refilling);
    assert!(
        (gz1_a(&bench).unwrap() - 15.0).abs() < 1e-9,
        "5 % of 300 Mbps at once"
    );
    bench.tick(5 * MINUTE);
    assert!(
        (gz1_a(&bench).unwrap() - 165.0).abs() < 1e-9,
        "and half of it 5 of 10 min later"
    );
    bench.tick(5 * MINUTE);
    assert_eq!(bench.state(&id), State::Serving);
    assert_eq!(bench.limits(), Limits::default());
    let drain = bench.drains.get(&id).unwrap();
    assert_eq!(drain.ended_by, Some(EndedBy::Cancelled));
    let expected = [
        State::Requested,
        State::Queued,
        State::Shifting,
        State::Drained,
        State::Refilling,
        State::Serving,
    ];
    assert_eq!(path(drain), expected);
}

#[test]
fn what_was_half_shifted_refills_from_there() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("group:gz1-a").id;
    bench.tick(150);
    let now = bench.now;
    bench.drains.cancel(&id, now).unwrap();
    assert!(
        (gz1_a(&bench).unwrap() - 150.0).abs() < 1e-9,
        "half of its capacity is still warm"
    );
    assert_eq!(bench.until(&id, State::Serving), Duration::from_mins(5));
}

#[test]
fn a_lease_that_nobody_renews_ends_the_drain() {
    for (seconds, expected) in [(MINUTE, State::Shifting), (20 * MINUTE, State::Drained)] {
        let mut bench = Bench::new(300.0, Rules::default());
        let id = bench.ask("group:gz1-a").id;
        for _ in 0..seconds / 10 {
            bench.tick(10);
        }
        assert_eq!(bench.state(&id), expected);
        let left = bench
            .drains
            .get(&id)
            .unwrap()
            .expires_at
            .since(bench.now)
            .as_secs();
        bench.tick(left - 1);
        assert!(bench.state(&id).is_leased());
        bench.tick(1);
        assert_eq!(bench.state(&id), State::Refilling);
        bench.until(&id, State::Serving);
        assert_eq!(
            bench.drains.get(&id).unwrap().ended_by,
            Some(EndedBy::Expired)
        );
        assert_eq!(bench.limits(), Limits::default());
    }
}

#[test]
fn a_renewed_lease_goes_on_and_one_that_is_over_does_not() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("group:gz1-a").id;
    bench.tick(29 * MINUTE);
    let now = bench.now;
    let renewed = bench
        .drains
        .renew(&id, Duration::from_mins(30), now)
        .unwrap();
    assert_eq!(renewed.expires_at, now.after(Duration::from_mins(30)));
    let too_long = bench
        .drains
        .renew(&id, LEASE_MAX + Duration::from_secs(1), now);
    assert!(matches!(
        too_long,
        Err(ChangeError::Lease(LeaseError::TooLong { .. }))
    ));
    // No step has seen it yet, but the lease is over.
    let late = now.after(Duration::from_mins(30));
    let ended = bench.drains.renew(&id, Duration::from_mins(30), late);
    assert!(matches!(ended, Err(ChangeError::Ended { .. })));
    let unknown = bench.drains.cancel("d99", now);
    assert!(matches!(unknown, Err(ChangeError::Unknown(_))));
}

#[test]
fn no_measurement_is_not_drained() {
    let stale = Some(Reading {
        mbps: 0.0,
        age: Duration::from_mins(3),
    });
    let busy = Some(Reading {
        mbps: 5.0,
        age: Duration::ZERO,
    });
    let broken = Some(Reading {
        mbps: f64::NAN,
        age: Duration::ZERO,
    });
    for reading in [None, stale, busy, broken] {
        let mut bench = Bench::new(300.0, Rules::default());
        bench.follows = false;
        let id = bench.ask("group:gz1-a").id;
        match reading {
            Some(reading) => _ = bench.toy.observed.insert(Part::Group(GroupId(0)), reading),
            None => bench.toy.observed.clear(),
        }
        for _ in 0..20 {
            bench.tick(MINUTE);
            assert_eq!(bench.state(&id), State::Shifting, "{reading:?}");
        }
        let empty = Reading {
            mbps: 0.9,
            age: Duration::ZERO,
        };
        bench.toy.observed.insert(Part::Group(GroupId(0)), empty);
        bench.tick(1);
        assert_eq!(bench.state(&id), State::Drained);
        assert_eq!(bench.drains.get(&id).unwrap().observed_mbps, Some(0.9));
    }
}

#[test]
fn a_sample_from_before_the_tail_ended_proves_nothing() {
    let mut bench = Bench::new(300.0, Rules::default());
    bench.follows = false;
    let id = bench.ask("group:gz1-a").id;
    let old = Reading {
        mbps: 0.0,
        age: Duration::from_secs(90),
    };
    bench.toy.observed.insert(Part::Group(GroupId(0)), old);
    bench.tick(300);
    bench.tick(70 + 89);
    assert_eq!(bench.state(&id), State::Shifting);
    bench.tick(1);
    assert_eq!(bench.state(&id), State::Drained);
}

#[test]
fn an_edge_that_lags_keeps_the_target_in_use() {
    let mut bench = Bench::new(300.0, Rules::default());
    bench.edges_confirmed = Some(bench.published.version);
    let id = bench.ask("group:gz1-a").id;
    for _ in 0..15 {
        bench.tick(MINUTE);
    }
    assert_eq!(bench.state(&id), State::Shifting);
    assert_eq!(bench.drains.get(&id).unwrap().ttl_tail_left, None);
    bench.edges_confirmed = Some(bench.published.version);
    bench.tick(10);
    assert_eq!(bench.drains.get(&id).unwrap().ttl_tail_left, Some(TTL));
    assert_eq!(bench.until(&id, State::Drained), TTL);
}

#[test]
fn a_map_that_never_left_the_target_out_is_no_evidence() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("group:gz1-a").id;
    bench.tick(290);
    // Publishing stops before the share is 0; then the group happens to be idle.
    for _ in 0..10 {
        bench.now = bench.now.after(Duration::from_secs(60));
        bench.toy.planned.insert(Part::Group(GroupId(0)), 0.0);
        let idle = Reading {
            mbps: 0.0,
            age: Duration::ZERO,
        };
        bench.toy.observed.insert(Part::Group(GroupId(0)), idle);
        bench.with(|drains, world, now| drains.step(world, now));
        assert_eq!(bench.state(&id), State::Shifting);
    }
}

#[test]
fn traffic_that_comes_back_is_told_but_nothing_is_undone() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("group:gz1-a").id;
    bench.until(&id, State::Drained);
    let before = bench.published;
    bench.published.holds_as_of = Timestamp(before.holds_as_of.0 - 1_000_000);
    let changed = bench.with(|drains, world, now| drains.step(world, now));
    assert!(
        changed[0].why.starts_with("traffic is back: the map"),
        "{changed:?}"
    );
    assert_eq!(bench.state(&id), State::Drained);
    assert!(
        bench
            .drains
            .get(&id)
            .unwrap()
            .warnings
            .contains(&Warning::TrafficBack)
    );
    bench.until(&id, State::Drained);
    for _ in 0..20 {
        bench.tick(10);
    }
    let drain = bench.drains.get(&id).unwrap();
    assert!(drain.warnings.is_empty());
    assert!(drain.history.last().unwrap().why.starts_with("no longer"));
}

#[test]
fn a_node_leaves_its_group_at_once_and_comes_back_by_degrees() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("node:gz1-a-1").id;
    assert_eq!(bench.limits().nodes_out, BTreeSet::from([NodeId(0)]));
    assert_eq!(gz1_a(&bench), Some(200.0));
    bench.usual.insert(Part::Node(NodeId(0)), 0.0);
    bench.until(&id, State::Drained);
    let now = bench.now;
    bench.drains.cancel(&id, now).unwrap();
    assert!(bench.limits().nodes_out.is_empty());
    assert!((gz1_a(&bench).unwrap() - 205.0).abs() < 1e-9);
    bench.until(&id, State::Serving);
    assert_eq!(gz1_a(&bench), None);
}

#[test]
fn a_restart_goes_on_as_if_nothing_had_happened() {
    let mut bench = Bench::new(300.0, Rules::default());
    let first = bench.ask("group:gz1-a").id;
    bench.ask("group:gz1-b");
    bench.tick(100);
    let stored: Vec<String> = bench
        .drains
        .iter()
        .map(|drain| serde_json::to_string(drain).unwrap())
        .collect();
    let read: Vec<Drain> = stored
        .iter()
        .rev()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let restored = Drains::restore(read, Rules::default());
    assert_eq!(
        restored.iter().collect::<Vec<_>>(),
        bench.drains.iter().collect::<Vec<_>>()
    );
    bench.drains = restored;
    assert_eq!(bench.ask("link:bj1/ct").id, "d3");
    bench.tick(200);
    assert_eq!(gz1_a(&bench), Some(0.0));
    bench.until(&first, State::Drained);
}

#[test]
fn ended_drains_are_forgotten_beyond_the_bound_and_reported() {
    let rules = Rules {
        ended_max: 2,
        ..Rules::default()
    };
    let mut bench = Bench::new(300.0, rules);
    for _ in 0..4 {
        let id = bench.ask("group:gz1-a").id;
        let now = bench.now;
        bench.drains.cancel(&id, now).unwrap();
        bench.until(&id, State::Serving);
    }
    assert_eq!(bench.drains.iter().count(), 2);
    assert_eq!(bench.drains.take_forgotten(), ["d1", "d2"]);
    assert_eq!(bench.ask("group:gz1-a").id, "d5");
}

#[test]
fn the_history_is_bounded_and_keeps_who_asked() {
    let rules = Rules {
        history_max: 5,
        ..Rules::default()
    };
    let mut bench = Bench::new(300.0, rules);
    let id = bench.ask("group:gz1-a").id;
    for _ in 0..20 {
        let now = bench.now;
        bench
            .drains
            .renew(&id, Duration::from_mins(30), now)
            .unwrap();
    }
    let history = &bench.drains.get(&id).unwrap().history;
    assert_eq!(history.len(), 5);
    assert_eq!(history[0].state, State::Requested);
}

#[test]
fn a_target_that_left_the_inventory_bounds_nothing_and_keeps_its_lease() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("group:gz1-a").id;
    bench.toy.inventory.groups[0].name = "renamed".to_owned();
    bench.tick(600);
    assert_eq!(bench.state(&id), State::Shifting);
    assert_eq!(bench.limits(), Limits::default());
    bench.tick(1200);
    assert_eq!(bench.state(&id), State::Refilling);
    bench.until(&id, State::Serving);
}
