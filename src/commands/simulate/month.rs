//! `watershed simulate month`: a month of billing, every policy side by side.

use crate::args::Global;
use crate::commands::CommandError;
use crate::commands::output::{json, say, table, tell};
use anyhow::Context;
use engine::billing::budget::BudgetOptions;
use indicatif::{ProgressBar, ProgressStyle};
use simulator::month::{self, Month, MonthOptions, Policy, Scenario};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Of what free slots open, how much whoever knows the future plans to use: slots are used whole or not at all.
const FORESEEN_TOKEN_SHARE: f64 = 0.97;

/// Which month is played.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  watershed simulate month                                      the generated instance month-95
  watershed simulate month -c demo/watershed.toml               the links, contracts and areas of a configuration
  watershed simulate month --days 7 --seed 2 --out month        CSV and SVG files into the folder month

Without -c the instance is generated from the seed. Equal seeds give equal figures.")]
pub struct MonthArgs {
    /// Days to play, from the first of the month.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(1..=31))]
    pub days: u8,
    /// Seed of demand, contracts and failures.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Evenings on which one service is asked for half as much again.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8))]
    pub specials: u8,
    /// Link failures and site drains.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8))]
    pub outages: u8,
    /// Folder for policies.csv, contracts.csv, hours.csv and the plots; made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Policies played at a time; all cores when absent. The figures do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: Option<u16>,
}

/// Plays the month and prints the comparison.
///
/// # Errors
/// When the configuration is wrong, the month cannot be played, or files cannot be written.
pub fn run(global: &Global, args: &MonthArgs) -> Result<(), CommandError> {
    let scenario = scenario(global, args)?;
    tell(&format!(
        "{}: {} links, {} contracts, {} units, {} slots, {} outages, seed {}",
        scenario.name,
        scenario.instance.links.len(),
        scenario.instance.meters.len(),
        scenario.instance.units.len(),
        scenario.slots,
        scenario.outages.len(),
        args.seed
    ));
    let played = play_all(&scenario, args.threads)?;
    if let Some(dir) = &args.out {
        write(dir, &played)?;
    }
    show(global.json, &played)?;
    Ok(())
}

/// All policies, and what nobody can go below.
struct Played {
    months: Vec<Month>,
    /// Bill and latency together, CNY.
    bound_cny: f64,
    gap: f64,
}

impl Played {
    /// The bill that no plan with the same latency can go below.
    fn bill_bound(&self, month: &Month) -> f64 {
        self.bound_cny - month.latency_cny
    }
}

fn scenario(global: &Global, args: &MonthArgs) -> Result<Scenario, CommandError> {
    let options = MonthOptions {
        seed: args.seed,
        days: usize::from(args.days),
        specials: usize::from(args.specials),
        outages: usize::from(args.outages),
    };
    if global.config.is_none() {
        return Ok(month::month_95(&options));
    }
    let config = crate::commands::config(global)?;
    let (table, _) = crate::areas::load(&config)?;
    Ok(month::configured(&config.inventory, &table, &options))
}

/// The bound first, because the policy that knows the future needs its levels; then policies, a few at a time.
fn play_all(scenario: &Scenario, threads: Option<u16>) -> anyhow::Result<Played> {
    let bar = progress(scenario);
    bar.set_message("bound");
    let exact = BudgetOptions {
        gap: 3e-3,
        rounds_max: 4000,
    };
    let (bound, known) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| month::offline(scenario, FORESEEN_TOKEN_SHARE, &exact));
        let bound = month::offline(scenario, 1.0, &exact);
        (bound, beside.join())
    });
    let (bound, known) = (
        bound?.1,
        known.map_err(|_| anyhow::anyhow!("planning the known month broke off"))??,
    );
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = threads.map_or(all, usize::from).min(Policy::ALL.len());
    let work = || {
        // Dearest policies first, so that the last worker does not wait long.
        while let Some(policy) = Policy::ALL
            .iter()
            .rev()
            .nth(next.fetch_add(1, Ordering::Relaxed))
        {
            bar.set_message(policy.name());
            let played = month::play(scenario, *policy, Some(&known), &|_| bar.inc(1));
            done.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((*policy, played));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(policy, _)| *policy);
    let months = done
        .into_iter()
        .map(|(policy, played)| played.with_context(|| policy.name().to_owned()));
    Ok(Played {
        months: months.collect::<anyhow::Result<_>>()?,
        bound_cny: bound.lower_bound_cny + month::fixed_cny(scenario),
        gap: bound.gap(),
    })
}

fn progress(scenario: &Scenario) -> ProgressBar {
    let days = (scenario.slots / 288 * Policy::ALL.len()) as u64;
    let bar = ProgressBar::new(days);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} days  {elapsed}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

fn write(dir: &std::path::Path, played: &Played) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))?;
    let save = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    save(
        "policies.csv",
        &month::policies_csv(&played.months, |month| played.bill_bound(month)),
    )?;
    save("contracts.csv", &month::contracts_csv(&played.months))?;
    save("hours.csv", &month::hours_csv(&played.months))?;
    for (name, svg) in month::plots(&played.months) {
        save(name, &svg)?;
    }
    Ok(())
}

/// One policy's line.
#[derive(serde::Serialize)]
struct Row<'a> {
    policy: &'a str,
    bill_cny: f64,
    bill_bound_cny: f64,
    /// None where the bound does not speak of what the policy did.
    bill_over_bound: Option<f64>,
    bill_over_no_burst: f64,
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

fn show(as_json: bool, played: &Played) -> anyhow::Result<()> {
    let of = |policy| played.months.iter().find(|month| month.policy == policy);
    let (Some(plain), Some(quick)) = (of(Policy::NoBurst), of(Policy::Latency)) else {
        return Ok(());
    };
    let row = |month: &'_ Month| Row {
        policy: month.policy.name(),
        bill_cny: month.bill_cny,
        bill_bound_cny: played.bill_bound(month),
        bill_over_bound: covered(month).then(|| month.bill_cny / played.bill_bound(month)),
        bill_over_no_burst: month.bill_cny / plain.bill_cny,
        mean_ms: month.mean_ms,
        added_ms: month.mean_ms - quick.mean_ms,
        p99_ms: month.percentiles_ms[2],
        unserved_share: month.unserved_share,
        lost_share: month.lost_share,
        below_floor_share: month.below_floor_share,
        moved_share: month.moved_share,
        bursts: month.bursts,
    };
    let rows: Vec<Row<'_>> = played.months.iter().map(row).collect();
    if as_json {
        return json(&rows);
    }
    let mut text = table(&[
        "policy",
        "bill, CNY",
        "of bound",
        "of no burst",
        "mean ms",
        "added",
        "p99",
        "unserved",
        "lost",
        "below floor",
        "moved per slot",
        "bursts",
    ]);
    let percent = |share: f64| format!("{:.3} %", share * 100.0);
    for row in &rows {
        text.add_row([
            row.policy.to_owned(),
            format!("{:.0}", row.bill_cny),
            row.bill_over_bound
                .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
            format!("{:.3}", row.bill_over_no_burst),
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
    say(&text.to_string())?;
    say(&format!(
        "bound: nobody who keeps watermarks and serves everything pays less than {:.0} CNY for contracts and latency together (known to {:.2} %);\n\
         a bill's bound is that less the policy's own latency; no figure where watermarks or service were not kept.",
        played.bound_cny,
        played.gap * 100.0
    ))
}
