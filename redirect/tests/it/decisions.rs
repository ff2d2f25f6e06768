//! Answers to requests, decided without any socket.

use crate::world::{EAST, WEST, ask, nodes, redirect, snapshot, view};
use coverage::EndpointId;
use coverage::catalog::Catalog;
use redirect::{Host, HttpView, Method, NodeLoads, Outcome, Request, Scheme, ViewError, decide};

#[test]
fn clients_go_to_nodes_of_the_endpoint_that_the_map_names() {
    let view = view(|_| ());
    for (client, endpoint, prefix) in [
        (EAST, 0, "http://e"),
        (WEST, 1, "http://w"),
        ("2001:db8:1::7", 0, "http://e"),
        ("::ffff:10.2.0.9", 1, "http://w"),
        ("203.0.113.1", 0, "http://e"),
    ] {
        let redirect = redirect(&view, "/v/1.ts?token=x", client);
        assert_eq!(redirect.endpoint, EndpointId(endpoint), "{client}");
        assert!(
            redirect.location.starts_with(prefix),
            "{}",
            redirect.location
        );
        assert!(
            redirect
                .location
                .ends_with(".edge.example:8080/v/1.ts?token=x")
        );
        assert!(!redirect.runner_up && !redirect.failed_open && !redirect.spilled);
    }
}

#[test]
fn an_object_has_one_node_whatever_its_query_and_client() {
    let view = view(|_| ());
    let node = |target: &str, client: &str| redirect(&view, target, client).node.name.clone();
    assert_eq!(node("/a/b", EAST), node("/a/b?user=1", "10.1.200.3"));
    let nodes: std::collections::BTreeSet<_> = (0..200)
        .map(|object| node(&format!("/a/{object}"), EAST))
        .collect();
    assert_eq!(nodes.len(), 10, "different objects use all nodes");
}

#[test]
fn hosts_are_matched_whole_and_without_case_or_port() {
    let view = view(|_| ());
    let loads = NodeLoads::new();
    for host in [
        "go.example.com",
        "GO.Example.com.",
        "go.example.com:8080",
        "dl.example.com",
    ] {
        let outcome = ask(&view, &loads, host, "/", EAST);
        assert!(
            matches!(outcome, Outcome::Redirect(_)),
            "{host}: {outcome:?}"
        );
    }
    for host in [
        "example.com",
        "x.go.example.com",
        "go.example.co",
        "live.example.com",
        "192.0.2.1",
    ] {
        let outcome = ask(&view, &loads, host, "/", EAST);
        assert!(
            matches!(outcome, Outcome::NotOurHost),
            "{host}: {outcome:?}"
        );
    }
}

#[test]
fn what_is_no_plain_request_is_refused() {
    let view = view(|_| ());
    let host = Host::parse(b"go.example.com").unwrap();
    let outcome = |method, target: &str| {
        let client = EAST.parse().unwrap();
        let request = Request {
            method,
            host: &host,
            target,
            client,
            scheme: Scheme::Https,
        };
        decide(&view, &request, &NodeLoads::new())
    };
    assert!(matches!(
        outcome(Method::Other, "/"),
        Outcome::MethodNotAllowed
    ));
    assert!(matches!(outcome(Method::Get, "*"), Outcome::BadRequest));
    assert!(matches!(
        outcome(Method::Get, "evil.com/"),
        Outcome::BadRequest
    ));
    let long = format!("/{}", "x".repeat(8192));
    assert!(matches!(
        outcome(Method::Get, &long),
        Outcome::TargetTooLong
    ));
    for (method, target) in [
        (Method::Head, &long[..8192]),
        (Method::Get, ""),
        (Method::Get, "?q"),
    ] {
        let Outcome::Redirect(redirect) = outcome(method, target) else {
            panic!("{target} is not redirected");
        };
        assert!(redirect.location.starts_with("https://e"));
    }
}

/// Marks the nodes of an endpoint as not serving, but for the first `kept`.
fn lose(catalog: &mut Catalog, endpoint: usize, kept: usize) {
    for node in &mut catalog.endpoints[endpoint].nodes[kept..] {
        node.serving = false;
    }
}

#[test]
fn nodes_and_endpoints_that_do_not_serve_are_passed_over() {
    let some = view(|catalog| lose(catalog, 0, 3));
    for object in 0..100 {
        let redirect = redirect(&some, &format!("/{object}"), EAST);
        assert!(["e0", "e1", "e2"].contains(&&*redirect.node.name));
        assert!(!redirect.runner_up && !redirect.failed_open);
    }
    let none = view(|catalog| lose(catalog, 0, 0));
    let redirected = redirect(&none, "/x", EAST);
    assert_eq!(redirected.endpoint, EndpointId(1), "the first runner-up");
    assert!(redirected.runner_up && !redirected.failed_open);
}

#[test]
fn an_endpoint_without_nodes_is_named_by_its_addresses() {
    let view = view(|catalog| {
        lose(catalog, 0, 0);
        lose(catalog, 1, 0);
    });
    let redirect = redirect(&view, "/x", EAST);
    assert_eq!(redirect.endpoint, EndpointId(2));
    assert!(
        redirect.location.starts_with("http://192.0.2.2"),
        "{}",
        redirect.location
    );
}

#[test]
fn when_nobody_serves_all_nodes_of_the_picked_endpoint_are_believed() {
    let view = view(|catalog| {
        catalog.endpoints[2].nodes = nodes("s", 2);
        (0..3).for_each(|endpoint| lose(catalog, endpoint, 0));
    });
    let names: std::collections::BTreeSet<_> = (0..200)
        .map(|object| {
            let redirect = redirect(&view, &format!("/{object}"), EAST);
            assert_eq!(redirect.endpoint, EndpointId(0));
            assert!(redirect.failed_open && !redirect.runner_up);
            redirect.node.name.clone()
        })
        .collect();
    assert_eq!(names.len(), 10);
}

#[test]
fn a_view_that_could_lead_astray_is_refused_whole() {
    let fault = |edit: fn(&mut Catalog)| HttpView::build(snapshot(edit, 1)).unwrap_err();
    for authority in [
        "",
        "user@e0",
        "e0/x",
        "e0:1:2",
        "e0\r\n",
        "e0?",
        "http://e0",
        "e0\\x",
        "e0:99999",
    ] {
        let mut bad = String::new();
        let edit = |catalog: &mut Catalog| {
            bad = authority.to_owned();
            catalog.endpoints[0].nodes[0].authority = authority.to_owned();
        };
        let fault = HttpView::build(snapshot(edit, 1)).unwrap_err();
        assert!(
            matches!(fault, ViewError::BadAuthority { .. }),
            "{bad:?}: {fault}"
        );
    }
    let twice = fault(|catalog| {
        catalog.services[1]
            .redirect_hosts
            .push("GO.example.com".into())
    });
    assert_eq!(twice, ViewError::ClaimedTwice("go.example.com".into()));
    let bad = fault(|catalog| {
        catalog.services[1]
            .redirect_hosts
            .push("*.example.com".into())
    });
    assert!(matches!(bad, ViewError::BadName { .. }), "{bad}");
    let nodes_twice = fault(|catalog| catalog.endpoints[1].nodes[1].name = "w0".into());
    assert!(
        matches!(nodes_twice, ViewError::NodeTwice { .. }),
        "{nodes_twice}"
    );
    let many = fault(|catalog| catalog.endpoints[1].nodes = nodes("w", 1025));
    assert!(
        matches!(many, ViewError::TooMany { count: 1025, .. }),
        "{many}"
    );
}
