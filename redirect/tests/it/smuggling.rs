//! Requests that two parsers could read in two ways: refused, and the connection closed.

use crate::world::Running;
use redirect::Event;
use testkit::http::{field, status};

/// A request that must never be seen: it follows each attack on the same connection.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: go.example.com\r\n\r\n";

/// Sends an attack with a hidden request behind it. It must be refused by exactly one response, and
/// the connection be closed, so that nothing hidden is answered.
fn refused(running: &Running, attack: &str) -> String {
    let response = running.exchange(format!("{attack}{HIDDEN}").as_bytes());
    assert_eq!(
        response.matches("HTTP/1.").count(),
        1,
        "{attack:?}: {response}"
    );
    assert!(
        !response.contains("hidden") && !response.contains("evil"),
        "{attack:?}: {response}"
    );
    assert_eq!(status(&response), 400, "{attack:?}: {response}");
    assert_eq!(field(&response, "location"), None);
    response
}

#[test]
fn ambiguous_bodies_are_refused() {
    let running = Running::start(|_| ());
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999999",
        "Content-Length : 5",
    ] {
        for method in ["GET", "POST"] {
            let attack =
                format!("{method} / HTTP/1.1\r\nHost: go.example.com\r\n{fields}\r\n\r\n0\r\n\r\n");
            refused(&running, &attack);
        }
    }
    refused(
        &running,
        "GET / HTTP/1.0\r\nHost: go.example.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
}

#[test]
fn broken_heads_are_refused() {
    let running = Running::start(|_| ());
    for head in [
        // obs-fold (RFC 9112 section 5.2)
        "GET / HTTP/1.1\r\nHost: go.example.com\r\nX-A: 1\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com\r\n folded.evil.com\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: go.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : go.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com\r\nX-A: 1\rX-B: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com\r\nX-A: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com\r\nNoColon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com\r\n: nameless\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: go.example.com\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHost: go.example.com\r\n\r\n",
        "GET evil.com/ HTTP/1.1\r\nHost: go.example.com\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: go.example.com\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: go.example.com\r\n\r\n",
    ] {
        refused(&running, head);
    }
    assert!(running.server.counters().get(Event::Malformed) > 5);
    assert!(running.server.counters().get(Event::BadRequest) > 0);
}

#[test]
fn a_request_needs_one_host_and_no_other() {
    let running = Running::start(|_| ());
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com\r\nHost: evil.com\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com\r\nHost: go.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: evil.com@go.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com:evil\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com, evil.com\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: go.example.com/evil\r\n\r\n",
        "GET http://evil.com/ HTTP/1.1\r\nHost: go.example.com\r\n\r\n",
        "GET http://go.example.com/ HTTP/1.1\r\nHost: evil.com\r\n\r\n",
        "GET http://evil.com@go.example.com/ HTTP/1.1\r\nHost: go.example.com\r\n\r\n",
    ] {
        refused(&running, head);
    }
    let unknown = running.get("evil.com", "/");
    assert_eq!(status(&unknown), 421);
    assert!(!unknown.contains("evil"), "{unknown}");
}

#[test]
fn an_absolute_target_that_agrees_is_served() {
    let running = Running::start(|_| ());
    for target in ["http://go.example.com/x", "http://GO.example.com:80/x"] {
        let location = running.get("go.example.com", target);
        let location = field(&location, "location").unwrap().to_owned();
        assert!(
            location.starts_with("http://w") && location.ends_with(":8080/x"),
            "{location}"
        );
    }
    let root = running.get("go.example.com", "http://go.example.com");
    assert!(
        field(&root, "location")
            .unwrap()
            .ends_with(".edge.example:8080/"),
        "{root}"
    );
}

#[test]
fn tricky_paths_stay_paths() {
    let running = Running::start(|_| ());
    for (target, sent) in [
        ("//evil.com", "//evil.com"),
        ("/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"),
        ("/@evil.com", "/@evil.com"),
        ("/x#frag", "/x"),
        ("/\u{4e2d}", "/%E4%B8%AD"),
    ] {
        let response = running.get("go.example.com", target);
        let location = field(&response, "location").unwrap_or_else(|| panic!("{response}"));
        assert!(location.starts_with("http://w"), "{location}");
        assert!(
            location.ends_with(&format!(".edge.example:8080{sent}")),
            "{location}"
        );
        assert_eq!(field(&response, "set-cookie"), None);
    }
    // The parser may refuse a backslash or take it; what it takes is escaped.
    let response = running.get("go.example.com", "/\\evil.com");
    match field(&response, "location") {
        Some(location) => assert!(
            location.ends_with(".edge.example:8080/%5Cevil.com"),
            "{location}"
        ),
        None => assert_eq!(status(&response), 400),
    }
}

#[test]
fn a_body_is_not_read_and_ends_the_connection() {
    let running = Running::start(|_| ());
    let attack = format!(
        "GET /x HTTP/1.1\r\nHost: go.example.com\r\nContent-Length: {}\r\n\r\n{HIDDEN}",
        HIDDEN.len() + 4
    );
    let response = running.exchange(attack.as_bytes());
    assert_eq!(response.matches("HTTP/1.").count(), 1, "{response}");
    assert_eq!(status(&response), 302);
    assert_eq!(field(&response, "connection"), Some("close"));
    let post = "POST /x HTTP/1.1\r\nHost: go.example.com\r\nContent-Length: 1000000\r\n\r\n";
    let response = running.exchange(post.as_bytes());
    assert_eq!(status(&response), 405);
    assert_eq!(field(&response, "allow"), Some("GET, HEAD"));
}
