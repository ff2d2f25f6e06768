//! Scopes over a large random table: every address that a scope covers gets the same answer, and no
//! scope could be one bit shorter (RFC 7871 section 7.2.1), for a million pairs of a prefix and a
//! service.
//!
//! What is expected is computed another way: runs of ranges with equal answers are found by one
//! pass over the ranges, and the block of addresses that a scope covers is held against the ends of
//! its run.

use crate::world::{catalog, service};
use coverage::area::{AreaAttrs, AreaTable, AreaTableBuilder};
use coverage::map::{AnswerSet, CoverageMapBuilder};
use coverage::split::{SPLIT_PREFIX_V4, SPLIT_PREFIX_V6};
use coverage::{
    AnswerSetId, AreaId, Asked, Body, Digest, EndpointId, MapVersion, Prefix, ServiceId, Snapshot,
    Timestamp,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use testkit::Random;

const SERVICES: u32 = 50;
const AREAS: usize = 400;
/// Prefixes asked for each service, half of each family.
const PREFIXES: u64 = 20_000;

/// Random ranges of every length over one another, so that more than a hundred thousand of each
/// family remain.
fn table(random: &mut Random) -> AreaTable {
    const ADDED: usize = 75_000;
    let mut builder = AreaTableBuilder::new();
    for index in 0..ADDED {
        let attrs = AreaAttrs {
            asn: 1 + u32::try_from(random.below(AREAS)).unwrap(),
            ..AreaAttrs::default()
        };
        // Long ones over short ones, which would bury them, and now and then a short one over all.
        let step = if random.one_in(2_000) {
            0
        } else {
            index * 8 / ADDED
        };
        let host = u32::MAX >> [9, 12, 16, 18, 20, 22, 24, 28][step];
        let first = bits_v4(random) & !host;
        builder.add_v4(first, first | host, &attrs);
        let host = u64::MAX >> [11, 16, 24, 28, 32, 40, 48, 56][step];
        let first = bits_v6(random) & !host;
        builder.add_v6(first, first | host, &attrs);
    }
    builder.finish().unwrap()
}

fn bits_v4(random: &mut Random) -> u32 {
    u32::try_from(random.bits() >> 32).unwrap()
}

/// The upper half of an IPv6 address, nearly always one of 2000::/3.
fn bits_v6(random: &mut Random) -> u64 {
    let any = random.bits();
    if random.one_in(50) {
        any
    } else {
        any >> 3 | 1 << 61
    }
}

/// One to three endpoints with random weights.
fn answers(random: &mut Random, endpoints: u32) -> AnswerSet {
    let many = random.pick(&[1, 1, 1, 2, 3]);
    let mut ids: Vec<u32> = (0..many)
        .map(|_| u32::try_from(random.bits() % u64::from(endpoints)).unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let weights: &[u8] = match ids.len() {
        1 => &[64],
        2 => &[40, 24],
        _ => &[31, 32, 1],
    };
    let shares = ids
        .into_iter()
        .map(EndpointId)
        .zip(weights.iter().copied())
        .collect();
    AnswerSet {
        shares,
        runners_up: vec![],
    }
}

/// Services from such that answer everywhere alike to such that answer differently in every area.
fn snapshot(random: &mut Random) -> Snapshot {
    let table = Arc::new(table(random));
    let mut catalog = catalog();
    catalog.services = (0..SERVICES)
        .map(|id| service(&id.to_string(), &[&format!("{id}.example.com.")], 1))
        .collect();
    catalog.endpoints = vec![catalog.endpoints[0].clone(); 60];
    let areas = u32::try_from(table.areas().len()).unwrap();
    let mut map = CoverageMapBuilder::new(catalog.services.len(), areas);
    for id in 0..SERVICES {
        let kinds = [1, 2, 3, 5, 20, 100, AREAS][id as usize % 7];
        let sets: Vec<_> = (0..kinds).map(|_| answers(random, 60)).collect();
        for area in 0..areas {
            map.set(
                ServiceId(id),
                AreaId(area),
                sets[random.below(kinds)].clone(),
            );
        }
    }
    let body = Body {
        catalog,
        map: map.finish().unwrap(),
    };
    let (version, digest) = (MapVersion::default(), Digest::default());
    Snapshot::new(version, digest, Timestamp(0), table, body).unwrap()
}

/// Ranges of one family as (first key, answer set), those with the answer of the one before left
/// out.
fn runs<K>(
    ranges: impl Iterator<Item = (K, AreaId)>,
    row: &[AnswerSetId],
) -> Vec<(K, AnswerSetId)> {
    let mut runs: Vec<_> = ranges
        .map(|(start, area)| (start, row[area.0 as usize]))
        .collect();
    runs.dedup_by_key(|run| run.1);
    runs
}

/// The first and the last key of the run around `key`, and its answer set.
fn run_of<K: Copy + Ord>(
    runs: &[(K, AnswerSetId)],
    key: K,
    max: K,
    before: fn(K) -> K,
) -> (K, K, AnswerSetId) {
    let next = runs.partition_point(|run| run.0 <= key);
    let last = runs.get(next).map_or(max, |run| before(run.0));
    (runs[next - 1].0, last, runs[next - 1].1)
}

/// The first and last address of the run around an address, and its answer set.
fn run_around(
    addr: IpAddr,
    v4: &[(u32, AnswerSetId)],
    v6: &[(u64, AnswerSetId)],
) -> (IpAddr, IpAddr, AnswerSetId) {
    match addr {
        IpAddr::V4(addr) => {
            let (first, last, set) = run_of(v4, u32::from(addr), u32::MAX, |start| start - 1);
            (
                Ipv4Addr::from(first).into(),
                Ipv4Addr::from(last).into(),
                set,
            )
        }
        IpAddr::V6(addr) => {
            let (first, last, set) = run_of(v6, upper(addr), u64::MAX, |start| start - 1);
            let (first, last) = (
                u128::from(first) << 64,
                u128::from(last) << 64 | u128::from(u64::MAX),
            );
            (
                Ipv6Addr::from(first).into(),
                Ipv6Addr::from(last).into(),
                set,
            )
        }
    }
}

fn upper(addr: Ipv6Addr) -> u64 {
    u64::try_from(u128::from(addr) >> 64).unwrap()
}

/// A random address inside a prefix, often one of its ends.
fn inside(random: &mut Random, prefix: Prefix) -> IpAddr {
    match (random.below(4), prefix.addr(), prefix.last()) {
        (0, first, _) => first,
        (1, _, last) => last,
        (_, IpAddr::V4(first), IpAddr::V4(last)) => {
            let host = u32::from(first) ^ u32::from(last);
            Ipv4Addr::from(u32::from(first) | bits_v4(random) & host).into()
        }
        (_, IpAddr::V6(first), IpAddr::V6(last)) => {
            let host = u128::from(first) ^ u128::from(last);
            let noise = u128::from(random.bits()) << 64 | u128::from(random.bits());
            Ipv6Addr::from(u128::from(first) | noise & host).into()
        }
        (_, first, _) => first,
    }
}

/// Checks one service; how many scopes were those of a split.
fn check(snapshot: &Snapshot, id: ServiceId) -> u64 {
    let random = &mut Random::new(id.0.into());
    let row = snapshot.map.row(id);
    let (v4, v6) = (
        runs(snapshot.table.ranges_v4(), row),
        runs(snapshot.table.ranges_v6(), row),
    );
    let mut bounded = 0;
    for pair in 0..PREFIXES {
        let (addr, split_bits): (IpAddr, _) = if pair % 2 == 0 {
            (Ipv4Addr::from(bits_v4(random)).into(), SPLIT_PREFIX_V4)
        } else {
            (
                Ipv6Addr::from(u128::from(bits_v6(random)) << 64).into(),
                SPLIT_PREFIX_V6,
            )
        };
        let decision = snapshot.decide(id, addr, Asked::Endpoint);
        let (first, last, set) = run_around(addr, &v4, &v6);
        let what = || {
            format!(
                "service {} for {addr}: scope {}, run {first} to {last}",
                id.0, decision.scope
            )
        };
        assert_eq!(
            decision.answers,
            &snapshot.map.answer_sets()[set.index()],
            "{}",
            what()
        );
        let block = Prefix::around(addr, decision.scope).unwrap();
        assert!(
            first <= block.addr() && block.last() <= last,
            "too short: {}",
            what()
        );
        // One bit less reaches out of the run, where the answer is another one, or splits what one
        // client gets.
        let wider = decision
            .scope
            .checked_sub(1)
            .and_then(|bits| Prefix::around(addr, bits));
        let too_wide = wider.is_none_or(|wider| wider.addr() < first || last < wider.last());
        let by_split = decision.answers.is_split() && decision.scope == split_bits;
        assert!(too_wide || by_split, "too long: {}", what());
        assert!(
            !decision.answers.is_split() || decision.scope >= split_bits,
            "wider than the split: {}",
            what()
        );
        bounded += u64::from(by_split && !too_wide);
        let other = inside(random, block);
        let neighbour = snapshot.decide(id, other, Asked::Endpoint);
        assert_eq!(
            (neighbour.endpoint, neighbour.scope),
            (decision.endpoint, decision.scope),
            "{other}: {}",
            what()
        );
    }
    bounded
}

#[test]
fn a_million_scopes_are_honest_and_as_short_as_they_can_be() {
    let snapshot = snapshot(&mut Random::new(1));
    let ranges = (
        snapshot.table.ranges_v4().len(),
        snapshot.table.ranges_v6().len(),
    );
    assert!(ranges.0 > 100_000 && ranges.1 > 100_000, "{ranges:?}");
    let (half, snapshot) = (SERVICES / 2, &snapshot);
    let of = |services: std::ops::Range<u32>| {
        services
            .map(|id| check(snapshot, ServiceId(id)))
            .sum::<u64>()
    };
    let bounded = std::thread::scope(|scope| {
        let other = scope.spawn(move || of(half..SERVICES));
        of(0..half) + other.join().expect("the failure is printed above")
    });
    let pairs = u64::from(SERVICES) * PREFIXES;
    assert!(
        (pairs / 10..pairs).contains(&bounded),
        "{bounded} of {pairs} scopes are those of splits"
    );
}
