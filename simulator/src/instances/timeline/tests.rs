//! The stories on a small CDN, and what the engine owes in them.

use super::*;
use coverage::AreaTable;
use instance::{Instance, Plan};
use optimizer::{Movement, SolveOptions, solve};

const SIZE: Size = Size {
    sites: 18,
    areas: 40,
};

fn table() -> AreaTable {
    AreaTable::decode(include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../data/geo/areas.wsa"
    )))
    .unwrap()
}

fn play_small(story: Story) -> Outcome {
    let table = table();
    let sources = Sources {
        table: &table,
        round_trips_csv: None,
    };
    play(story, SIZE, 1, &sources).unwrap()
}

#[test]
fn in_a_storm_nothing_servable_is_left_unserved() {
    let outcome = play_small(Story::DrainStorm);
    let tolerance_mbps = 0.005 * outcome.demand_mbps;
    assert!(outcome.servable_lost_mbps_max < tolerance_mbps);
    assert!(outcome.lost_share < 0.005);
    assert!(
        outcome.published["local, limits"] >= 3,
        "each loss is answered at once"
    );
    let drains: usize = outcome.drains.values().sum();
    assert_eq!(drains, 13, "every request became a drain");
}

#[test]
fn a_site_that_flaps_is_left_at_once_and_nothing_is_lost() {
    let outcome = play_small(Story::Flap);
    assert!(outcome.servable_lost_mbps_max < 0.005 * outcome.demand_mbps);
    assert!(outcome.published["local, limits"] >= 1);
}

#[test]
fn a_site_that_flaps_is_returned_to_a_few_times_only() {
    let outcome = play_small(Story::Flap);
    // Each change of health is told to the edges; but after its third failure nobody is sent there
    // until it is quiet.
    assert!(outcome.to_flapping_mbps < 0.05 * outcome.demand_mbps);
    let moving = |(word, _): &(&String, &usize)| !word.contains("limits");
    let moves: usize = outcome
        .published
        .iter()
        .filter(moving)
        .map(|(_, n)| n)
        .sum();
    assert!(moves <= 15, "{:?}", outcome.published);
    assert!(
        outcome.held["no-gain"] > outcome.steps / 3,
        "nothing changes most of the time, and then nobody is moved: {:?}",
        outcome.held
    );
}

#[test]
fn nothing_moves_towards_sites_that_fell_silent() {
    let outcome = play_small(Story::Stale);
    // Whoever would be lost where it stands may go there all the same.
    assert!(outcome.to_frozen_mbps < 0.002 * outcome.demand_mbps);
    assert!(outcome.servable_lost_mbps_max < 0.005 * outcome.demand_mbps);
}

#[test]
fn what_was_solved_live_is_solved_again_from_its_file() {
    let table = table();
    let cdn = Cdn::of(&table, SIZE, 3).unwrap();
    let mut player = Player::new(cdn, 3);
    for steps in [1, 20, 7] {
        player.wait(steps);
        // What the API gives out now is what the next cycle solves, if nothing is observed in
        // between.
        let file = serde_json::to_vec(&player.engine().instance(false, player.now)).unwrap();
        player.cycle();
        let last = player.engine().last().unwrap();
        let read = Instance::read(&file).unwrap();
        assert_eq!(read.digest(), last.certificate.input_digest);
        // The plan in force is in the file, as incumbents; the engine starts from it.
        let warm = Plan {
            shares: read
                .units
                .iter()
                .map(|unit| unit.incumbent.clone())
                .collect(),
            input_digest: String::new(),
        };
        for threads in [1, 2] {
            let options = SolveOptions {
                threads,
                seed: 3,
                // As the engine solves: only `solve` asks how little could have moved.
                movement: Movement::Unbounded,
                ..SolveOptions::default()
            };
            let again = solve(&read, &options, Some(&warm));
            let bytes = |plan: &Plan| serde_json::to_vec(plan).unwrap();
            assert_eq!(bytes(&again.plan), bytes(&last.plan), "after {steps} steps");
            assert_eq!(again.certificate, last.certificate);
            let cold = solve(&read, &options, None);
            let (cold, warm) = (cold.certificate.objective, last.certificate.objective);
            assert!((cold - warm).abs() <= 1e-9 * warm);
        }
    }
}
