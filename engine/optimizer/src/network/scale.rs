//! Fixed point: flows as `i64` quanta, costs as one `i128` that keeps the five levels apart.
//!
//! A cost is `unserved * W1 + overload * W2 + late * W3 + money * W4 + moved`, every weight
//! a power of two. A path of the network meets each node at most once, so it has at most
//! [`longest_path`] arcs; of these at most half count in any one of the levels 2, 3 and 5. Each
//! count has bits for twice that and a sign; money has what is left, and its quantum is the finest
//! at which no path comes to more than half of that. Therefore comparing two sums is comparing the
//! five levels lexicographically, and a sum can be taken apart again without loss. No weight is a
//! tuned penalty.

use crate::problem::index::Problem;
use crate::problem::money::{latency_cny_per_mbps, money_step};
use crate::problem::requests;
use instance::Instance;
use instance::Price;

/// First bit of the unserved count. Above it are the sign and the few unserved arcs of a path: each
/// one ends at the sink.
const UNSERVED_SHIFT: u32 = 120;

/// Most bits of the money of one arc: those of a path stay below 96, which two conversions take. A
/// float has fewer.
const ARC_BITS_MAX: u32 = 80;

/// Quanta that one unit of the upper half of a large count stands for.
const LOW_HALF: f64 = 4_294_967_296.0; // 2^32

/// All demand in quanta, at most. Rounding takes less than a quantum from each unit: a million of
/// them on one link are off by less than 1e-11 of all demand.
const FLOW_QUANTA_MAX: f64 = 576_460_752_303_423_488.0; // 2^59

/// Quanta per Mbps where nobody wants anything: fine enough for capacities.
const FLOW_SCALE_OF_NOTHING: f64 = 1_073_741_824.0; // 2^30

/// Most quanta per Mbps or CNY, so that next to nothing still has a finite number of them.
const QUANTA_MAX: f64 = 1e300;

/// A capacity that never binds: four times what all demand can be.
pub(crate) const UNLIMITED: i64 = i64::MAX / 4;

/// One Mbps unserved.
pub(crate) const UNSERVED: i128 = 1 << UNSERVED_SHIFT;

/// One Mbps moved.
pub(crate) const MOVED: i128 = 1;

/// Conversion between Mbps, CNY and quanta for one instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Flow quanta per Mbps, a power of two.
    flow: f64,
    /// Cost quanta per CNY per Mbps, a power of two.
    cny: f64,
    /// Bits of each of the counts of overload, late and moved.
    count_bits: u32,
}

impl Scale {
    /// The finest scale at which no sum of `instance` can overflow.
    pub(crate) fn of(problem: &Problem<'_>) -> Self {
        let instance = problem.instance;
        let demand: f64 = instance.units.iter().map(|u| u.mbps).sum();
        // What carries more than all demand has no limit, and says nothing of the quantum.
        let flow = if demand > 0.0 {
            power_of_two_below((FLOW_QUANTA_MAX / demand).min(QUANTA_MAX))
        } else {
            FLOW_SCALE_OF_NOTHING
        };
        // Half a path, a bit for the difference of two, and one for the sign.
        let path_bits = longest_path(instance).next_power_of_two().ilog2();
        let count_bits = path_bits + 1;
        let money_bits = UNSERVED_SHIFT - 3 * count_bits;
        let most = f64::from(ARC_BITS_MAX.min(money_bits - 2 - path_bits)).exp2();
        let dearest = dearest_arc_cny(problem);
        let cny = if dearest > 0.0 {
            power_of_two_below((most / dearest).min(QUANTA_MAX))
        } else {
            1.0
        };
        Self {
            flow,
            cny,
            count_bits,
        }
    }

    /// Demand or capacity in quanta, rounded down.
    ///
    /// A sum of rounded demands is an integer not above the true sum, so what fitted before
    /// rounding still fits after it.
    pub(crate) fn flow(self, mbps: f64) -> i64 {
        quanta((mbps * self.flow).floor()).max(0)
    }

    /// Flow in Mbps.
    #[expect(
        clippy::cast_precision_loss,
        reason = "flows are below 2^59; the relative error is 2^-53"
    )]
    pub(crate) fn mbps(self, flow: i64) -> f64 {
        flow as f64 / self.flow
    }

    /// One Mbps of overload.
    pub(crate) fn overload(self) -> i128 {
        1 << (UNSERVED_SHIFT - self.count_bits)
    }

    /// One Mbps above the latency limit.
    pub(crate) fn late(self) -> i128 {
        1 << self.late_shift()
    }

    /// Money per Mbps as a cost; a price that no arc of the instance may have is a bug.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole numbers; the upper half is below 2^63 by the choice of the quantum"
    )]
    pub(crate) fn money(self, cny_per_mbps: f64) -> i128 {
        let quanta = (cny_per_mbps * self.cny).round();
        // In halves: 128 bits are converted by a call, which was a tenth of a solve.
        let high = (quanta / LOW_HALF).floor();
        let low = i128::from((quanta - high * LOW_HALF) as i64);
        ((i128::from(high as i64) << 32) + low) << self.count_bits
    }

    /// Quanta of money as a float, a little rounded: in halves, too. They are fewer than 2^96,
    /// those of a path as well.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rough on purpose; the upper half has less than 64 bits"
    )]
    pub(crate) fn rough_quanta(money: i128) -> f64 {
        let (high, low) = ((money >> 32) as i64, money as u32);
        high as f64 * LOW_HALF + f64::from(low)
    }

    /// The cost with movement in the place of money, one quantum per count: what is left are levels
    /// 1 to 3 and 5.
    pub(crate) fn of_movement(self, cost: i128) -> i128 {
        let (levels, low) = split(cost, self.late_shift());
        let (_money, moved) = split(low, self.count_bits);
        (levels << self.late_shift()) + (moved << self.count_bits)
    }

    /// A cost as counts of levels 1 to 3 and quanta of money.
    pub(crate) fn parts(self, cost: i128) -> ([i32; 3], i128) {
        // What costs money alone, as most arcs do, shows in the upper half of the bits.
        let rounded_up = (cost >> 64) as i64 + (1 << (self.late_shift() - 65));
        if rounded_up >> (self.late_shift() - 64) == 0 {
            return ([0; 3], cost >> self.count_bits);
        }
        let (levels, low) = split(cost, self.late_shift());
        let money = low >> self.count_bits;
        let (rest, late) = split(levels, self.count_bits);
        let (unserved, overload) = split(rest, self.count_bits);
        ([unserved, overload, late].map(count), money)
    }

    /// A cost taken apart into its levels.
    #[expect(clippy::cast_precision_loss, reason = "relative error 2^-53")]
    pub(crate) fn price(self, cost: i128) -> Price {
        // Half a quantum of money up, so that the moves below it do not count.
        let ([unserved, overload, late], money) = self.parts(cost + (1 << (self.count_bits - 1)));
        Price {
            unserved,
            overload,
            late,
            cny_per_mbps: money as f64 / self.cny,
        }
    }

    /// First bit of the count of late traffic.
    fn late_shift(self) -> u32 {
        UNSERVED_SHIFT - 2 * self.count_bits
    }
}

/// Most arcs of a path. It meets each hub at most once, and each unit; on the way from a unit to
/// the next it goes up and down through the hubs of a link, a part of a contract, a site, a
/// contract and a region, if it has them, and one arc of each. Only links that are somebody's
/// candidate are met, and no more hubs above them.
fn longest_path(instance: &Instance) -> usize {
    let candidates: usize = instance.units.iter().map(|unit| unit.cand.len()).sum();
    let links = instance.links.len().min(candidates);
    let (sites, contracts) = (instance.sites.len(), instance.contracts.len());
    let above: usize = [sites, contracts, instance.regions.len()]
        .map(|hubs| hubs.min(links))
        .into_iter()
        .sum();
    let by_hubs = 2 * (2 * links + above + 1);
    let by_units = 12 * (instance.units.len() + 1);
    by_hubs.min(by_units)
}

/// Most that one arc may cost, but for levels 1 to 3: the dearest contract or the worst quality,
/// and the charge for requests where it may come to be paid.
fn dearest_arc_cny(problem: &Problem<'_>) -> f64 {
    let instance = problem.instance;
    let mut dearest: f64 = 0.0;
    for (id, contract) in problem.contracts() {
        let (free_mbps, cny_per_mbps) = money_step(instance, contract);
        let ports_mbps = problem.ports_mbps(problem.links_of_contract(id));
        // A price that nobody can come to pay must not make all others coarse.
        if free_mbps < ports_mbps {
            dearest = dearest.max(cny_per_mbps);
        }
    }
    let candidates = instance.units.iter().flat_map(|u| &u.cand);
    let worst_ms = candidates.map(|c| c.1).fold(0.0, f64::max);
    let moved_ms = worst_ms + instance.move_cost_ms;
    dearest = dearest.max(latency_cny_per_mbps(instance, moved_ms));
    dearest + requests::dearest_excess_cny_per_mbps(problem)
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

    /// A scale for paths of up to 2^16 arcs.
    const SCALE: Scale = Scale {
        flow: 1.0,
        cny: 1024.0,
        count_bits: 18,
    };

    #[test]
    fn a_cost_comes_apart_into_what_it_was_made_of() {
        for (u, o, f, m) in [(0, 0, 0, 0.0), (1, -3, 7, -12.5), (-1, 65_536, -9, 0.25)] {
            let cost = i128::from(u) * UNSERVED
                + i128::from(o) * SCALE.overload()
                + i128::from(f) * SCALE.late()
                + SCALE.money(m)
                - 5 * MOVED;
            let price = SCALE.price(cost);
            assert_eq!((price.unserved, price.overload, price.late), (u, o, f));
            assert!((price.cny_per_mbps - m).abs() < 1e-12);
        }
    }

    #[test]
    fn levels_never_trade() {
        // Links, units, and what one Mbps costs at the dearest: from the smallest scale to the
        // largest.
        for (links, units, dear) in [
            (1, 1, 1e-9),
            (40, 60, 1e3),
            (32_768, 1, 1e-300),
            (32_768, 20_000, 1e9),
        ] {
            let input = instance(links, units, dear);
            let problem = Problem::new(&input);
            let scale = Scale::of(&problem);
            let path = i128::try_from(longest_path(&input)).unwrap();
            let dearest = scale.money(dearest_arc_cny(&problem));
            assert!(dearest > 0 && dearest << scale.count_bits > path * MOVED);
            assert!(scale.late() > 2 * path * (dearest + MOVED));
            assert!(scale.overload() > 2 * path * scale.late());
            assert!(UNSERVED > 2 * path * scale.overload());
            let price = scale.price(-path * dearest - path * MOVED);
            assert_eq!(price.late, 0, "{links} links");
            assert!(price.cny_per_mbps < 0.0, "{links} links");
        }
    }

    #[test]
    fn the_quantum_is_as_fine_as_paths_allow() {
        // A dear contract leaves room for latency that is worth nearly nothing.
        let input = instance(40, 40, 1.0);
        let scale = Scale::of(&Problem::new(&input));
        let least = latency_cny_per_mbps(&input, 1.0);
        let read = scale.price(scale.money(least)).cny_per_mbps;
        assert!((read / least - 1.0).abs() < 1e-5, "{read} of {least}");
    }

    #[test]
    fn a_charge_that_nobody_can_come_to_pay_makes_nothing_coarse() {
        let quanta = |capacity_rps: Option<f64>| {
            let mut input = instance(40, 40, 1.0);
            input.sites[0].capacity_rps = capacity_rps;
            let mut units = input.units.to_vec();
            units[0].rps = 1e6;
            input.units = units.into();
            Scale::of(&Problem::new(&input)).cny
        };
        let without = quanta(None);
        assert!((quanta(Some(2e6)) / without - 1.0).abs() < 1e-12);
        // One that may be paid is a hundred times the dearest.
        assert!(quanta(Some(1e5)) < without / 50.0);
    }

    /// Units that may go to a few of `links` each, all on one contract at `cny` a Mbps.
    fn instance(links: usize, units: usize, cny: f64) -> Instance {
        let id = |index| format!("\"l{index}\"");
        let names: Vec<String> = (0..links).map(id).collect();
        let records = names.iter().map(|name| {
            format!(r#"{{"id": {name}, "site": "s", "capacity_mbps": 10, "meter": "m"}}"#)
        });
        let unit = |unit: usize| {
            let near =
                (0..links.min(4)).map(|place| format!("[{}, 1]", (4 * unit + place) % links));
            let near = near.collect::<Vec<_>>().join(",");
            format!(r#"{{"area": "a{unit}", "service": "s", "mbps": 1, "cand": [{near}]}}"#)
        };
        let text = format!(
            r#"{{"version": 1, "slot_seconds": 300, "value_cny_per_gbps_ms_slot": 1e-9, "move_cost_ms": 0,
                "links": [{}], "sites": [{{"id": "s", "region": "r", "capacity_mbps": 10}}],
                "meters": [{{"id": "m", "model": "month-95", "price_cny_per_mbps": {cny}, "free_below_mbps": 1}}],
                "units": [{}]}}"#,
            records.collect::<Vec<_>>().join(","),
            (0..units).map(unit).collect::<Vec<_>>().join(",")
        );
        Instance::read(text.as_bytes()).unwrap()
    }
}
