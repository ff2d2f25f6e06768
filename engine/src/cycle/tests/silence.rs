//! No data is not good news: who falls silent is relied on less, and who alone falls silent is
//! taken for down.

use super::World;
use coverage::observation::Sample;
use coverage::{AreaId, LinkId, NodeId, SiteId};
use std::sync::Arc;

/// Demand per area at which all sites are in use, Mbps.
const MBPS: f64 = 60.0;
/// The site that falls silent, and its nodes.
const SITE: usize = 1;
const NODES: std::ops::Range<usize> = 4..8;

/// Age from which reports are stale here, and from which who says nothing is not relied on,
/// seconds.
const STALE_S: u64 = 180;
const FROZEN_S: u64 = 600;

/// All nodes and links but some report that they are well; areas, what they ask for.
fn report(world: &mut World, quiet: &[usize], quiet_links: &[usize]) {
    let inventory = Arc::clone(&world.engine.inventory);
    for node in (0..inventory.nodes.len()).filter(|node| !quiet.contains(node)) {
        world.tell(Sample::Node {
            node: NodeId::from_index(node),
            healthy: true,
            load: 0.1,
            mbps: 10.0,
        });
    }
    for link in (0..inventory.links.len()).filter(|link| !quiet_links.contains(link)) {
        world.tell(Sample::Link {
            link: LinkId::from_index(link),
            mbps: 100.0,
        });
    }
    world.demand(MBPS);
}

/// Reports once a minute for some time, with a cycle after each.
fn go_on(world: &mut World, seconds: u64, quiet: &[usize], quiet_links: &[usize]) {
    for _ in 0..seconds / 60 {
        world.wait(60);
        report(world, quiet, quiet_links);
        world.cycle();
    }
}

/// The areas of its neighbour are served too slowly there, and would be served well by the site.
fn attract(world: &mut World) {
    for (area, (site, rtt_ms)) in (1..=6).flat_map(|area| [(area, (0, 80.0)), (area, (SITE, 1.0))])
    {
        world.tell(Sample::Quality {
            area: AreaId(area),
            site: SiteId::from_index(site),
            link: None,
            rtt_ms,
            loss: 0.0,
        });
    }
}

fn up(world: &World) -> Vec<bool> {
    world.engine.health(world.now).nodes_up
}

/// Watermarks of the silent site and its link in the instance at hand, Mbps.
fn watermarks(world: &World) -> (f64, f64) {
    let instance = world.engine.instance(false, world.now);
    let site = instance.sites[SITE].watermark_mbps.unwrap();
    (site, instance.links[SITE].watermark_mbps.unwrap())
}

#[test]
fn a_node_that_alone_of_its_site_falls_silent_is_down_until_it_speaks() {
    let mut world = World::serving(MBPS);
    report(&mut world, &[], &[]);
    world.cycle();
    go_on(&mut world, FROZEN_S, &[5], &[]);
    assert!(up(&world)[5], "ten minutes are not over");
    world.wait(60);
    report(&mut world, &[5], &[]);
    let tick = world.tick();
    assert_eq!(tick.silent_nodes, ["s1-a-1"]);
    assert_eq!(up(&world).iter().filter(|up| !**up).count(), 1);
    let capacity = world.engine.instance(false, world.now).sites[SITE].capacity_mbps;
    assert!((capacity - 750.0).abs() < 1e-9, "{capacity}");
    // Who still reports is relied on as before.
    assert!((watermarks(&world).0 - 0.9 * 750.0).abs() < 1e-9);
    let told = world.engine.in_force.snapshot.as_ref().unwrap();
    let nodes = told.catalog.endpoints.iter().flat_map(|e| &e.nodes);
    let out: Vec<&str> = nodes
        .filter(|n| !n.serving)
        .map(|n| n.name.as_str())
        .collect();
    assert_eq!(out, ["s1-a-1"], "the map says so");
    report(&mut world, &[], &[]);
    assert!(world.tick().silent_nodes.is_empty());
    assert!(up(&world).iter().all(|up| *up));
}

#[test]
fn when_reports_of_a_site_come_back_one_by_one_nobody_is_taken_for_dead() {
    let mut world = World::serving(MBPS);
    go_on(&mut world, STALE_S + 60, &[], &[]);
    let mut quiet: Vec<usize> = NODES.collect();
    go_on(&mut world, FROZEN_S + 60, &quiet, &[]);
    for _ in NODES {
        quiet.pop();
        world.wait(20);
        report(&mut world, &quiet, &[]);
        assert!(world.tick().silent_nodes.is_empty(), "without {quiet:?}");
    }
    // Who stays silent after that is dead.
    go_on(&mut world, STALE_S + 60, &[5], &[]);
    go_on(&mut world, FROZEN_S, &[5], &[]);
    assert_eq!(world.tick().silent_nodes, ["s1-a-1"]);
}

#[test]
fn silence_does_not_undo_what_nodes_say_of_themselves() {
    let mut world = World::serving(MBPS);
    go_on(&mut world, STALE_S + 60, &[], &[]);
    // A site and a half of six: a quarter of the region says that it is down, a sixteenth more is
    // silent.
    for second in 0..2 {
        world.wait(1 + second);
        for node in [0, 1, 2, 3, 8, 9] {
            let node = NodeId::from_index(node);
            world.tell(Sample::Node {
                node,
                healthy: false,
                load: 0.0,
                mbps: 0.0,
            });
        }
    }
    let down = [0, 1, 2, 3, 8, 9];
    for _ in 0..12 {
        world.wait(60);
        for node in (0..24).filter(|node| ![14, 18].contains(node)) {
            world.tell(Sample::Node {
                node: NodeId::from_index(node),
                healthy: !down.contains(&node),
                load: 0.0,
                mbps: 0.0,
            });
        }
        world.demand(MBPS);
        world.cycle();
    }
    let up = up(&world);
    assert!(down.iter().all(|node| !up[*node]), "{up:?}");
    assert!(
        up[14] && up[18],
        "a third of the region is more than can be"
    );
    assert!(world.engine.health(world.now).failed_open.is_empty());
}

#[test]
fn a_node_that_was_never_heard_among_others_that_are_is_as_old_as_the_start() {
    let mut world = World::serving(MBPS);
    go_on(&mut world, FROZEN_S + 120, &[6], &[]);
    assert_eq!(world.tick().silent_nodes, ["s1-b-0"]);
}

#[test]
fn when_a_whole_site_falls_silent_nobody_leaves_for_that_and_it_gives_up_some_of_its_watermark() {
    let mut world = World::serving(MBPS);
    report(&mut world, &[], &[]);
    world.cycle();
    let before = watermarks(&world);
    let (nodes, carried) = (NODES.collect::<Vec<_>>(), world.on_link(1, MBPS));
    assert!(carried > 0.0);
    let share = |world: &World| {
        let now = watermarks(world);
        (now.0 / before.0, now.1 / before.1)
    };
    go_on(&mut world, STALE_S, &nodes, &[SITE]);
    assert_eq!(share(&world), (1.0, 1.0));
    go_on(&mut world, 60, &nodes, &[SITE]);
    let (site, link) = share(&world);
    assert!((site - 0.9).abs() < 1e-9 && (link - 0.9).abs() < 1e-9);
    go_on(&mut world, FROZEN_S, &nodes, &[SITE]);
    let (site, link) = share(&world);
    assert!((site - 0.8).abs() < 1e-9 && (link - 0.8).abs() < 1e-9);
    assert!(up(&world).iter().all(|up| *up));
    assert!(world.tick().silent_nodes.is_empty());
    assert!((world.on_link(1, MBPS) - carried).abs() < 1e-9);
}

#[test]
fn a_site_that_was_never_heard_of_is_not_moved_towards_while_others_are_heard() {
    let mut world = World::serving(MBPS);
    let nodes: Vec<usize> = NODES.collect();
    go_on(&mut world, STALE_S + 60, &nodes, &[SITE]);
    let before = world.on_link(1, MBPS);
    let mut pulled = |quiet: &[usize], quiet_links: &[usize]| {
        for _ in 0..10 {
            attract(&mut world);
            go_on(&mut world, 60, quiet, quiet_links);
        }
        world.on_link(1, MBPS)
    };
    assert!(pulled(&nodes, &[SITE]) <= before);
    assert!(pulled(&[], &[]) > before, "the gain was there to be had");
}

#[test]
fn where_nobody_reports_sites_nothing_is_held_against_them() {
    let mut world = World::serving(MBPS);
    let before = watermarks(&world);
    for _ in 0..30 {
        world.wait(60);
        world.demand(MBPS);
        world.cycle();
    }
    assert_eq!(watermarks(&world), before);
    assert!(up(&world).iter().all(|up| *up));
}
