//! The figures as a page for people.

use super::verdicts;
use super::yardsticks::BASELINES;
use serde_json::Value;
use std::fmt::Write as _;

/// The report as Markdown. Writing to a string does not fail, so results of writing are not looked
/// at.
pub(super) fn markdown(all: &Value) -> String {
    let mut page = String::from("# The optimizer, measured\n\n");
    let _ = writeln!(
        page,
        "`make bench-opt`: {}; {} processors, seed {}, medians of {} runs. Round-trip times of world-242 are {}. \
         All figures: [optimizer.json](optimizer.json). What the optima are compared with: `make oracle`, [oracle.json](oracle.json).\n",
        text(&all["made"]),
        all["processors"],
        all["seed"],
        all["runs"],
        if all["measured_round_trips"] == true {
            "measured"
        } else {
            "**distances only**: measured ones were not at hand (`make bench-opt DATA=DIR`)"
        }
    );
    let instances = rows(&all["instances"]);
    page.push_str("## What was to be reached\n\n");
    page.push_str(&verdicts::table(all));
    page.push_str("\nThe month of bills, policy by policy: [month.json](month.json), [measurements](../../docs/measurements.md).\n\n");
    solves(&mut page, instances);
    yardsticks(&mut page, instances);
    storms(&mut page, instances);
    stories(&mut page, rows(&all["stories"]));
    growth(&mut page, &all["growth"]);
    page
}

fn solves(page: &mut String, instances: &[Value]) {
    page.push_str(
        "## Cold solves\n\nThe same plan and certificate, byte for byte, with 1, 2 and 8 threads; each passed the independent checker.\n\n\
         | instance | units | links | sites | load | 1 thread ms (CPU) | 2 threads ms (CPU) | gap % | unserved % | least possible % | overload % | peak MiB | split units |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in instances {
        let of_demand = |key: &str| number(&row[key]) / number(&row["demand_mbps"]) * 100.0;
        let threads = |count: &str| {
            let times = &row["threads"][count];
            format!(
                "{:.0} ({:.0})",
                number(&times["ms"]),
                number(&times["cpu_ms"])
            )
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {:.2} | {} | {} | {:.6} | {:.4} | {:.4} | {:.3} | {:.0} | {} |",
            text(&row["name"]),
            row["units"],
            row["links"],
            row["sites"],
            number(&row["load"]),
            threads("1"),
            threads("2"),
            number(&row["gap"]) * 100.0,
            of_demand("unserved_mbps"),
            of_demand("deficit_mbps"),
            of_demand("overload_mbps"),
            number(&row["peak_rss_mb"]),
            row["split_units"],
        );
    }
}

fn yardsticks(page: &mut String, instances: &[Value]) {
    page.push_str(
        "\n## Beside simpler policies\n\nCost (latency and money) as a multiple of ours, on the same candidates: per Mbps that is served / with what is \
         unserved or does not fit charged at 400 ms. In brackets, % of demand: unserved, above watermarks, above capacity. Limits on requests count for ours and POP alone.\n\n\
         | instance | stable allocation | rank, 80 % watermark | weighted round robin | lowest round-trip time | cost and spill | POP, 8 parts |\n|---|---|---|---|---|---|---|\n",
    );
    for row in instances {
        let cells = BASELINES.map(|name| {
            let of = &row["baselines"][name];
            let share = |key: &str| number(&of[key]) * 100.0;
            format!(
                "{:.3} / {:.3} ({:.2}, {:.2}, {:.2})",
                number(&of["cost_ratio"]),
                number(&of["charged_ratio"]),
                share("unserved_share"),
                share("overload_share"),
                share("over_capacity_share")
            )
        });
        let _ = writeln!(page, "| {} | {} |", text(&row["name"]), cells.join(" | "));
    }
    page.push('\n');
    page.push_str(
        "- Plain geography would need distances, which an instance does not hold; lowest round-trip time is what it approximates.\n\
         - \"Cost and spill\" places each unit where latency and money cost least at that moment, up to watermarks first; what it lacks is \
         knowing who needs a place more.\n",
    );
}

fn storms(page: &mut String, instances: &[Value]) {
    page.push_str(
        "\n## Drains of a standing solution\n\nSingle drains of nearly full sites, each from the same plan, and ten drains and three losses in a row. Local: only what \
         stood there moves. Exact: the simplex goes on.\n\n\
         | instance | what | events | local ms (p99) | exact ms (p99) | exact CPU ms (p99) | largest gap % | moved / had to move (p99) | unserved local, exact Mbps |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in instances.iter().filter(|row| row["storm"].is_object()) {
        for (what, run) in row["storm"].as_object().into_iter().flatten() {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {:.1} ({:.1}) | {:.0} ({:.0}) | {:.0} ({:.0}) | {:.6} | {:.2} ({:.2}) | {:.0}, {:.0} |",
                text(&row["name"]),
                what.replace('_', " "),
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

fn stories(page: &mut String, stories: &[Value]) {
    if stories.is_empty() {
        return;
    }
    page.push_str(
        "\n## Quarters of an hour with the engine\n\nVirtual time, a step every 10 s after three minutes of settling; the real engine observes, decides and publishes.\n\n\
         | story | sites, areas | maps published | held | drains | moved Tbps | lost % | worst servable loss Mbps | sites that swing | to frozen, to flapping Gbps |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for story in stories {
        let of = &story["outcome"];
        let _ = writeln!(
            page,
            "| {} | {}, {} | {} | {} | {} | {:.2} | {:.3} | {:.0} | {} | {:.1}, {:.1} |",
            text(&story["name"]),
            story["sites"],
            story["areas"],
            counts(&of["published"]),
            counts(&of["held"]),
            counts(&of["drains"]),
            number(&of["moved_mbps"]) / 1e6,
            number(&of["lost_share"]) * 100.0,
            number(&of["servable_lost_mbps_max"]),
            of["oscillating_sites"],
            number(&of["to_frozen_mbps"]) / 1e3,
            number(&of["to_flapping_mbps"]) / 1e3,
        );
        for why in rows(&of["refusals"]) {
            let _ = writeln!(page, "| | | | | {} | | | | | |", text(why));
        }
    }
}

fn growth(page: &mut String, growth: &Value) {
    if rows(&growth["sizes"]).is_empty() {
        return;
    }
    page.push_str("\n## Growth\n\n![solve time against units](optimizer-growth.svg)\n\n| units | sites | ms | CPU ms | CPU us per unit |\n|---|---|---|---|---|\n");
    for size in rows(&growth["sizes"]) {
        let (ms, cpu_ms) = (number(&size["ms"]), number(&size["cpu_ms"]));
        let _ = writeln!(
            page,
            "| {} | {} | {ms:.0} | {cpu_ms:.0} | {:.1} |",
            size["units"],
            size["sites"],
            cpu_ms * 1e3 / number(&size["units"])
        );
    }
    let _ = writeln!(
        page,
        "\nProcessor time grows as the units to the {:.2}; 1 is linear.",
        number(&growth["exponent"])
    );
}

/// The entries of a list, none when it is missing.
pub(super) fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// `name n` for each entry of a map.
fn counts(value: &Value) -> String {
    let entries = value.as_object().into_iter().flatten();
    let entries: Vec<String> = entries
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if entries.is_empty() {
        "-".to_owned()
    } else {
        entries.join("; ")
    }
}

/// A text of the figures.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// A number of the figures; NaN shows that it is missing.
pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
