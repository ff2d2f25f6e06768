//! Swapping the view while questions come in: no answer is put together from two of them, and
//! nobody waits for it.

use crate::message::{A, addresses, ask};
use crate::world;
use arc_swap::ArcSwap;
use dns::{DnsConfig, DnsServer, DnsView};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Questions that are open at a time.
const WINDOW: usize = 64;
/// Time between two swaps.
const SWAP_EVERY: Duration = Duration::from_millis(10);

/// A view in whose answers every address says which of the two it is.
fn version(number: u8) -> Arc<DnsView> {
    let mut catalog = world::catalog();
    for (group, endpoint) in (0..).zip(&mut catalog.endpoints) {
        endpoint.ipv4 = vec![
            Ipv4Addr::new(10, number, group, 1),
            Ipv4Addr::new(10, number, group, 2),
        ];
    }
    Arc::new(DnsView::build(world::snapshot(catalog, u32::from(number))).unwrap())
}

/// Things a run has seen.
#[derive(Default)]
struct Seen {
    /// Answers by version.
    answers: [u32; 2],
    lost: u32,
    /// Answer times, sorted.
    times: Vec<Duration>,
}

impl Seen {
    /// Thousandths of the answers that came within the time given.
    fn within(&self, thousandths: usize) -> Duration {
        self.times[(self.times.len() - 1) * thousandths / 1000]
    }
}

/// Asks for `length`, a window of questions at a time, each answer checked.
fn ask_for(length: Duration, server: std::net::SocketAddr) -> Seen {
    let socket = testkit::dns::udp(server);
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let questions: Vec<Vec<u8>> = (0..WINDOW)
        .map(|third| {
            ask("live.example.com.", A)
                .subnet(&format!("10.1.{third}.0/24"))
                .bytes()
        })
        .collect();
    let (mut seen, mut reply, start) = (Seen::default(), [0; 1232], Instant::now());
    while start.elapsed() < length {
        let sent = Instant::now();
        for question in &questions {
            socket.send(question).unwrap();
        }
        for _ in 0..WINDOW {
            let Ok(len) = socket.recv(&mut reply) else {
                seen.lost += 1;
                continue;
            };
            seen.times.push(sent.elapsed());
            let versions: Vec<u8> = addresses(&reply[..len])
                .iter()
                .map(|address| address.parse::<Ipv4Addr>().unwrap().octets()[1])
                .collect();
            assert_eq!(versions.len(), 2, "both addresses are answered");
            assert_eq!(versions[0], versions[1], "one answer of two views");
            seen.answers[usize::from(versions[0] % 2)] += 1;
        }
    }
    seen.times.sort_unstable();
    seen
}

/// Asks a server for `length`, with the view standing still or swapped 100 times a second; what was
/// seen, and how many swaps there were.
fn run(length: Duration, swaps: bool) -> (Seen, u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let versions = [version(0), version(1)];
    let view = Arc::new(ArcSwap::new(Arc::clone(&versions[0])));
    let server = {
        let _inside = runtime.enter();
        let mut config = DnsConfig::new(vec!["127.0.0.1:0".parse().unwrap()]);
        config.pin = false;
        DnsServer::bind(config, Arc::clone(&view)).unwrap()
    };
    let (stop, count) = (AtomicBool::new(false), AtomicU32::new(0));
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            while swaps && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(SWAP_EVERY);
                let next = count.fetch_add(1, Ordering::Relaxed) + 1;
                view.store(Arc::clone(&versions[next as usize % 2]));
            }
        });
        let seen = ask_for(length, server.local_addrs()[0]);
        stop.store(true, Ordering::Relaxed);
        seen
    });
    runtime.block_on(server.shutdown());
    (seen, count.into_inner())
}

#[test]
fn no_answer_is_of_two_views_and_none_is_lost() {
    let (seen, swaps) = run(Duration::from_secs(2), true);
    assert_eq!(seen.lost, 0);
    assert!(swaps > 50, "{swaps} swaps");
    assert!(
        seen.answers.iter().all(|answers| *answers > 100),
        "{:?}",
        seen.answers
    );
}

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn answer_times_under_swaps() {
    for round in 0..3 {
        for swaps in [false, true] {
            let (seen, count) = run(Duration::from_secs(5), swaps);
            println!(
                "round {round}: {count} swaps, {} answers, {} lost, p50 {:.0?}, p99 {:.0?}, p99.9 {:.0?}",
                seen.times.len(),
                seen.lost,
                seen.within(500),
                seen.within(990),
                seen.within(999)
            );
        }
    }
}
