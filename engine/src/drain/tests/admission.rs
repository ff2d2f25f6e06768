//! Drains that may start, that wait, and that are refused, with the words of the refusal.

use super::*;

#[test]
fn the_proof_holds_the_numbers() {
    let mut bench = Bench::new(300.0, Rules::default());
    let proof = bench.ask("group:gz1-a").proof.unwrap();
    assert_eq!((proof.demand_mbps, proof.remaining_mbps), (600.0, 2100.0));
    assert!((proof.spare_mbps - 1440.0).abs() < 1e-9);
    assert_eq!(
        (proof.unserved_mbps, proof.baseline_unserved_mbps),
        (0.0, 0.0)
    );
    assert_eq!(proof.sites_checked, 4);
    // Losing gz2 leaves 300 Mbps in the south, just enough; losing any other site leaves more
    // overall.
    let worst = proof.worst_site.unwrap();
    assert_eq!(
        (worst.site.as_str(), worst.unserved_mbps, worst.spare_mbps),
        ("gz2", 0.0, 900.0)
    );
}

#[test]
fn a_shortage_is_refused_with_its_bottleneck() {
    // The south can carry 1200; half of it is too little for 600 x 1.1.
    let mut bench = Bench::new(
        600.0,
        Rules {
            reserve_worst_site: false,
            ..Rules::default()
        },
    );
    let drain = bench.ask("site:gz1");
    assert_eq!(drain.state, State::Refused);
    assert_eq!(path(&drain), [State::Requested, State::Refused]);
    let refusal = drain.refusal.unwrap();
    let bottleneck = refusal.bottleneck.unwrap();
    assert_eq!(bottleneck.regions, ["south"]);
    assert!((bottleneck.missing_mbps - 60.0).abs() < 1e-6);
    assert!(
        refusal.text.contains("60 Mbps are missing in south"),
        "{}",
        refusal.text
    );
    assert_eq!(bench.limits(), Limits::default());
    assert_eq!(bench.ask("group:gz1-a").state, State::Shifting);
}

#[test]
fn the_reserve_for_the_worst_site_is_kept() {
    let mut bench = Bench::new(400.0, Rules::default());
    let drain = bench.ask("group:gz1-a");
    assert_eq!(drain.state, State::Refused);
    let text = drain.refusal.unwrap().text;
    assert!(
        text.starts_with("the reserve for losing site gz2 would be gone: 100 Mbps"),
        "{text}"
    );
    assert_eq!(bench.ask("node:gz1-a-1").state, State::Shifting);
    let without = Rules {
        reserve_worst_site: false,
        ..Rules::default()
    };
    let mut bench = Bench::new(400.0, without);
    assert_eq!(bench.ask("group:gz1-a").state, State::Shifting);
}

#[test]
fn a_shortage_elsewhere_is_no_reason_to_refuse() {
    let mut bench = Bench::new(300.0, Rules::default());
    bench.toy.demand.insert("north", 5000.0);
    assert_eq!(bench.ask("group:gz1-a").state, State::Shifting);
    assert_eq!(bench.ask("group:bj1-a").state, State::Refused);
}

#[test]
fn no_data_admits_nothing() {
    let mut bench = Bench::new(300.0, Rules::default());
    bench.toy.demand.insert("south", f64::INFINITY);
    assert_eq!(bench.ask("group:gz1-a").state, State::Refused);
}

#[test]
fn what_fails_only_because_of_others_waits_and_then_starts() {
    let mut bench = Bench::new(
        300.0,
        Rules {
            groups_per_site: 2,
            ..Rules::default()
        },
    );
    let first = bench.ask("group:gz1-a").id;
    let second = bench.ask("group:gz1-b");
    assert_eq!(second.state, State::Queued);
    assert!(second.refusal.unwrap().text.contains("would be gone"));
    bench.tick(60);
    assert_eq!(bench.state(&second.id), State::Queued);
    let now = bench.now;
    bench.drains.cancel(&first, now).unwrap();
    bench.tick(60);
    assert_eq!(
        bench.state(&second.id),
        State::Queued,
        "a cold target counts as gone"
    );
    bench.until(&first, State::Serving);
    assert_eq!(
        bench.state(&second.id),
        State::Shifting,
        "the proof is made anew, and holds"
    );
    let second = bench.drains.get(&second.id).unwrap();
    assert!(second.proof.as_ref().unwrap().together_with.is_empty());
    assert_eq!(second.refusal, None);
}

#[test]
fn a_waiting_drain_ends_without_having_taken_anything() {
    for cancel in [true, false] {
        let mut bench = Bench::new(300.0, Rules::default());
        let first = bench.ask("group:gz1-a").id;
        let second = bench.ask("group:gz1-b").id;
        if cancel {
            let now = bench.now;
            bench.drains.cancel(&second, now).unwrap();
        } else {
            let now = bench.now;
            bench
                .drains
                .renew(&first, Duration::from_hours(2), now)
                .unwrap();
            bench.tick(1800);
        }
        let drain = bench.drains.get(&second).unwrap();
        let expected = [
            State::Requested,
            State::Queued,
            State::Refilling,
            State::Serving,
        ];
        assert_eq!(path(drain), expected);
        assert!(!bench.limits().groups_mbps.contains_key(&GroupId(1)));
    }
}

#[test]
fn a_queued_drain_is_proved_again_when_its_turn_comes() {
    let mut bench = Bench::new(300.0, Rules::default());
    let first = bench.ask("group:gz1-a").id;
    let second = bench.ask("group:gz1-b").id;
    let now = bench.now;
    bench.drains.cancel(&first, now).unwrap();
    bench.toy.demand.insert("south", 500.0);
    bench.until(&first, State::Serving);
    assert_eq!(bench.state(&second), State::Queued);
    bench.toy.demand.insert("south", 300.0);
    bench.tick(30);
    assert_eq!(bench.state(&second), State::Shifting);
}

#[test]
fn budgets_make_wait_or_refuse() {
    let mut bench = Bench::new(0.0, Rules::default());
    bench.ask("group:gz1-a");
    let second = bench.ask("group:gz1-b");
    assert_eq!(second.state, State::Queued);
    let text = second.refusal.unwrap().text;
    assert!(
        text.contains("groups out in site gz1 would be 2 of at most 1"),
        "{text}"
    );
    assert_eq!(bench.ask("node:gz2-a-1").state, State::Shifting);
    assert_eq!(bench.ask("node:gz2-a-2").state, State::Queued);
    bench.ask("site:bj1");
    assert_eq!(bench.ask("site:bj2").state, State::Queued);
    // All groups of a site are the site.
    let mut bench = Bench::new(
        0.0,
        Rules {
            groups_per_site: 2,
            ..Rules::default()
        },
    );
    bench.ask("group:gz2-a");
    bench.ask("site:gz1");
    assert_eq!(
        bench.ask("group:gz2-b").state,
        State::Queued,
        "it would be the second site"
    );
    let mut bench = Bench::new(
        0.0,
        Rules {
            sites_per_region: 0,
            ..Rules::default()
        },
    );
    let never = bench.ask("site:gz1");
    assert_eq!(never.state, State::Refused);
    assert!(
        never
            .refusal
            .unwrap()
            .text
            .starts_with("the budget never allows it")
    );
    let mut bench = Bench::new(
        0.0,
        Rules {
            world_max: 1,
            ..Rules::default()
        },
    );
    bench.ask("group:gz1-a");
    assert_eq!(bench.ask("group:bj1-a").state, State::Queued);
}

#[test]
fn force_overrides_proof_and_budget_but_never_empties_a_service() {
    let mut bench = Bench::new(600.0, Rules::default());
    let forced = |target: &str| Request {
        force: true,
        ..request(target)
    };
    let drain = bench.request(forced("site:gz1")).unwrap();
    assert_eq!((drain.state, drain.force), (State::Shifting, true));
    assert_eq!(drain.proof, None);
    assert!(
        drain
            .history
            .last()
            .unwrap()
            .why
            .starts_with("forced, although demand x 1.1")
    );
    // `static` stands in gz1-b, which is out, and in bj1-b.
    let last = bench.request(forced("group:bj1-b")).unwrap();
    assert_eq!(last.state, State::Queued);
    assert!(last.refusal.unwrap().text.contains("serves static"));
    let mut bench = Bench::new(0.0, Rules::default());
    bench.toy.inventory.groups[1].services = vec![ServiceId(0)];
    let only = bench.request(forced("service:static@bj1-b")).unwrap();
    assert_eq!(only.state, State::Refused);
}

#[test]
fn a_waiting_drain_can_be_forced_later() {
    let mut bench = Bench::new(300.0, Rules::default());
    bench.ask("group:gz1-a");
    let waiting = bench.ask("group:gz1-b").id;
    let again = bench
        .request(Request {
            force: true,
            ..request("group:gz1-b")
        })
        .unwrap();
    assert_eq!((again.id, again.state), (waiting, State::Shifting));
}

#[test]
fn a_repeated_request_is_the_same_drain() {
    let mut bench = Bench::new(300.0, Rules::default());
    let keyed = Request {
        idempotency_key: "k1".to_owned(),
        ..request("group:gz1-a")
    };
    let first = bench.request(keyed.clone()).unwrap();
    bench.tick(60);
    let again = bench.request(keyed.clone()).unwrap();
    assert_eq!(again.id, first.id);
    assert_eq!(
        again.expires_at,
        bench.now.after(Duration::from_mins(30)),
        "and renews it"
    );
    assert_eq!(
        bench.ask("group:gz1-a").id,
        first.id,
        "so does the same target without a key"
    );
    let short = Request {
        lease: Duration::from_mins(5),
        ..request("group:gz1-a")
    };
    assert_eq!(
        bench.request(short).unwrap().expires_at,
        again.expires_at,
        "but never shortens it"
    );
    let other = Request {
        target: "site:bj1".parse().unwrap(),
        ..keyed.clone()
    };
    assert!(matches!(
        bench.request(other),
        Err(RequestError::KeyReused { .. })
    ));
    // After its end the key still stands for it, while the target alone asks anew.
    let now = bench.now;
    bench.drains.cancel(&first.id, now).unwrap();
    assert_eq!(bench.request(keyed).unwrap().state, State::Refilling);
    assert_ne!(bench.ask("group:gz1-a").id, first.id);
}

#[test]
fn two_requesters_hold_a_target_until_both_let_go() {
    let mut bench = Bench::new(300.0, Rules::default());
    let first = bench.ask("group:gz1-a").id;
    let theirs = Request {
        requester: "repair".to_owned(),
        ..request("group:gz1-a")
    };
    let second = bench.request(theirs).unwrap().id;
    assert_ne!(first, second);
    bench.until(&first, State::Drained);
    let now = bench.now;
    bench.drains.cancel(&first, now).unwrap();
    for _ in 0..60 {
        bench.tick(10);
        assert_eq!(bench.limits().groups_mbps.get(&GroupId(0)), Some(&0.0));
    }
    assert_eq!(
        (bench.state(&first), bench.state(&second)),
        (State::Serving, State::Drained)
    );
}

#[test]
fn who_has_waited_long_goes_first() {
    let mut bench = Bench::new(300.0, Rules::default());
    bench.ask("node:gz1-a-1");
    let hour = Duration::from_hours(1);
    let large = bench
        .request(Request {
            lease: hour,
            ..request("group:gz1-b")
        })
        .unwrap();
    assert_eq!(large.state, State::Queued);
    let overtaking = bench.ask("group:bj1-a");
    assert_eq!(
        overtaking.state,
        State::Shifting,
        "it may be overtaken at first"
    );
    bench.tick(600);
    let late = bench.ask("node:gz2-b-1");
    assert_eq!(late.state, State::Queued);
    assert!(late.refusal.unwrap().text.starts_with("d2 has waited long"));
    for _ in 0..10 {
        bench.tick(30);
    }
    assert_eq!(bench.state(&late.id), State::Queued);
    let now = bench.now;
    bench.drains.cancel(&large.id, now).unwrap();
    bench.tick(1);
    assert_eq!(bench.state(&late.id), State::Shifting);
}

#[test]
fn lost_capacity_puts_drains_at_risk_and_is_told_once() {
    let mut bench = Bench::new(300.0, Rules::default());
    let id = bench.ask("group:gz1-a").id;
    bench.tick(60);
    // The demand grows by more than the headroom: 400 no longer fit into gz1-b when gz2 is lost.
    bench.toy.demand.insert("south", 400.0);
    bench.tick(30);
    let drain = bench.drains.get(&id).unwrap();
    assert!(drain.warnings.contains(&Warning::AtRisk));
    assert!(
        drain
            .history
            .last()
            .unwrap()
            .why
            .starts_with("at risk: the reserve for losing")
    );
    assert_eq!(drain.state, State::Shifting);
    let lines = drain.history.len();
    for _ in 0..5 {
        bench.tick(10);
    }
    assert_eq!(bench.drains.get(&id).unwrap().history.len(), lines);
    bench.toy.demand.insert("south", 300.0);
    bench.tick(30);
    assert!(bench.drains.get(&id).unwrap().warnings.is_empty());
}

#[test]
fn bad_requests_change_nothing() {
    let mut bench = Bench::new(
        300.0,
        Rules {
            open_max: 1,
            ..Rules::default()
        },
    );
    let check = |bench: &mut Bench, request: Request| bench.request(request).unwrap_err();
    let error = check(&mut bench, request("group:gz9"));
    assert!(
        error.to_string().contains("no group named \"gz9\""),
        "{error}"
    );
    let error = check(&mut bench, request("service:static@gz1-a"));
    assert!(error.to_string().contains("does not serve"), "{error}");
    let long = Request {
        lease: Duration::from_hours(73),
        ..request("group:gz1-a")
    };
    assert!(matches!(
        check(&mut bench, long),
        RequestError::Lease(LeaseError::TooLong { .. })
    ));
    let slow = Request {
        ramp: Some(Duration::from_hours(1)),
        ..request("group:gz1-a")
    };
    assert_eq!(
        check(&mut bench, slow),
        RequestError::Lease(LeaseError::Ramp)
    );
    let silent = Request {
        reason: String::new(),
        ..request("group:gz1-a")
    };
    assert!(matches!(
        check(&mut bench, silent),
        RequestError::Text {
            field: "reason",
            ..
        }
    ));
    assert_eq!(bench.drains.iter().count(), 0);
    bench.ask("group:gz1-a");
    assert_eq!(
        check(&mut bench, request("group:bj1-a")),
        RequestError::TooMany(1)
    );
    let mut bench = Bench::new(
        300.0,
        Rules {
            queue_max: 0,
            ..Rules::default()
        },
    );
    bench.ask("group:gz1-a");
    assert_eq!(
        check(&mut bench, request("group:gz1-b")),
        RequestError::QueueFull(0)
    );
}
