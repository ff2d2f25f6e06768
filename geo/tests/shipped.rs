//! The shipped table against facts that are known from elsewhere.

use coverage::area::AreaTable;
use geo::shipped::{ShippedError, Sources, build};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/geo")
}

fn shipped() -> AreaTable {
    let bytes = std::fs::read(folder().join("areas.wsa")).expect("the shipped table is there");
    AreaTable::decode(&bytes).expect("the shipped table decodes")
}

#[test]
fn it_is_small_and_every_area_has_a_place() {
    assert!(std::fs::metadata(folder().join("areas.wsa")).unwrap().len() < 2_500_000);
    let table = shipped();
    assert!((400..500).contains(&table.areas().len()));
    for area in &table.areas()[1..] {
        let place = area.attrs.latitude.zip(area.attrs.longitude);
        assert!(place.is_some(), "{} has no coordinates", area.name);
        assert_eq!(area.name, area.name.to_lowercase());
    }
}

#[test]
fn china_has_all_provinces_by_the_main_isps() {
    let table = shipped();
    let provinces: BTreeSet<&str> = table
        .areas()
        .iter()
        .filter(|area| area.attrs.country == "cn" && !area.attrs.province.is_empty())
        .map(|area| area.attrs.province.as_str())
        .collect();
    assert_eq!(provinces.len(), 31);
    for province in provinces {
        for isp in ["ct", "cu", "cm", "edu"] {
            let name = format!("cn/{province}/{isp}");
            let area = table.by_name(&name).map(|id| table.area(id));
            assert!(
                area.is_some_and(|area| area.ipv4_addresses > 1000),
                "{name}"
            );
        }
    }
}

#[test]
fn known_addresses_are_where_they_are() {
    let table = shipped();
    for (addr, name) in [
        // Resolvers that the ISPs publish for their own customers.
        ("202.96.128.86", "cn/44/ct"),
        ("202.96.209.5", "cn/31/ct"),
        ("61.139.2.69", "cn/51/ct"),
        ("221.5.88.88", "cn/44/cu"),
        ("168.95.1.1", "tw"),
        // Universities and the network that joins them.
        ("202.38.64.1", "cn/34/edu"),
        ("2001:da8::1", "cn/11/edu"),
        ("133.11.0.1", "jp"),
        // Registries and public resolvers.
        ("193.0.6.139", "nl"),
        ("2001:67c:2e8:22::c100:68b", "nl"),
        ("8.8.8.8", "us"),
        ("2001:4860:4860::8888", "us"),
        ("::ffff:8.8.8.8", "us"),
        // Addresses of nobody (RFC 1918, RFC 1122, RFC 4291).
        ("10.0.0.1", "zz"),
        ("240.0.0.1", "zz"),
        ("::1", "zz"),
        ("fe80::1", "zz"),
    ] {
        let found = table.lookup(addr.parse().unwrap());
        assert_eq!(table.area(found.area).name, name, "{addr}");
    }
    for (addr, isp) in [
        ("240e:1f:1::1", "ct"),
        ("2408:8000::1", "cu"),
        ("2409:8055::1", "cm"),
    ] {
        let found = table.lookup(addr.parse().unwrap());
        let attrs = &table.area(found.area).attrs;
        assert_eq!(
            (attrs.country.as_str(), attrs.isp.as_str()),
            ("cn", isp),
            "{addr}"
        );
    }
}

#[test]
fn a_missing_or_broken_source_is_named() {
    let missing = Sources::load(|_| Err(ErrorKind::NotFound.into())).unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("geo-whois-asn-country-ipv4.csv")
    );
    let sources = Sources {
        countries_v4: b"1.0.0.0,1.0.0.255,CN\n".to_vec(),
        countries_v6: b"nothing of use\n".to_vec(),
        ..Sources::default()
    };
    let mut laid = 0;
    let fault = build(&sources, |_, _| laid += 1).unwrap_err();
    assert!(matches!(fault, ShippedError::Source { path, .. } if path.contains("ipv6.csv")));
    assert_eq!(laid, 1);
}

#[test]
#[ignore = "needs what geo/fetch.sh fetches: 160 MB"]
fn the_sources_build_the_shipped_bytes() {
    let sources = Sources::load(|path| std::fs::read(folder().join(path))).unwrap();
    let (table, report) = build(&sources, |_, _| {}).unwrap();
    assert!(report.sources.iter().all(|source| source.refused == 0));
    let shipped = std::fs::read(folder().join("areas.wsa")).unwrap();
    assert!(table.encode() == shipped, "rebuild data/geo/areas.wsa");
}
