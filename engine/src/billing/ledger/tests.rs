//! Slots, months, zones and faults of the ledger.

use super::*;
use crate::billing::{UtcOffset, free_slots};
use crate::inventory::{Link, Site};
use coverage::SiteId;
use instance::ContractModel;
use proptest::prelude::*;

const SLOT: Duration = Duration::from_secs(300);
const SLOT_MS: u64 = 300_000;
const DAY_MS: u64 = 86_400_000;
/// 2026-11-01T00:00Z.
const NOVEMBER: u64 = 1_793_491_200_000;

fn inventory(model: ContractModel, zone: &str) -> Inventory {
    let site = Site {
        name: "s".into(),
        region: "r".into(),
        country: "cn".into(),
        province: String::new(),
        latitude: 0.0,
        longitude: 0.0,
    };
    let link = |name: &str| Link {
        name: name.into(),
        site: SiteId(0),
        isp: "ct".into(),
        capacity_mbps: 100.0,
        watermark_mbps: 90.0,
        contract: 0,
    };
    let contract = Contract {
        name: "m".into(),
        model,
        price_cny_per_mbps_month: 30.0,
        price_cny_per_gb: 0.2,
        commit_mbps: 10.0,
        utc_offset: zone.parse().unwrap(),
    };
    Inventory {
        sites: vec![site],
        links: vec![link("s/ct"), link("s/ct2")],
        contracts: vec![contract],
        ..Inventory::default()
    }
}

fn ledger(model: ContractModel, zone: &str) -> (Inventory, Ledger) {
    let inventory = inventory(model, zone);
    let ledger = Ledger::new(&inventory, SLOT);
    (inventory, ledger)
}

fn sample(slot: u64, mbps: f64) -> SlotSample {
    SlotSample {
        contract: 0,
        slot: Timestamp(slot),
        mbps,
    }
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn links_of_one_contract_add_up_slot_by_slot_in_any_order() {
    let (inventory, mut ledger) = ledger(ContractModel::Month95, "Z");
    let mut closed = Vec::new();
    for (link, mbps, at_s) in [
        (0, 10.0, 0),
        (0, 30.0, 100),
        (0, 1.0, 300),
        (1, 5.0, 0),
        (1, 1.0, 300),
    ] {
        let at = Timestamp(NOVEMBER + at_s * 1000);
        closed.extend(ledger.count(&inventory, link, mbps, at).unwrap());
    }
    assert_eq!(
        closed,
        [sample(NOVEMBER, 20.0), sample(NOVEMBER, 25.0)],
        "the late sample of the second link mends the slot"
    );
    assert_eq!(ledger.accounts[0].sample(Timestamp(NOVEMBER)), Some(25.0));
}

#[test]
fn a_silent_link_is_no_empty_one_for_a_while() {
    let (inventory, mut ledger) = ledger(ContractModel::Month95, "Z");
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    ledger.count(&inventory, 1, 7.0, at(0)).unwrap();
    for slot in 0..6 {
        ledger.count(&inventory, 0, 10.0, at(slot)).unwrap();
    }
    ledger.advance(at(6));
    let seen: Vec<f64> = (0..6)
        .filter_map(|slot| ledger.accounts[0].sample(at(slot)))
        .collect();
    assert_eq!(seen, [17.0, 17.0, 17.0, 17.0, 10.0, 10.0]);
}

#[test]
fn what_is_no_traffic_or_out_of_time_is_refused_by_name_and_the_rest_kept() {
    let (inventory, mut ledger) = ledger(ContractModel::Month95, "Z");
    let now = Timestamp(NOVEMBER + DAY_MS);
    ledger.advance(now);
    for mbps in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        let fault = ledger.count(&inventory, 0, mbps, now).unwrap_err();
        assert!(fault.to_string().contains("s/ct"), "{fault}");
    }
    let late = ledger
        .count(&inventory, 0, 1.0, Timestamp(NOVEMBER))
        .unwrap_err();
    assert!(matches!(late, SampleFault::Late { .. }), "{late}");
    let ahead = Timestamp(now.0 + DAY_MS);
    let ahead = ledger.count(&inventory, 0, 1.0, ahead).unwrap_err();
    assert!(matches!(ahead, SampleFault::Ahead { .. }), "{ahead}");
    assert!(ledger.count(&inventory, 9, 1.0, now).is_err());
    ledger.restore([
        sample(NOVEMBER, f64::NAN),
        SlotSample {
            contract: 3,
            ..sample(NOVEMBER, 1.0)
        },
    ]);
    let refused = ledger.refused();
    assert_eq!((refused.malformed, refused.late, refused.ahead), (7, 1, 1));
    assert_eq!(refused.recent.len(), 9);
    assert!(ledger.count(&inventory, 0, 42.0, now).unwrap().is_empty());
    let under_way: Vec<SlotSample> = ledger.under_way().collect();
    assert_eq!(under_way, [sample(now.0, 42.0)]);
    assert_eq!(ledger.accounts[0].sample(now), None, "it may still fall");
    ledger.advance(Timestamp(now.0 + SLOT_MS));
    assert_eq!(ledger.accounts[0].sample(now), Some(42.0));
}

#[test]
fn a_clock_that_jumps_and_comes_back_loses_nothing() {
    let (inventory, mut ledger) = ledger(ContractModel::Month95, "Z");
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    for slot in 0..500 {
        ledger.advance(at(slot));
        ledger.count(&inventory, 0, 50.0, at(slot)).unwrap();
    }
    near(ledger.certain_mbps(0, at(500)), 50.0);
    let year = Timestamp(NOVEMBER + 365 * DAY_MS);
    ledger.advance(year);
    ledger.count(&inventory, 0, 60.0, year).unwrap();
    assert!(ledger.count(&inventory, 0, 60.0, at(500)).is_err());
    ledger.advance(at(500));
    assert!(ledger.count(&inventory, 0, 61.0, at(500)).is_ok());
    near(ledger.certain_mbps(0, at(500)), 50.0);
    ledger.advance(at(501));
    assert_eq!(ledger.statement(0, at(0), at(501)).known, 501);
}

#[test]
fn without_its_parts_a_slot_keeps_the_larger_of_what_was_stored_and_what_comes() {
    let (inventory, mut ledger) = ledger(ContractModel::Month95, "Z");
    ledger.restore([sample(NOVEMBER, 30.0)]);
    let mut carried = |mbps, at| {
        ledger.count(&inventory, 0, mbps, Timestamp(at)).unwrap();
        ledger.under_way().map(|slot| slot.mbps).next()
    };
    assert_eq!(carried(4.0, NOVEMBER + 1), Some(30.0));
    assert_eq!(carried(90.0, NOVEMBER + 2), Some(47.0));
    ledger.advance(Timestamp(NOVEMBER + SLOT_MS));
    assert_eq!(ledger.accounts[0].sample(Timestamp(NOVEMBER)), Some(47.0));
}

#[test]
fn what_a_slot_began_with_is_certain_of_nothing() {
    let (inventory, mut ledger) = ledger(ContractModel::DailyPeakMean, "Z");
    let at = |slot: u64, ms: u64| Timestamp(NOVEMBER + slot * SLOT_MS + ms);
    for slot in 0..50 {
        ledger.advance(at(slot, 0));
        ledger.count(&inventory, 0, 40.0, at(slot, 0)).unwrap();
        let before = ledger.certain_mbps(0, at(slot, 1));
        // A first sample that is far above the mean of the slot.
        ledger.count(&inventory, 0, 2000.0, at(slot, 1)).unwrap();
        near(ledger.certain_mbps(0, at(slot, 2)), before);
        for ms in 2..100 {
            ledger.count(&inventory, 0, 0.0, at(slot, ms)).unwrap();
        }
        ledger.advance(at(slot + 1, 0));
        let after = ledger.certain_mbps(0, at(slot, 101));
        assert!(
            after >= before && after < 41.0,
            "slot {slot}: {before} {after}"
        );
    }
}

#[test]
fn month_95_is_free_below_the_level_that_is_already_certain() {
    let (_, mut ledger) = ledger(ContractModel::Month95, "Z");
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    ledger.restore((0..432).map(|slot| sample(at(slot).0, 50.0)));
    near(ledger.marginal(0, at(500)).free_below_mbps, 10.0);
    assert_eq!(ledger.tokens_left(0, 20.0, at(432)), 0);
    ledger.restore([sample(at(432).0, 40.0)]);
    let marginal = ledger.marginal(0, at(500));
    near(marginal.free_below_mbps, 40.0);
    near(marginal.price_cny_per_mbps, 30.0 / 433.0);
    assert_eq!(ledger.tokens_left(0, 45.0, at(433)), 0);
    assert_eq!(ledger.tokens_left(0, 50.0, at(433)), 432);
}

#[test]
fn a_month_ends_at_midnight_of_its_own_zone() {
    let (_, mut ledger) = ledger(ContractModel::Month95, "+08:00");
    let start = NOVEMBER - 8 * 3_600_000;
    let october = (1..=500).map(|slot| sample(start - slot * SLOT_MS, 70.0));
    ledger.restore(october);
    near(ledger.certain_mbps(0, Timestamp(start - 1)), 70.0);
    near(ledger.certain_mbps(0, Timestamp(start)), 10.0);
    near(ledger.last_month_mbps(0, Timestamp(start)).unwrap(), 70.0);
    ledger.restore((0..433).map(|slot| sample(start + slot * SLOT_MS, 33.0)));
    near(ledger.certain_mbps(0, Timestamp(start + DAY_MS)), 33.0);
    let statement = ledger.statement(0, Timestamp(start), Timestamp(start + 30 * DAY_MS));
    assert_eq!(
        (statement.slots, statement.known, statement.gaps),
        (8640, 433, 8640 - 433)
    );
    near(statement.certain_cny, 33.0 * 30.0);
    assert_eq!(ledger.last_month_mbps(0, Timestamp(start - 1)), None);
}

#[test]
fn gaps_and_the_time_before_the_first_sample_spend_free_slots() {
    let (_, mut ledger) = ledger(ContractModel::Month95, "Z");
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    // First sample after 1000 slots, and 7 missing later.
    ledger.restore(
        (1000..1100)
            .filter(|slot| !(1050..1057).contains(slot))
            .map(|slot| sample(at(slot).0, 5.0)),
    );
    assert_eq!(ledger.tokens_left(0, 20.0, at(1100)), 432 - 50 - 7);
    let statement = ledger.statement(0, at(0), at(1100));
    assert_eq!(
        (statement.known, statement.gaps, statement.unseen),
        (93, 7, 1000)
    );
}

#[test]
fn daily_contracts_charge_the_mean_of_their_days() {
    for (model, expected) in [
        (ContractModel::DailyPeakMean, 90.0),
        (ContractModel::Daily95Mean, 40.0),
    ] {
        let (_, mut ledger) = ledger(model, "+08:00");
        let start = NOVEMBER - 8 * 3_600_000;
        // On the first day 14 slots of 90 and the rest 40; the other 29 days are below the
        // commitment.
        ledger.restore(
            (0..288)
                .map(|slot| sample(start + slot * SLOT_MS, if slot < 14 { 90.0 } else { 40.0 })),
        );
        ledger.restore((288..8640).map(|slot| sample(start + slot * SLOT_MS, 1.0)));
        let statement = ledger.statement(0, Timestamp(start), Timestamp(start + 30 * DAY_MS));
        near(statement.certain_cny, 29.0 * 10.0 + expected);
        let marginal = ledger.marginal(0, Timestamp(start + DAY_MS - 1));
        near(marginal.free_below_mbps, expected);
        near(
            ledger
                .marginal(0, Timestamp(start + DAY_MS))
                .free_below_mbps,
            10.0,
        );
    }
}

#[test]
fn volume_costs_what_slots_carry_and_a_port_what_was_agreed() {
    let (_, mut by_volume) = ledger(ContractModel::PerGb, "Z");
    near(
        by_volume
            .marginal(0, Timestamp(NOVEMBER))
            .price_cny_per_mbps,
        0.2 * 0.0375,
    );
    by_volume.restore([sample(NOVEMBER, 100.0), sample(NOVEMBER + SLOT_MS, 60.0)]);
    near(
        by_volume
            .statement(0, Timestamp(NOVEMBER), Timestamp(NOVEMBER))
            .certain_cny,
        160.0 * 0.0375 * 0.2,
    );
    let (_, flat) = ledger(ContractModel::Flat, "Z");
    near(
        flat.statement(0, Timestamp(NOVEMBER), Timestamp(NOVEMBER))
            .certain_cny,
        300.0,
    );
    near(
        flat.marginal(0, Timestamp(NOVEMBER)).price_cny_per_mbps,
        0.0,
    );
}

proptest! {
    /// Whatever comes later, the bill of a finished month is never below what was called certain,
    /// and what was called certain never falls.
    #[test]
    fn the_certain_floor_only_rises(
        model in prop::sample::select(vec![
            ContractModel::Month95, ContractModel::DailyPeakMean, ContractModel::Daily95Mean, ContractModel::PerGb,
        ]),
        minutes in prop::sample::select(vec![-570_i16, 0, 345, 480]),
        levels in prop::collection::vec(0.0..100.0_f64, 1..40),
        order in any::<u64>(),
    ) {
        let mut inventory = inventory(model, "Z");
        inventory.contracts[0].utc_offset = UtcOffset::from_minutes(minutes).unwrap();
        let mut ledger = Ledger::new(&inventory, SLOT);
        let month = inventory.contracts[0].utc_offset.month_of(Timestamp(NOVEMBER + 15 * DAY_MS));
        let slots = month.slots(SLOT_MS);
        let mut naive = vec![0.0; usize::try_from(slots).unwrap()];
        let mut certain = 0.0;
        for (step, level) in levels.iter().enumerate() {
            // Blocks of up to 500 slots arrive in any order, some over others.
            let first = order.rotate_left(u32::try_from(step).unwrap()) % slots;
            for slot in first..slots.min(first + 500) {
                let index = usize::try_from(slot).unwrap();
                naive[index] = f64::max(naive[index], *level);
                ledger.restore([sample(month.start.0 + slot * SLOT_MS, naive[index])]);
            }
            let statement = ledger.statement(0, month.start, month.end);
            prop_assert!(statement.certain_cny >= certain - 1e-9);
            certain = statement.certain_cny;
        }
        if model == ContractModel::Month95 {
            naive.sort_by(|a, b| b.total_cmp(a));
            let rank = usize::try_from(free_slots(slots)).unwrap();
            prop_assert!((certain - 30.0 * naive[rank].max(10.0)).abs() < 1e-9);
        }
    }
}

#[test]
fn the_level_so_far_forgives_its_part_of_what_is_known() {
    let (_, mut ledger) = ledger(ContractModel::Month95, "Z");
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    assert_eq!(ledger.so_far_mbps(0, at(3)), None);
    for slot in 0..40_u32 {
        let mbps = f64::from(slot + 1);
        ledger.restore([sample(NOVEMBER + u64::from(slot) * SLOT_MS, mbps)]);
    }
    assert_eq!(
        ledger.so_far_mbps(0, at(19)),
        Some(19.0),
        "none is free yet"
    );
    assert_eq!(
        ledger.so_far_mbps(0, at(20)),
        Some(19.0),
        "one of twenty is"
    );
    assert_eq!(ledger.so_far_mbps(0, at(40)), Some(38.0));
    near(ledger.certain_mbps(0, at(40)), 10.0);
    let (_, mut peaks) = self::ledger(ContractModel::DailyPeakMean, "Z");
    peaks.restore([sample(NOVEMBER, 70.0), sample(NOVEMBER + DAY_MS, 20.0)]);
    let second_day = Timestamp(NOVEMBER + DAY_MS + SLOT_MS);
    assert_eq!(peaks.so_far_mbps(0, second_day), Some(20.0));
    let (_, mut volume) = self::ledger(ContractModel::PerGb, "Z");
    volume.restore([sample(NOVEMBER, 70.0)]);
    assert_eq!(volume.so_far_mbps(0, at(1)), None);
}

#[test]
fn a_day_may_begin_within_a_slot() {
    let half_hour = Duration::from_mins(30);
    for model in [ContractModel::Month95, ContractModel::DailyPeakMean] {
        let mut ledger = Ledger::new(&inventory(model, "+05:45"), half_hour);
        ledger.restore([sample(NOVEMBER, 5.0), sample(NOVEMBER + 1_800_000, 7.0)]);
        // Over two days, minute by minute: no moment is without an answer.
        for minute in 0..2 * 1440 {
            let at = Timestamp(NOVEMBER + minute * 60_000);
            let level = ledger.so_far_mbps(0, at).unwrap_or_default();
            assert!((0.0..=7.0).contains(&level), "{minute}: {level}");
        }
    }
}

/// Link, slot and Mbps of samples in order, between which a link is silent for a slot.
const TOLD: [(usize, u64, f64); 9] = [
    (0, 0, 100.0),
    (1, 0, 100.0),
    (0, 1, 500.0),
    (1, 1, 100.0),
    (1, 2, 100.0),
    (1, 3, 160.0),
    (0, 3, 500.0),
    (1, 3, 40.0),
    (1, 4, 100.0),
];

/// Returns what the slots of [`TOLD`] carry when its samples come in the order of `indices`, as a
/// store has it that is read back after `restart_after` of them.
fn carried(indices: &[usize], restart_after: Option<usize>) -> Vec<f64> {
    type Stored = BTreeMap<Timestamp, (f64, Vec<LinkPart>)>;
    fn put(stored: &mut Stored, ledger: &Ledger, slots: impl IntoIterator<Item = SlotSample>) {
        for SlotSample { slot, mbps, .. } in slots {
            stored.insert(slot, (mbps, ledger.parts(0, slot).collect()));
        }
    }
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    let (inventory, mut known) = ledger(ContractModel::Month95, "Z");
    let (mut stored, mut newest) = (Stored::new(), 0);
    for (count, &index) in indices.iter().enumerate() {
        if restart_after == Some(count) {
            put(&mut stored, &known, known.under_way());
            known = ledger(ContractModel::Month95, "Z").1;
            let rows = stored.iter().map(|(slot, row)| sample(slot.0, row.0));
            let (over, under_way): (Vec<_>, Vec<_>) = rows.partition(|row| row.slot < at(newest));
            known.restore(over);
            known.resume(under_way, stored.values().flat_map(|row| row.1.clone()));
        }
        let (link, slot, mbps) = TOLD[index];
        newest = newest.max(slot);
        known.advance(at(newest));
        let changed = known.count(&inventory, link, mbps, at(slot)).unwrap();
        put(&mut stored, &known, changed);
    }
    known.advance(at(5));
    put(&mut stored, &known, known.under_way());
    let of_slot = |slot: u64| known.accounts[0].sample(at(slot)).unwrap();
    let counted: Vec<f64> = (0..5).map(of_slot).collect();
    assert_eq!(
        stored.values().map(|row| row.0).collect::<Vec<_>>(),
        counted
    );
    counted
}

#[test]
fn a_late_sample_counts_in_later_slots_of_a_silent_link_too() {
    let in_order = carried(&[0, 1, 2, 3, 4, 5, 6, 7, 8], None);
    assert_eq!(in_order, [200.0, 600.0, 600.0, 600.0, 600.0]);
    assert_eq!(carried(&[0, 1, 3, 4, 5, 6, 7, 8, 2], None), in_order);
}

#[test]
fn a_restart_at_any_moment_changes_no_slot() {
    for indices in [[0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 3, 4, 5, 6, 7, 8, 2]] {
        let without = carried(&indices, None);
        for count in 1..indices.len() {
            assert_eq!(carried(&indices, Some(count)), without, "after {count}");
        }
    }
}

#[test]
fn a_slot_under_way_at_a_restart_is_certain_of_nothing_until_it_is_over() {
    let (inventory, mut ledger) = ledger(ContractModel::DailyPeakMean, "Z");
    let committed = ledger.terms(0).commit_mbps;
    ledger.resume([sample(NOVEMBER, 500.0)], []);
    let certain = |ledger: &Ledger| ledger.certain_mbps(0, Timestamp(NOVEMBER));
    ledger.advance(Timestamp(NOVEMBER + 1));
    near(certain(&ledger), committed);
    let later = Timestamp(NOVEMBER + 2);
    ledger.count(&inventory, 0, 20.0, later).unwrap();
    near(certain(&ledger), committed);
    // Also when a clock that was behind comes right only long after.
    ledger.advance(Timestamp(NOVEMBER - 10 * SLOT_MS));
    near(certain(&ledger), committed);
    ledger.advance(Timestamp(NOVEMBER + 7 * SLOT_MS));
    near(certain(&ledger), 500.0);
}

#[test]
fn slots_of_a_clock_that_was_ahead_leave_room_for_those_of_now() {
    let (inventory, mut ledger) = ledger(ContractModel::Month95, "Z");
    let ahead = NOVEMBER + 10_000 * SLOT_MS;
    let slots = (0..OPEN_MAX as u64).map(|slot| LinkPart {
        link: 0,
        slot: Timestamp(ahead + slot * SLOT_MS),
        mbps_sum: 1.0,
        samples: 1,
    });
    ledger.resume([], slots);
    for slot in 0..20 {
        let at = Timestamp(NOVEMBER + slot * SLOT_MS);
        ledger.advance(at);
        ledger.count(&inventory, 0, 40.0, at).unwrap();
    }
    ledger.advance(Timestamp(NOVEMBER + 20 * SLOT_MS));
    for slot in 0..20 {
        let at = Timestamp(NOVEMBER + slot * SLOT_MS);
        assert_eq!(ledger.accounts[0].sample(at), Some(40.0), "{slot}");
    }
}

#[test]
fn parts_that_were_stored_must_be_traffic_of_known_links() {
    let (_, mut ledger) = ledger(ContractModel::Month95, "Z");
    let part = |link, mbps_sum| LinkPart {
        link,
        slot: Timestamp(NOVEMBER),
        mbps_sum,
        samples: 2,
    };
    ledger.restore([sample(NOVEMBER, 50.0)]);
    let parts = [part(0, 60.0), part(1, f64::NAN), part(9, 1.0)];
    ledger.resume([], parts);
    let refused = ledger.refused().by_reason().map(|(_, count)| count);
    assert_eq!(refused.iter().sum::<u64>(), 2);
    // One link does not explain all that was stored.
    near(ledger.under_way().next().unwrap().mbps, 50.0);
}

#[test]
fn after_a_clock_that_was_ahead_a_running_slot_is_certain_of_nothing() {
    let (inventory, mut ledger) = ledger(ContractModel::DailyPeakMean, "Z");
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    ledger.advance(at(20));
    ledger.count(&inventory, 0, 1.0, at(20)).unwrap();
    ledger.advance(at(0));
    ledger.count(&inventory, 0, 90.0, at(0)).unwrap();
    let committed = ledger.terms(0).commit_mbps;
    near(ledger.certain_mbps(0, at(0)), committed);
    ledger.count(&inventory, 0, 30.0, at(0)).unwrap();
    ledger.advance(at(1));
    near(ledger.certain_mbps(0, at(0)), 60.0);
}

#[test]
fn a_link_whose_clock_is_ahead_ends_no_slot_of_others() {
    let (inventory, mut ledger) = ledger(ContractModel::DailyPeakMean, "Z");
    let at = |slot: u64| Timestamp(NOVEMBER + slot * SLOT_MS);
    ledger.advance(at(0));
    ledger.count(&inventory, 1, 0.0, at(2)).unwrap();
    for mbps in [90.0, 30.0] {
        ledger.count(&inventory, 0, mbps, at(0)).unwrap();
        assert_eq!(ledger.accounts[0].sample(at(0)), None);
    }
    ledger.advance(at(1));
    assert_eq!(ledger.accounts[0].sample(at(0)), Some(60.0));
}
