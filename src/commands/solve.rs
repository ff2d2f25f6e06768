//! `watershed solve`: one instance file, its plan, and how good that provably is.

mod warm;

use super::{CommandError, output};
use crate::args::{Global, SolveArgs};
use anyhow::Context;
use checker::Verified;
use instance::{BindingRow, Instance, InstanceError, RowKind, Shares};
use optimizer::{Outcome, Report, SolveOptions, Solved};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Instant;

/// Rows of the table of prices, and most names of what is full.
const ROWS_SHOWN_MAX: usize = 10;
/// Load under which a row of that table would tell nothing, Mbps or requests per second.
const LOAD_SHOWN_MIN: f64 = 1e-6;

/// Reads, solves, verifies, writes and tells.
pub(super) fn solve(global: &Global, args: &SolveArgs) -> Result<(), CommandError> {
    let bar = output::spinner(&format!("reading {}", args.instance.display()));
    let started = Instant::now();
    let instance = read(&args.instance)?;
    let warm = args
        .warm
        .as_deref()
        .map(|path| warm::read(path, &instance))
        .transpose()?;
    let read_ms = started.elapsed().as_secs_f64() * 1e3;

    let (units, links) = (instance.units.len(), instance.links.len());
    bar.set_message(format!("solving {units} units on {links} links"));
    let cores = || available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(cores, usize::from);
    let started = Instant::now();
    let expired = || {
        args.time_limit
            .is_some_and(|limit| started.elapsed() >= limit)
    };
    let options = SolveOptions {
        threads,
        seed: args.seed,
        deadline: Some(&expired),
        ..SolveOptions::default()
    };
    let solved = optimizer::solve(&instance, &options, warm.as_ref());
    let solve_ms = started.elapsed().as_secs_f64() * 1e3;

    bar.set_message("checking the plan");
    let verified = checker::verify(&instance, &solved.plan, &solved.certificate)
        .context("the independent checker refuses the plan; keep the instance file, this is a fault of the solver")?;
    let report = Report {
        read_ms,
        solve_ms,
        peak_rss_mb: peak_rss_mb(),
        ..optimizer::report(&instance, &solved)
    };
    bar.finish_and_clear();
    write(args, &report, &solved)?;
    if global.json {
        return Ok(output::json(&report)?);
    }
    Ok(tell(&instance, &report, &verified)?)
}

/// Content of `--report`: the figures, and the plan so that `--warm` can start from it.
#[derive(serde::Serialize)]
struct Kept<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// `[unit]` -> (link, share).
    shares: &'a [Shares],
}

fn read(path: &Path) -> Result<Instance, CommandError> {
    let usage = |why: String| CommandError::Usage(format!("{}: {why}", path.display()));
    let bytes = fs::read(path).map_err(|fault| usage(fault.to_string()))?;
    Instance::read(&bytes).map_err(|fault| usage(told(&fault)))
}

/// Faults of an instance in words. Names in the list of faults are quoted already, and its line
/// breaks are our own.
fn told(fault: &InstanceError) -> String {
    match fault {
        InstanceError::Syntax(_) => output::printable(&fault.to_string()),
        InstanceError::Faults { .. } => fault.to_string(),
    }
}

fn write(args: &SolveArgs, report: &Report, solved: &Solved) -> anyhow::Result<()> {
    if let Some(path) = &args.report {
        let kept = Kept {
            report,
            shares: &solved.plan.shares,
        };
        let text = serde_json::to_vec(&kept)?;
        fs::write(path, text)
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    if let Some(path) = &args.assign {
        let written = fs::File::create(path).and_then(|file| {
            let mut out = BufWriter::new(file);
            optimizer::write_assign(&solved.plan, &mut out)?;
            out.flush()
        });
        written.with_context(|| format!("cannot write the plan {}", path.display()))?;
    }
    Ok(())
}

/// The report for people.
fn tell(instance: &Instance, report: &Report, verified: &Verified) -> anyhow::Result<()> {
    // From 0.0, because the sum of nothing would be shown as -0.0.
    let demand_mbps = instance.units.iter().fold(0.0, |sum, unit| sum + unit.mbps);
    let moved_min = report
        .moved_min_possible_mbps
        .map_or_else(String::new, |least| {
            format!(
                " (at least {} by any plan as good on unserved, overload and floor)",
                output::mbps(least)
            )
        });
    let stopped = if report.outcome == Outcome::Stopped {
        "; stopped by the time limit"
    } else {
        ""
    };
    let mut table = output::table(&[]);
    for (what, value) in [
        (
            "demand",
            format!(
                "{} in {} units",
                output::mbps(demand_mbps),
                instance.units.len()
            ),
        ),
        ("unserved", output::mbps(report.unserved_mbps)),
        ("overload", output::mbps(report.overload_mbps)),
        ("below floor", output::mbps(report.late_mbps)),
        ("cost", cost(report)),
        (
            "moved",
            format!("{}{moved_min}", output::mbps(report.moved_mbps)),
        ),
        ("split units", report.split_units.to_string()),
        (
            "lower bound",
            format!("{:.4} CNY per slot", report.lower_bound),
        ),
        (
            "gap",
            format!(
                "{:.5} % on level {}{stopped}",
                report.gap * 100.0,
                report.gap_level
            ),
        ),
        (
            "checked",
            format!(
                "independently; levels 1 to {} proved optimal",
                verified.levels_proved
            ),
        ),
        (
            "time",
            format!(
                "read {:.0} ms, solve {:.0} ms, {} thread{}",
                report.read_ms,
                report.solve_ms,
                report.threads,
                if report.threads == 1 { "" } else { "s" }
            ),
        ),
        ("memory", format!("{:.0} MiB at most", report.peak_rss_mb)),
    ] {
        table.add_row([what.to_owned(), value]);
    }
    output::show(&table)?;
    tell_shortage(instance, report)?;
    tell_prices(report)
}

/// Costs of the plan, part by part.
fn cost(report: &Report) -> String {
    let mut text = format!(
        "{:.4} CNY per slot: latency {:.4}, money {:.4}, moving {:.4}",
        report.objective, report.latency_cny, report.money_cny, report.moving_cny
    );
    if report.excess_rps > 0.0 {
        text.push_str(&format!(
            "; charged {:.4} for {:.0} req/s above what sites can answer",
            report.excess_cny, report.excess_rps
        ));
    }
    text
}

/// Tells where demand is stuck.
fn tell_shortage(instance: &Instance, report: &Report) -> anyhow::Result<()> {
    let Some(cut) = &report.cut else {
        return Ok(());
    };
    let links = cut
        .links
        .iter()
        .filter_map(|index| instance.links.get(*index as usize))
        .map(|link| &link.id);
    let sites = cut
        .sites
        .iter()
        .filter_map(|index| instance.sites.get(*index as usize))
        .map(|site| &site.id);
    let regions = cut
        .regions
        .iter()
        .filter_map(|index| instance.regions.get(*index as usize))
        .map(|region| &region.id);
    let full: Vec<String> = links
        .chain(sites)
        .chain(regions)
        .map(|id| output::printable(id))
        .take(ROWS_SHOWN_MAX)
        .collect();
    let rows = cut.links.len() + cut.sites.len() + cut.regions.len();
    let by_region = cut.missing_by_region.iter().map(|(region, missing)| {
        format!("{} {}", output::printable(region), output::mbps(*missing))
    });
    let by_region: Vec<String> = by_region.collect();
    output::say(&format!(
        "short: {} confined to {} of capacity; missing in {}; full ({rows}): {}",
        output::mbps(cut.demand_mbps),
        output::mbps(cut.capacity_mbps),
        by_region.join(", "),
        full.join(", ")
    ))
}

/// Tells what carries something and has a price, dearest first: what is full, and contracts that
/// count each Mbps more.
fn tell_prices(report: &Report) -> anyhow::Result<()> {
    let loaded = |row: &&BindingRow| row.load_mbps > LOAD_SHOWN_MIN;
    let rows: Vec<&BindingRow> = report.binding.iter().filter(loaded).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = output::table(&[
        "what has a price",
        "load",
        "unserved",
        "overload",
        "below floor",
        "CNY/Mbps",
    ]);
    for row in rows.iter().take(ROWS_SHOWN_MAX) {
        let kind = match row.kind {
            RowKind::Link => "link",
            RowKind::Site => "site",
            RowKind::Region => "region",
            RowKind::Contract => "meter",
            RowKind::Requests => "requests of",
        };
        let price = &row.price;
        let (load, unit) = match row.kind {
            RowKind::Requests => (format!("{:.0} req/s", row.load_mbps), " per req/s"),
            _ => (output::mbps(row.load_mbps), ""),
        };
        table.add_row([
            format!("{kind} {}", output::printable(&row.id)),
            load,
            price.unserved.to_string(),
            price.overload.to_string(),
            price.late.to_string(),
            format!("{:.5}{unit}", price.cny_per_mbps),
        ]);
    }
    output::show(&table)?;
    let hidden = rows.len().saturating_sub(ROWS_SHOWN_MAX);
    if hidden > 0 {
        output::say(&format!("and {hidden} more rows; --report keeps them"))?;
    }
    Ok(())
}

/// Largest resident set of this process so far, MiB; 0 where the system does not tell.
fn peak_rss_mb() -> f64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| high_water_mark_kib(&text))
        .unwrap_or(0.0)
        / 1024.0
}

/// `VmHWM` of proc(5).
fn high_water_mark_kib(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const SMALL: &str = r#"{ "version": 1, "value_cny_per_gbps_ms_slot": 0.02,
        "links": [{"id": "a/x", "site": "a", "capacity_mbps": 100, "meter": "m"},
                  {"id": "b/x", "site": "b", "capacity_mbps": 100, "meter": "m"}],
        "sites": [{"id": "a", "region": "r", "capacity_mbps": 100}, {"id": "b", "region": "r", "capacity_mbps": 100}],
        "meters": [{"id": "m", "model": "flat"}],
        "units": [{"area": "x", "service": "s", "mbps": 150, "incumbent": [[0, 1.0]], "cand": [[0, 5], [1, 9]]}] }"#;

    fn args(instance: PathBuf) -> SolveArgs {
        SolveArgs {
            instance,
            report: None,
            assign: None,
            threads: Some(1),
            warm: None,
            time_limit: None,
            seed: 0,
        }
    }

    #[test]
    fn a_solve_writes_report_and_rows_that_warm_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("i.json"), SMALL).unwrap();
        let global = Global {
            json: true,
            ..Global::default()
        };
        let first = SolveArgs {
            report: Some(path("r.json")),
            assign: Some(path("a.csv")),
            ..args(path("i.json"))
        };
        solve(&global, &first).unwrap();
        let report: Report = serde_json::from_slice(&fs::read(path("r.json")).unwrap()).unwrap();
        assert!(
            report.unserved_mbps.abs() < 1e-6 && report.split_units == 1,
            "{report:?}"
        );
        assert!(
            report.peak_rss_mb > 1.0 && report.read_ms > 0.0 && report.solve_ms > 0.0,
            "{report:?}"
        );
        let rows = fs::read_to_string(path("a.csv")).unwrap();
        assert_eq!(rows.lines().count(), 3, "{rows}");
        for earlier in ["a.csv", "r.json"] {
            let second = SolveArgs {
                warm: Some(path(earlier)),
                assign: Some(path("b.csv")),
                ..args(path("i.json"))
            };
            solve(&global, &second).unwrap();
            assert_eq!(fs::read_to_string(path("b.csv")).unwrap(), rows);
        }
    }

    #[test]
    fn a_bad_instance_is_bad_input() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("i.json");
        assert_eq!(
            solve(&Global::default(), &args(path.clone()))
                .unwrap_err()
                .exit_code(),
            2
        );
        fs::write(
            &path,
            SMALL.replace("\"a/x\", \"site\": \"a\"", "\"a/x\", \"site\": \"c\""),
        )
        .unwrap();
        let fault = solve(&Global::default(), &args(path)).unwrap_err();
        assert_eq!(fault.exit_code(), 2);
        assert!(fault.to_string().contains("i.json"), "{fault}");
    }

    #[test]
    fn what_does_not_parse_cannot_steer_a_terminal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("i.json");
        let told = |text: String| {
            fs::write(&path, text).unwrap();
            read(&path).unwrap_err().to_string()
        };
        let short = told("{".to_owned());
        assert!(short.contains("instance does not parse: EOF"), "{short}");
        let strange = told(SMALL.replace("\"version\"", "\"\\u001b[31m\""));
        assert!(strange.contains("`\\u{1b}[31m`"), "{strange}");
    }

    #[test]
    fn the_high_water_mark_is_read() {
        assert_eq!(
            high_water_mark_kib("VmPeak:\t9 kB\nVmHWM:\t  2048 kB\n"),
            Some(2048.0)
        );
        assert_eq!(high_water_mark_kib("nothing"), None);
    }
}
