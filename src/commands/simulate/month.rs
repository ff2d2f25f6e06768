//! `watershed simulate month`: a month of billing, every policy side by side.

use super::report;
use crate::args::Global;
use crate::commands::CommandError;
use crate::commands::output::tell;
use anyhow::Context;
use engine::billing::budget::BudgetOptions;
use indicatif::{ProgressBar, ProgressStyle};
use simulator::month::{self, Month, MonthOptions, Policy, Scenario, Traffic};
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
  watershed simulate month --traffic abilene                    demand that moves as two weeks of a real network did

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
    /// How demand moves.
    #[arg(long, value_enum, default_value_t = TrafficArg::Drawn)]
    pub traffic: TrafficArg,
    /// What one ms less for one Gbps during five minutes is worth, CNY.
    #[arg(long, value_name = "CNY", default_value_t = 0.02, value_parser = value_of_ms)]
    pub value_of_ms: f64,
    /// Folder for policies.csv, contracts.csv, hours.csv, outages.csv and the plots; made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Policies played at a time; all cores when absent. The figures do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: Option<u16>,
}

/// How demand moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TrafficArg {
    /// From the seed: curves by hour, days that differ, short noise.
    Drawn,
    /// As the nodes of the research network Abilene did from 1 to 14 March 2004, repeated.
    Abilene,
}

/// Refuses what is no price.
fn value_of_ms(text: &str) -> Result<f64, String> {
    let sane = |value: &f64| value.is_finite() && (0.0..=1000.0).contains(value);
    let value = text.parse().ok().filter(sane);
    value.ok_or_else(|| "give a number of CNY from 0 to 1000".to_owned())
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
        write(dir, &scenario, &played)?;
    }
    report::show(global.json, &played)?;
    Ok(())
}

/// All policies, and what nobody can go below.
pub(super) struct Played {
    pub(super) months: Vec<Month>,
    /// Bill and latency together, CNY.
    pub(super) bound_cny: f64,
    pub(super) gap: f64,
}

impl Played {
    /// The bill that no plan with the same latency can go below.
    pub(super) fn bill_bound(&self, month: &Month) -> f64 {
        self.bound_cny - month.latency_cny
    }
}

fn scenario(global: &Global, args: &MonthArgs) -> Result<Scenario, CommandError> {
    let options = MonthOptions {
        seed: args.seed,
        days: usize::from(args.days),
        specials: usize::from(args.specials),
        outages: usize::from(args.outages),
        traffic: match args.traffic {
            TrafficArg::Drawn => Traffic::Drawn,
            TrafficArg::Abilene => Traffic::Abilene,
        },
    };
    let mut scenario = if global.config.is_none() {
        month::month_95(&options)
    } else {
        let config = crate::commands::config(global)?;
        let (table, _) = crate::areas::load(&config)?;
        month::configured(&config.inventory, &table, &options)
    };
    scenario.instance.value_cny_per_gbps_ms_slot = args.value_of_ms;
    Ok(scenario)
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

fn write(dir: &std::path::Path, scenario: &Scenario, played: &Played) -> anyhow::Result<()> {
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
    save("outages.csv", &month::outages_csv(scenario))?;
    for (name, svg) in month::plots(&played.months) {
        save(name, &svg)?;
    }
    Ok(())
}
