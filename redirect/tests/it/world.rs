//! A small world: two provinces, three endpoints, services with and without nodes; and a server
//! over it.

use arc_swap::ArcSwap;
use coverage::area::{AreaAttrs, AreaTableBuilder};
use coverage::catalog::{Catalog, Endpoint, EndpointNode, Group, Service};
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::{
    AreaId, Body, Digest, EndpointId, GroupId, MapVersion, ServiceId, Snapshot, Timestamp,
};
use redirect::{
    Host, HttpView, Method, NodeLoads, Outcome, Redirect, RedirectConfig, RedirectServer, Request,
    Scheme, decide,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use testkit::http;

/// A client in the east.
pub(crate) const EAST: &str = "10.1.0.9";
/// A client in the west.
pub(crate) const WEST: &str = "10.2.0.9";

/// Nodes `PREFIX0 ..`, all serving.
pub(crate) fn nodes(prefix: &str, count: usize) -> Vec<EndpointNode> {
    let node = |index| EndpointNode {
        name: format!("{prefix}{index}"),
        authority: format!("{prefix}{index}.edge.example:8080"),
        serving: true,
    };
    (0..count).map(node).collect()
}

fn service(name: &str, domains: &[&str], hosts: &[&str]) -> Service {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Service {
        name: name.to_owned(),
        domains: texts(domains),
        redirect_hosts: texts(hosts),
        ttl_s: 60,
        addresses_max: 2,
    }
}

fn endpoint(group: u32, link: &str, last: u8, nodes: Vec<EndpointNode>) -> Endpoint {
    Endpoint {
        group: GroupId(group),
        link: link.to_owned(),
        ipv4: (last..last + 3)
            .map(|last| Ipv4Addr::new(192, 0, 2, last))
            .collect(),
        ipv6: vec!["2001:db8:f::1".parse().unwrap()],
        alias: None,
        nodes,
    }
}

/// Endpoint 0 serves the east with ten nodes, 1 the west with four; 2 is the runner-up of both,
/// without nodes.
pub(crate) fn catalog() -> Catalog {
    let group = |name: &str| Group {
        name: name.to_owned(),
        site: format!("{name}-site"),
        region: "r".into(),
    };
    Catalog {
        zones: vec![],
        services: vec![
            service(
                "live",
                &["live.example.com.", "*.w.example.com."],
                &["go.example.com", "go2.example.com"],
            ),
            service("download", &[], &["dl.example.com"]),
        ],
        groups: vec![group("east"), group("west"), group("spare")],
        endpoints: vec![
            endpoint(0, "east/ct", 1, nodes("e", 10)),
            endpoint(1, "west/ct", 11, nodes("w", 4)),
            endpoint(2, "spare/ct", 21, vec![]),
        ],
        drains: vec![],
        retired_services: vec![],
    }
}

/// A snapshot over an edited catalog.
pub(crate) fn snapshot(edit: impl FnOnce(&mut Catalog), version: u64) -> Arc<Snapshot> {
    let mut catalog = catalog();
    edit(&mut catalog);
    let area = |province: &str| AreaAttrs {
        country: "cn".into(),
        province: province.into(),
        ..AreaAttrs::default()
    };
    let mut table = AreaTableBuilder::new();
    table.add_v4(0x0a01_0000, 0x0a01_ffff, &area("31"));
    table.add_v4(0x0a02_0000, 0x0a02_ffff, &area("51"));
    // Where the tests themselves come from.
    table.add_v4(0x7f00_0000, 0x7fff_ffff, &area("51"));
    table.add_v6(0x2001_0db8_0001_0000, 0x2001_0db8_0001_ffff, &area("31"));
    let table = Arc::new(table.finish().unwrap());
    let mut map = CoverageMapBuilder::new(catalog.services.len(), 3);
    let alone = |endpoint, next| AnswerSet {
        shares: vec![(EndpointId(endpoint), 64)],
        runners_up: vec![EndpointId(next), EndpointId(2)],
    };
    for service in 0..catalog.services.len() {
        for (area, answers) in [alone(0, 1), alone(0, 1), alone(1, 0)]
            .into_iter()
            .enumerate()
        {
            let area = AreaId(u32::try_from(area).unwrap());
            map.set(ServiceId::from_index(service), area, answers);
        }
    }
    let body = Body {
        catalog,
        map: map.finish().unwrap(),
    };
    let version = MapVersion { epoch: 3, version };
    let snapshot = Snapshot::new(version, Digest::default(), Timestamp(0), table, body);
    Arc::new(snapshot.unwrap())
}

/// The view over an edited world.
pub(crate) fn view(edit: impl FnOnce(&mut Catalog)) -> HttpView {
    HttpView::build(snapshot(edit, 1207)).unwrap()
}

/// Decides a GET of a target at a host for a client.
pub(crate) fn ask<'v>(
    view: &'v HttpView,
    loads: &NodeLoads,
    host: &str,
    target: &str,
    client: &str,
) -> Outcome<'v> {
    let request = Request {
        method: Method::Get,
        host: &Host::parse(host.as_bytes()).unwrap(),
        target,
        client: client.parse::<IpAddr>().unwrap(),
        scheme: Scheme::Http,
    };
    decide(view, &request, loads)
}

/// The redirect of a GET at `go.example.com`, with no load anywhere.
pub(crate) fn redirect<'v>(view: &'v HttpView, target: &str, client: &str) -> Redirect<'v> {
    match ask(view, &NodeLoads::new(), "go.example.com", target, client) {
        Outcome::Redirect(redirect) => redirect,
        outcome => panic!("no redirect: {outcome:?}"),
    }
}

/// Content of the one pointer in these tests.
pub(crate) struct Held(pub(crate) HttpView);

impl AsRef<HttpView> for Held {
    fn as_ref(&self) -> &HttpView {
        &self.0
    }
}

/// A server over the world, on a free port.
pub(crate) struct Running {
    pub(crate) server: RedirectServer,
    pub(crate) cell: Arc<ArcSwap<Held>>,
}

impl Running {
    /// Starts one with an edited configuration.
    pub(crate) fn start(edit: impl FnOnce(&mut RedirectConfig)) -> Self {
        let mut config = RedirectConfig::new(vec!["127.0.0.1:0".parse().unwrap()]);
        edit(&mut config);
        let cell = Arc::new(ArcSwap::from_pointee(Held(view(|_| ()))));
        let server = RedirectServer::bind(config, Arc::clone(&cell)).unwrap();
        Self { server, cell }
    }

    /// Returns where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.local_addrs()[0]
    }

    /// A connection to it that fails, rather than hangs, when nothing comes.
    pub(crate) fn connect(&self) -> TcpStream {
        http::connect(self.addr())
    }

    /// All that a connection answers to these bytes until it is closed.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> String {
        http::exchange(self.addr(), bytes)
    }

    /// Returns what it answers to a GET of a target at a host; the connection is closed afterwards.
    pub(crate) fn get(&self, host: &str, target: &str) -> String {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        self.exchange(request.as_bytes())
    }
}
