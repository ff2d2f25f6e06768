//! A small world: two provinces with exceptions inside them, three endpoints, a zone with one of
//! everything.

use coverage::area::{AreaAttrs, AreaTableBuilder};
use coverage::catalog::{Catalog, Endpoint, Group, Service, Zone, ZoneRecord};
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::{
    AreaId, Body, Digest, EndpointId, GroupId, MapVersion, ServiceId, Snapshot, Timestamp,
};
use dns::{DnsView, ViewError};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Areas by name; `zz` is 0 and the others follow in the order of their names.
pub(crate) const EAST: AreaId = AreaId(1);
/// The other province.
pub(crate) const WEST: AreaId = AreaId(2);
/// The service `live`: one endpoint per province.
pub(crate) const LIVE: ServiceId = ServiceId(0);
/// The service `split`: both endpoints in the east, 40 to 24.
const SPLIT: ServiceId = ServiceId(1);
/// The service `many`: five addresses, two per answer, the same everywhere.
const MANY: ServiceId = ServiceId(2);
/// The service `same`: the same endpoint everywhere, without IPv6.
const SAME: ServiceId = ServiceId(3);

/// RDATA of a name.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels
        .flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat())
        .collect();
    wire.push(0);
    wire
}

/// RDATA of a TXT record with one string.
fn txt(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// A static record.
pub(crate) fn record(owner: &str, rtype: u16, ttl_s: u32, rdata: Vec<u8>) -> ZoneRecord {
    ZoneRecord {
        owner: owner.to_owned(),
        rtype,
        ttl_s,
        rdata,
    }
}

/// RDATA of a SOA record with a MINIMUM of 300.
pub(crate) fn soa() -> Vec<u8> {
    let numbers = [7_u32, 3600, 600, 86400, 300]
        .map(u32::to_be_bytes)
        .concat();
    [name("ns1.example.com."), name("ops.example.com."), numbers].concat()
}

/// `example.com`, with one of everything.
fn example_zone() -> Zone {
    let mut records = vec![
        record("example.com.", 6, 3600, soa()),
        record("example.com.", 2, 86400, name("ns1.example.com.")),
        record("example.com.", 2, 86400, name("ns2.example.org.")),
        record(
            "example.com.",
            15,
            900,
            [vec![0, 10], name("mail.example.com.")].concat(),
        ),
        record("ns1.example.com.", 1, 86400, vec![192, 0, 2, 53]),
        record("www.example.com.", 5, 120, name("Live.example.com.")),
        record(
            "deep.ent.example.com.",
            16,
            60,
            txt("below an empty non-terminal"),
        ),
        record("*.wild.example.com.", 16, 60, txt("synthesized")),
        record("host.wild.example.com.", 1, 60, vec![192, 0, 2, 80]),
        record("*.alias.example.com.", 5, 60, name("www.example.com.")),
        record("sub.example.com.", 2, 3600, name("ns.sub.example.com.")),
        record("sub.example.com.", 2, 3600, name("ns2.example.org.")),
        record("ns.sub.example.com.", 1, 3600, vec![192, 0, 2, 99]),
        record("sub.example.com.", 43, 3600, vec![0; 36]),
        record("loop1.example.com.", 5, 60, name("loop2.example.com.")),
        record("loop2.example.com.", 5, 60, name("loop1.example.com.")),
        record("out.example.com.", 5, 60, name("www.example.org.")),
        record("lost.example.com.", 5, 60, name("nowhere.example.com.")),
        record("tomail.example.com.", 5, 60, name("deep.ent.example.com.")),
        record("tosub.example.com.", 5, 60, name("x.sub.example.com.")),
        record("odd.example.com.", 65280, 60, vec![1, 2, 3]),
    ];
    for hop in 0..10 {
        let target = name(&format!("hop{}.example.com.", hop + 1));
        records.push(record(&format!("hop{hop}.example.com."), 5, 60, target));
    }
    for index in 0..12 {
        records.push(record(
            "big.example.com.",
            16,
            60,
            txt(&format!("{index:x<200}")),
        ));
    }
    records.sort();
    Zone {
        apex: "example.com.".to_owned(),
        records,
    }
}

/// A service with what the world has in common.
pub(crate) fn service(service: &str, domains: &[&str], addresses_max: u8) -> Service {
    Service {
        name: service.to_owned(),
        domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        redirect_hosts: vec![],
        ttl_s: 60,
        addresses_max,
    }
}

fn endpoint(link: &str, ipv4: Vec<Ipv4Addr>, ipv6: Vec<Ipv6Addr>) -> Endpoint {
    Endpoint {
        group: GroupId(0),
        link: link.to_owned(),
        ipv4,
        ipv6,
        alias: None,
        nodes: vec![],
    }
}

/// The catalog of the world.
pub(crate) fn catalog() -> Catalog {
    let v4 = |last: u8| Ipv4Addr::new(192, 0, 2, last);
    let v6 = |last: u16| Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, last);
    Catalog {
        zones: vec![example_zone()],
        services: vec![
            service("live", &["live.example.com.", "*.w.example.com."], 2),
            service("split", &["split.example.com."], 2),
            service("many", &["many.example.com."], 2),
            service("same", &["same.example.com."], 4),
        ],
        groups: vec![Group {
            name: "g".into(),
            site: "s".into(),
            region: "r".into(),
        }],
        endpoints: vec![
            endpoint("east/ct", vec![v4(1), v4(2)], vec![v6(1)]),
            endpoint("west/ct", vec![v4(11)], vec![]),
            endpoint(
                "west/cu",
                (21..26).map(v4).collect(),
                (21..26).map(v6).collect(),
            ),
        ],
        drains: vec![],
        retired_services: vec![],
    }
}

fn alone(endpoint: u32) -> AnswerSet {
    AnswerSet {
        shares: vec![(EndpointId(endpoint), 64)],
        runners_up: vec![],
    }
}

/// A snapshot over a catalog that has the services of [`catalog`], or the first few of them.
pub(crate) fn snapshot(catalog: Catalog, live_in_east: u32) -> Arc<Snapshot> {
    let area = |province: &str| AreaAttrs {
        country: "cn".into(),
        province: province.into(),
        ..AreaAttrs::default()
    };
    let (east, west) = (area("31"), area("51"));
    let mut table = AreaTableBuilder::new();
    let v4 = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
    for (start, end, attrs) in [
        ("10.1.0.0", "10.1.255.255", &east),
        ("10.2.0.0", "10.2.255.255", &west),
        // Exceptions: a /24, and a range that is longer than any subnet that counts.
        ("10.1.7.0", "10.1.7.255", &west),
        ("10.1.9.64", "10.1.9.127", &west),
        ("127.0.0.0", "127.255.255.255", &west),
    ] {
        table.add_v4(v4(start), v4(end), attrs);
    }
    table.add_v6(0x2001_0db8_0001_0000, 0x2001_0db8_0001_ffff, &east);
    table.add_v6(0x2001_0db8_0002_0000, 0x2001_0db8_0002_ffff, &west);
    table.add_v6(0x2001_0db8_0001_0700, 0x2001_0db8_0001_07ff, &west);
    let table = Arc::new(table.finish().unwrap());
    let mut map = CoverageMapBuilder::new(catalog.services.len(), 3);
    let split = AnswerSet {
        shares: vec![(EndpointId(0), 40), (EndpointId(2), 24)],
        runners_up: vec![],
    };
    for (service, answers) in [
        (LIVE, [alone(0), alone(live_in_east), alone(1)]),
        (SPLIT, [alone(1), split, alone(1)]),
        (MANY, [alone(2), alone(2), alone(2)]),
        (SAME, [alone(1), alone(1), alone(1)]),
    ] {
        for (area, answers) in [AreaId(0), EAST, WEST].into_iter().zip(answers) {
            if service.index() < catalog.services.len() {
                map.set(service, area, answers);
            }
        }
    }
    let body = Body {
        catalog,
        map: map.finish().unwrap(),
    };
    let snapshot = Snapshot::new(
        MapVersion::default(),
        Digest::default(),
        Timestamp(0),
        table,
        body,
    );
    Arc::new(snapshot.unwrap())
}

/// The view over the world.
pub(crate) fn view() -> DnsView {
    DnsView::build(snapshot(catalog(), 0)).unwrap()
}

/// Tells why the view over an edited world is refused.
pub(crate) fn refused(edit: impl FnOnce(&mut Catalog)) -> ViewError {
    let mut catalog = catalog();
    edit(&mut catalog);
    DnsView::build(snapshot(catalog, 0)).unwrap_err()
}
