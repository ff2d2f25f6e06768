//! Inputs a view refuses to be built from.

use crate::message::{A, NS, ask};
use crate::world::{catalog, name, record, refused, service, snapshot, soa};
use coverage::catalog::Zone;
use dns::{DnsView, ViewError};

#[test]
fn unservable_catalogs_are_refused_whole() {
    let zone = |records| Zone {
        apex: "example.net.".into(),
        records,
    };
    let soa_record = || record("example.net.", 6, 60, soa());
    let fault = refused(|catalog| catalog.zones.push(zone(vec![])));
    assert_eq!(
        fault,
        ViewError::Soa {
            zone: "example.net.".into(),
            count: 0
        }
    );
    let fault = refused(|catalog| catalog.zones.push(zone(vec![soa_record()])));
    assert_eq!(fault, ViewError::NoNs("example.net.".into()));
    let fault = refused(|catalog| catalog.zones.push(catalog.zones[0].clone()));
    assert_eq!(fault, ViewError::ZoneTwice("example.com".into()));
    let fault = refused(|catalog| catalog.services[0].domains.push("a..b".into()));
    assert_eq!(fault, ViewError::BadName("a..b".into()));
    let fault = refused(|catalog| catalog.services[0].domains.push("live.example.net.".into()));
    assert!(matches!(fault, ViewError::NoZone { .. }));
    let fault = refused(|catalog| {
        catalog.services[0]
            .domains
            .push("x.sub.example.com.".into())
    });
    assert!(matches!(fault, ViewError::Delegated { .. }));
    for taken in ["ns1.example.com.", "www.example.com.", "split.example.com."] {
        let fault = refused(|catalog| catalog.services[0].domains.push(taken.into()));
        assert_eq!(fault, ViewError::ClaimedTwice(taken.into()));
    }
}

#[test]
fn unservable_records_are_refused() {
    let with = |owner: &str, rtype: u16, rdata: Vec<u8>| {
        refused(|catalog| {
            catalog.zones[0]
                .records
                .push(record(owner, rtype, 60, rdata))
        })
    };
    assert!(matches!(
        with("www.example.org.", 1, vec![1; 4]),
        ViewError::OutsideZone { .. }
    ));
    assert!(matches!(
        with("x.example.com.", 1, vec![1; 5]),
        ViewError::Rdata { .. }
    ));
    assert!(matches!(
        with("x.example.com.", 28, vec![1; 4]),
        ViewError::Rdata { .. }
    ));
    assert!(matches!(
        with("x.example.com.", 5, vec![1, b'a']),
        ViewError::Rdata { .. }
    ));
    assert!(matches!(
        with("x.example.com.", 16, vec![0; 65536]),
        ViewError::Rdata { .. }
    ));
    for rtype in [0, 39, 41, 128, 252, 255] {
        assert!(matches!(
            with("x.example.com.", rtype, vec![0]),
            ViewError::Unserved { .. }
        ));
    }
    assert!(matches!(
        with("www.example.com.", 16, vec![0]),
        ViewError::CnameConflict(_)
    ));
    assert!(matches!(
        with("www.example.com.", 5, name("a.")),
        ViewError::CnameConflict(_)
    ));
    assert!(matches!(
        with("ns1.example.com.", 5, name("a.")),
        ViewError::CnameConflict(_)
    ));
}

#[test]
fn a_zone_inside_a_zone_answers_for_itself() {
    let mut catalog = catalog();
    catalog.zones.push(Zone {
        apex: "child.mid.example.com.".into(),
        records: vec![
            record("child.mid.example.com.", 6, 60, soa()),
            record(
                "child.mid.example.com.",
                2,
                60,
                name("ns.child.mid.example.com."),
            ),
        ],
    });
    // The parent's delegation to it, and what it says below, are hidden by the child.
    let delegation = record("child.mid.example.com.", 2, 99, name("ns9.example.org."));
    catalog.zones[0].records.push(delegation);
    let view = DnsView::build(snapshot(catalog, 0)).unwrap();
    assert_eq!(
        ask("child.mid.example.com.", NS).of(&view),
        "noerror aa rd | child.mid.example.com. 60 NS ns.child.mid.example.com."
    );
    assert_eq!(
        ask("x.child.mid.example.com.", A).of(&view),
        "nxdomain aa rd | auth child.mid.example.com. 60 SOA ..."
    );
    assert_eq!(
        ask("mid.example.com.", A).of(&view),
        "noerror aa rd | auth example.com. 300 SOA ...",
        "the name between them exists"
    );
}

#[test]
fn a_service_may_live_at_an_apex() {
    let mut catalog = catalog();
    catalog.services[0] = service("live", &["example.com."], 2);
    let view = DnsView::build(snapshot(catalog, 0)).unwrap();
    let apex = ask("example.com.", A).from("10.2.0.1");
    assert_eq!(
        apex.of(&view),
        "noerror aa rd | example.com. 60 A 192.0.2.11"
    );
    let mail = ask("example.com.", 15).of(&view);
    assert_eq!(
        mail,
        "noerror aa rd | example.com. 900 MX 10 mail.example.com."
    );
}

#[test]
fn names_lead_to_their_services() {
    let view = crate::world::view();
    let service = |name: &str| {
        view.service_of(name)
            .map(|id| view.snapshot().catalog.services[id.index()].name.clone())
    };
    for name in [
        "live.example.com",
        "LIVE.example.com.",
        "a.b.w.example.com.",
        "*.w.example.com",
    ] {
        assert_eq!(service(name).as_deref(), Some("live"), "{name}");
    }
    for name in [
        "w.example.com.",
        "www.example.com.",
        "x.live.example.com.",
        "example.org.",
        "a..b",
        "x.sub.example.com",
    ] {
        assert_eq!(service(name), None, "{name}");
    }
}
