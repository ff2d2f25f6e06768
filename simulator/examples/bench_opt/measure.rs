//! One instance, solved cold with one, two and eight threads, and beside the baselines.

use super::{Failure, yardsticks};
use instance::Instance;
use optimizer::{FeasibilityOptions, SolveOptions, Solved, feasibility, solve};
use serde_json::{Value, json};
use simulator::instances::Name;
use std::time::Instant;

/// Times of one thing, in ms.
#[derive(Default)]
pub(super) struct Times {
    wall_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
}

impl Times {
    /// Runs `work` and notes how long it took.
    pub(super) fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (wall, cpu) = (Instant::now(), cpu_ms());
        let result = work();
        self.wall_ms.push(wall.elapsed().as_secs_f64() * 1e3);
        self.cpu_ms.push(cpu_ms() - cpu);
        result
    }

    /// The same on a copy of `instance` that nobody has read: digests are kept with units once they
    /// are made.
    pub(super) fn of_fresh<T>(
        &mut self,
        instance: &Instance,
        work: impl FnOnce(&Instance) -> T,
    ) -> T {
        let fresh = Instance {
            units: instance.units.to_vec().into(),
            ..instance.clone()
        };
        self.of(|| work(&fresh))
    }

    /// Median and 99th percentile, on the clock and of processor time.
    pub(super) fn figures(&self) -> Value {
        json!({
            "ms": quantile(&self.wall_ms, 0.5),
            "p99_ms": quantile(&self.wall_ms, 0.99),
            "cpu_ms": quantile(&self.cpu_ms, 0.5),
            "p99_cpu_ms": quantile(&self.cpu_ms, 0.99),
        })
    }
}

/// The value at a share of the sorted list, by nearest rank; 0 for an empty one.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = f64::from(u32::try_from(sorted.len()).unwrap_or(u32::MAX));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank of a short list"
    )]
    let rank = (share * count).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

/// Processor time of this process so far in ms, from proc(5); ticks are 10 ms there.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        * 10.0
}

/// Largest resident set of this process so far in MiB, from proc(5).
fn peak_rss_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Solves `runs` times with one and two threads and once with eight; every result must be the same
/// and pass the checker.
pub(super) fn measure(name: Name, instance: &Instance, runs: usize) -> Result<Value, Failure> {
    let before_mb = peak_rss_mb();
    let mut first: Option<Solved> = None;
    let mut threads = serde_json::Map::new();
    for (count, runs) in [(1, runs), (2, runs), (8, 1)] {
        let mut times = Times::default();
        for _ in 0..runs {
            let options = SolveOptions {
                threads: count,
                ..SolveOptions::default()
            };
            let solved = times.of_fresh(instance, |instance| solve(instance, &options, None));
            match &first {
                None => first = Some(solved),
                Some(first)
                    if first.plan == solved.plan && first.certificate == solved.certificate => {}
                Some(_) => {
                    return Err(
                        format!("{name}: {count} threads found another plan than one").into(),
                    );
                }
            }
        }
        threads.insert(count.to_string(), times.figures());
    }
    let peak_mb = peak_rss_mb();
    let solved = first.ok_or("nothing was solved")?;
    let verified = checker::verify(instance, &solved.plan, &solved.certificate)?;
    let demand: f64 = instance.units.iter().map(|unit| unit.mbps).sum();
    let deficit = feasibility(instance, &FeasibilityOptions::default()).unserved_mbps;
    Ok(json!({
        "name": name.as_str(),
        "units": instance.units.len(),
        "links": instance.links.len(),
        "sites": instance.sites.len(),
        "candidates": instance.units.iter().map(|unit| unit.cand.len()).sum::<usize>(),
        "threads": threads,
        "identical_on_threads": [1, 2, 8],
        "gap": solved.certificate.gap,
        "gap_level": solved.certificate.gap_level,
        "levels_proved": verified.levels_proved,
        "unserved_mbps": verified.levels.unserved_mbps,
        "deficit_mbps": deficit,
        "overload_mbps": verified.levels.overload_mbps,
        "split_units": solved.certificate.split_units,
        "below_floor_mbps": verified.levels.late_mbps,
        "cost_cny": verified.levels.cost_cny(),
        "pivots": solved.pivots,
        "demand_mbps": demand,
        "input_rss_mb": before_mb,
        "peak_rss_mb": peak_mb,
        "load": demand / capacity_mbps(instance),
        "baselines": yardsticks::measure(instance, &verified.levels)?,
    }))
}

/// Returns what all sites can carry, Mbps.
fn capacity_mbps(instance: &Instance) -> f64 {
    instance.sites.iter().map(|site| site.capacity_mbps).sum()
}
