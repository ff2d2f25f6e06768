//! How long a decision takes. Run with `--release --ignored --nocapture`.

use crate::world::{nodes, view};
use redirect::{Host, Method, NodeLoads, Outcome, Request, Scheme, decide};
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
