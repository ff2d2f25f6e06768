//! Targets beside what was measured.

use super::report::{number, rows, text};
use serde_json::Value;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// Load from which baselines are compared: below it there is room for everybody.
const LOADED: f64 = 0.6;
/// Ratios by which stable allocation and rank with watermark have to be dearer than the plan, as
/// ratios.
const WANTED: [(&str, &str, f64); 2] = [
    ("stable", "stable allocation", 1.08),
    ("rank", "rank with watermark", 1.14),
];

/// One target.
struct Verdict {
    what: String,
    wanted: String,
    measured: String,
    met: bool,
}

/// The table; only what was measured is in it. A figure that is missing misses its target.
pub(super) fn table(all: &Value) -> String {
    let instances = rows(&all["instances"]);
    let mut verdicts = Vec::new();
    if !instances.is_empty() {
        verdicts.extend(gaps(instances));
        verdicts.push(unserved(instances));
        verdicts.extend(WANTED.map(|wanted| dearer(instances, wanted)));
    }
    for row in instances {
        verdicts.extend(of_instance(row));
    }
    if !all["month"].is_null() {
        verdicts.extend(of_month(&all["month"]));
    }
    let mut page = String::from("| wanted | | measured | |\n|---|---|---|---|\n");
    for verdict in verdicts {
        let word = if verdict.met { "met" } else { "**missed**" };
        let Verdict {
            what,
            wanted,
            measured,
            ..
        } = verdict;
        let _ = writeln!(page, "| {what} | {wanted} | {measured} | {word} |");
    }
    page
}

/// The largest of some figures; NaN when one is missing, or all are.
fn largest(figures: impl Iterator<Item = f64>) -> f64 {
    let larger = |a: f64, b: f64| {
        if a.is_nan() || b.is_nan() {
            f64::NAN
        } else {
            a.max(b)
        }
    };
    figures.reduce(larger).unwrap_or(f64::NAN)
}

/// A figure that must not be above a limit.
fn most(what: String, figure: f64, limit: f64, unit: &str) -> Verdict {
    Verdict {
        what,
        wanted: format!("at most {limit} {unit}"),
        measured: format!("{figure:.4} {unit}"),
        met: figure <= limit,
    }
}

fn gaps(instances: &[Value]) -> Vec<Verdict> {
    let strict = |row: &&Value| ["cn-488", "ecs-100k"].contains(&text(&row["name"]));
    let gap = |row: &Value| number(&row["gap"]) * 100.0;
    let all = most(
        "gap on every instance".to_owned(),
        largest(instances.iter().map(gap)),
        0.1,
        "%",
    );
    let mut verdicts = vec![all];
    verdicts.extend(instances.iter().filter(strict).map(|row| {
        let what = format!("gap on {}", text(&row["name"]));
        most(what, gap(row), 0.02, "%")
    }));
    verdicts
}

/// Judges whether what is left unserved is what the largest flow leaves.
fn unserved(instances: &[Value]) -> Verdict {
    let off = |row: &Value| {
        let differ = number(&row["unserved_mbps"]) - number(&row["deficit_mbps"]);
        differ.abs() / number(&row["demand_mbps"])
    };
    let off = largest(instances.iter().map(off));
    none("unserved beyond what no plan can serve, of demand", off)
}

/// A share that must be no more than what sums are off.
fn none(what: &str, share: f64) -> Verdict {
    Verdict {
        what: what.to_owned(),
        wanted: "none".to_owned(),
        measured: format!("{share:.1e}"),
        met: share <= 1e-9,
    }
}

/// Compares how much dearer a baseline is where it matters, by both ways of counting, and that ours
/// serves no less.
fn dearer(instances: &[Value], (key, name, wanted): (&str, &str, f64)) -> Verdict {
    // An instance whose load is not known may be one of those that count.
    let counts = |row: &&Value| number(&row["load"]).partial_cmp(&LOADED) != Some(Ordering::Less);
    let loaded = || instances.iter().filter(counts);
    let of = |row: &Value, figure: &str| number(&row["baselines"][key][figure]);
    let least = |figure: &str| -largest(loaded().map(|row| -of(row, figure)));
    let (served, charged) = (least("cost_ratio"), least("charged_ratio"));
    let more = loaded().any(|row| {
        let ours = number(&row["unserved_mbps"]) / number(&row["demand_mbps"]);
        ours.partial_cmp(&(of(row, "unserved_share") + 1e-9)) != Some(Ordering::Less)
    });
    Verdict {
        what: format!("{name}, as a multiple of ours; no more unserved"),
        wanted: format!("at least {wanted}"),
        measured: format!(
            "{served:.3} served, {charged:.3} charged{}",
            if more { "; **more unserved**" } else { "" }
        ),
        met: served >= wanted && charged >= wanted && !more,
    }
}

/// Times, memory and drains of the instances that have limits on them.
fn of_instance(row: &Value) -> Vec<Verdict> {
    let name = text(&row["name"]);
    let ms = number(&row["threads"]["2"]["ms"]);
    let time = |limit: f64| most(format!("{name}, cold, 2 threads"), ms, limit, "ms");
    match name {
        "ecs-100k" => {
            let peak_gb = number(&row["peak_rss_mb"]) * 1_048_576.0 / 1e9;
            let drains = &row["storm"]["drains"];
            let p99 = |tier: &str| number(&drains[tier]["p99_ms"]);
            let what = |what: &str| format!("{name}, {} drains, {what} p99", drains["events"]);
            let churn = number(&drains["churn_p99"]);
            vec![
                time(1200.0),
                most(format!("{name}, peak memory"), peak_gb, 1.5, "GB"),
                most(what("exact"), p99("exact"), 300.0, "ms"),
                most(what("local"), p99("local"), 20.0, "ms"),
                most(what("moved over had to move,"), churn, 1.2, "times"),
            ]
        }
        "ecs-500k-5k" => vec![time(8000.0)],
        _ => Vec::new(),
    }
}

/// Returns what the controller makes of a month of bills.
fn of_month(ours: &Value) -> [Verdict; 5] {
    let bill = |what: &str, key: &str, limit: f64| {
        let what = format!("month-95, bill as a multiple of {what}");
        most(what, number(&ours[key]), limit, "times")
    };
    let latency = "month-95, latency added to that of the optimizer without money".to_owned();
    [
        bill("the bound with the future known", "bill_over_bound", 1.05),
        bill("no bursts, as charged", "bill_over_no_burst", 0.75),
        bill(
            "levels kept in every slot, paid as kept",
            "bill_over_level_kept",
            0.75,
        ),
        most(latency, number(&ours["added_ms"]), 3.0, "ms"),
        none(
            "month-95, unserved, of demand",
            number(&ours["unserved_share"]),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_missed() {
        let page = table(&json!({ "instances": [{ "name": "ecs-100k", "gap": 1e-5 }] }));
        assert!(
            page.contains("| gap on ecs-100k | at most 0.02 % | 0.0010 % | met |"),
            "{page}"
        );
        assert!(
            page.contains("| ecs-100k, cold, 2 threads | at most 1200 ms | NaN ms | **missed** |")
        );
        assert!(page.contains(
            "| stable allocation, as a multiple of ours; no more unserved | at least 1.08 |"
        ));
        assert_eq!(page.matches("| met |").count(), 2, "{page}");
        let month = table(&json!({ "month": { "bill_over_no_burst": 0.85, "added_ms": 2.0 } }));
        assert!(month.contains("as charged | at most 0.75 times | 0.8500 times | **missed** |"));
        assert!(month.contains("| at most 3 ms | 2.0000 ms | met |"));
        assert_eq!(month.matches("**missed**").count(), 4, "{month}");
    }
}
