use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn attrs(country: &str, province: &str, isp: &str) -> AreaAttrs {
    AreaAttrs {
        country: country.into(),
        province: province.into(),
        isp: isp.into(),
        ..AreaAttrs::default()
    }
}

fn table(ranges: &[(u32, u32, u8)]) -> AreaTable {
    let mut builder = AreaTableBuilder::new();
    for &(start, end, area) in ranges {
        builder.add_v4(start, end, &attrs(&format!("c{area}"), "", ""));
        builder.add_v6(
            u64::from(start) << 32,
            (u64::from(end) << 32) | 0xffff_ffff,
            &attrs(&format!("c{area}"), "", ""),
        );
    }
    builder.finish().unwrap()
}

fn v4(bits: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(bits))
}

fn v6(upper: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(u128::from(upper) << 64))
}

#[test]
fn names_drop_unknown_tails_and_dash_inner_gaps() {
    assert_eq!(attrs("cn", "44", "ct").name(), "cn/44/ct");
    assert_eq!(attrs("us", "", "").name(), "us");
    assert_eq!(attrs("cn", "", "ct").name(), "cn/-/ct");
    assert_eq!(AreaAttrs::default().name(), "zz");
}

#[test]
fn a_hole_widens_nothing_and_everything_has_an_area() {
    let table = table(&[(0x0a00_0000, 0x0aff_ffff, 1), (0x0a03_0300, 0x0a03_03ff, 2)]);
    let name = |addr| table.area(table.lookup(addr).area).name.clone();
    assert_eq!(name(v4(0x0a03_0301)), "c2");
    assert_eq!(name(v4(0x0a03_0400)), "c1");
    assert_eq!(name(v4(0x0b00_0000)), "zz");
    assert_eq!(name("::ffff:10.3.3.9".parse().unwrap()), "c2");
    let found = table.lookup(v4(0x0a03_0400));
    // 10.3.4.0 is next to the exception 10.3.3.0/24: a /21 would cover it, a /22 does not.
    assert_eq!(table.prefix_len(found.leaf, v4(0x0a03_0400)), 22);
}

#[test]
fn a_reversed_range_is_named() {
    let mut builder = AreaTableBuilder::new();
    builder.add_v4(1, 2, &attrs("a", "", ""));
    builder.add_v4(9, 8, &attrs("a", "", ""));
    assert!(matches!(
        builder.finish(),
        Err(AreaBuildError::Reversed {
            index: 1,
            start: 9,
            end: 8
        })
    ));
}

#[test]
fn sizes_add_up_to_the_whole_space() {
    let table = table(&[(0, 0xff, 1), (0x8000_0000, u32::MAX, 2)]);
    let total: u64 = table.areas().iter().map(|area| area.ipv4_addresses).sum();
    assert_eq!(total, 1 << 32);
    assert_eq!(
        table.area(table.by_name("c2").unwrap()).ipv4_addresses,
        1 << 31
    );
}

/// Ranges over few distinct keys near both ends and the middle, so that they overlap, touch and
/// nest.
fn some_ranges() -> impl Strategy<Value = Vec<(u32, u32, u8)>> {
    let key = prop_oneof![
        0..40_u32,
        0x2000_0000..0x2000_0030_u32,
        (u32::MAX - 30)..=u32::MAX,
        any::<u32>()
    ];
    let range = (key.clone(), key, 1..5_u8).prop_map(|(a, b, area)| (a.min(b), a.max(b), area));
    prop::collection::vec(range, 0..24)
}

fn naive(ranges: &[(u32, u32, u8)], key: u32) -> String {
    let last = ranges
        .iter()
        .rev()
        .find(|(start, end, _)| (*start..=*end).contains(&key));
    last.map_or_else(|| "zz".to_owned(), |(_, _, area)| format!("c{area}"))
}

/// Keys worth asking: every edge and its neighbours.
fn edges(ranges: &[(u32, u32, u8)], more: &[u32]) -> Vec<u32> {
    let around = |key: u32| [key.wrapping_sub(1), key, key.wrapping_add(1)];
    let keys = ranges
        .iter()
        .flat_map(|&(start, end, _)| [start, end])
        .flat_map(around);
    keys.chain(more.iter().copied())
        .chain([0, u32::MAX])
        .collect()
}

proptest! {
    #[test]
    fn a_lookup_equals_a_scan(ranges in some_ranges(), more in prop::collection::vec(any::<u32>(), 8)) {
        let table = table(&ranges);
        for key in edges(&ranges, &more) {
            let expected = naive(&ranges, key);
            prop_assert_eq!(&table.area(table.lookup(v4(key)).area).name, &expected);
            let low = table.lookup(v6(u64::from(key) << 32 | 7));
            prop_assert_eq!(&table.area(low.area).name, &expected);
        }
    }

    #[test]
    fn a_scope_is_honest_and_not_one_bit_too_long(
        ranges in some_ranges(),
        classes in prop::collection::vec(0..3_u32, 8),
        more in prop::collection::vec(any::<u32>(), 8),
    ) {
        let table = table(&ranges);
        let scopes = ScopeIndex::build(&table, &classes);
        let class = |addr| classes[table.lookup(addr).area.0 as usize];
        // All keys at which anything can change.
        let all: Vec<u32> = table.ranges_v4().map(|(start, _)| start).collect();
        for key in edges(&ranges, &more) {
            let scope = u32::from(scopes.scope(&table, table.lookup(v4(key)).leaf, v4(key)));
            let block = |len: u32| {
                let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
                (key & mask, key | !mask)
            };
            let uniform = |len: u32| {
                let (first, last) = block(len);
                let inside = all.iter().filter(|start| (first..=last).contains(*start));
                inside.chain([&first]).all(|at| class(v4(*at)) == class(v4(key)))
            };
            prop_assert!(uniform(scope), "key {key:x} scope {scope}");
            prop_assert!(scope == 0 || !uniform(scope - 1), "key {key:x} scope {scope} could be shorter");
            let six = v6(u64::from(key) << 32);
            let scope_v6 = u32::from(scopes.scope(&table, table.lookup(six).leaf, six));
            prop_assert_eq!(scope_v6, scope, "the upper half of IPv6 is laid out alike");
        }
    }

    #[test]
    fn a_file_round_trips_and_every_damage_is_refused(ranges in some_ranges(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let table = table(&ranges);
        let bytes = table.encode();
        let read = AreaTable::decode(&bytes).unwrap();
        prop_assert_eq!(read.digest(), table.digest());
        prop_assert!(read.ranges_v4().eq(table.ranges_v4()) && read.ranges_v6().eq(table.ranges_v6()));
        prop_assert_eq!(read.areas(), table.areas());
        let mut damaged = bytes.clone();
        damaged[at.index(bytes.len())] ^= 1 << bit;
        prop_assert!(AreaTable::decode(&damaged).is_err());
        prop_assert!(AreaTable::decode(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        // With a right magic and digest, so that the content itself is read.
        let mut bytes = b"WSAREA\0\x03".to_vec();
        bytes.extend(content);
        let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
        bytes.extend(digest);
        let _ = AreaTable::decode(&bytes);
    }
}

/// A file with these attributes as its areas, then these bytes as its ranges, with a right digest.
fn file(attrs: &[AreaAttrs], ranges: &[u8]) -> Vec<u8> {
    let areas = postcard::to_stdvec(attrs).unwrap();
    let mut bytes = [b"WSAREA\0\x03".as_slice(), &areas, ranges].concat();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    bytes.extend(digest);
    bytes
}

#[test]
fn content_that_no_builder_writes_is_refused_with_its_reason() {
    let areas = [
        AreaAttrs::default(),
        attrs("de", "", ""),
        attrs("us", "", ""),
    ];
    let why = |attrs: &[AreaAttrs], ranges: &[u8]| match AreaTable::decode(&file(attrs, ranges)) {
        Ok(_) => "accepted",
        Err(AreaFileError::Malformed { what, .. }) => what,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(why(&areas, &[1, 0, 1, 1, 0, 2]), "accepted");
    for (ranges, expected) in [
        (&[][..], "ends within a number"),
        (&[1, 0, 1], "ends within a number"),
        (&[0, 1, 0, 1], "the number of ranges is out of bounds"),
        (
            &[0xff, 0xff, 0x7f, 0, 1],
            "the number of ranges is out of bounds",
        ),
        (&[1, 0x40, 1, 1, 0, 2], "ranges do not ascend from zero"),
        (&[2, 0, 1, 0, 2, 1, 0, 2], "ranges do not ascend from zero"),
        (
            &[1, 0, 3, 1, 0, 2],
            "a range names an area that does not exist",
        ),
        (
            &[2, 0, 1, 0x40, 1, 1, 0, 2],
            "neighbouring ranges of one area are not merged",
        ),
        (
            &[1, 0x80, 0, 1, 1, 0, 2],
            "a number is longer than it need be",
        ),
        (&[2, 0, 1, 0x60, 2, 1, 0, 2], "a range starts past the end"),
        (&[2, 0, 1, 5, 2, 1, 0, 2], "a distance is malformed"),
        (&[2, 0, 1, 0x80, 1, 2, 1, 0, 2], "a distance is malformed"),
        (&[1, 0, 1, 1, 0, 2, 0], "bytes after the last range"),
    ] {
        assert_eq!(why(&areas, ranges), expected, "{ranges:?}");
    }
    let good = [1, 0, 0, 1, 0, 0];
    let twice = [areas[0].clone(), areas[1].clone(), areas[1].clone()];
    assert_eq!(why(&twice, &good), "areas are not in order");
    let nowhere = AreaAttrs {
        latitude: Some(f32::NAN),
        ..attrs("de", "", "")
    };
    assert_eq!(
        why(&[areas[0].clone(), nowhere], &good),
        "a coordinate is no number"
    );
    let no_default = "the first area is not `zz`, or there are too many";
    assert_eq!(why(&areas[1..], &good), no_default);
    assert_eq!(why(&[], &good), no_default);
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let bytes = table(&[(0x0a00_0000, 0x0aff_ffff, 1), (0x0a03_0300, 0x0a03_03ff, 2)]).encode();
    for length in 0..bytes.len() {
        assert!(AreaTable::decode(&bytes[..length]).is_err(), "{length}");
    }
    for at in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        assert!(AreaTable::decode(&damaged).is_err(), "bit {at}");
    }
}

#[test]
fn runs_are_found_across_all_summary_levels() {
    // 64^2 * 3 one-address ranges alternate between two areas of one class, so the run spans every
    // level.
    let mut builder = AreaTableBuilder::new();
    let count = 64 * 64 * 3;
    for key in 0..count {
        builder.add_v4(
            key,
            key,
            &attrs(if key % 2 == 0 { "a" } else { "b" }, "", ""),
        );
    }
    let table = builder.finish().unwrap();
    let class = |name: &str| u32::from(name == "zz");
    let classes: Vec<u32> = table.areas().iter().map(|area| class(&area.name)).collect();
    let scopes = ScopeIndex::build(&table, &classes);
    for key in [0, 1, 63, 64, 4095, 4096, count - 1] {
        let scope = scopes.scope(&table, table.lookup(v4(key)).leaf, v4(key));
        // 12288 = 0x3000: the run is [0, 0x2fff]; its largest aligned blocks are /19 and /20.
        assert_eq!(scope, if key < 0x2000 { 19 } else { 20 }, "key {key}");
    }
}
