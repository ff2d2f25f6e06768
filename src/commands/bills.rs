//! `watershed bills`: what contracts come to so far.

use super::connect::{connect, converse};
use super::{CommandError, output};
use crate::args::Global;
use serde::Deserialize as _;
use serde_json::Value;
use watershed::api::view::{Bill, Bills};

/// The running bill of each contract.
pub(super) fn bills(global: &Global) -> Result<(), CommandError> {
    let client = connect(global)?;
    let answer: Value = converse(async { Ok(client.get_json("/v1/bills").await?) })?;
    if global.json {
        return Ok(output::json(&answer)?);
    }
    let bills = Bills::deserialize(&answer).map_err(anyhow::Error::from)?;
    let mut table = output::table(&[
        "meter",
        "model",
        "slots closed",
        "missing",
        "so far",
        "certain",
        "certain CNY",
        "planned",
        "burst slots left",
    ]);
    for bill in &bills.meters {
        table.add_row(row(bill));
    }
    output::show(&table)?;
    let total: f64 = bills.meters.iter().map(|bill| bill.certain_cny).sum();
    output::say(&format!("certain in all: {total:.2} CNY"))?;
    let refused = &bills.refused;
    if refused.malformed + refused.late + refused.ahead > 0 {
        output::say(&format!(
            "samples not billed since the start: {} late, {} ahead of the clock, {} malformed",
            refused.late, refused.ahead, refused.malformed
        ))?;
    }
    if let Some(latest) = refused.recent.last() {
        output::say(&format!("the latest: {}", output::printable(latest)))?;
    }
    Ok(())
}

fn row(bill: &Bill) -> [String; 9] {
    let level = |mbps: Option<f64>| mbps.map(output::mbps).unwrap_or_default();
    [
        bill.meter.clone(),
        bill.model.clone(),
        format!("{} of {}", bill.slots_closed, bill.slots),
        (bill.slots_missing + bill.slots_unseen).to_string(),
        level(bill.so_far_mbps),
        output::mbps(bill.certain_mbps),
        format!("{:.2}", bill.certain_cny),
        level(bill.planned_mbps),
        format!("{} of {}", bill.burst_slots_left, bill.burst_slots),
    ]
}
