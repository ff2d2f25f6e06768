//! Rounding of a plan to answers with weights of 64ths.

use checker::Bands;
use instance::{Certificate, Instance, Levels, Plan};
use optimizer::cost_gap;

/// Share of all demand that rounding onto weights may add to levels 1 to 3, before it is
/// told.
const ROUNDING_SHARE: f64 = 1e-6;

/// A plan with shares as answers can have them, and what that rounding costs.
#[derive(Debug)]
pub struct OnWeights {
    /// The plan, every share a multiple of 1/64.
    pub plan: Plan,
    /// Levels; what does not fit below a hard limit counts as unserved.
    pub levels: Levels,
    /// Relative distance of its level-4 cost to the certified bound; `None` when rounding costs
    /// something on a level above.
    pub gap: Option<f64>,
}

impl OnWeights {
    /// With the `levels` that the checker found for it, which shares no code with the rounding.
    pub(super) fn new(
        instance: &Instance,
        plan: Plan,
        levels: Levels,
        certificate: &Certificate,
    ) -> Self {
        let exact = &certificate.levels;
        let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
        let same = |a: f64, b: f64| a - b <= ROUNDING_SHARE * demand.max(1.0);
        let kept = same(levels.unserved_mbps, exact.unserved_mbps)
            && same(levels.overload_mbps, exact.overload_mbps)
            && same(levels.late_mbps, exact.late_mbps);
        Self {
            gap: kept.then(|| cost_gap(levels.cost_cny(), certificate.lower_bound)),
            plan,
            levels,
        }
    }
}

/// The levels of a plan that answers really follow: what is sent beyond a hard limit is as good as
/// unserved. `None` when it names what is gone. Overload and money count beyond each of `bands`.
pub(super) fn as_answered<const N: usize>(
    instance: &Instance,
    plan: &Plan,
    bands: [Bands; N],
) -> Option<[Levels; N]> {
    let found = checker::measure_beyond(instance, plan, bands).ok()?;
    Some(found.map(|found| Levels {
        unserved_mbps: found.levels.unserved_mbps + found.over_capacity_mbps,
        ..found.levels
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use instance::Shares;

    /// Returns what `mbps` cost where 100 are free, and 900 are below the watermark.
    fn money_and_overload(mbps: f64, bands: Bands) -> (f64, f64) {
        let text = format!(
            r#"{{"version": 1, "value_cny_per_gbps_ms_slot": 0.02,
            "links": [{{"id": "p/x", "site": "p", "capacity_mbps": 1000, "watermark_mbps": 900, "meter": "m"}}],
            "sites": [{{"id": "p", "region": "r", "capacity_mbps": 1000}}],
            "meters": [{{"id": "m", "model": "month-95", "price_cny_per_mbps": 2, "free_below_mbps": 100}}],
            "units": [{{"area": "a", "service": "s", "mbps": {mbps}, "cand": [[0, 10]]}}]}}"#
        );
        let instance = Instance::read(text.as_bytes()).unwrap();
        let plan = Plan {
            shares: vec![Shares::from([(0, 1.0)])],
            input_digest: String::new(),
        };
        let [levels] = as_answered(&instance, &plan, [bands]).unwrap();
        (levels.money_cny, levels.overload_mbps)
    }

    #[test]
    fn noise_above_a_limit_costs_nothing_and_more_than_that_does() {
        let bands = Bands {
            overload: 0.03,
            level: 0.01,
        };
        let near = |(money, overload): (f64, f64), expected: (f64, f64)| {
            assert!((money - expected.0).abs() < 1e-6, "{money}");
            assert!((overload - expected.1).abs() < 1e-6, "{overload}");
        };
        near(money_and_overload(100.9, bands), (0.0, 0.0));
        near(money_and_overload(100.9, Bands::default()), (1.8, 0.0));
        near(money_and_overload(105.0, bands), (8.0, 0.0));
        near(money_and_overload(920.0, bands), (1638.0, 0.0));
        near(money_and_overload(930.0, bands), (1658.0, 3.0));
    }
}
