//! HTTPDNS in its three shapes, over real sockets.

use crate::world::{Running, view};
use coverage::PrefixSet;
use redirect::{Event, Host, HostName, RedirectConfig, Token, httpdns};
use serde_json::{Value, json};
use testkit::http::{field, status};

const TOKEN: &str = "a token long enough";

fn start(edit: impl FnOnce(&mut RedirectConfig)) -> Running {
    Running::start(|config| {
        let host = Host::parse(b"httpdns.example.com").unwrap();
        config.answer.httpdns_hosts.push(host);
        config.answer.httpdns_token = Some(Token::new(TOKEN).unwrap());
        edit(config);
    })
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn parse(response: &str) -> Value {
    serde_json::from_str(body(response)).unwrap_or_else(|_| panic!("no JSON: {response}"))
}

#[test]
fn the_plain_shape_answers_for_the_client_itself() {
    let running = start(|_| ());
    let response = running.get(
        "httpdns.example.com",
        "/httpdns/d?host=live.example.com&query=4,6",
    );
    assert_eq!(status(&response), 200, "{response}");
    assert_eq!(
        field(&response, "cache-control"),
        Some("private, max-age=60")
    );
    assert_eq!(field(&response, "watershed-map"), Some("3.1207"));
    let value = parse(&response);
    assert_eq!(value["host"], "live.example.com");
    assert_eq!(value["client_ip"], "127.0.0.1");
    assert_eq!(value["ttl"], 60);
    assert_eq!(value["map_version"], "3.1207");
    assert_eq!(value["ipsv6"], json!(["2001:db8:f::1"]));
    let ips = value["ips"].as_array().unwrap();
    assert_eq!(ips.len(), 2, "as many as the service allows");
    assert!(
        ips.iter()
            .all(|ip| ip.as_str().unwrap().starts_with("192.0.2.1")),
        "of the west"
    );
    let held = running.cell.load();
    let names: Vec<_> = running.server.counters().services(&held.0).collect();
    assert_eq!(names, [("live", 1), ("download", 0)]);
}

#[test]
fn the_address_that_was_connected_to_counts_as_a_host() {
    let running = start(|_| ());
    let host = running.addr().to_string();
    assert_eq!(status(&running.get(&host, "/d?dn=x.w.example.com")), 200);
    assert_eq!(
        status(&running.get("192.0.2.77", "/d?dn=live.example.com")),
        421
    );
    assert_eq!(status(&running.get(&host, "/healthz")), 200);
    assert_eq!(running.server.counters().get(Event::Health), 1);
}

#[test]
fn the_text_shape_is_one_line() {
    let running = start(|_| ());
    let ask = |query: &str| {
        let response = running.get(
            "httpdns.example.com",
            &format!("/d?{query}&token=a%20token%20long%20enough"),
        );
        (status(&response), body(&response).to_owned())
    };
    let (code, line) = ask("dn=live.example.com&ip=10.1.0.9");
    assert_eq!(code, 200);
    let (addresses, ttl) = line.split_once(',').unwrap();
    assert_eq!(ttl, "60");
    let addresses: Vec<std::net::Ipv4Addr> = addresses
        .split(';')
        .map(|addr| addr.parse().unwrap())
        .collect();
    assert!(addresses.len() == 2 && addresses.iter().all(|addr| addr.octets()[3] <= 3));
    assert_eq!(
        ask("dn=live.example.com&type=AAAA"),
        (200, "2001:db8:f::1,60".into())
    );
    assert_eq!(ask("dn=live.example.com&type=TXT").0, 400);
    let without = view(|catalog| catalog.endpoints[1].ipv6.clear());
    running
        .cell
        .store(std::sync::Arc::new(crate::world::Held(without)));
    assert_eq!(ask("dn=live.example.com&type=AAAA"), (200, "0".into()));
}

#[test]
fn the_resolver_shape_names_the_scope() {
    let running = start(|_| ());
    let target = "/resolve?name=Live.example.com&type=A&edns_client_subnet=10.1.0.77/24";
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: httpdns.example.com\r\nAuthorization: Bearer {TOKEN}\r\n\
         Connection: close\r\n\r\n"
    );
    let response = running.exchange(request.as_bytes());
    assert_eq!(
        field(&response, "content-type"),
        Some("application/dns-json")
    );
    let value = parse(&response);
    assert_eq!(value["Status"], 0);
    assert_eq!(
        value["Question"],
        json!([{"name": "live.example.com.", "type": 1}])
    );
    assert_eq!(value["Answer"].as_array().unwrap().len(), 2);
    assert_eq!(value["Answer"][0]["TTL"], 60);
    // Two of three addresses were dealt out by /24, so nobody beyond it may be given the same.
    assert_eq!(value["edns_client_subnet"], "10.1.0.0/24");
    let other = running.get(
        "httpdns.example.com",
        "/resolve?name=live.example.com&type=16",
    );
    assert_eq!(parse(&other).get("Answer"), None);
}

#[test]
fn other_clients_are_for_callers_with_a_right_to_ask() {
    let refused = |response: String| {
        assert_eq!(status(&response), 403, "{response}");
        assert!(
            parse(&response)["error"]
                .as_str()
                .unwrap()
                .contains("token")
        );
    };
    let running = start(|_| ());
    let host = "httpdns.example.com";
    refused(running.get(host, "/httpdns/d?host=live.example.com&ip=10.1.0.9"));
    refused(running.get(host, "/d?dn=live.example.com&ip=10.1.0.9&token=wrong"));
    refused(running.get(
        host,
        "/resolve?name=live.example.com&edns_client_subnet=10.1.0.0/24",
    ));
    assert_eq!(running.server.counters().get(Event::Forbidden), 3);
    let nobody = start(|config| config.answer.httpdns_token = None);
    refused(nobody.get(host, "/d?dn=live.example.com&ip=10.1.0.9&token="));
    let trusting = start(|config| {
        config.answer.trusted_proxies = PrefixSet::parse(["127.0.0.0/8"]).unwrap();
    });
    let target = "/httpdns/d?host=live.example.com&ip=10.1.0.9";
    assert_eq!(parse(&trusting.get(host, target))["client_ip"], "10.1.0.9");
    // Whoever comes through a trusted proxy is not trusted for it.
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 203.0.113.5\r\n\
         Connection: close\r\n\r\n"
    );
    refused(trusting.exchange(request.as_bytes()));
}

#[test]
fn faults_are_explained_and_nothing_is_repeated() {
    let running = start(|_| ());
    for (target, code) in [
        ("/httpdns/d?host=nobody.example", 404),
        ("/d?dn=w.example.com", 404),
        ("/resolve?name=go.example.com", 404),
        ("/nowhere", 404),
        ("/httpdns/d", 400),
        ("/httpdns/d?host=ev%22il", 400),
        ("/httpdns/d?host=live.example.com&query=5", 400),
        (
            "/httpdns/d?host=live.example.com&host=live.example.com",
            400,
        ),
        ("/d?dn=%zz", 400),
        (
            "/d?dn=live.example.com&ip=10.1.0&token=a%20token%20long%20enough",
            400,
        ),
        ("/resolve?name=live.example.com&type=nonsense", 400),
    ] {
        let response = running.get("httpdns.example.com", target);
        assert_eq!(status(&response), code, "{target}: {response}");
        let error = parse(&response)["error"].as_str().unwrap().to_owned();
        assert!(
            error.contains(": ") || error.contains("not percent-encoded"),
            "{error}"
        );
        assert!(!body(&response).contains("nobody") && !body(&response).contains("il\\\""));
        assert_eq!(field(&response, "cache-control"), Some("no-store"));
    }
    let missing = parse(&running.get("httpdns.example.com", "/resolve?name=nobody.example"));
    assert_eq!(missing["Status"], 3);
}

#[test]
fn clients_share_out_what_one_answer_cannot_hold() {
    let view = view(|_| ());
    let name = HostName::parse("live.example.com").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for third in 0..50 {
        let client = std::net::Ipv4Addr::new(10, 1, third, 9).into();
        let found = httpdns::resolve(&view, &name, client).unwrap();
        assert_eq!(found.ipv4.len(), 2);
        assert_ne!(found.ipv4[0], found.ipv4[1]);
        assert!(found.scope >= 24);
        seen.extend(found.ipv4);
    }
    assert_eq!(seen.len(), 3);
}
