//! Duration of a decision, and what a request costs the server. Run with `--release --ignored
//! --nocapture`.

use crate::world::{Running, nodes, view};
use redirect::{Host, Method, NodeLoads, Outcome, Request, Scheme, decide};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

#[test]
#[ignore = "a measurement, not a check"]
fn nanoseconds_per_decision() {
    for members in [10, 100] {
        let view = view(|catalog| catalog.endpoints[0].nodes = nodes("n", members));
        let loads = NodeLoads::new();
        let targets: Vec<String> = (0..4096)
            .map(|n| format!("/vod/title-{n}/segment-00{n}.m4s?token=0123456789abcdef"))
            .collect();
        let rounds = 2_000_000_u32;
        let (begun, mut bytes) = (Instant::now(), 0);
        for round in 0..rounds {
            let host = Host::parse(b"go.example.com").unwrap();
            let client = IpAddr::V4(Ipv4Addr::from(0x0a01_0000 + (round & 0xffff)));
            let target = &targets[(round.wrapping_mul(2_654_435_761) >> 20) as usize];
            let request = Request {
                method: Method::Get,
                host: &host,
                target,
                client,
                scheme: Scheme::Http,
            };
            if let Outcome::Redirect(redirect) = decide(&view, &request, &loads) {
                bytes += redirect.location.len();
            }
        }
        let each = begun.elapsed().as_nanos() / u128::from(rounds);
        println!(
            "{members} nodes: {each} ns per decision, host parsed, {bytes} bytes of locations"
        );
    }
}

/// Nanoseconds of processor time that the first worker has used, user and system together.
fn worker_ns() -> u64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        if std::fs::read_to_string(task.join("comm")).unwrap() == "http-0\n" {
            let schedstat = std::fs::read_to_string(task.join("schedstat")).unwrap();
            return schedstat.split(' ').next().unwrap().parse().unwrap();
        }
    }
    panic!("no worker");
}

#[test]
#[ignore = "a measurement, not a check"]
fn server_time_per_request() {
    let running = Running::start(|_| ());
    // The worker is there, and has its name, once it has answered.
    running.get("go.example.com", "/");
    let mut connections: Vec<_> = (0..64).map(|_| running.connect()).collect();
    let request = "GET /vod/title-1/segment-001.m4s?token=0123456789abcdef HTTP/1.1\r\n\
                   Host: go.example.com\r\nUser-Agent: speed\r\nAccept: */*\r\n\r\n";
    let mut answer = [0; 1024];
    let rounds = 4_000_u64;
    let before = worker_ns();
    for _ in 0..rounds {
        for connection in &mut connections {
            connection.write_all(request.as_bytes()).unwrap();
        }
        for connection in &mut connections {
            let length = connection.read(&mut answer).unwrap();
            assert!(answer[..length].ends_with(b"see Location\n"));
        }
    }
    let each_us = (worker_ns() - before) as f64 / (rounds * 64) as f64 / 1_000.0;
    println!("{each_us:.1} us of server time per request");
}
