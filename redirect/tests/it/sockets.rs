//! The server on real sockets: keep-alive, limits, swaps, shutdown.

use crate::world::{Held, Running, view};
use coverage::PrefixSet;
use redirect::{Event, ForwardedHeader};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::http::{field, status};

/// Reads one response without a body, or with the body that its length announces.
fn read_response(stream: &mut BufReader<TcpStream>, has_body: bool) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            stream.read_line(&mut head).unwrap() > 0,
            "closed after {head:?}"
        );
    }
    let length = field(&head, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; if has_body { length } else { 0 }];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

#[test]
fn one_connection_carries_many_requests() {
    let running = Running::start(|config| config.workers = 2);
    let mut stream = BufReader::new(running.connect());
    for round in 0..50 {
        for method in ["GET", "HEAD"] {
            let request = format!("{method} /a/{round}?x HTTP/1.1\r\nHost: go.example.com\r\n\r\n");
            stream.get_mut().write_all(request.as_bytes()).unwrap();
            let response = read_response(&mut stream, method == "GET");
            assert_eq!(status(&response), 302);
            assert_eq!(field(&response, "cache-control"), Some("no-store"));
            assert_eq!(field(&response, "watershed-map"), Some("3.1207"));
            let location = field(&response, "location").unwrap();
            assert!(
                location.ends_with(&format!(":8080/a/{round}?x")),
                "{location}"
            );
        }
    }
    // Pipelined requests are answered in order.
    let requests: String = (0..20)
        .map(|n| format!("GET /p{n} HTTP/1.1\r\nHost: go.example.com\r\n\r\n"))
        .collect();
    stream.get_mut().write_all(requests.as_bytes()).unwrap();
    for n in 0..20 {
        let response = read_response(&mut stream, true);
        assert!(
            field(&response, "location")
                .unwrap()
                .ends_with(&format!("/p{n}"))
        );
    }
    let counters = running.server.counters();
    assert_eq!(counters.get(Event::Redirect), 120);
    assert_eq!(counters.get(Event::Connection), 1);
    assert_eq!(
        counters.services(&running.cell.load().0).next(),
        Some(("live", 120))
    );
}

#[test]
fn a_swap_changes_the_next_answer() {
    let running = Running::start(|_| ());
    let before = running.get("go.example.com", "/x");
    assert!(field(&before, "location").unwrap().starts_with("http://w"));
    let drained = view(|catalog| {
        catalog.endpoints[1]
            .nodes
            .iter_mut()
            .for_each(|node| node.serving = false);
    });
    running.cell.store(Arc::new(Held(drained)));
    let after = running.get("go.example.com", "/x");
    assert!(
        field(&after, "location").unwrap().starts_with("http://e"),
        "{after}"
    );
    assert_eq!(running.server.counters().get(Event::RunnerUp), 1);
}

#[test]
fn forwarding_headers_count_from_trusted_proxies_only() {
    let east = "GET /x HTTP/1.1\r\nHost: go.example.com\r\nX-Forwarded-For: 10.1.0.9\r\n\
                Forwarded: for=10.1.0.9\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";
    let location = |trusted: &[&str], header| {
        let running = Running::start(|config| {
            config.answer.trusted_proxies = PrefixSet::parse(trusted.iter().copied()).unwrap();
            config.answer.forwarded_header = header;
        });
        let response = running.exchange(east.as_bytes());
        field(&response, "location").unwrap().to_owned()
    };
    let strangers = location(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
    assert!(strangers.starts_with("http://w"), "{strangers}");
    for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
        let trusted = location(&["127.0.0.1"], header);
        assert!(trusted.starts_with("https://e"), "{trusted}");
    }
}

#[test]
fn heads_are_bounded() {
    let running = Running::start(|_| ());
    let long = format!("/{}", "x".repeat(8192));
    assert_eq!(status(&running.get("go.example.com", &long)), 414);
    let fields: String = (0..64).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: go.example.com\r\n{fields}\r\n");
    assert_eq!(status(&running.exchange(many.as_bytes())), 431);
    let wide = format!(
        "GET / HTTP/1.1\r\nHost: go.example.com\r\nX: {}\r\n\r\n",
        "y".repeat(17_000)
    );
    assert_eq!(status(&running.exchange(wide.as_bytes())), 431);
}

#[test]
fn slow_and_silent_clients_are_left() {
    let running = Running::start(|config| {
        config.limits.header_timeout = Duration::from_millis(300);
        config.limits.idle_timeout = Duration::from_millis(900);
    });
    let closed_after = |mut stream: TcpStream| {
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        begun.elapsed()
    };
    let silent = closed_after(running.connect());
    assert!(
        (200..800).contains(&silent.as_millis()),
        "silent: {silent:?}"
    );
    // Trickling does not prolong it: bytes come all the time, and the end comes all the same.
    let mut trickling = running.connect();
    let begun = Instant::now();
    trickling.write_all(b"GET /").unwrap();
    while trickling.write_all(b"x").is_ok() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "trickling: {:?}",
        begun.elapsed()
    );
    let mut idle = BufReader::new(running.connect());
    idle.get_mut()
        .write_all(b"GET / HTTP/1.1\r\nHost: go.example.com\r\n\r\n")
        .unwrap();
    read_response(&mut idle, true);
    let idle = closed_after(idle.into_inner());
    assert!((700..2_000).contains(&idle.as_millis()), "idle: {idle:?}");
    assert!(running.server.counters().get(Event::TimedOut) >= 2);
}

#[test]
fn clients_that_take_no_answers_are_left() {
    let running = Running::start(|config| {
        config.limits.write_timeout = Duration::from_millis(300);
    });
    let mut stream = running.connect();
    stream
        .set_write_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let requests = "GET /x HTTP/1.1\r\nHost: go.example.com\r\n\r\n".repeat(1000);
    // Answers fill the buffers of both ends, since nobody reads them; then the server closes.
    let begun = Instant::now();
    while stream.write_all(requests.as_bytes()).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(15), "still served");
    }
    while running.server.counters().get(Event::TimedOut) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(15), "never given up");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn connections_are_bounded() {
    let running = Running::start(|config| config.limits.connections_max = 2);
    let held = [running.connect(), running.connect()];
    for mut stream in held.iter() {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: go.example.com\r\n\r\n")
            .unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
    }
    assert_eq!(
        running.get("go.example.com", "/"),
        "",
        "closed without a word"
    );
    assert_eq!(running.server.counters().get(Event::ConnectionRefused), 1);
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_waits() {
    let running = Running::start(|config| config.workers = 2);
    let mut idle = BufReader::new(running.connect());
    idle.get_mut()
        .write_all(b"GET / HTTP/1.1\r\nHost: go.example.com\r\n\r\n")
        .unwrap();
    read_response(&mut idle, true);
    let addr = running.addr();
    let begun = Instant::now();
    running.server.shutdown().await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "idle connections do not use up the grace"
    );
    let mut rest = Vec::new();
    assert_eq!(idle.read_to_end(&mut rest).unwrap_or(0), 0);
    assert!(TcpStream::connect(addr).is_err(), "nobody listens any more");
}
