//! kill -9 at any moment: no drain is lost, no answer is empty, no version goes back.

use crate::harness::{Daemon, World, telemetry, wait_for};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::Random;
use testkit::dns::ask;

/// Answers that the clients saw.
#[derive(Default)]
struct Seen {
    answers: AtomicU64,
    faults: Mutex<Vec<String>>,
}

/// Asks all the time; silence is allowed (the process may be gone), a bad answer never.
fn clients(
    dns: SocketAddr,
    stop: &Arc<AtomicBool>,
    seen: &Arc<Seen>,
) -> std::thread::JoinHandle<()> {
    let (stop, seen) = (Arc::clone(stop), Arc::clone(seen));
    std::thread::spawn(move || {
        let mut client = 0xca60_8000_u32;
        while !stop.load(Ordering::Relaxed) {
            client = client.wrapping_add(256 * 37);
            if let Some(reply) = ask(
                dns,
                "live.cdn.example.",
                RecordType::A,
                Some(Ipv4Addr::from(client)),
            ) {
                seen.answers.fetch_add(1, Ordering::Relaxed);
                if reply.code != ResponseCode::NoError || reply.addresses.is_empty() {
                    seen.faults.lock().unwrap().push(format!("{reply:?}"));
                }
            }
        }
    })
}

/// Asks for a drain: its id if it was acknowledged before the crash could swallow the answer.
fn request(control: &mut Daemon, round: u32) -> Option<String> {
    let target = format!("node:gz{}-a-{}", 1 + round % 2, 1 + round % 3);
    let body = format!(
        r#"{{"target":"{target}","lease":"10m","reason":"round","idempotency_key":"k{round}"}}"#
    );
    let (201 | 200, text) = control.call("POST", "/v1/drains", &body) else {
        return None;
    };
    let drain: serde_json::Value = serde_json::from_str(&text).unwrap();
    Some(drain["id"].as_str().unwrap().to_owned())
}

#[test]
fn killing_either_process_at_random_moments_loses_nothing() {
    let seed = std::process::id();
    println!("seed {seed}");
    let mut random = Random::new(seed.into());
    let world = World::new();
    let mut control = world.start("control", &[]);
    let mut edge = world.start_edge(&mut control);
    let (dns, api) = (edge.address("dns"), control.address("api"));
    edge.keep_address("dns.listen", &format!("['{dns}']"));
    control.keep_address("api.listen", &format!("'{api}'"));
    let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
    let asking = clients(dns, &stop, &seen);
    let mut acknowledged = BTreeSet::new();
    let mut newest = 0.0;
    for round in 0..8 {
        control.tell(&telemetry(|_| 100.0));
        acknowledged.extend(request(&mut control, round));
        std::thread::sleep(Duration::from_millis(random.bits() % 400));
        let victim = if random.one_in(2) {
            &mut control
        } else {
            &mut edge
        };
        victim.kill();
        std::thread::sleep(Duration::from_millis(random.bits() % 200));
        victim.restart();
        let _ = (control.address("api"), edge.address("dns"));
        let kept = control.json("GET", "/v1/drains", "").to_string();
        for id in &acknowledged {
            assert!(
                kept.contains(&format!("\"{id}\"")),
                "seed {seed}, round {round}: {id} is lost from {kept}"
            );
        }
        let version = edge.metric("watershed_map_version", "");
        assert!(
            version >= newest,
            "seed {seed}, round {round}: version {version} after {newest}"
        );
        newest = version;
        if round % 3 == 2 {
            for id in &acknowledged {
                let _ = control.call("DELETE", &format!("/v1/drains/{id}"), "");
            }
        }
    }
    wait_for("answers after the last start", || {
        ask(dns, "live.cdn.example.", RecordType::A, None).is_some()
    });
    stop.store(true, Ordering::Relaxed);
    asking.join().unwrap();
    let faults = seen.faults.lock().unwrap();
    assert!(
        faults.is_empty(),
        "seed {seed}: {} bad answers, such as {:?}",
        faults.len(),
        faults.first()
    );
    assert!(
        seen.answers.load(Ordering::Relaxed) > 200,
        "the clients hardly saw an answer"
    );
}

#[test]
fn an_edge_starts_and_serves_without_any_control_plane() {
    let world = World::new();
    let mut control = world.start("control", &[]);
    let mut edge = world.start_edge(&mut control);
    let _ = edge.address("dns");
    control.kill();
    edge.kill();
    edge.restart();
    let dns = edge.address("dns");
    for _ in 0..50 {
        let reply = ask(
            dns,
            "live.cdn.example.",
            RecordType::A,
            Some(Ipv4Addr::new(202, 96, 128, 86)),
        )
        .unwrap();
        assert!(!reply.addresses.is_empty());
    }
}
