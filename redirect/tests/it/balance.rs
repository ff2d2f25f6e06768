//! Bounded loads: an object stays on its node until that node is busier than the bound allows.

use crate::world::{EAST, ask, nodes, view};
use proptest::prelude::*;
use redirect::{HttpView, NodeLoads, Outcome};
use std::collections::BTreeMap;

/// Sends one request; the name of the node, and whether it was not the object's own.
fn send(view: &HttpView, loads: &NodeLoads, target: &str) -> (String, bool) {
    match ask(view, loads, "go.example.com", target, EAST) {
        Outcome::Redirect(redirect) => {
            assert!(loads.of(redirect.node) > 0, "the request is counted");
            (redirect.node.name.to_string(), redirect.spilled)
        }
        outcome => panic!("no redirect: {outcome:?}"),
    }
}

#[test]
fn a_quiet_group_keeps_each_object_on_its_node() {
    let (view, loads) = (view(|_| ()), NodeLoads::new());
    let (home, _) = send(&view, &loads, "/one");
    for _ in 0..31 {
        assert_eq!(send(&view, &loads, "/one"), (home.clone(), false));
    }
    assert!(
        send(&view, &loads, "/one").1,
        "one hot object flows on past the floor"
    );
}

#[test]
fn a_hot_object_spreads_and_comes_home_when_it_cools() {
    let (view, loads) = (view(|_| ()), NodeLoads::new());
    let (home, _) = send(&view, &loads, "/hot");
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        *counts.entry(send(&view, &loads, "/hot").0).or_default() += 1;
    }
    // Five quarters of the mean of a thousand: eight nodes are enough to carry it, and none carries
    // more.
    assert!(counts.values().all(|count| *count <= 1_251), "{counts:?}");
    assert_eq!(counts.len(), 8, "no more nodes than it takes: {counts:?}");
    for _ in 0..16 {
        loads.halve();
    }
    assert_eq!(send(&view, &loads, "/hot"), (home, false));
}

#[test]
fn counts_survive_a_change_of_snapshot() {
    let (before, loads) = (view(|_| ()), NodeLoads::new());
    let (home, _) = send(&before, &loads, "/x");
    for _ in 0..40 {
        send(&before, &loads, "/x");
    }
    let after = view(|catalog| catalog.endpoints[0].nodes.extend(nodes("f", 1)));
    assert!(
        send(&after, &loads, "/x").0 != home,
        "its node is still known to be busy"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// After every single request, the node that took it is within the floor or five quarters of
    /// the mean.
    #[test]
    fn no_node_passes_its_bound(
        members in 1_usize..20,
        skew in 1_u32..40,
        objects in proptest::collection::vec(0_u32..1000, 200..1500),
    ) {
        let view = view(|catalog| catalog.endpoints[0].nodes = nodes("n", members));
        let loads = NodeLoads::new();
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for (sent, object) in (1_u32..).zip(&objects) {
            let (node, _) = send(&view, &loads, &format!("/{}", object / skew));
            let count = counts.entry(node).or_default();
            *count += 1;
            let bound = f64::from(sent) / members as f64 * 1.25;
            prop_assert!(*count <= 32 || f64::from(*count) < bound + 1.0, "{count} of {sent}");
        }
    }
}
