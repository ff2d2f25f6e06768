//! Fixed point: flows as `i64` quanta, costs as one `i128` that keeps the five levels apart.
//!
//! A cost is `unserved * W1 + overload * W2 + below_floor * W3 + cny * K + moved` with every weight a
//! power of two. A simple cycle of the network meets each hub at most once, so each count is bounded
//! by a small multiple of the number of links and sites; the weights exceed twice those bounds.
//! Therefore comparing two sums is comparing the five levels lexicographically, and a sum can be
//! taken apart again without loss. No weight is a tuned penalty.

use super::input::Instance;
use super::network::money_step;
use super::requests;
use super::result::Price;
use super::topology::Topology;

/// Bits of the moved count, the lowest component.
const MOVED_BITS: u32 = 18;

/// Where the below-floor count starts.
const FLOOR_SHIFT: u32 = 84;

/// Bits of the below-floor count.
const FLOOR_BITS: u32 = 18;

/// Bits of the overload count.
const OVERLOAD_BITS: u32 = 18;

/// Largest money cost of one arc in quanta; a path of 2^17 arcs still fits below [`FLOOR_SHIFT`].
const CNY_QUANTA_MAX: f64 = 70_368_744_177_664.0; // 2^46

/// All demand in quanta, at most. Rounding takes less than a quantum from each unit, so that even millions of units on one
/// link are off by less than any tolerance.
const FLOW_QUANTA_MAX: f64 = 576_460_752_303_423_488.0; // 2^59

/// Quanta per Mbps where nobody wants anything: fine enough for capacities.
const FLOW_SCALE_OF_NOTHING: f64 = 1_073_741_824.0; // 2^30

/// A capacity that never binds: four times what all demand can be.
pub(super) const UNLIMITED: i64 = i64::MAX / 4;

/// One Mbps unserved.
pub(super) const UNSERVED: i128 = 1 << (FLOOR_SHIFT + FLOOR_BITS + OVERLOAD_BITS);

/// One Mbps of overload.
pub(super) const OVERLOAD: i128 = 1 << (FLOOR_SHIFT + FLOOR_BITS);

/// One Mbps below the floor.
pub(super) const BELOW_FLOOR: i128 = 1 << FLOOR_SHIFT;

/// One Mbps moved.
pub(super) const MOVED: i128 = 1;

/// Conversion between Mbps, CNY and quanta for one instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Flow quanta per Mbps, a power of two.
    flow: f64,
    /// Cost quanta per CNY per Mbps, a power of two.
    cny: f64,
}

impl Scale {
    /// The finest scale at which no sum of `instance` can overflow.
    pub(super) fn of(instance: &Instance, topology: &Topology) -> Self {
        let demand: f64 = instance.units.iter().map(|u| u.mbps).sum();
        // What carries more than all demand has no limit, and says nothing of the quantum.
        let flow = if demand > 0.0 {
            power_of_two_below(FLOW_QUANTA_MAX / demand)
        } else {
            FLOW_SCALE_OF_NOTHING
        };
        let mut dearest: f64 = 0.0;
        for (meter, links) in instance.meters.iter().zip(&topology.links_of_meter) {
            let (free_mbps, cny_per_mbps) = money_step(instance, meter);
            let ports = links.iter().map(|&link| instance.links[link].capacity_mbps);
            // A price that nobody can come to pay must not make all others coarse.
            if free_mbps < ports.sum() {
                dearest = dearest.max(cny_per_mbps);
            }
        }
        let worst_ms = instance
            .units
            .iter()
            .flat_map(|u| &u.cand)
            .map(|c| c.1)
            .fold(0.0, f64::max);
        dearest = dearest.max(latency_cny_per_mbps(
            instance,
            worst_ms + instance.move_cost_ms,
        ));
        let charge = requests::excess_cny_per_rps(instance);
        if charge > 0.0 {
            let rps = instance.units.iter().map(requests::per_mbps);
            dearest += charge * rps.fold(0.0, f64::max);
        }
        let cny = if dearest > 0.0 {
            power_of_two_below(CNY_QUANTA_MAX / dearest)
        } else {
            1.0
        };
        Self { flow, cny }
    }

    /// Demand or capacity in quanta, rounded down.
    ///
    /// A sum of rounded demands is an integer not above the true sum, so what fitted before rounding
    /// still fits after it.
    pub(super) fn flow(self, mbps: f64) -> i64 {
        quanta((mbps * self.flow).floor()).max(0)
    }

    /// Flow in Mbps.
    #[expect(
        clippy::cast_precision_loss,
        reason = "flows are below 2^59; the relative error is 2^-53"
    )]
    pub(super) fn mbps(self, flow: i64) -> f64 {
        flow as f64 / self.flow
    }

    /// Money per Mbps as a cost.
    pub(super) fn money(self, cny_per_mbps: f64) -> i128 {
        i128::from(quanta((cny_per_mbps * self.cny).round())) << MOVED_BITS
    }

    /// The cost with movement in the place of money, one quantum per count: what is left are levels 1 to 3 and 5.
    pub(super) fn of_movement(cost: i128) -> i128 {
        let (levels, low) = split(cost, FLOOR_SHIFT);
        let (_cny, moved) = split(low, MOVED_BITS);
        (levels << FLOOR_SHIFT) + (moved << MOVED_BITS)
    }

    /// A cost as counts of levels 1 to 3 and quanta of money.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "counts have 54 bits, money has less than 64"
    )]
    pub(super) fn parts(cost: i128) -> ([i64; 3], i64) {
        let (levels, low) = split(cost, FLOOR_SHIFT);
        let money = (low >> MOVED_BITS) as i64;
        if levels == 0 {
            return ([0; 3], money);
        }
        let (rest, below_floor) = split(levels, FLOOR_BITS);
        let (unserved, overload) = split(rest, OVERLOAD_BITS);
        (
            [unserved as i64, overload as i64, below_floor as i64],
            money,
        )
    }

    /// A cost taken apart into its levels.
    #[expect(
        clippy::cast_precision_loss,
        reason = "money below 2^64 quanta, relative error 2^-53"
    )]
    pub(super) fn price(self, cost: i128) -> Price {
        let (rest, low) = split(cost, FLOOR_SHIFT);
        let (rest, below_floor) = split(rest, FLOOR_BITS);
        let (unserved, overload) = split(rest, OVERLOAD_BITS);
        let (cny, _moved) = split(low, MOVED_BITS);
        Price {
            unserved: count(unserved),
            overload: count(overload),
            below_floor: count(below_floor),
            cny_per_mbps: cny as f64 / self.cny,
        }
    }
}

/// What one Mbps at quality `ms` costs in one slot, in CNY.
pub(super) fn latency_cny_per_mbps(instance: &Instance, ms: f64) -> f64 {
    ms * instance.value_cny_per_gbps_ms_slot / 1_000.0
}

/// Gigabytes that one Mbps carries in one slot: seconds * 10^6 / 8 / 10^9.
pub(super) fn gb_per_mbps_slot(instance: &Instance) -> f64 {
    f64::from(instance.slot_seconds) / 8_000.0
}

/// Splits off the low `bits` as a signed, balanced remainder.
fn split(value: i128, bits: u32) -> (i128, i128) {
    let half = 1_i128 << (bits - 1);
    let low = ((value + half) & ((1 << bits) - 1)) - half;
    ((value - low) >> bits, low)
}

/// A level count, which the weights keep far below `i32::MAX`.
fn count(value: i128) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

/// The largest power of two not above `value`, which is positive.
fn power_of_two_below(value: f64) -> f64 {
    value.log2().floor().exp2()
}

/// A non-negative float as quanta.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates; NaN becomes 0"
)]
fn quanta(value: f64) -> i64 {
    (value as i64).min(UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_comes_apart_into_what_it_was_made_of() {
        let scale = Scale {
            flow: 1.0,
            cny: 1024.0,
        };
        for (u, o, f, m) in [(0, 0, 0, 0.0), (1, -3, 7, -12.5), (-1, 65_536, -9, 0.25)] {
            let cost = i128::from(u) * UNSERVED
                + i128::from(o) * OVERLOAD
                + i128::from(f) * BELOW_FLOOR
                + if m < 0.0 {
                    -scale.money(-m)
                } else {
                    scale.money(m)
                }
                - 5 * MOVED;
            let price = scale.price(cost);
            assert_eq!(
                (price.unserved, price.overload, price.below_floor),
                (u, o, f)
            );
            assert!((price.cny_per_mbps - m).abs() < 1e-12);
        }
    }

    #[test]
    fn levels_never_trade() {
        let scale = Scale {
            flow: 1.0,
            cny: 1.0,
        };
        let many = 65_536;
        assert!(BELOW_FLOOR > many * scale.money(CNY_QUANTA_MAX));
        assert!(OVERLOAD > many * BELOW_FLOOR);
        assert!(UNSERVED > many * OVERLOAD);
    }
}
