//! Answering allocates nothing: a counting allocator watches `respond` at work. A binary of its
//! own, because the allocator is one per process.
#![allow(unsafe_code)] // The only way to watch an allocator is to be one.

use coverage::area::AreaTableBuilder;
use coverage::catalog::{Catalog, Endpoint, Group, Service, Zone, ZoneRecord};
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::{
    AreaId, Body, Digest, EndpointId, GroupId, MapVersion, ServiceId, Snapshot, Timestamp,
};
use dns::{Arrival, DnsView, ReplyConfig, Tally, Transport, respond};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::Ipv4Addr;
use std::sync::Arc;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with a count per thread.
struct Counting;

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // The count is gone while a thread ends; what is allocated then is none of our business.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn view() -> DnsView {
    let record = |owner: &str, rtype, rdata: &[u8]| ZoneRecord {
        owner: owner.into(),
        rtype,
        ttl_s: 60,
        rdata: rdata.into(),
    };
    let soa = [&b"\0\0"[..], &[0; 20]].concat();
    let service = |name: &str| Service {
        name: name.into(),
        domains: vec![format!("{name}.z.")],
        redirect_hosts: vec![],
        ttl_s: 60,
        addresses_max: 2,
    };
    let endpoint = || Endpoint {
        group: GroupId(0),
        link: "l".into(),
        ipv4: (1..6).map(|last| Ipv4Addr::new(192, 0, 2, last)).collect(),
        ipv6: vec![],
        alias: None,
        nodes: vec![],
    };
    let catalog = Catalog {
        zones: vec![Zone {
            apex: "z.".into(),
            records: vec![
                record("z.", 6, &soa),
                record("z.", 2, b"\0"),
                record("w.z.", 5, b"\x01s\x01z\0"),
            ],
        }],
        services: vec![service("s")],
        groups: vec![Group {
            name: "g".into(),
            site: "s".into(),
            region: "r".into(),
        }],
        endpoints: vec![endpoint(), endpoint()],
        ..Catalog::default()
    };
    let table = Arc::new(AreaTableBuilder::new().finish().expect("an empty table"));
    let mut map = CoverageMapBuilder::new(1, 1);
    let shares = vec![(EndpointId(0), 32), (EndpointId(1), 32)];
    map.set(
        ServiceId(0),
        AreaId(0),
        AnswerSet {
            shares,
            runners_up: vec![],
        },
    );
    let body = Body {
        catalog,
        map: map.finish().expect("one area"),
    };
    let snapshot = Snapshot::new(
        MapVersion::default(),
        Digest::default(),
        Timestamp(0),
        table,
        body,
    );
    DnsView::build(Arc::new(snapshot.expect("a snapshot"))).expect("a view")
}

#[test]
fn no_question_allocates() {
    let view = view();
    let config = ReplyConfig::default();
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\x0b\0\x08\0\x07\0\x01\x18\0\x0a\x01\x02";
    let names: [&[u8]; 5] = [
        b"\x01s\x01z\0",
        b"\x01w\x01z\0",
        b"\x01q\x01z\0",
        b"\x01z\0",
        b"\x01y\0",
    ];
    let arrival = Arrival {
        peer: ([10, 0, 0, 1], 53).into(),
        transport: Transport::Udp,
        now_s: 0,
    };
    let (mut out, mut tally) = ([0; 1232], Tally::default());
    for name in names {
        for qtype in [1_u8, 28, 16, 255] {
            let header = b"\0\x01\x01\0\0\x01\0\0\0\0\0\x01";
            let question = [&header[..], name, &[0, qtype, 0, 1], opt].concat();
            let before = ALLOCATIONS.get();
            let len = respond(&question, &arrival, &view, &config, &mut out, &mut tally);
            assert_eq!(ALLOCATIONS.get(), before, "{question:x?}");
            assert!(len.is_some());
        }
    }
    assert!(ALLOCATIONS.get() > 0, "the counter counts");
}
