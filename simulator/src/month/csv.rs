//! Figures as comma-separated rows, for spreadsheets and scripts. No field needs quotes: policies
//! go by their keys.

use super::bill::Month;
use super::scenario::Scenario;
use std::fmt::Write as _;

/// One row per policy. `bound_cny`: what nobody can go below with the same latency, if it is known,
/// per month.
#[must_use]
pub fn policies_csv(months: &[Month], bound_cny: impl Fn(&Month) -> f64) -> String {
    let mut text = String::from(
        "policy,bill_cny,bill_bound_cny,every_slot_cny,latency_cny,mean_ms,p50_ms,p90_ms,p99_ms,used_p50,used_p90,used_p99,forecast_error_share,below_floor_share,unserved_share,lost_share,overload_share,moved_share_per_slot,bursts,solves\n",
    );
    for month in months {
        let [p50, p90, p99] = month.percentiles_ms;
        let [used50, used90, used99] = month.utilisation_percentiles;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{},{:.2},{:.2},{:.2},{:.2},{:.4},{p50},{p90},{p99},{used50},{used90},{used99},{:.6},{:.8},{:.8},{:.8},{:.8},{:.8},{},{}",
            month.policy.key(),
            month.bill_cny,
            bound_cny(month),
            month.every_slot_cny,
            month.latency_cny,
            month.mean_ms,
            month.forecast_error_share,
            month.below_floor_share,
            month.unserved_share,
            month.lost_share,
            month.overload_share,
            month.moved_share,
            month.bursts,
            month.solves
        );
    }
    text
}

/// One row per policy and contract.
#[must_use]
pub fn contracts_csv(months: &[Month]) -> String {
    let mut text = String::from(
        "policy,contract,model,level_mbps,bill_cny,slots_above,peak_mbps,capacity_mbps\n",
    );
    for month in months {
        for bill in &month.bills {
            let _ = writeln!(
                text,
                "{},{},{},{:.3},{:.2},{},{:.3},{:.3}",
                month.policy.key(),
                bill.contract,
                bill.model.as_str(),
                bill.level_mbps,
                bill.cny,
                bill.slots_above,
                bill.peak_mbps,
                bill.capacity_mbps
            );
        }
    }
    text
}

/// One row per outage and link: slots of the month, counted from 0, the last one excluded.
#[must_use]
pub fn outages_csv(scenario: &Scenario) -> String {
    let mut text = String::from("from_slot,until_slot,link\n");
    for outage in &scenario.outages {
        for link in &outage.links {
            let name = &scenario.instance.links[*link].id;
            let _ = writeln!(text, "{},{},{name}", outage.from, outage.until);
        }
    }
    text
}

/// One row per policy and hour.
#[must_use]
pub fn hours_csv(months: &[Month]) -> String {
    let mut text = String::from("policy,hour,utilisation,used_p99,latency_ms,moved_share\n");
    for month in months {
        for (hour, (((used, full), ms), moved)) in month
            .utilisation
            .iter()
            .zip(&month.fullest)
            .zip(&month.latency_ms)
            .zip(&month.moved)
            .enumerate()
        {
            let _ = writeln!(
                text,
                "{},{hour},{used:.6},{full:.2},{ms:.4},{moved:.6}",
                month.policy.key()
            );
        }
    }
    text
}
