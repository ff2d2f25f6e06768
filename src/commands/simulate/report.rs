//! The comparison of policies, as a table or as JSON.

use super::month::Played;
use crate::commands::output::{json, say, table};
use engine::inventory::BillingModel;
use simulator::month::{Month, Policy};
use std::collections::BTreeMap;

/// One policy's line.
#[derive(serde::Serialize)]
struct Row {
    /// Its short key.
    policy: &'static str,
    name: &'static str,
    bill_cny: f64,
    bill_bound_cny: f64,
    /// None where the bound does not speak of what the policy did.
    bill_over_bound: Option<f64>,
    bill_over_no_burst: f64,
    /// What it takes to pay for a level that holds in every slot, nothing forgiven.
    every_slot_cny: f64,
    /// Bill over what no burst costs whoever pays for such levels.
    bill_over_level_kept: f64,
    /// Contract model and its bills together, CNY.
    cny_by_model: BTreeMap<&'static str, f64>,
    utilisation_percentiles: [f64; 3],
    forecast_error_share: f64,
    mean_ms: f64,
    added_ms: f64,
    p99_ms: f64,
    unserved_share: f64,
    lost_share: f64,
    below_floor_share: f64,
    moved_share: f64,
    bursts: usize,
}

/// Whether a policy kept to what the bound supposes, but for rounding and noise: watermarks kept, everything served.
fn covered(month: &Month) -> bool {
    month.overload_share <= 1e-3 && month.unserved_share + month.lost_share <= 1e-4
}

/// Prints the comparison.
pub(super) fn show(as_json: bool, played: &Played) -> anyhow::Result<()> {
    let of = |policy| played.months.iter().find(|month| month.policy == policy);
    let (Some(plain), Some(quick)) = (of(Policy::NoBurst), of(Policy::Latency)) else {
        return Ok(());
    };
    let rows: Vec<Row> = played
        .months
        .iter()
        .map(|month| row(played, month, plain, quick))
        .collect();
    if as_json {
        return json(&rows);
    }
    policies(&rows)?;
    contracts(&rows)?;
    say(&format!(
        "bound: nobody who keeps watermarks and serves everything pays less than {:.0} CNY for contracts and latency together (known to {:.2} %);\n\
         a bill's bound is that less the policy's own latency; no figure where watermarks or service were not kept.\n\
         no burst: levels planned to hold in every slot, no free slot used on purpose; \"of no burst\": against what its contracts charge it,\n\
         which forgive its highest slots all the same; \"of level kept\": against what it takes to pay for levels that it never exceeds ({:.0} CNY).",
        played.bound_cny,
        played.gap * 100.0,
        plain.every_slot_cny
    ))
}

fn row(played: &Played, month: &Month, plain: &Month, quick: &Month) -> Row {
    let mut cny_by_model = BTreeMap::new();
    for bill in &month.bills {
        *cny_by_model.entry(bill.model.as_str()).or_default() += bill.cny;
    }
    Row {
        policy: month.policy.key(),
        name: month.policy.name(),
        bill_cny: month.bill_cny,
        bill_bound_cny: played.bill_bound(month),
        bill_over_bound: covered(month).then(|| month.bill_cny / played.bill_bound(month)),
        bill_over_no_burst: month.bill_cny / plain.bill_cny,
        every_slot_cny: month.every_slot_cny,
        bill_over_level_kept: month.bill_cny / plain.every_slot_cny,
        cny_by_model,
        utilisation_percentiles: month.utilisation_percentiles,
        forecast_error_share: month.forecast_error_share,
        mean_ms: month.mean_ms,
        added_ms: month.mean_ms - quick.mean_ms,
        p99_ms: month.percentiles_ms[2],
        unserved_share: month.unserved_share,
        lost_share: month.lost_share,
        below_floor_share: month.below_floor_share,
        moved_share: month.moved_share,
        bursts: month.bursts,
    }
}

fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

/// Who pays and serves how.
fn policies(rows: &[Row]) -> anyhow::Result<()> {
    let mut text = table(&[
        "policy",
        "bill, CNY",
        "of bound",
        "of no burst",
        "of level kept",
        "mean ms",
        "added",
        "p99",
        "unserved",
        "lost",
        "below floor",
        "moved per slot",
        "bursts",
    ]);
    for row in rows {
        text.add_row([
            row.name.to_owned(),
            format!("{:.0}", row.bill_cny),
            row.bill_over_bound
                .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
            format!("{:.3}", row.bill_over_no_burst),
            format!("{:.3}", row.bill_over_level_kept),
            format!("{:.2}", row.mean_ms),
            format!("{:+.2}", row.added_ms),
            format!("{:.1}", row.p99_ms),
            percent(row.unserved_share),
            percent(row.lost_share),
            percent(row.below_floor_share),
            percent(row.moved_share),
            row.bursts.to_string(),
        ]);
    }
    say(&text.to_string())
}

/// What each kind of contract costs, how full links are, and how well demand was foreseen.
fn contracts(rows: &[Row]) -> anyhow::Result<()> {
    let mut heads = vec!["policy"];
    heads.extend(BillingModel::ALL.map(BillingModel::as_str));
    heads.extend(["links used p50", "p90", "p99", "forecast error"]);
    let mut text = table(&heads);
    for row in rows {
        let mut cells = vec![row.name.to_owned()];
        let cny =
            |model: BillingModel| row.cny_by_model.get(model.as_str()).copied().unwrap_or(0.0);
        cells.extend(BillingModel::ALL.map(|model| format!("{:.0}", cny(model))));
        cells.extend(
            row.utilisation_percentiles
                .map(|part| format!("{:.0} %", part * 100.0)),
        );
        cells.push(percent(row.forecast_error_share));
        text.add_row(cells);
    }
    say(&text.to_string())
}
