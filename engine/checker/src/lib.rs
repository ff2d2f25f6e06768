//! The independent checker: believes nothing but the instance.
//!
//! It shares no code with the optimizer, only the plain types of its input and output. From the raw
//! instance it recomputes feasibility, the five levels and the lower bound, and it refuses a plan
//! whose certificate claims anything else.
//!
//! # Why the bound holds for any prices
//!
//! Costs are vectors `(unserved, overload, below floor, CNY)`, compared from the first component
//! on. Vectors under this order form an ordered vector space: adding the same vector to both sides
//! and multiplying by a non-negative number keep the order. These two rules are all that weak
//! duality needs. Let `x` be any feasible plan, `y_r` the traffic it puts on row `r` (a link, site,
//! region or contract), `f_r` the cost of a row and `c` the cost of a candidate. For any price vectors
//! `p_r`,
//!
//! ```text
//! cost(x) = sum_u sum_j mbps_u x_uj c_uj + sum_r f_r(y_r)
//!         = sum_u sum_j mbps_u x_uj (c_uj + sum_{r on j} p_r) - sum_r (p_r y_r - f_r(y_r))
//!        >= sum_u mbps_u min_j (c_uj + sum_{r on j} p_r) - sum_r max_{0 <= y <= Y_r} (p_r y - f_r(y))
//! ```
//!
//! because the shares of a unit (with its unserved share, at cost `(1,0,0,0)`) are non-negative and
//! sum to 1, and because `y_r` lies between 0 and its hard limit `Y_r` (for a contract: the sum of its
//! links' capacities). The last line does not mention `x`. Signs of the prices do not matter: a
//! foolish price gives a weak bound, never a wrong one. `f_r` is convex and piecewise linear with
//! one breakpoint, so the maximum is at 0, at the breakpoint or at `Y_r`.
//!
//! Where moving costs, a candidate counts twice: once for the share that it carries now, at its
//! price and limited to that share, once without limit at its price and the move. The minimum over
//! the shares of a unit then takes the cheapest pieces first; nothing else changes.

mod answers;
mod bound;
mod evaluate;
mod loads;

pub use answers::{Answers, answers};
pub use evaluate::{Bands, Evaluation, evaluate, fits};

pub use evaluate::{measure, measure_beyond};

use instance::{Certificate, Instance, LevelBound, Levels, Plan};

/// How far hard limits may be exceeded by rounding, in Mbps per Mbps of the limit (at least 1
/// Mbps).
pub const CAPACITY_TOLERANCE: f64 = 1e-9;

/// How far shares may miss their bounds by rounding.
pub const SHARE_TOLERANCE: f64 = 1e-9;

/// How far a claimed figure may differ from the recomputed one, relative to its scale.
pub const CLAIM_TOLERANCE: f64 = 1e-8;

/// The part of what all requests would be charged that counts as scale of a cost: 1 % of the
/// dearest plan without excess.
const CHARGED_SHARE: f64 = 1e-4;

/// A cost up to this is none, in CNY per slot.
pub const COST_TOLERANCE_CNY: f64 = 1e-9;

/// Requests above limits, up to this part of all requests, are what sums are off by.
const EXCESS_TOLERANCE: f64 = 1e-12;

/// Traffic above a free level, up to this part of the level, is what sums are off by; it costs
/// nothing, and is not counted on by bounds either.
const CHARGE_TOLERANCE: f64 = 1e-14;

/// Where a contract begins to charge that is free below this level.
fn charged_from(free_mbps: f64) -> f64 {
    free_mbps * (1.0 + CHARGE_TOLERANCE)
}

/// What the checker has established.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The five levels, recomputed.
    pub levels: Levels,
    /// The lower bound on the first four, recomputed from the prices.
    pub bound: LevelBound,
    /// How many of levels 1 to 3 meet their bound, counted from the first; 3 when all do.
    pub levels_proved: u8,
    /// Relative gap at level 4; `None` while `levels_proved` is below 3.
    pub gap: Option<f64>,
}

/// Why a plan or its certificate was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckFailure {
    /// The plan or certificate was made for another instance.
    #[error("{what} was made for input {found}, this input is {expected}")]
    Digest {
        /// Plan or certificate.
        what: &'static str,
        /// Digest it carries.
        found: String,
        /// Digest of the instance at hand.
        expected: String,
    },
    /// An array has the wrong length.
    #[error("{what} has {found} entries, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Its length.
        found: usize,
        /// What it should be.
        expected: usize,
    },
    /// A share is out of range, repeated, or on a link that is no candidate.
    #[error("unit {unit}: {problem}")]
    Share {
        /// Index of the unit.
        unit: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A hard limit is exceeded.
    #[error("{row} carries {load_mbps} mbps, its capacity is {capacity_mbps} mbps")]
    Capacity {
        /// Link or site.
        row: String,
        /// Traffic of the plan.
        load_mbps: f64,
        /// Hard limit.
        capacity_mbps: f64,
    },
    /// A price is not a finite number.
    #[error("price of {row} is not finite")]
    Price {
        /// Link, site or contract.
        row: String,
    },
    /// The certificate claims a figure that the input does not give.
    #[error("certificate claims {what} {claimed}, recomputed {found}")]
    Claim {
        /// Which figure.
        what: &'static str,
        /// What the certificate says.
        claimed: f64,
        /// What the checker found.
        found: f64,
    },
}

/// Recomputes everything and compares it with the certificate.
///
/// # Errors
/// The first [`CheckFailure`] found: identity, shape, shares, hard limits, levels, bound, gap.
pub fn verify(
    instance: &Instance,
    plan: &Plan,
    certificate: &Certificate,
) -> Result<Verified, CheckFailure> {
    let digest = instance.digest();
    for (what, found) in [
        ("plan", &plan.input_digest),
        ("certificate", &certificate.input_digest),
    ] {
        if *found != digest {
            let (found, expected) = (found.clone(), digest.clone());
            return Err(CheckFailure::Digest {
                what,
                found,
                expected,
            });
        }
    }
    let found = evaluate(instance, plan)?;
    let scales = Scales::of(instance, &found.levels);
    let demand = scales.mbps;
    let mut bound = bound::dual_value(instance, &certificate.duals)?;
    if bound.unserved_mbps < -slack(demand) {
        // No plan is below 0 on any level, which says more than such prices do.
        bound = LevelBound::default();
    }
    compare_levels(certificate, &found.levels, &scales)?;
    compare_rows(certificate, &found)?;
    let verified = judge(found.levels, bound, demand);
    compare_bound(certificate, &verified, &scales)?;
    claim("split units", certificate.split_units, found.split_units)?;
    if let Some(least) = certificate.moved_min_possible_mbps {
        let possible = (0.0..=demand * (1.0 + CLAIM_TOLERANCE)).contains(&least);
        if !possible || (verified.gap.is_some() && least > found.levels.moved_mbps + slack(demand))
        {
            let found = found.levels.moved_mbps;
            return Err(CheckFailure::Claim {
                what: "least movement",
                claimed: least,
                found,
            });
        }
    }
    Ok(verified)
}

/// Absolute tolerance for figures that are sums of size `scale`.
fn slack(scale: f64) -> f64 {
    CLAIM_TOLERANCE * scale.abs().max(1.0)
}

/// Compares one figure.
fn near(what: &'static str, claimed: f64, found: f64, scale: f64) -> Result<(), CheckFailure> {
    // Written so that NaN fails.
    let holds = (claimed - found).abs() <= slack(scale);
    hold(holds, what, claimed, found)
}

/// Compares one bound: what is claimed may be less than what is found, and 0 in any case.
fn no_more(what: &'static str, claimed: f64, found: f64, scale: f64) -> Result<(), CheckFailure> {
    let holds = claimed.is_finite() && claimed <= found.max(0.0) + slack(scale);
    hold(holds, what, claimed, found)
}

/// The failure of a claim that does not hold.
fn hold(holds: bool, what: &'static str, claimed: f64, found: f64) -> Result<(), CheckFailure> {
    if holds {
        Ok(())
    } else {
        Err(CheckFailure::Claim {
            what,
            claimed,
            found,
        })
    }
}

/// Compares one count.
#[expect(clippy::cast_precision_loss, reason = "counts of units are below 2^53")]
fn claim(what: &'static str, claimed: usize, found: usize) -> Result<(), CheckFailure> {
    if claimed == found {
        return Ok(());
    }
    Err(CheckFailure::Claim {
        what,
        claimed: claimed as f64,
        found: found as f64,
    })
}

/// What differences are held against.
struct Scales {
    /// All demand.
    mbps: f64,
    /// All requests per second.
    rps: f64,
    /// The plan. Requests are charged so much that the rounding of a large sum of them can cost
    /// more than a small plan.
    cny: f64,
}

impl Scales {
    fn of(instance: &Instance, found: &Levels) -> Self {
        let rps = instance.units.iter().map(|unit| unit.rps).sum();
        Self {
            mbps: instance.units.iter().map(|unit| unit.mbps).sum(),
            rps,
            cny: cost(found) + CHARGED_SHARE * rps * bound::excess_charge_cny(instance),
        }
    }
}

/// Level 4, in CNY.
fn cost(levels: &Levels) -> f64 {
    levels.latency_cny + levels.money_cny + levels.moving_cny + levels.excess_cny
}

fn compare_levels(
    certificate: &Certificate,
    found: &Levels,
    &Scales { mbps, rps, cny }: &Scales,
) -> Result<(), CheckFailure> {
    let claimed = &certificate.levels;
    near(
        "unserved mbps",
        claimed.unserved_mbps,
        found.unserved_mbps,
        mbps,
    )?;
    near(
        "overload mbps",
        claimed.overload_mbps,
        found.overload_mbps,
        mbps,
    )?;
    near("below-floor mbps", claimed.late_mbps, found.late_mbps, mbps)?;
    near("latency cny", claimed.latency_cny, found.latency_cny, cny)?;
    near("money cny", claimed.money_cny, found.money_cny, cny)?;
    near("moving cny", claimed.moving_cny, found.moving_cny, cny)?;
    near("excess cny", claimed.excess_cny, found.excess_cny, cny)?;
    near("excess rps", claimed.excess_rps, found.excess_rps, rps)?;
    near("moved mbps", claimed.moved_mbps, found.moved_mbps, mbps)?;
    near("objective", certificate.objective, cost(found), cny)
}

/// The binding rows must show the loads and prices they have.
fn compare_rows(certificate: &Certificate, found: &Evaluation) -> Result<(), CheckFailure> {
    let shown: f64 = certificate.binding.iter().map(|row| row.load_mbps).sum();
    if !shown.is_finite() {
        return Err(CheckFailure::Claim {
            what: "row load",
            claimed: shown,
            found: 0.0,
        });
    }
    for row in &certificate.binding {
        let Some((load, price)) = found.row(row.kind, &row.id, &certificate.duals) else {
            return Err(CheckFailure::Price {
                row: row.id.clone(),
            });
        };
        near("row load", row.load_mbps, load, load)?;
        if row.price != price {
            return Err(CheckFailure::Price {
                row: row.id.clone(),
            });
        }
    }
    Ok(())
}

/// What plan and bound prove together.
fn judge(levels: Levels, bound: LevelBound, demand: f64) -> Verified {
    let cost = cost(&levels);
    let pairs = [
        (levels.unserved_mbps, bound.unserved_mbps),
        (levels.overload_mbps, bound.overload_mbps),
        (levels.late_mbps, bound.late_mbps),
    ];
    let met = pairs
        .iter()
        .take_while(|(plan, bound)| plan - bound <= slack(demand))
        .count();
    let levels_proved = u8::try_from(met).unwrap_or(0);
    let gap = (met == pairs.len()).then(|| {
        if cost > COST_TOLERANCE_CNY {
            ((cost - bound.cost_cny.max(0.0)) / cost).max(0.0)
        } else {
            0.0
        }
    });
    Verified {
        levels,
        bound,
        levels_proved,
        gap,
    }
}

/// The claimed bound must be the dual value, or less.
fn compare_bound(
    certificate: &Certificate,
    verified: &Verified,
    scales: &Scales,
) -> Result<(), CheckFailure> {
    let (claimed, found) = (&certificate.bound, &verified.bound);
    let mbps = scales.mbps;
    let cny = scales.cny.max(found.cost_cny.abs());
    no_more(
        "bound on unserved",
        claimed.unserved_mbps,
        found.unserved_mbps,
        mbps,
    )?;
    no_more(
        "bound on overload",
        claimed.overload_mbps,
        found.overload_mbps,
        mbps,
    )?;
    no_more(
        "bound below floor",
        claimed.late_mbps,
        found.late_mbps,
        mbps,
    )?;
    no_more("bound on cost", claimed.cost_cny, found.cost_cny, cny)?;
    no_more("lower bound", certificate.lower_bound, found.cost_cny, cny)?;
    match verified.gap {
        // A gap is as inexact as cost and bound in it, whose scale may be many times the cost.
        Some(gap) if certificate.gap_level == 4 => {
            let scale = cny / cost(&verified.levels).max(COST_TOLERANCE_CNY);
            near("gap", certificate.gap, gap, 1.0 + scale)
        }
        // Differences between the tolerances of the two sides: levels may be proved to one and just
        // not to the other. The claim must then still be a gap that is not too small.
        Some(_) => near("gap", certificate.gap, 0.0, 1.0),
        None if certificate.gap_level <= verified.levels_proved + 1 => Ok(()),
        None => {
            let (claimed, found) = (f64::from(certificate.gap_level), verified.levels_proved);
            Err(CheckFailure::Claim {
                what: "gap level",
                claimed,
                found: f64::from(found) + 1.0,
            })
        }
    }
}
