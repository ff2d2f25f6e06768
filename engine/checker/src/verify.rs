//! Certificates held against what the instance and the plan give.

use crate::bound::dual_value;
use crate::charges::excess_charge_cny;
use crate::evaluate::{Evaluation, evaluate};
use crate::failure::CheckFailure;
use crate::tolerances::{CLAIM_TOLERANCE, COST_TOLERANCE_CNY, claim_tolerance};
use instance::{Certificate, Instance, LevelBound, Levels, Plan};

/// Part of the charge for all requests that counts as scale of a cost: 1 % of the dearest plan
/// without excess.
const CHARGED_SHARE: f64 = 1e-4;

/// Figures that the checker has established.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The five levels, recomputed.
    pub levels: Levels,
    /// The lower bound on the first four, recomputed from the prices.
    pub bound: LevelBound,
    /// Number of levels 1 to 3 that meet their bound, counted from the first; 3 when all do.
    pub levels_proved: u8,
    /// Relative gap at level 4; `None` while `levels_proved` is below 3.
    pub gap: Option<f64>,
}

/// Recomputes everything and compares it with the certificate.
///
/// ```
/// use checker::{evaluate, verify};
/// use coverage::LinkId;
/// use instance::{Certificate, Duals, LevelBound, Plan, Price, Shares};
///
/// # use instance::Instance;
/// # let text = r#"{"version": 1, "value_cny_per_gbps_ms_slot": 0.02,
/// #     "links": [{"id": "gz1/ct", "site": "gz1", "capacity_mbps": 100, "contract": "m1"}],
/// #     "sites": [{"id": "gz1", "region": "south", "capacity_mbps": 100}],
/// #     "contracts": [{"id": "m1", "model": "flat"}],
/// #     "units": [{"area": "cn/44/ct", "service": "live", "mbps": 80, "cand": [[0, 10]]}]}"#;
/// // A unit of 80 Mbps whose only candidate is 10 ms away, on a link of 100 Mbps.
/// let instance = Instance::read(text.as_bytes())?;
/// let plan = Plan {
///     shares: vec![Shares::whole(LinkId(0))],
///     input_digest: instance.digest(),
/// };
/// let levels = evaluate(&instance, &plan)?.levels;
/// let cost_cny = levels.cost_cny();
/// // No row is scarce: with all prices 0 the bound is the latency of the nearest candidate.
/// let mut certificate = Certificate {
///     objective: cost_cny,
///     lower_bound: cost_cny,
///     gap: 0.0,
///     gap_level: 4,
///     levels,
///     bound: LevelBound {
///         cost_cny,
///         ..LevelBound::default()
///     },
///     moved_min_possible_mbps: None,
///     split_units: 0,
///     duals: Duals {
///         links: vec![Price::default()],
///         sites: vec![Price::default()],
///         regions: vec![],
///         contracts: vec![Price::default()],
///         requests: vec![0.0],
///     },
///     binding: vec![],
///     input_digest: instance.digest(),
/// };
/// let verified = verify(&instance, &plan, &certificate)?;
/// assert_eq!(verified.levels_proved, 3);
/// assert!(verified.gap.unwrap() < 1e-9);
///
/// certificate.lower_bound += 1.0;
/// let refused = verify(&instance, &plan, &certificate).unwrap_err();
/// assert!(refused.to_string().starts_with("certificate claims lower bound"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    let mut bound = dual_value(instance, &certificate.duals)?;
    if bound.unserved_mbps < -claim_tolerance(demand) {
        // No plan is below 0 on any level, which says more than such prices do.
        bound = LevelBound::default();
    }
    compare_levels(certificate, &found.levels, &scales)?;
    compare_rows(certificate, &found)?;
    let verified = judge(found.levels, bound, demand);
    compare_bound(certificate, &verified, &scales)?;
    expect_equal("split units", certificate.split_units, found.split_units)?;
    if let Some(least) = certificate.moved_min_possible_mbps {
        let moved_mbps = found.levels.moved_mbps;
        let possible = (0.0..=demand * (1.0 + CLAIM_TOLERANCE)).contains(&least);
        let above = verified.gap.is_some() && least > moved_mbps + claim_tolerance(demand);
        expect(possible && !above, "least movement", least, moved_mbps)?;
    }
    Ok(verified)
}

/// Compares one figure.
fn expect_near(
    what: &'static str,
    claimed: f64,
    found: f64,
    scale: f64,
) -> Result<(), CheckFailure> {
    // The comparison is such that NaN fails.
    let holds = (claimed - found).abs() <= claim_tolerance(scale);
    expect(holds, what, claimed, found)
}

/// Compares one bound: what is claimed may be less than what is found, and 0 in any case.
fn expect_at_most(
    what: &'static str,
    claimed: f64,
    found: f64,
    scale: f64,
) -> Result<(), CheckFailure> {
    let holds = claimed.is_finite() && claimed <= found.max(0.0) + claim_tolerance(scale);
    expect(holds, what, claimed, found)
}

/// Refuses a claim that does not hold.
fn expect(holds: bool, what: &'static str, claimed: f64, found: f64) -> Result<(), CheckFailure> {
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
fn expect_equal(what: &'static str, claimed: usize, found: usize) -> Result<(), CheckFailure> {
    expect(claimed == found, what, claimed as f64, found as f64)
}

/// Scales of the figures of a plan: differences are measured by them.
struct Scales {
    /// Demand in sum.
    mbps: f64,
    /// Requests per second in sum.
    rps: f64,
    /// Cost of the plan, CNY. Requests are charged so much that the rounding of a large sum of them
    /// can cost more than a small plan.
    cny: f64,
}

impl Scales {
    fn of(instance: &Instance, found: &Levels) -> Self {
        let rps = instance.units.iter().map(|unit| unit.rps).sum();
        Self {
            mbps: instance.units.iter().map(|unit| unit.mbps).sum(),
            rps,
            cny: found.cost_cny() + CHARGED_SHARE * rps * excess_charge_cny(instance),
        }
    }
}

/// Compares the levels and the objective.
fn compare_levels(
    certificate: &Certificate,
    found: &Levels,
    scales: &Scales,
) -> Result<(), CheckFailure> {
    let claimed = &certificate.levels;
    let Scales { mbps, rps, cny } = *scales;
    expect_near(
        "unserved mbps",
        claimed.unserved_mbps,
        found.unserved_mbps,
        mbps,
    )?;
    expect_near(
        "overload mbps",
        claimed.overload_mbps,
        found.overload_mbps,
        mbps,
    )?;
    expect_near("late mbps", claimed.late_mbps, found.late_mbps, mbps)?;
    expect_near("latency cny", claimed.latency_cny, found.latency_cny, cny)?;
    expect_near("money cny", claimed.money_cny, found.money_cny, cny)?;
    expect_near("moving cny", claimed.moving_cny, found.moving_cny, cny)?;
    expect_near("excess cny", claimed.excess_cny, found.excess_cny, cny)?;
    expect_near("excess rps", claimed.excess_rps, found.excess_rps, rps)?;
    expect_near("moved mbps", claimed.moved_mbps, found.moved_mbps, mbps)?;
    expect_near("objective", certificate.objective, found.cost_cny(), cny)
}

/// Checks that binding rows show the loads and prices that they have.
fn compare_rows(certificate: &Certificate, found: &Evaluation) -> Result<(), CheckFailure> {
    let shown: f64 = certificate.binding.iter().map(|row| row.load_mbps).sum();
    expect(shown.is_finite(), "row load", shown, 0.0)?;
    for row in &certificate.binding {
        let refused = || CheckFailure::Price {
            row: row.id.clone(),
        };
        let figures = found.row(row.kind, &row.id, &certificate.duals);
        let figures = figures.ok_or_else(refused)?;
        expect_near("row load", row.load_mbps, figures.load, figures.load)?;
        if row.price != figures.price {
            return Err(refused());
        }
    }
    Ok(())
}

/// Returns what plan and bound prove together.
fn judge(levels: Levels, bound: LevelBound, demand: f64) -> Verified {
    let cost = levels.cost_cny();
    let excess_mbps = [
        levels.unserved_mbps - bound.unserved_mbps,
        levels.overload_mbps - bound.overload_mbps,
        levels.late_mbps - bound.late_mbps,
    ];
    let proved = |excess: &&f64| **excess <= claim_tolerance(demand);
    let met = excess_mbps.iter().take_while(proved).count();
    let levels_proved = u8::try_from(met).unwrap_or(0);
    let gap = (met == excess_mbps.len()).then(|| {
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

/// Checks that the claimed bound is the dual value, or less.
fn compare_bound(
    certificate: &Certificate,
    verified: &Verified,
    scales: &Scales,
) -> Result<(), CheckFailure> {
    let (claimed, found) = (&certificate.bound, &verified.bound);
    let mbps = scales.mbps;
    let cny = scales.cny.max(found.cost_cny.abs());
    expect_at_most(
        "bound on unserved",
        claimed.unserved_mbps,
        found.unserved_mbps,
        mbps,
    )?;
    expect_at_most(
        "bound on overload",
        claimed.overload_mbps,
        found.overload_mbps,
        mbps,
    )?;
    expect_at_most("bound on late", claimed.late_mbps, found.late_mbps, mbps)?;
    expect_at_most("bound on cost", claimed.cost_cny, found.cost_cny, cny)?;
    expect_at_most("lower bound", certificate.lower_bound, found.cost_cny, cny)?;
    match verified.gap {
        // A gap is as inexact as cost and bound in it, whose scale may be many times the cost.
        Some(gap) if certificate.gap_level == 4 => {
            let scale = cny / verified.levels.cost_cny().max(COST_TOLERANCE_CNY);
            expect_near("gap", certificate.gap, gap, 1.0 + scale)
        }
        // Differences between the tolerances of the two sides: levels may be proved to one and just
        // not to the other. The claim must then still be a gap that is not too small.
        Some(_) => expect_near("gap", certificate.gap, 0.0, 1.0),
        None if certificate.gap_level <= verified.levels_proved + 1 => Ok(()),
        None => {
            let found = f64::from(verified.levels_proved) + 1.0;
            expect(false, "gap level", f64::from(certificate.gap_level), found)
        }
    }
}
