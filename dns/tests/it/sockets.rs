//! Real sockets on ephemeral ports.

use crate::message::{A, AAAA, Ask, TXT, ask, shown};
use crate::world;
use arc_swap::ArcSwap;
use dns::{BindError, DnsConfig, DnsServer, DnsView, Event};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::dns::{framed, read_framed, udp};
use testkit::http::connect;

const SOA: &str = "auth example.com. 300 SOA ...";

/// A server over the world on both loopbacks, inside a runtime of its own.
struct Running {
    runtime: tokio::runtime::Runtime,
    server: DnsServer,
    view: Arc<ArcSwap<DnsView>>,
}

impl Running {
    fn start(edit: impl FnOnce(&mut DnsConfig)) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listen = ["127.0.0.1:0", "[::1]:0"].map(|addr| addr.parse().unwrap());
        let mut config = DnsConfig::new(listen.into());
        config.pin = false;
        config.udp_workers = 2;
        edit(&mut config);
        let view = Arc::new(ArcSwap::from_pointee(world::view()));
        let _inside = runtime.enter();
        let server = DnsServer::bind(config, Arc::clone(&view)).unwrap();
        drop(_inside);
        Self {
            runtime,
            server,
            view,
        }
    }

    fn addr(&self, index: usize) -> SocketAddr {
        self.server.local_addrs()[index]
    }

    /// Number of times that an event has happened once it has happened `least` times: workers count
    /// after they have sent.
    fn count(&self, event: Event, least: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let count = self.server.counters().snapshot().get(event);
            if count >= least || Instant::now() > deadline {
                return count;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn stop(self) {
        self.runtime.block_on(self.server.shutdown());
    }
}

fn exchange(socket: &UdpSocket, ask: &Ask) -> String {
    socket.send(&ask.bytes()).unwrap();
    let mut reply = [0; 4096];
    let len = socket.recv(&mut reply).unwrap();
    shown(&reply[..len])
}

#[test]
fn udp_answers_on_both_families_and_follows_the_view() {
    let running = Running::start(|_| {});
    let live = ask("live.example.com.", A).subnet("10.1.128.0/17");
    let east = "noerror aa rd | live.example.com. 60 A 192.0.2.1 | live.example.com. 60 A 192.0.2.2 \
                | edns ecs 10.1.128.0/17/17";
    for index in 0..2 {
        let socket = udp(running.addr(index));
        for _ in 0..100 {
            assert_eq!(exchange(&socket, &live), east);
        }
    }
    assert_eq!(running.count(Event::Records, 200), 200);
    assert_eq!(running.count(Event::Ecs, 200), 200);
    let moved = DnsView::build(world::snapshot(world::catalog(), 1)).unwrap();
    running.view.store(Arc::new(moved));
    let reply = exchange(&udp(running.addr(0)), &live);
    assert!(
        reply.contains("192.0.2.11") && !reply.contains("192.0.2.1 "),
        "{reply}"
    );
    running.stop();
}

#[test]
fn replies_leave_from_the_address_that_was_asked() {
    let running = Running::start(|config| config.listen = vec!["0.0.0.0:0".parse().unwrap()]);
    for asked in ["127.0.0.1", "127.0.0.2", "127.8.7.6"] {
        // A connected socket takes datagrams from that very address alone.
        let socket = udp(SocketAddr::new(
            asked.parse().unwrap(),
            running.addr(0).port(),
        ));
        assert!(
            exchange(&socket, &ask("ns1.example.com.", A)).starts_with("noerror"),
            "{asked}"
        );
    }
    running.stop();
}

#[test]
fn a_burst_is_answered_whole_and_garbage_does_not_matter() {
    let running = Running::start(|_| {});
    let socket = udp(running.addr(0));
    for _ in 0..100 {
        socket.send(b"garbage").unwrap();
        socket.send(&[]).unwrap();
        socket.send(&ask("ns1.example.com.", AAAA).bytes()).unwrap();
        socket.send(&vec![0; 3000]).unwrap();
    }
    let (mut answers, mut errors) = (0, 0);
    while answers + errors < 200 {
        let mut reply = [0; 4096];
        let len = socket.recv(&mut reply).unwrap();
        if shown(&reply[..len]) == format!("noerror aa rd | {SOA}") {
            answers += 1
        } else {
            errors += 1
        }
    }
    assert_eq!((answers, errors), (100, 100));
    assert_eq!(running.count(Event::NoData, 100), 100);
    running.stop();
}

#[test]
fn tcp_takes_pipelined_questions_and_a_half_closed_peer() {
    let running = Running::start(|config| config.reply.tcp.in_flight_max = 3);
    for index in 0..2 {
        let mut stream = connect(running.addr(index));
        let questions: Vec<u8> = (0..20)
            .flat_map(|turn| {
                framed(&ask("ns1.example.com.", if turn % 2 == 0 { A } else { TXT }).bytes())
            })
            .collect();
        // Cut at an odd place: a message begins in one segment and ends in the next.
        let (head, tail) = questions.split_at(33);
        stream.write_all(head).unwrap();
        stream.write_all(tail).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        for turn in 0..20 {
            let reply = shown(&read_framed(&mut stream).unwrap());
            assert_eq!(
                reply.contains("192.0.2.53"),
                turn % 2 == 0,
                "in order: {reply}"
            );
        }
        assert_eq!(
            read_framed(&mut stream),
            None,
            "closed after the last answer"
        );
    }
    assert_eq!(running.count(Event::Tcp, 40), 40);
    running.stop();
}

#[test]
fn what_is_truncated_over_udp_is_whole_over_tcp() {
    let running = Running::start(|_| {});
    let big = ask("big.example.com.", TXT).edns(4096, 0);
    assert_eq!(
        exchange(&udp(running.addr(0)), &big),
        "noerror aa tc rd | edns"
    );
    let mut stream = connect(running.addr(0));
    stream.write_all(&framed(&big.bytes())).unwrap();
    let reply = read_framed(&mut stream).unwrap();
    assert_eq!(shown(&reply).matches(" TXT ").count(), 12);
    // Larger than the room that a connection has at first, too.
    assert!(reply.len() > 2400);
    assert_eq!(running.count(Event::Truncated, 1), 1);
    running.stop();
}

#[test]
fn idle_and_surplus_connections_are_closed() {
    let running = Running::start(|config| {
        config.reply.tcp.idle_timeout = Duration::from_millis(100);
        config.reply.tcp.connections_max = 1;
    });
    let mut first = connect(running.addr(0));
    first
        .write_all(&framed(&ask("ns1.example.com.", A).bytes()))
        .unwrap();
    assert!(read_framed(&mut first).is_some());
    let mut second = connect(running.addr(0));
    assert_eq!(read_framed(&mut second), None, "one too many");
    assert_eq!(running.count(Event::ConnectionRefused, 1), 1);
    assert_eq!(read_framed(&mut first), None, "idle for too long");
    running.stop();
}

#[test]
fn a_peer_that_stalls_or_talks_nonsense_is_closed() {
    let running = Running::start(|config| config.reply.tcp.io_timeout = Duration::from_millis(100));
    let mut stalled = connect(running.addr(0));
    stalled.write_all(&[0, 40, 1, 2, 3]).unwrap();
    assert_eq!(read_framed(&mut stalled), None);
    let mut dripping = connect(running.addr(0));
    dripping.write_all(&[0, 255]).unwrap();
    dripping
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let closed = (0..100)
        .any(|_| dripping.write_all(&[7]).is_err() || matches!(dripping.read(&mut [0]), Ok(0)));
    assert!(
        closed,
        "an octet now and then does not keep a connection open"
    );
    let mut nonsense = connect(running.addr(0));
    nonsense.write_all(&framed(b"tiny")).unwrap();
    assert_eq!(read_framed(&mut nonsense), None);
    running.stop();
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let view = Arc::new(ArcSwap::from_pointee(world::view()));
    let config = DnsConfig::new(vec!["127.0.0.1:0".parse().unwrap()]);
    let outside = DnsServer::bind(config.clone(), Arc::clone(&view));
    assert!(matches!(outside, Err(BindError::NoRuntime)));
    let running = Running::start(|_| {});
    let _inside = running.runtime.enter();
    let taken = DnsConfig {
        listen: vec![running.addr(0)],
        ..config.clone()
    };
    assert!(matches!(
        DnsServer::bind(taken, Arc::clone(&view)),
        Err(BindError::Address { .. })
    ));
    let nowhere = DnsConfig {
        listen: vec![],
        ..config.clone()
    };
    assert!(matches!(
        DnsServer::bind(nowhere, Arc::clone(&view)),
        Err(BindError::NoAddress)
    ));
    let nobody = DnsConfig {
        udp_workers: 0,
        ..config
    };
    assert!(matches!(
        DnsServer::bind(nobody, view),
        Err(BindError::NoWorkers)
    ));
    drop(_inside);
    running.stop();
}
