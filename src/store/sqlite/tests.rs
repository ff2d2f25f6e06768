//! Restarts: what a file must keep over them, and what it may forget.

use super::*;
use std::collections::BTreeMap;

/// Of parts, those stay that are so close.
const SPAN: Duration = Duration::from_mins(90);

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).unwrap()
}

/// A slot of which nothing is known but its traffic.
fn row(meter: &str, slot_ms: u64) -> LedgerRow {
    LedgerRow {
        meter: meter.to_owned(),
        slot: Timestamp(slot_ms),
        mbps: 1.0,
        ..LedgerRow::default()
    }
}

#[test]
fn epochs_and_versions_never_repeat_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let mut store = open(&path);
    assert_eq!(store.take_epoch(0).unwrap(), 1);
    store.reserve_version(40).unwrap();
    store.reserve_version(7).unwrap();
    drop(store);
    let mut store = open(&path);
    assert_eq!(
        (
            store.take_epoch(0).unwrap(),
            store.reserved_version().unwrap()
        ),
        (2, 40)
    );
}

#[test]
fn a_second_daemon_on_one_data_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let mut first = open(&path);
    first.take_epoch(0).unwrap();
    assert!(
        SqliteStore::open(&path)
            .and_then(|mut second| second.take_epoch(0))
            .is_err()
    );
}

#[test]
fn flags_audit_and_ledger_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let mut store = open(&path);
    store.set_flag("pin", Some("maintenance")).unwrap();
    store
        .audit(Timestamp(5), "alice", "map.pin", "maintenance")
        .unwrap();
    let row = LedgerRow {
        meter: "m1".into(),
        slot: Timestamp(300_000),
        mbps: 12.5,
        parts: [("s/ct".to_owned(), (25.0, 2))].into(),
    };
    store.put_ledger(std::slice::from_ref(&row), SPAN).unwrap();
    drop(store);
    let mut store = open(&path);
    assert_eq!(store.flag("pin").unwrap().as_deref(), Some("maintenance"));
    store.set_flag("pin", None).unwrap();
    assert_eq!(store.flag("pin").unwrap(), None);
    assert_eq!(store.audit_tail(10).unwrap()[0].who, "alice");
    let newer = LedgerRow {
        slot: Timestamp(600_000),
        ..row.clone()
    };
    store
        .put_ledger(std::slice::from_ref(&newer), SPAN)
        .unwrap();
    assert_eq!(store.ledger_newest(2).unwrap(), [row, newer.clone()]);
    assert_eq!(store.ledger_newest(1).unwrap(), [newer]);
}

#[test]
fn usual_demand_comes_back_for_the_same_units_and_the_newest_of_a_bin_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let usual = |bin: i64, mbps: &[f32]| UsualDemand {
        bin,
        ratio: 1.25,
        mbps: mbps.to_vec(),
    };
    let mut store = open(&path);
    store.put_demand("a", &usual(7, &[1.5, 0.0])).unwrap();
    store.put_demand("b", &usual(8, &[2.5])).unwrap();
    // A day later, and so in the same place.
    store.put_demand("a", &usual(7 + 48, &[3.5, 1.0])).unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.demand("a").unwrap(), [usual(7 + 48, &[3.5, 1.0])]);
    assert_eq!(store.demand("c").unwrap(), []);
}

#[test]
fn garbage_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    std::fs::write(&path, vec![0x5a; 8192]).unwrap();
    assert!(SqliteStore::open(&path).is_err());
}

#[test]
fn of_the_ledger_the_newest_slots_of_each_meter_stay_whatever_the_clock_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir.path().join("state.db"));
    let row = |meter: &str, slot: u64| row(meter, slot * 300_000);
    let mut rows: Vec<LedgerRow> = (0..10).map(|slot| row("a", slot)).collect();
    // A clock that was far ahead once leaves one slot there, and takes nothing else away.
    rows.push(row("a", 9_000_000));
    rows.extend((0..3).map(|slot| row("b", slot)));
    store.put_ledger(&rows, SPAN).unwrap();
    let mut prune = |most| {
        store
            .prune_ledger(5, Duration::from_mins(25), most)
            .unwrap()
    };
    assert_eq!(prune(4), 4, "a run is bounded");
    assert_eq!(prune(4), 2);
    assert_eq!(prune(4), 0);
    let left: Vec<(String, u64)> = store
        .ledger_newest(100)
        .unwrap()
        .into_iter()
        .map(|row| (row.meter, row.slot.0 / 300_000))
        .collect();
    let known = |meter: &str, slots: &[u64]| -> Vec<(String, u64)> {
        slots.iter().map(|slot| (meter.to_owned(), *slot)).collect()
    };
    let mut wanted = known("a", &[6, 7, 8, 9, 9_000_000]);
    wanted.extend(known("b", &[0, 1, 2]));
    wanted.sort_by_key(|(meter, slot)| (*slot, meter.clone()));
    assert_eq!(left, wanted);
}

#[test]
fn what_links_said_is_kept_of_slots_around_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir.path().join("state.db"));
    let row = |slot: u64| LedgerRow {
        parts: [("s/ct".to_owned(), (2.0, 2))].into(),
        ..row("a", slot * 300_000)
    };
    // Of a clock that was far ahead nothing stays.
    store.put_ledger(&[row(9_000_000)], SPAN).unwrap();
    let rows: Vec<LedgerRow> = (0..25).map(row).collect();
    store.put_ledger(&rows, SPAN).unwrap();
    let told = |store: &SqliteStore| -> Vec<u64> {
        let rows = store.ledger_newest(100).unwrap();
        let told = rows.iter().filter(|row| !row.parts.is_empty());
        told.map(|row| row.slot.0 / 300_000).collect()
    };
    assert_eq!(told(&store), (6..25).collect::<Vec<u64>>());
    // A row without its parts takes away those that it had, and what does not decode is none.
    let bare = LedgerRow {
        parts: BTreeMap::new(),
        ..row(7)
    };
    store.put_ledger(&[bare], SPAN).unwrap();
    let spoilt = "UPDATE ledger_part SET links = '{' WHERE slot = 8 * 300000";
    assert_eq!(store.connection.execute(spoilt, []).unwrap(), 1);
    let left: Vec<u64> = (6..25).filter(|slot| ![7, 8].contains(slot)).collect();
    assert_eq!(told(&store), left);
}

#[test]
fn shorter_slots_stay_for_as_long_as_longer_ones() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir.path().join("state.db"));
    let row = |minute: u64| row("a", minute * 60_000);
    store
        .put_ledger(&(0..60).map(row).collect::<Vec<_>>(), SPAN)
        .unwrap();
    // Six slots of five minutes were meant, and these are of one.
    let removed = store.prune_ledger(6, Duration::from_mins(30), 100).unwrap();
    assert_eq!(removed, 30);
    assert_eq!(store.ledger_newest(100).unwrap()[0].slot, row(30).slot);
}

#[test]
fn of_the_audit_log_what_is_too_old_goes_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir.path().join("state.db"));
    for at in [10, 20, 90, 30, 40] {
        store.audit(Timestamp(at), "ops", "map.pin", "x").unwrap();
    }
    let left = |store: &SqliteStore| -> Vec<u64> {
        let tail = store.audit_tail(10).unwrap();
        tail.iter().map(|entry| entry.at.0).collect()
    };
    assert_eq!(store.prune_audit(Timestamp(40), 2).unwrap(), 2);
    assert_eq!(left(&store), [40, 30, 90]);
    assert_eq!(store.prune_audit(Timestamp(40), 2).unwrap(), 1);
    assert_eq!(store.prune_audit(Timestamp(40), 2).unwrap(), 0);
    assert_eq!(left(&store), [40, 90]);
    store.audit(Timestamp(50), "ops", "map.pin", "x").unwrap();
    assert_eq!(store.audit_tail(1).unwrap()[0].id, 6, "numbers go on");
}
