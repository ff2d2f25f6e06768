//! Gates as an operator meets them: in the audit log, on the metrics page, and as a file that holds
//! the map of an edge.

use crate::harness::{Daemon, World, telemetry, wait_for};
use hickory_proto::rr::RecordType;
use std::net::Ipv4Addr;
use std::time::Duration;
use testkit::dns::ask;

/// Usual telemetry with another demand in both areas, Mbps.
fn demand(mbps: u32) -> Vec<String> {
    let lines = telemetry(|_| 100.0).into_iter();
    let other = |line: String| {
        line.replace("\"mbps\":400", &format!("\"mbps\":{mbps}"))
            .replace("\"mbps\":300", &format!("\"mbps\":{mbps}"))
    };
    lines.map(other).collect()
}

/// Deeds of gates, newest first: action and detail of each entry by the engine.
fn deeds(daemon: &mut Daemon) -> Vec<(String, String)> {
    let audit = daemon.json("GET", "/v1/audit?limit=100", "");
    let entries = audit.as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    entries
        .filter(|entry| entry["who"] == "engine")
        .map(|entry| (text(&entry["action"]), text(&entry["detail"])))
        .filter(|(action, detail)| action.starts_with("gate.") && detail.starts_with("input"))
        .collect()
}

/// State of the input's gate on the metrics page.
fn held(daemon: &mut Daemon) -> f64 {
    daemon.metric("watershed_gate_held_total", "gate=\"input\"")
}

#[test]
fn doubted_input_is_in_the_audit_log_once_and_an_operator_may_believe_it() {
    let world = World::new();
    let mut daemon = world.start("run", &["gates.settle='3s'".to_owned()]);
    // Smoothing takes a few cycles, and for a while after the start input is believed whatever it
    // is.
    for _ in 0..50 {
        daemon.tell(&demand(100));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(held(&mut daemon) < 0.5, "{:?}", deeds(&mut daemon));
    wait_for("doubts", || {
        daemon.tell(&demand(300));
        held(&mut daemon) > 0.5
    });
    for _ in 0..5 {
        daemon.tell(&demand(300));
        std::thread::sleep(Duration::from_millis(100));
    }
    let said = deeds(&mut daemon);
    assert!(
        said.len() == 1 && said[0].0 == "gate.hold" && said[0].1.contains("demand jumped"),
        "said once while it lasts: {said:?}"
    );
    assert!((held(&mut daemon) - 1.0).abs() < 0.5);
    daemon.json("POST", "/v1/map/unpin", "");
    wait_for("belief", || {
        daemon.tell(&demand(300));
        deeds(&mut daemon).len() == 2
    });
    assert_eq!(deeds(&mut daemon)[0].0, "gate.open");
}

#[test]
fn a_file_named_pin_holds_the_map_of_an_edge_and_its_removal_lets_it_follow() {
    let world = World::new();
    let mut control = world.start("control", &[]);
    let mut edge = world.start_edge(&mut control);
    let dns = edge.address("dns");
    let client = Ipv4Addr::new(202, 106, 0, 20);
    let answer = move || {
        let asked = ask(dns, "live.cdn.example.", RecordType::A, Some(client));
        asked.map(|reply| reply.addresses).unwrap_or_default()
    };
    control.tell(&telemetry(|_| 100.0));
    wait_for("an answer", || !answer().is_empty());
    let before = answer();
    let pin = edge.data_dir.join("pin");
    std::fs::write(&pin, "").unwrap();
    let drain = r#"{"target":"site:bj1","lease":"30m","reason":"test","force":true}"#;
    let (status, text) = control.call("POST", "/v1/drains", drain);
    assert!((200..300).contains(&status), "{text}");
    wait_for("a map that is refused", || {
        control.tell(&telemetry(|_| 100.0));
        edge.metric("watershed_map_refused_total", "reason=\"pinned\"") >= 1.0
    });
    assert_eq!(answer(), before);
    std::fs::remove_file(&pin).unwrap();
    wait_for("the newer map", || {
        control.tell(&telemetry(|_| 100.0));
        let now = answer();
        !now.is_empty() && now != before
    });
}
