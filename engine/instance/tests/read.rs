//! Instance files: what is accepted, what is refused, and that every fault is named.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use coverage::LinkId;
use instance::{Fault, Instance, InstanceError};
use proptest::prelude::*;

/// A small valid instance; each test spoils one thing.
const GOOD: &str = r#"{
  "version": 1, "slot_seconds": 300, "value_cny_per_gbps_ms_slot": 0.02,
  "links": [
    {"id": "gz1/ct", "site": "gz1", "capacity_mbps": 40000, "watermark_mbps": 36000, "meter": "m1"},
    {"id": "gz1/cm", "site": "gz1", "capacity_mbps": 20000, "meter": "m2"}
  ],
  "sites": [{"id": "gz1", "region": "south", "capacity_mbps": 60000}],
  "meters": [
    {"id": "m1", "model": "month-95", "price_cny_per_mbps": 12.0, "free_below_mbps": 18000, "burst": false},
    {"id": "m2", "model": "per-gb", "price_cny_per_gb": 0.1}
  ],
  "units": [
    {"area": "cn/44/ct", "service": "live", "mbps": 812.5, "floor_ms": 120,
     "incumbent": [[0, 1.0]], "cand": [[0, 8.1], [1, 12.4]]},
    {"area": "cn/44/cm", "service": "live", "mbps": 0, "cand": [[1, 3.25]]}
  ]
}"#;

/// The faults of `GOOD` after replacing `from` by `to`.
fn faults(from: &str, to: &str) -> Vec<Fault> {
    assert!(GOOD.contains(from), "{from}");
    match Instance::read(GOOD.replacen(from, to, 1).as_bytes()) {
        Err(InstanceError::Faults { faults, total }) => {
            assert_eq!(faults.len(), total);
            faults
        }
        other => panic!("expected faults, found {other:?}"),
    }
}

/// `GOOD` with one replacement has exactly one fault, in `record`, that mentions `problem`.
fn check(from: &str, to: &str, record: &str, problem: &str) {
    let faults = faults(from, to);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].record.starts_with(record), "{}", faults[0]);
    assert!(faults[0].problem.contains(problem), "{}", faults[0]);
}

#[test]
fn the_documented_format_is_read() {
    let instance = Instance::read(GOOD.as_bytes()).unwrap();
    assert_eq!(
        instance.links[1].watermark_mbps().to_bits(),
        20_000.0_f64.to_bits()
    );
    assert_eq!(
        instance.units[0].cand,
        [(LinkId(0), 8.1), (LinkId(1), 12.4)]
    );
    assert!(instance.units[1].incumbent.is_empty());
}

#[test]
fn what_is_written_is_read_back_with_the_same_digest() {
    let instance = Instance::read(GOOD.as_bytes()).unwrap();
    let again = Instance::read(&serde_json::to_vec(&instance).unwrap()).unwrap();
    assert_eq!(again, instance);
    assert_eq!(again.digest(), instance.digest());
    let mut other = instance.clone();
    other.units[0].mbps += 1e-9;
    assert_ne!(other.digest(), instance.digest());
    other = instance.clone();
    other.links[1].watermark_mbps = Some(20_000.0);
    assert_ne!(
        other.digest(),
        instance.digest(),
        "given and defaulted are told apart"
    );
}

#[test]
fn faults_of_requests_are_named() {
    let rps = |rps: &str| format!("812.5, \"rps\": {rps}");
    check("812.5", &rps("-1"), "units[0]", "rps is negative");
    check(
        "812.5",
        &rps("1e9"),
        "units[0]",
        "requests per second with 812.5 mbps",
    );
    check(
        "812.5",
        &rps("1e-300"),
        "units[0]",
        "neither 0 nor at least",
    );
    check(
        "60000",
        "60000, \"capacity_rps\": -5",
        "sites[0]",
        "capacity_rps is negative",
    );
}

#[test]
fn each_fault_is_named() {
    check(
        "\"version\": 1",
        "\"version\": 2",
        "instance",
        "version is 2",
    );
    check("300", "0", "instance", "slot_seconds");
    check("0.02", "-0.02", "instance", "negative");
    check(
        "\"gz1/cm\"",
        "\"gz1/ct\"",
        "links[1]",
        "same id as links[0]",
    );
    check("\"gz1/cm\"", "\"\"", "links[1]", "id must have");
    check(
        "\"site\": \"gz1\"",
        "\"site\": \"gz9\"",
        "links[0]",
        "site \"gz9\"",
    );
    check("36000", "40001", "links[0]", "above capacity_mbps");
    check("40000", "1e300", "links[0]", "believable");
    check("60000", "-1", "sites[0]", "negative");
    check(
        "\"price_cny_per_mbps\": 12.0,",
        "",
        "meters[0]",
        "price_cny_per_mbps",
    );
    check(
        "\"price_cny_per_gb\": 0.1",
        "\"burst\": true",
        "meters[1]",
        "price_cny_per_gb",
    );
    check("812.5", "-812.5", "units[0]", "mbps is negative");
    check("[[1, 3.25]]", "[]", "units[1]", "no candidates");
    check("[1, 3.25]", "[2, 3.25]", "units[1]", "candidate link 2");
    check(
        "[1, 12.4]",
        "[0, 12.4]",
        "units[0]",
        "candidate link 0 is listed twice",
    );
    check(
        "[1, 12.4]",
        "[1, -12.4]",
        "units[0]",
        "quality of candidate 1",
    );
    check(
        "[[0, 1.0]]",
        "[[0, 0.7], [1, 0.7]]",
        "units[0]",
        "incumbent shares sum",
    );
    check("[[0, 1.0]]", "[[7, 1.0]]", "units[0]", "incumbent link 7");
    check(
        "cn/44/cm",
        "cn/44/ct",
        "units[1]",
        "same area and service as units[0]",
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let faults = faults("\"meter\": \"m1\"", "\"meter\": \"m7\"");
    let records: Vec<&str> = faults.iter().map(|f| f.record.as_str()).collect();
    assert_eq!(records, ["links[0] \"gz1/ct\"", "meters[0] \"m1\""]);
    let mut instance = Instance::read(GOOD.as_bytes()).unwrap();
    instance.units[0].mbps = f64::NAN;
    instance.links[0].capacity_mbps = f64::INFINITY;
    instance.units[1].cand.clear();
    let error = instance.validate().unwrap_err().to_string();
    for expected in [
        "3 fault(s)",
        "mbps is NaN",
        "capacity_mbps is inf",
        "no candidates",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn unknown_keys_are_refused_with_their_place() {
    for spoiled in [
        GOOD.replacen("\"region\"", "\"colour\": 1, \"region\"", 1),
        GOOD.replacen("\"version\"", "\"extra\": {}, \"version\"", 1),
        GOOD.replacen("month-95", "month-96", 1),
    ] {
        let error = Instance::read(spoiled.as_bytes()).unwrap_err();
        assert!(matches!(error, InstanceError::Syntax(_)));
        assert!(error.to_string().contains("line"), "{error}");
    }
}

#[test]
fn what_does_not_parse_is_named_with_its_record() {
    for (spoiled, place) in [
        (GOOD.replacen("3.25", "NaN", 1), "units[1].cand"),
        (
            GOOD.replacen("60000", "\"many\"", 1),
            "sites[0].capacity_mbps",
        ),
        (GOOD.replacen("month-95", "month-96", 1), "meters[0].model"),
        (format!("{GOOD} true"), "trailing characters"),
    ] {
        let error = Instance::read(spoiled.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(place), "{error}");
    }
}

#[test]
fn a_flood_of_faults_is_counted_but_not_kept() {
    let mut instance = Instance::read(GOOD.as_bytes()).unwrap();
    instance.units[0].cand = vec![(LinkId(9), -1.0); 900];
    instance.units[1].cand = instance.units[0].cand.clone();
    let Err(InstanceError::Faults { faults, total }) = instance.validate() else {
        panic!()
    };
    assert_eq!(faults.len(), instance::FAULTS_KEPT_MAX);
    assert!(total > 5_000);
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(cut in 0..GOOD.len(), at in 0..GOOD.len(), byte in any::<u8>()) {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Instance::read(&bytes[..cut]);
        if let Ok(instance) = Instance::read(&bytes) {
            instance.validate().unwrap();
        }
    }
}

#[test]
fn numbers_of_a_file_are_the_numbers_that_were_written() {
    let mut instance = Instance::read(GOOD.as_bytes()).unwrap();
    // Thirds and sevenths of demands end in bits that a careless reader rounds away.
    let mut mbps = 0.1;
    for _ in 0..2_000 {
        mbps = (mbps * 7.0 / 3.0) % 1e4 + 1.0 / 3.0;
        instance.units[0].mbps = mbps;
        let bytes = serde_json::to_vec(&instance).unwrap();
        let read = Instance::read(&bytes).unwrap();
        assert_eq!(read.units[0].mbps.to_bits(), mbps.to_bits());
        assert_eq!(read.digest(), instance.digest());
    }
}
