//! What an answer costs, without the kernel. Run by hand: `cargo test --release -p watershed-dns -- --ignored --nocapture`.

use crate::message::{A, ask};
use crate::world;
use dns::{Arrival, ReplyConfig, Tally, Transport, respond};
use std::net::SocketAddr;
use std::time::Instant;

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn ns_per_answer() {
    const ROUNDS: u32 = 2_000_000;
    let view = world::view();
    let config = ReplyConfig::default();
    for name in [
        "live.example.com.",
        "split.example.com.",
        "many.example.com.",
        "ns1.example.com.",
        "no.example.com.",
    ] {
        let questions: Vec<_> = (0..=255)
            .map(|third| ask(name, A).subnet(&format!("10.1.{third}.0/24")).bytes())
            .collect();
        let peer = SocketAddr::from(([10, 0, 0, 1], 53));
        let arrival = Arrival {
            peer,
            transport: Transport::Udp,
            now_s: 0,
        };
        let (mut out, mut tally, mut bytes) = ([0; 1232], Tally::default(), 0);
        let start = Instant::now();
        for round in 0..ROUNDS {
            let question = &questions[round as usize % questions.len()];
            bytes += respond(question, &arrival, &view, &config, &mut out, &mut tally).unwrap_or(0);
        }
        let ns = start.elapsed().as_nanos() / u128::from(ROUNDS);
        println!(
            "{name} A with ECS: {ns} ns per answer, {} octets on average",
            bytes / ROUNDS as usize
        );
    }
}
