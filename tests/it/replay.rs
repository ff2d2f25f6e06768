//! A decision of a daemon, made again from its recorded input.

use crate::harness::{World, run, telemetry, wait_for};

#[test]
fn the_input_of_the_newest_plan_gives_the_same_plan_to_whoever_solves_it_again() {
    let world = World::new();
    let mut daemon = world.start("run", &[]);
    daemon.tell(&telemetry(|_| 100.0));
    wait_for("a plan", || {
        !daemon.json("GET", "/v1/map", "")["cycle"]["plan"].is_null()
    });
    let file = world.path("recorded.json");
    // Between two questions another plan may have been made: digests tell.
    wait_for("an instance and its plan", || {
        let plan = daemon.json("GET", "/v1/map", "")["cycle"]["plan"].clone();
        let (status, text) = daemon.call("GET", "/v1/instance?last=true", "");
        assert_eq!(status, 200, "{text}");
        std::fs::write(&file, text).unwrap();
        let solved = run(&["--json", "solve", file.to_str().unwrap()]);
        assert!(solved.status.success(), "{solved:?}");
        let solved: serde_json::Value = serde_json::from_slice(&solved.stdout).unwrap();
        let same = plan["input_digest"] == solved["input_digest"];
        if same {
            assert_eq!(plan["objective"], solved["objective"]);
            assert_eq!(plan["lower_bound"], solved["lower_bound"]);
            for level in [
                "unserved_mbps",
                "overload_mbps",
                "below_floor_mbps",
                "latency_cny",
                "money_cny",
            ] {
                assert_eq!(plan["levels"][level], solved[level], "{level}");
            }
        }
        same
    });
    let (status, text) = daemon.call("GET", "/v1/instance?last=true&fresh=true", "");
    assert_eq!(status, 400, "{text}");
}
