//! The comparison of policies, as a table or as JSON.

use super::month::{GAP, Played};
use crate::commands::output::{json, say, table};
use comfy_table::Table;
use instance::ContractModel;
use simulator::month::{Month, Policy, Scenario, Traffic};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The report as JSON.
#[derive(serde::Serialize)]
struct Report<'a> {
    scenario: Setting<'a>,
    bound: Bound,
    policies: &'a [Row],
}

/// The setting that was played.
#[derive(serde::Serialize)]
struct Setting<'a> {
    name: &'a str,
    seed: u64,
    days: usize,
    month_days: u64,
    traffic: &'static str,
    links: usize,
    contracts: usize,
    areas: usize,
    areas_known: usize,
    units: usize,
    outages: usize,
}

/// The bound that no plan can go below.
#[derive(serde::Serialize)]
struct Bound {
    bill_and_latency_cny: f64,
    gap: f64,
    gap_wanted: f64,
}

/// One policy's line.
#[derive(serde::Serialize)]
struct Row {
    /// Short key of the policy.
    policy: &'static str,
    name: &'static str,
    bill_cny: f64,
    bill_bound_cny: f64,
    /// None where the bound does not speak of what the policy did.
    bill_over_bound: Option<f64>,
    bill_over_no_burst: f64,
    /// Money for a level that holds in every slot, nothing forgiven.
    every_slot_cny: f64,
    /// Bill over the cost of such levels without any burst.
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
    overload_share: f64,
    moved_share: f64,
    bursts: usize,
}

/// Tells whether a policy kept to what the bound supposes, but for rounding and noise: watermarks
/// kept, everything served.
fn covered(month: &Month) -> bool {
    month.overload_share <= 1e-3 && month.unserved_share + month.lost_share <= 1e-4
}

/// Prints the comparison.
pub(super) fn show(
    as_json: bool,
    scenario: &Scenario,
    seed: u64,
    played: &Played,
) -> anyhow::Result<()> {
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
        return json(&Report {
            scenario: setting(scenario, seed),
            bound: Bound {
                bill_and_latency_cny: played.bound_cny,
                gap: played.gap,
                gap_wanted: GAP,
            },
            policies: &rows,
        });
    }
    say(&bills(&rows).to_string())?;
    say(&service(&rows).to_string())?;
    say(&contracts(&rows).to_string())?;
    say(&notes(scenario, played, plain))
}

fn setting(scenario: &Scenario, seed: u64) -> Setting<'_> {
    Setting {
        name: &scenario.name,
        seed,
        days: scenario.days(),
        month_days: scenario.month_days(),
        traffic: match scenario.traffic {
            Traffic::Drawn => "drawn",
            Traffic::Abilene => "abilene",
        },
        links: scenario.instance.links.len(),
        contracts: scenario.instance.contracts.len(),
        areas: scenario.areas,
        areas_known: scenario.areas_known,
        units: scenario.instance.units.len(),
        outages: scenario.outages.len(),
    }
}

/// Notes on what the columns mean.
fn notes(scenario: &Scenario, played: &Played, plain: &Month) -> String {
    let mut text = format!(
        "\
bill: CNY for the month. of bound: bill over the least that any plan with this latency could pay; all plans that keep
watermarks and serve everything pay {:.0} CNY or more, latency included (known to {:.2} %).
\"-\": no such bound where overload is above 0.1 %, or unserved and lost together above 0.01 %.
of no burst: bill over the bill of levels planned to hold in every slot. of level kept: bill over what these levels cost
with nothing forgiven ({:.0} CNY). added: ms more than latency only. overload: share of traffic above watermarks.
moved: share of traffic that changes its link, per slot. used: load of links over capacity, over links and slots.",
        played.bound_cny,
        played.gap * 100.0,
        plain.every_slot_cny
    );
    if (scenario.days() as u64) < scenario.month_days() {
        let _ = write!(
            text,
            "\n{} of {} days played, with the free slots of the whole month: bills do not compare with a whole month's.",
            scenario.days(),
            scenario.month_days()
        );
    }
    text
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
        overload_share: month.overload_share,
        moved_share: month.moved_share,
        bursts: month.bursts,
    }
}

fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

/// Table of bills, and of what they do to latency.
fn bills(rows: &[Row]) -> Table {
    let mut text = table(&[
        "policy",
        "bill, CNY",
        "of bound",
        "of no\nburst",
        "of level\nkept",
        "overload",
        "mean ms",
        "added",
        "p99 ms",
    ]);
    for row in rows {
        text.add_row([
            row.name.to_owned(),
            format!("{:.0}", row.bill_cny),
            row.bill_over_bound
                .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
            format!("{:.3}", row.bill_over_no_burst),
            format!("{:.3}", row.bill_over_level_kept),
            percent(row.overload_share),
            format!("{:.2}", row.mean_ms),
            format!("{:+.2}", row.added_ms),
            format!("{:.1}", row.p99_ms),
        ]);
    }
    text
}

/// Table of service by policy.
fn service(rows: &[Row]) -> Table {
    let mut text = table(&[
        "policy",
        "unserved",
        "lost",
        "below floor",
        "moved",
        "bursts",
        "forecast error",
    ]);
    for row in rows {
        text.add_row([
            row.name.to_owned(),
            percent(row.unserved_share),
            percent(row.lost_share),
            percent(row.below_floor_share),
            percent(row.moved_share),
            row.bursts.to_string(),
            percent(row.forecast_error_share),
        ]);
    }
    text
}

/// Table of each kind of contract: costs in CNY, and load of links.
fn contracts(rows: &[Row]) -> Table {
    let models = ContractModel::ALL.map(|model| model.as_str().replace("daily-", "daily-\n"));
    let mut heads = vec!["policy"];
    heads.extend(models.iter().map(String::as_str));
    heads.extend(["used\np50", "\np90", "\np99"]);
    let mut text = table(&heads);
    for row in rows {
        let mut cells = vec![row.name.to_owned()];
        let cny = |model: ContractModel| row.cny_by_model.get(model.as_str()).copied();
        cells.extend(ContractModel::ALL.map(|model| format!("{:.0}", cny(model).unwrap_or(0.0))));
        cells.extend(
            row.utilisation_percentiles
                .map(|part| format!("{:.0} %", part * 100.0)),
        );
        text.add_row(cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_notes_fit_a_terminal_of_120_columns() {
        let row = Row {
            policy: Policy::Cheapest.key(),
            name: Policy::Cheapest.name(),
            bill_cny: 123_456_789.0,
            bill_bound_cny: 1e8,
            bill_over_bound: Some(1.234),
            bill_over_no_burst: 1.2,
            every_slot_cny: 1e9,
            bill_over_level_kept: 0.8,
            cny_by_model: ContractModel::ALL
                .map(|model| (model.as_str(), 23_456_789.0))
                .into(),
            utilisation_percentiles: [1.0; 3],
            forecast_error_share: 0.12,
            mean_ms: 123.4,
            added_ms: -27.0,
            p99_ms: 174.5,
            unserved_share: 0.33,
            lost_share: 0.33,
            below_floor_share: 0.33,
            overload_share: 0.33,
            moved_share: 0.33,
            bursts: 123_456,
        };
        let rows = [row];
        for text in [bills(&rows), service(&rows), contracts(&rows)] {
            for line in text.to_string().lines() {
                assert!(line.chars().count() <= 120, "{line}");
            }
        }
    }
}
