//! Results that are refused as a whole: the map in force stays, and the audit log says why.

use super::gates::world;
use super::*;
use crate::publish::Gate;
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::{EndpointId, Snapshot};
use instance::Shares;
use instance::{Instance, Plan};

/// A world in which a solve finds something that is worth a map, and all of it at once.
fn improvable() -> World {
    let mut world = world(|rules| {
        rules.gates.step.share_max = 1.0;
        rules.gates.step.ramp_share = 100.0;
        rules.gates.canary.share = 0.0;
    });
    world.improve();
    world.tick();
    world.engine.take_stops();
    world
}

/// Everybody on the first link, which can carry less than half of that.
fn piled(plan: &mut Plan) {
    plan.shares.fill(Shares::from([(0, 1.0)]));
}

/// Returns what the engine goes on from: the map in force and the last solve.
fn ground(engine: &Engine) -> (Arc<Snapshot>, Arc<Plan>, Timestamp, Arc<Instance>, Plan) {
    let last = engine.last().unwrap();
    (
        Arc::clone(engine.in_force.snapshot.as_ref().unwrap()),
        Arc::clone(engine.in_force.plan.as_ref().unwrap()),
        last.at,
        Arc::clone(&last.instance),
        last.plan.clone(),
    )
}

/// Adopts a result that must be refused, by that gate and for a reason that holds `why`. Then the
/// same world goes on: what is found next is published, and the gate says so.
fn refused(world: &mut World, solved: Solved, gate: Gate, why: &str) {
    let before = ground(&world.engine);
    let adopted = world.engine.adopt(solved, world.now);
    let Adopted::Held(held) = adopted else {
        panic!("{adopted:?}");
    };
    assert_eq!(held.word(), gate.word());
    assert!(held.to_string().contains(why), "{held}");
    let after = ground(&world.engine);
    assert!(Arc::ptr_eq(&before.0, &after.0) && Arc::ptr_eq(&before.1, &after.1));
    let [said] = &world.stops(gate)[..] else {
        panic!("said once");
    };
    assert!(said.contains(why), "{said}");
}

/// The same, of a plan that was not even verified: nothing is solved from there on.
fn unverified(world: &mut World, solved: Solved, gate: Gate, why: &str) {
    let (_, _, at, instance, plan) = ground(&world.engine);
    refused(world, solved, gate, why);
    let after = ground(&world.engine);
    assert!(after.2 == at && Arc::ptr_eq(&after.3, &instance) && after.4 == plan);
    let before = world.shares();
    world.cycle();
    assert_ne!(world.shares(), before, "what is found next is published");
    assert_eq!(world.stops(gate), [""], "and the gate says so");
}

fn job(world: &mut World) -> Job {
    let job = world.engine.job(world.now).unwrap();
    assert_eq!(job.tier(), Tier::Full);
    job
}

#[test]
fn a_plan_beyond_a_hard_limit_is_refused() {
    let mut world = improvable();
    let solved = job(&mut world).run(None);
    let solved = solved.but_found(|found| piled(&mut found.plan));
    let why = "link s0/ct carries 2160";
    unverified(&mut world, solved, Gate::Checker, why);
}

#[test]
fn a_certificate_that_claims_too_much_is_refused() {
    let mut world = improvable();
    let solved = job(&mut world).run(None);
    let solved = solved.but_found(|found| {
        found.certificate.bound.cost_cny *= 1.001;
        found.certificate.lower_bound *= 1.001;
    });
    let why = "certificate claims bound on cost";
    unverified(&mut world, solved, Gate::Checker, why);
}

#[test]
fn a_faulty_instance_is_refused_with_the_record_that_is_at_fault() {
    for (mbps, problem) in [(f64::NAN, "mbps is NaN"), (-1.0, "mbps is negative")] {
        let mut world = improvable();
        let job = job(&mut world).of_another(|instance| instance.units[7].mbps = mbps);
        let record = format!("units[7] (\"cn/-/c06\", \"live\"): {problem}");
        unverified(&mut world, job.run(None), Gate::Instance, &record);
    }
}

#[test]
fn a_map_that_leaves_a_name_without_an_answer_is_refused() {
    let mut world = improvable();
    let mut solved = job(&mut world).run(None);
    // Lost between the checker and the map.
    let found = solved.found.as_mut().unwrap();
    found.instance.units[7].cand.clear();
    found.weights.plan.shares[7].clear();
    let at = solved.at;
    let why = "service 0 has no answer in area 7";
    refused(&mut world, solved, Gate::Uncovered, why);
    assert_eq!(world.engine.last().unwrap().at, at, "the plan was verified");
}

#[test]
fn weights_that_are_not_those_of_the_plan_are_refused() {
    let mut world = improvable();
    let mut solved = job(&mut world).run(None);
    // The checker has seen the plan, not what became of it.
    piled(&mut solved.found.as_mut().unwrap().weights.plan);
    refused(&mut world, solved, Gate::Checker, "link s0/ct carries 2160");
}

#[test]
fn answers_that_are_not_those_of_the_plan_are_refused() {
    let mut world = improvable();
    let solved = job(&mut world).run(None);
    let Adopted::Draft(mut draft) = world.engine.adopt(solved, world.now) else {
        panic!("worth a map");
    };
    let wanted = world.engine.last().unwrap().weights.plan.clone();
    assert_eq!(world.engine.check_answers(&draft, &wanted), Ok(()));
    let mut map = CoverageMapBuilder::new(1, u32::try_from(AREAS + 1).unwrap());
    for area in 0..=u32::try_from(AREAS).unwrap() {
        let answers = AnswerSet {
            shares: vec![(EndpointId(0), 64)],
            runners_up: Vec::new(),
        };
        map.set(ServiceId(0), AreaId(area), answers);
    }
    draft.body.map = map.finish().unwrap();
    let held = world.engine.check_answers(&draft, &wanted).unwrap_err();
    assert!(
        held.to_string().contains("link s0/ct carries 2160"),
        "{held}"
    );
    // Nor may they speak of a link that does not exist.
    draft.body.catalog.endpoints[0].link = "unknown".to_owned();
    let held = world.engine.check_answers(&draft, &wanted).unwrap_err();
    assert!(held.to_string().contains("answers serve 0 of it"), "{held}");
}
