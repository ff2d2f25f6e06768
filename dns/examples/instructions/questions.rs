//! The questions whose instructions are counted, and the world that they are asked of.

use coverage::area::{AreaAttrs, AreaTable, AreaTableBuilder};
use coverage::catalog::{Catalog, Endpoint, Group, Service, Zone, ZoneRecord};
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::split::mix;
use coverage::{
    AreaId, Body, Digest, EndpointId, GroupId, MapVersion, ServiceId, Snapshot, Timestamp,
};
use dns::{Arrival, DnsView, ReplyConfig, Tally, Transport, respond};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Kinds that are counted: tailored addresses for subnets of both families, an answer that is split
/// between endpoints, a static record, a name that does not exist, and a malformed option.
pub(crate) const KINDS: [&str; 6] = [
    "tailored-v4",
    "tailored-v6",
    "split",
    "static",
    "nxdomain",
    "formerr",
];
/// Different questions of a kind; they are asked in turn.
pub(crate) const VARIANTS: usize = 1024;

/// IPv4 ranges of the table; a quarter as many of IPv6.
const RANGES: u32 = 1 << 16;
/// Areas of the table.
const AREAS: u64 = 1000;
/// Endpoints of the map.
const ENDPOINTS: u64 = 100;
/// Options of a Client Subnet begin with these: code, length, family, source, scope.
const SUBNET_V4: [u8; 8] = [0, 8, 0, 7, 0, 1, 24, 0];
const SUBNET_V6: [u8; 8] = [0, 8, 0, 10, 0, 2, 48, 0];

/// Answers `rounds` questions of a kind; how many bytes came of it, or `None` for a kind that is
/// not one.
pub(crate) fn answer(kind: &str, rounds: usize) -> Option<usize> {
    let (view, config) = (view(), ReplyConfig::default());
    let questions: Option<Vec<_>> = (0..VARIANTS as u64)
        .map(|variant| question(kind, mix(variant)))
        .collect();
    let questions = questions?;
    let arrival = Arrival {
        peer: ([192, 0, 2, 1], 53).into(),
        transport: Transport::Udp,
        now_s: 0,
    };
    let (mut out, mut tally, mut bytes) = ([0; 1232], Tally::default(), 0);
    for question in questions.iter().cycle().take(rounds) {
        bytes += respond(question, &arrival, &view, &config, &mut out, &mut tally).unwrap_or(0);
    }
    Some(bytes)
}

/// One question of a kind.
fn question(kind: &str, random: u64) -> Option<Vec<u8>> {
    let random = random.to_be_bytes();
    let (name, qtype, subnet): (&[u8], u8, Vec<u8>) = match kind {
        "tailored-v4" => (
            b"\x04live\x04test\0",
            1,
            [&SUBNET_V4[..], &random[..3]].concat(),
        ),
        "tailored-v6" => {
            let subnet = [
                0x20 | random[0] & 0x1f,
                random[1],
                random[2],
                random[3],
                random[4],
                random[5],
            ];
            (
                b"\x04live\x04test\0",
                28,
                [&SUBNET_V6[..], &subnet].concat(),
            )
        }
        "split" => (
            b"\x05split\x04test\0",
            1,
            [&SUBNET_V4[..], &random[..3]].concat(),
        ),
        "static" => (b"\x03ns1\x04test\0", 1, vec![]),
        "nxdomain" => (b"\x07nothing\x04test\0", 1, vec![]),
        // A bit beyond the source prefix.
        "formerr" => (
            b"\x04live\x04test\0",
            1,
            [&SUBNET_V4[..6], &[23, 0], &random[..2], &[1]].concat(),
        ),
        _ => return None,
    };
    let header = [random[6], random[7], 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let rdlen = u8::try_from(subnet.len()).ok()?;
    Some(
        [
            &header[..],
            name,
            &[0, qtype, 0, 1],
            b"\0\0\x29\x04\xd0\0\0\0\0\0",
            &[rdlen],
            &subnet,
        ]
        .concat(),
    )
}

/// A table of random prefixes of /16 to /24, and of /12 to /36 in 2000::/3, in [`AREAS`] areas.
fn table() -> AreaTable {
    let mut table = AreaTableBuilder::new();
    let low = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or_default();
    for index in 0..RANGES {
        let (place, shape) = (mix(index.into()), mix((!index).into()));
        let attrs = AreaAttrs {
            asn: 1 + low(shape % AREAS),
            ..AreaAttrs::default()
        };
        let host = u32::MAX >> (16 + (shape >> 40) % 9);
        let first = low(place) & !host;
        table.add_v4(first, first | host, &attrs);
        if index % 4 == 0 {
            // Short ones too, so that random questions find something.
            let host = u64::MAX >> (12 + (shape >> 40) % 25);
            let first = (1 << 61 | place >> 3) & !host;
            table.add_v6(first, first | host, &attrs);
        }
    }
    table.finish().expect("no range is reversed")
}

fn catalog() -> Catalog {
    let record = |owner: &str, rtype, rdata: &[u8]| ZoneRecord {
        owner: owner.into(),
        rtype,
        ttl_s: 300,
        rdata: rdata.into(),
    };
    let soa = [&b"\x03ns1\x04test\0\x03ops\x04test\0"[..], &[0; 20]].concat();
    let service = |name: &str| Service {
        name: name.into(),
        domains: vec![format!("{name}.test.")],
        redirect_hosts: vec![],
        ttl_s: 60,
        addresses_max: 2,
    };
    let endpoint = |_| Endpoint {
        group: GroupId(0),
        link: "link".into(),
        ipv4: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
        ipv6: vec![Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED],
        alias: None,
        nodes: vec![],
    };
    let records = vec![
        record("test.", 6, &soa),
        record("test.", 2, b"\x03ns1\x04test\0"),
        record("ns1.test.", 1, &[192, 0, 2, 53]),
    ];
    Catalog {
        zones: vec![Zone {
            apex: "test.".into(),
            records,
        }],
        services: vec![service("live"), service("split")],
        groups: vec![Group {
            name: "group".into(),
            site: "site".into(),
            region: "region".into(),
        }],
        endpoints: (0..ENDPOINTS).map(endpoint).collect(),
        ..Catalog::default()
    }
}

/// The view: `live` has one endpoint in each area, `split` three everywhere.
fn view() -> DnsView {
    let table = Arc::new(table());
    let areas = u32::try_from(table.areas().len()).expect("areas are few");
    let mut map = CoverageMapBuilder::new(2, areas);
    for area in 0..areas {
        let endpoint = u32::try_from(mix(area.into()) % ENDPOINTS).expect("endpoints are few");
        let shares = [vec![(endpoint, 64)], vec![(3, 32), (7, 20), (11, 12)]];
        for (service, shares) in (0..).zip(shares) {
            let shares = shares
                .into_iter()
                .map(|(endpoint, weight)| (EndpointId(endpoint), weight))
                .collect();
            map.set(
                ServiceId(service),
                AreaId(area),
                AnswerSet {
                    shares,
                    runners_up: vec![],
                },
            );
        }
    }
    let body = Body {
        catalog: catalog(),
        map: map.finish().expect("every area has an answer"),
    };
    let (version, digest) = (MapVersion::default(), Digest::default());
    let snapshot = Snapshot::new(version, digest, Timestamp(0), table, body);
    DnsView::build(Arc::new(snapshot.expect("the body is in order"))).expect("the zone is in order")
}
