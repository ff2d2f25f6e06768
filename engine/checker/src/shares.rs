//! Shares as a plan has them: in range, of candidates, and turned into traffic.

use crate::failure::CheckFailure;
use crate::tolerances::SHARE_TOLERANCE;
use coverage::LinkId;
use instance::{Instance, Plan, Unit};

/// Checks that a plan has shares for every unit.
pub(crate) fn check_length(instance: &Instance, plan: &Plan) -> Result<(), CheckFailure> {
    let (found, expected) = (plan.shares.len(), instance.units.len());
    if found == expected {
        return Ok(());
    }
    Err(CheckFailure::Length {
        what: "plan",
        found,
        expected,
    })
}

/// Adds the traffic of one unit to `links_mbps`, `[link]` in Mbps.
pub(crate) fn add_loads(
    index: usize,
    unit: &Unit,
    shares: &[(LinkId, f64)],
    links_mbps: &mut [f64],
) -> Result<(), CheckFailure> {
    for &(link, share) in shares {
        let Some(load) = links_mbps.get_mut(link.index()) else {
            let problem = format!("candidate link {} does not exist", link.0);
            return Err(CheckFailure::Share {
                unit: index,
                problem,
            });
        };
        *load += share * unit.mbps;
    }
    Ok(())
}

/// Checks range, sum, eligibility and uniqueness of the shares of one unit.
pub(crate) fn check_shares(
    index: usize,
    unit: &Unit,
    shares: &[(LinkId, f64)],
) -> Result<(), CheckFailure> {
    let refuse = |problem: String| {
        Err(CheckFailure::Share {
            unit: index,
            problem,
        })
    };
    let mut sum = 0.0;
    for (at, &(link, share)) in shares.iter().enumerate() {
        if !(share > 0.0 && share <= 1.0 + SHARE_TOLERANCE) {
            return refuse(format!("share {share} of link {} is not in (0, 1]", link.0));
        }
        if !unit.cand.iter().any(|c| c.0 == link) {
            return refuse(format!("link {} is no candidate", link.0));
        }
        if shares[..at].iter().any(|s| s.0 == link) {
            return refuse(format!("link {} is listed twice", link.0));
        }
        sum += share;
    }
    if sum > 1.0 + SHARE_TOLERANCE {
        return refuse(format!("shares sum to {sum}"));
    }
    Ok(())
}
