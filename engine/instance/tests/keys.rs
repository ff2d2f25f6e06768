//! Keys of files: the names that are written, the newer ones that are read as well, and no others.

#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use instance::{Certificate, Instance, InstanceError, RowKind};

const INSTANCE: &str = r#"{
  "version": 1, "value_cny_per_gbps_ms_slot": 0.02,
  "links": [{"id": "gz1/ct", "site": "gz1", "capacity_mbps": 400, "meter": "m1"}],
  "sites": [{"id": "gz1", "region": "south", "capacity_mbps": 600}],
  "meters": [{"id": "m1", "model": "flat"}],
  "units": [{"area": "cn/44/ct", "service": "live", "mbps": 8.5, "floor_ms": 120,
             "cand": [[0, 8.1]]}]
}"#;

const CERTIFICATE: &str = r#"{
  "objective": 1.5, "lower_bound": 1.5, "gap": 0, "gap_level": 4,
  "levels": {"unserved_mbps": 0, "overload_mbps": 0, "below_floor_mbps": 3, "latency_cny": 1,
             "money_cny": 0.5, "moved_mbps": 0},
  "bound": {"unserved_mbps": 0, "overload_mbps": 0, "below_floor_mbps": 2, "cost_cny": 1.5},
  "moved_min_possible_mbps": null, "split_units": 0,
  "duals": {"links": [], "sites": [],
            "meters": [{"unserved": 0, "overload": 0, "below_floor": 1, "cny_per_mbps": 0.25}]},
  "binding": [{"kind": "meter", "id": "m1", "load_mbps": 8.5,
               "price": {"unserved": 0, "overload": 0, "below_floor": 1, "cny_per_mbps": 0.25}}],
  "input_digest": ""
}"#;

/// Keys of instances: as written, and as read as well.
const INSTANCE_KEYS: [(&str, &str); 3] = [
    ("meter", "contract"),
    ("meters", "contracts"),
    ("floor_ms", "latency_limit_ms"),
];

/// Keys of certificates, and the kind of a row.
const CERTIFICATE_KEYS: [(&str, &str); 4] = [
    ("below_floor_mbps", "late_mbps"),
    ("below_floor", "late"),
    ("meters", "contracts"),
    ("meter", "contract"),
];

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn renamed(text: &str, keys: &[(&str, &str)]) -> String {
    keys.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(&quoted(old)), "{old}");
        text.replace(&quoted(old), &quoted(new))
    })
}

/// `text` in which the first value of `old` stands a second time, as `new`.
fn doubled(text: &str, (old, new): (&str, &str)) -> String {
    let start = text.find(&format!("{}:", quoted(old))).unwrap();
    let value = &text[start + old.len() + 3..];
    let (mut depth, mut end) = (0, 0);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 0 => depth -= 1,
            b',' | b'}' if depth == 0 => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let again = format!("{}: {}, ", quoted(new), &value[..end]);
    format!("{}{again}{}", &text[..start], &text[start..])
}

#[test]
fn an_instance_is_read_under_both_names_and_written_under_the_old_one() {
    let old = Instance::read(INSTANCE.as_bytes()).unwrap();
    assert_eq!(old.units[0].latency_limit_ms, Some(120.0));
    assert_eq!(old.links[0].contract, "m1");
    let new = Instance::read(renamed(INSTANCE, &INSTANCE_KEYS).as_bytes()).unwrap();
    assert_eq!(new, old);
    assert_eq!(new.digest(), old.digest());
    // Plans in files name their instance by it: it must never change.
    let digest = "dca456c4abcd67aba9bf87d12f73c6c9aae94e0bfe3bef96fd86714d3dd522da";
    assert_eq!(old.digest(), digest);
    let written = serde_json::to_string(&new).unwrap();
    for (old, new) in INSTANCE_KEYS {
        assert!(written.contains(&format!("{}:", quoted(old))), "{written}");
        assert!(!written.contains(&quoted(new)), "{written}");
        // Each may be renamed alone.
        let mixed = INSTANCE.replace(&quoted(old), &quoted(new));
        assert!(Instance::read(mixed.as_bytes()).is_ok(), "{mixed}");
    }
}

#[test]
fn a_certificate_is_read_under_both_names_and_written_under_the_old_one() {
    let old: Certificate = serde_json::from_str(CERTIFICATE).unwrap();
    assert_eq!(old.levels.late_mbps.to_bits(), 3.0_f64.to_bits());
    assert_eq!(old.binding[0].kind, RowKind::Contract);
    let new: Certificate = serde_json::from_str(&renamed(CERTIFICATE, &CERTIFICATE_KEYS)).unwrap();
    assert_eq!(new, old);
    let written = serde_json::to_string(&new).unwrap();
    for (old, new) in CERTIFICATE_KEYS {
        assert!(written.contains(&quoted(old)), "{written}");
        assert!(!written.contains(&quoted(new)), "{written}");
    }
}

#[test]
fn both_names_at_once_are_refused_by_name() {
    for (old, new) in INSTANCE_KEYS {
        let error = Instance::read(doubled(INSTANCE, (old, new)).as_bytes()).unwrap_err();
        assert!(matches!(error, InstanceError::Syntax(_)), "{error}");
        let expected = format!("duplicate field `{old}` or `{new}`");
        assert!(error.to_string().contains(&expected), "{error}");
    }
    for (old, new) in &CERTIFICATE_KEYS[..3] {
        let error = serde_json::from_str::<Certificate>(&doubled(CERTIFICATE, (old, new)));
        let error = error.unwrap_err().to_string();
        let expected = format!("duplicate field `{old}` or `{new}`");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_missing_key_is_named_both_ways() {
    let without = INSTANCE.replace(r#", "meter": "m1""#, "");
    let error = Instance::read(without.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("links[0]: missing field `meter` or `contract`"),
        "{error}"
    );
}

#[test]
fn unknown_keys_are_still_refused() {
    for (old, _) in INSTANCE_KEYS {
        let spoiled = INSTANCE.replace(&quoted(old), "\"colour\"");
        let error = Instance::read(spoiled.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("unknown field `colour`"), "{error}");
    }
    for (old, _) in &CERTIFICATE_KEYS[..3] {
        let spoiled = CERTIFICATE.replace(&quoted(old), "\"colour\"");
        let error = serde_json::from_str::<Certificate>(&spoiled).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `colour`"),
            "{error}"
        );
    }
}

#[test]
fn faults_name_keys_as_files_have_them() {
    for (from, to, expected) in [
        (
            "\"meter\": \"m1\"",
            "\"meter\": \"m7\"",
            "links[0] \"gz1/ct\": meter: contract \"m7\" is not in meters",
        ),
        (
            "\"meter\": \"m1\"",
            "\"meter\": \"m7\"",
            "meters[0] \"m1\": no link uses this contract",
        ),
        ("120", "-3", "latency limit floor_ms is negative (-3)"),
    ] {
        let error = Instance::read(INSTANCE.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
