//! The figures as a table for people.

use serde_json::Value;

/// Prints one line per instance, then what the storms measured.
pub(super) fn show(figures: &[Value]) {
    println!(
        "{:<16} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7} {:>10} {:>6}  cost (unserved %) of stable, rank, nearest",
        "instance",
        "units",
        "links",
        "1 thread",
        "cpu",
        "2 threads",
        "cpu",
        "gap %",
        "RSS MiB",
        "unserved %",
        "split"
    );
    for row in figures {
        let baselines = ["stable", "rank", "nearest"].map(|name| {
            let of = &row["baselines"][name];
            let excess = number(&of["unserved_share"]) + number(&of["over_capacity_share"]);
            format!("{:.3}x ({:.2})", number(&of["cost_ratio"]), excess * 100.0)
        });
        println!(
            "{:<16} {:>7} {:>6} {:>6.0} ms {:>6.0} ms {:>6.0} ms {:>6.0} ms {:>10.5} {:>7.0} {:>10.3} {:>6}  {}",
            row["name"].as_str().unwrap_or("?"),
            row["units"],
            row["links"],
            number(&row["threads"]["1"]["ms"]),
            number(&row["threads"]["1"]["cpu_ms"]),
            number(&row["threads"]["2"]["ms"]),
            number(&row["threads"]["2"]["cpu_ms"]),
            number(&row["gap"]) * 100.0,
            number(&row["peak_rss_mb"]),
            number(&row["unserved_mbps"]) / number(&row["demand_mbps"]) * 100.0,
            row["split_units"],
            baselines.join(", "),
        );
    }
    println!(
        "nearest ignores capacity: its share in brackets is what would not fit; gaps are certified"
    );
    for row in figures.iter().filter(|row| row["storm"].is_object()) {
        for (what, run) in row["storm"].as_object().into_iter().flatten() {
            println!(
                "{} {what}: {} events; local {:.1} ms (p99 {:.1}); exact {:.0} ms (p99 {:.0}; processor {:.0}, p99 {:.0}), gap at most {:.5} %; moved {:.2}x of what had to move (p99 {:.2}); unserved {:.0} after local, {:.0} after exact Mbps",
                row["name"].as_str().unwrap_or("?"),
                run["events"],
                number(&run["local"]["ms"]),
                number(&run["local"]["p99_ms"]),
                number(&run["exact"]["ms"]),
                number(&run["exact"]["p99_ms"]),
                number(&run["exact"]["cpu_ms"]),
                number(&run["exact"]["p99_cpu_ms"]),
                number(&run["gap_max"]) * 100.0,
                number(&run["churn_median"]),
                number(&run["churn_p99"]),
                number(&run["local_unserved_mbps"]),
                number(&run["exact_unserved_mbps"]),
            );
        }
    }
}

/// A number of the figures; NaN shows that it is missing.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
