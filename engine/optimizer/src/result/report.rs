//! Report that the command line writes, and the assignment rows.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::feasibility::{Cut, cut};
use crate::options::{Outcome, Solved};
use coverage::LinkId;
use instance::Instance;
use instance::{BindingRow, LevelBound, Plan};

/// Most binding rows in a report.
const REPORT_ROWS_MAX: usize = 100;

/// One solve in figures. The caller fills in what only it can measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Level-4 cost in CNY per slot.
    pub objective: f64,
    /// No plan as good on levels 1 to 3 costs less, in CNY per slot.
    pub lower_bound: f64,
    /// Relative distance to the bound at `gap_level`.
    pub gap: f64,
    /// First level on which plan and bound differ; 4 when 1 to 3 are proved.
    pub gap_level: u8,
    /// Demand without a place, in Mbps.
    pub unserved_mbps: f64,
    /// Traffic above watermarks, in Mbps.
    pub overload_mbps: f64,
    /// Traffic on candidates above the latency limit, in Mbps.
    #[serde(rename(
        serialize = "below_floor_mbps",
        deserialize = "below_floor_mbps` or `late_mbps"
    ))]
    #[serde(alias = "below_floor_mbps", alias = "late_mbps")]
    pub late_mbps: f64,
    /// Traffic that leaves its incumbent, in Mbps.
    pub moved_mbps: f64,
    /// Least movement possible at the same levels 1 to 3, in Mbps.
    pub moved_min_possible_mbps: Option<f64>,
    /// Latency part of the objective, in CNY per slot.
    pub latency_cny: f64,
    /// Money part of the objective, in CNY per slot.
    pub money_cny: f64,
    /// Cost of moving, part of the objective, in CNY per slot.
    #[serde(default)]
    pub moving_cny: f64,
    /// Requests per second above what sites can answer.
    #[serde(default)]
    pub excess_rps: f64,
    /// Charge for these, part of the objective, in CNY per slot.
    #[serde(default)]
    pub excess_cny: f64,
    /// The bound on levels 1 to 4.
    pub bound: LevelBound,
    /// Units with more than one link.
    pub split_units: usize,
    /// The dearest rows.
    pub binding: Vec<BindingRow>,
    /// Cut at which demand is stuck, when some is unserved.
    pub cut: Option<Cut>,
    /// End of the solve.
    pub outcome: Outcome,
    /// Simplex pivots.
    pub pivots: u64,
    /// Threads allowed.
    pub threads: usize,
    /// SHA-256 of the instance.
    pub input_digest: String,
    /// Reading and validating the instance, in ms; filled in by the caller.
    pub read_ms: f64,
    /// Solving, in ms; filled in by the caller.
    pub solve_ms: f64,
    /// Largest resident set of the process, in MiB; filled in by the caller.
    pub peak_rss_mb: f64,
}

/// The report of a solve, with the caller's measurements still at 0.
#[must_use]
pub fn report(instance: &Instance, solved: &Solved) -> Report {
    let certificate = &solved.certificate;
    let levels = &certificate.levels;
    Report {
        objective: certificate.objective,
        lower_bound: certificate.lower_bound,
        gap: certificate.gap,
        gap_level: certificate.gap_level,
        unserved_mbps: levels.unserved_mbps,
        overload_mbps: levels.overload_mbps,
        late_mbps: levels.late_mbps,
        moved_mbps: levels.moved_mbps,
        moved_min_possible_mbps: certificate.moved_min_possible_mbps,
        latency_cny: levels.latency_cny,
        money_cny: levels.money_cny,
        moving_cny: levels.moving_cny,
        excess_rps: levels.excess_rps,
        excess_cny: levels.excess_cny,
        bound: certificate.bound,
        split_units: certificate.split_units,
        binding: certificate
            .binding
            .iter()
            .take(REPORT_ROWS_MAX)
            .cloned()
            .collect(),
        cut: if levels.unserved_mbps > 0.0 {
            cut(instance)
        } else {
            None
        },
        outcome: solved.outcome,
        pivots: solved.pivots,
        threads: solved.threads,
        input_digest: certificate.input_digest.clone(),
        read_ms: 0.0,
        solve_ms: 0.0,
        peak_rss_mb: 0.0,
    }
}

/// Writes `unit,link,share` rows (indices) under a header line, by rising unit and link.
///
/// # Errors
/// The error of `out`.
pub fn write_assign(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "unit,link,share")?;
    for (unit, shares) in plan.shares.iter().enumerate() {
        for (LinkId(link), share) in shares {
            writeln!(out, "{unit},{link},{share}")?;
        }
    }
    Ok(())
}
