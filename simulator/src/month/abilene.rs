//! Real traffic: two weeks of a research network, repeated until the month is full.
//!
//! What a node of Abilene received stands for one area's first service, what it sent for the second
//! one. That network carried about a thousandth of what a CDN's area asks for; the fewer speak, the
//! more the sum jumps from slot to slot. The month is a hard one for forecasts, and its days repeat
//! after a fortnight: figures from it are to be labelled so.

use super::scenario::{Clock, HISTORY_DAYS, SLOT_MS, SLOTS_PER_DAY, UnitShape};
use coverage::Timestamp;

/// Series × slots, one byte each; its README tells how it was made.
const NODES: &[u8] = include_bytes!("../../data/abilene-nodes.u8");
/// Slots of a series: two weeks.
const SLOTS: usize = 14 * SLOTS_PER_DAY;
/// Nodes; each has a series of what came in and one of what went out.
const NODE_COUNT: usize = 11;
/// Steps of a byte: parts of the busiest hour of the mean weekday.
const STEPS: f64 = 127.0;

const _: () = assert!(NODES.len() == 2 * NODE_COUNT * SLOTS);

/// `[slot]` -> `[unit]` Mbps, from the first slot of the history on. Weekdays fall on weekdays.
pub(super) fn demand(
    shapes: &[UnitShape],
    (start, clock): (Timestamp, Clock),
    slots: usize,
) -> Vec<Vec<f64>> {
    let past = HISTORY_DAYS * SLOTS_PER_DAY;
    // The 5th of January of 1970 was a Monday.
    let since_monday =
        (clock.day(start.0) + 3) % 14 * SLOTS_PER_DAY as u64 + clock.slot_of_day(start.0);
    let first = usize::try_from(since_monday).unwrap_or(0);
    let of_slot = |slot: usize| {
        let place = (first + slot) % SLOTS;
        let of_unit = |shape: &UnitShape| {
            let series = shape.service % 2 * NODE_COUNT + shape.area % NODE_COUNT;
            shape.peak_mbps * f64::from(NODES[series * SLOTS + place]) / STEPS
        };
        shapes.iter().map(of_unit).collect()
    };
    // The history is whole fortnights, so that the month begins at the same place as it.
    const { assert!((HISTORY_DAYS * SLOTS_PER_DAY).is_multiple_of(SLOTS)) };
    debug_assert_eq!(start.0 % SLOT_MS, 0, "months begin with a slot");
    (0..past + slots).map(of_slot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::Shape;

    #[test]
    fn a_mean_weekdays_busiest_hour_is_the_peak() {
        let shape = |area, service| UnitShape {
            peak_mbps: 1000.0,
            longitude: 110.0,
            shape: Shape::Evening,
            service,
            area,
        };
        let shapes: Vec<UnitShape> = (0..NODE_COUNT)
            .flat_map(|area| [shape(area, 0), shape(area, 1)])
            .collect();
        // Sunday 2026-11-01T00:00+08:00.
        let demand = demand(
            &shapes,
            (Timestamp(1_793_462_400_000), Clock::from_hours(8)),
            28 * SLOTS_PER_DAY,
        );
        let mean = |unit: usize, hour: usize| {
            let days = (0..14).filter(|day| !matches!(day % 7, 0 | 6));
            let slots = days.flat_map(|day| (0..12).map(move |slot| day * 288 + hour * 12 + slot));
            slots.map(|slot: usize| demand[slot][unit]).sum::<f64>() / 120.0
        };
        for unit in 0..2 * NODE_COUNT {
            let busiest = (0..24).map(|hour| mean(unit, hour)).fold(0.0, f64::max);
            // Cutting spikes lowers it a little.
            assert!(
                (900.0..=1005.0).contains(&busiest),
                "unit {unit}: {busiest}"
            );
        }
        assert_eq!(demand[5], demand[5 + SLOTS]);
    }
}
