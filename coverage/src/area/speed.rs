//! Cost of building, reading and asking a large table. Run by hand:
//! `cargo test --release -p watershed-coverage speed -- --ignored --nocapture --test-threads=1`.

use super::*;
use crate::split::mix;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

const PREFIXES: u64 = 2_000_000;
const AREAS: u64 = 4_000;
const LOOKUPS: u64 = 20_000_000;

fn low_half(bits: u64) -> u32 {
    u32::try_from(bits & 0xffff_ffff).unwrap()
}

/// Two million prefixes of /20 to /26 and /28 to /48 in four thousand areas, laid out by a fixed
/// hash.
fn builder() -> AreaTableBuilder {
    let mut builder = AreaTableBuilder::new();
    for index in 0..PREFIXES {
        let (place, shape) = (mix(index), mix(!index));
        let attrs = AreaAttrs {
            country: "cn".into(),
            asn: 1 + low_half(shape % AREAS),
            ..AreaAttrs::default()
        };
        let host = u32::MAX >> (20 + (shape >> 40) % 7);
        let first = low_half(place) & !host;
        builder.add_v4(first, first | host, &attrs);
        let host = u64::MAX >> (28 + (shape >> 40) % 21);
        let first = ((1 << 61) | (place >> 3)) & !host;
        builder.add_v6(first, first | host, &attrs);
    }
    builder
}

/// Addresses in random ranges: most of IPv6 is empty, and random addresses would only find that.
/// They are read in order, so that they cost little themselves.
fn known_v6(table: &AreaTable) -> Vec<IpAddr> {
    let starts: Vec<u64> = table.ranges_v6().map(|(start, _)| start).collect();
    let any = |index| starts[low_half(mix(index)) as usize % starts.len()];
    (0..1 << 20)
        .map(|index| Ipv6Addr::from(u128::from(any(index)) << 64).into())
        .collect()
}

/// A random address that depends on the answer before.
fn any_v4(index: u64, last: u64) -> IpAddr {
    Ipv4Addr::from(low_half(mix(index ^ last << 32))).into()
}

/// Mean time of one lookup, and of one lookup with its scope, over addresses that no cache
/// foresees.
fn ask(what: &str, table: &AreaTable, scopes: &ScopeIndex, addr: impl Fn(u64, u64) -> IpAddr) {
    let start = Instant::now();
    let mut seen = 0_u64;
    for index in 0..LOOKUPS {
        seen = seen.wrapping_add(u64::from(table.lookup(addr(index, 0)).area.0));
    }
    let lookup = start.elapsed();
    // Each address depends on the answer before, so that lookups cannot overlap in the pipeline.
    let start = Instant::now();
    let mut last = 0_u64;
    for index in 0..LOOKUPS {
        last = u64::from(table.lookup(addr(index, last)).area.0);
    }
    let chained = start.elapsed();
    let start = Instant::now();
    for index in 0..LOOKUPS {
        let addr = addr(index, 0);
        seen += u64::from(scopes.scope(table, table.lookup(addr).leaf, addr));
    }
    let scoped = start.elapsed();
    let ns = |time: std::time::Duration| time.as_nanos() / u128::from(LOOKUPS);
    println!(
        "{what}: lookup {} ns, one after another {} ns, with scope {} ns ({seen} {last})",
        ns(lookup),
        ns(chained),
        ns(scoped)
    );
}

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn two_million_prefixes() {
    let start = Instant::now();
    let builder = builder();
    let added = start.elapsed();
    let table = builder.finish().unwrap();
    println!(
        "{} IPv4 and {} IPv6 ranges, {} MB: added in {added:?}, built in {:?}",
        table.ranges_v4().len(),
        table.ranges_v6().len(),
        table.memory_bytes() / 1_000_000,
        start.elapsed()
    );
    let classes: Vec<u32> = (0..u32::try_from(table.areas().len()).unwrap()).collect();
    let classes: Vec<u32> = classes.iter().map(|area| area % 100).collect();
    let scopes = ScopeIndex::build(&table, &classes);
    ask("IPv4", &table, &scopes, any_v4);
    let known = known_v6(&table);
    ask("IPv6", &table, &scopes, |index, last| {
        known[low_half(index + (last >> 32)) as usize % known.len()]
    });
    let start = Instant::now();
    let bytes = table.encode();
    let encoded = start.elapsed();
    let start = Instant::now();
    assert_eq!(AreaTable::decode(&bytes).unwrap().digest(), table.digest());
    println!(
        "{} bytes, encoded in {encoded:?}, decoded in {:?}",
        bytes.len(),
        start.elapsed()
    );
}

#[test]
#[ignore = "a measurement; meaningful in release builds only"]
fn the_shipped_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/geo/areas.wsa");
    let bytes = std::fs::read(path).unwrap();
    let start = Instant::now();
    let table = AreaTable::decode(&bytes).unwrap();
    println!("{} bytes decoded in {:?}", bytes.len(), start.elapsed());
    let classes: Vec<u32> = (0..u32::try_from(table.areas().len()).unwrap()).collect();
    let scopes = ScopeIndex::build(&table, &classes);
    ask("IPv4", &table, &scopes, any_v4);
    let known = known_v6(&table);
    ask("IPv6", &table, &scopes, |index, last| {
        known[low_half(index + (last >> 32)) as usize % known.len()]
    });
}
