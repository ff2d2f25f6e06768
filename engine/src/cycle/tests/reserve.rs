//! The room that a region keeps for the loss of a site, and who may use it.

use super::*;

/// Soft and hard limit of the one region in the newest instance, Mbps.
fn limits(world: &World) -> (f64, f64) {
    let last = world.engine.last.as_ref().unwrap();
    let [region] = &last.instance.regions[..] else {
        panic!("{:?}", last.instance.regions);
    };
    (region.watermark_mbps.unwrap(), region.capacity_mbps)
}

fn near(found: (f64, f64), expected: (f64, f64)) {
    let off = (found.0 - expected.0).abs() + (found.1 - expected.1).abs();
    assert!(off < 1e-6, "{found:?}, not {expected:?}");
}

#[test]
fn room_is_kept_for_one_loss_and_whatever_is_out_may_use_it() {
    let mut options = options();
    options.model.reserve_worst_site = true;
    let mut world = World::with(options);
    let next = |world: &mut World| {
        world.wait(10);
        world.demand(100.0);
        world.cycle();
    };
    next(&mut world);
    near(limits(&world), (5000.0, 6000.0));
    world.close("group:s0-a");
    next(&mut world);
    near(limits(&world), (5000.0, 5500.0));
    world.close("site:s0");
    next(&mut world);
    near(limits(&world), (5000.0, 5000.0));
    world.fail(1);
    next(&mut world);
    near(limits(&world), (4000.0, 4000.0));
}
