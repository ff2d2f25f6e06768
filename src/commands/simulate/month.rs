//! `watershed simulate month`: a month of billing, every policy side by side.

use super::report;
use crate::args::Global;
use crate::commands::CommandError;
use crate::commands::output::tell;
use anyhow::Context;
use engine::billing::budget::BudgetOptions;
use indicatif::{ProgressBar, ProgressStyle};
use simulator::month::{self, Month, MonthOptions, Policy, Scenario, Traffic};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Share of what free slots open that a plan with knowledge of the future uses. Slots are used
/// whole or not at all.
const FORESEEN_TOKEN_SHARE: f64 = 0.97;

/// Relative gap to which the bound is to be known.
pub(super) const GAP: f64 = 3e-3;

/// Options of the month that is played.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  watershed simulate month                                      the generated instance month-95
  watershed simulate month -c demo/watershed.toml               the links, contracts and areas of a configuration
  watershed simulate month -c demo/watershed.toml --peak-mbps 8000000      the same with as much demand as the demo has
  watershed simulate month --days 7 --seed 2 --out month        CSV and SVG files into the folder month
  watershed simulate month --traffic abilene                    demand that moves as two weeks of a real network did

The month is November 2026. Without -c the instance is generated from the seed. Equal seeds give equal figures.
A part of the month is billed as if the rest carried nothing: contracts forgive as many slots as in the whole month
(432 by month-95), so that a week costs far less than a quarter of a month. Compare policies, not lengths.")]
pub(crate) struct MonthArgs {
    /// Days to play, from the first of November 2026; the free slots are always those of the whole
    /// month.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub(crate) days: u8,
    /// Seed of demand, contracts and failures.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Evenings on which one service is asked for half as much again.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8))]
    pub(crate) specials: u8,
    /// Link failures and site drains.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8))]
    pub(crate) outages: u8,
    /// Movement of demand.
    #[arg(long, value_enum, default_value_t = TrafficArg::Drawn)]
    pub(crate) traffic: TrafficArg,
    /// With -c: what all services together are asked for if everyone had their busiest hour at
    /// once; the sum of their initial-mbps when absent.
    #[arg(long, value_name = "MBPS", value_parser = positive_mbps)]
    pub(crate) peak_mbps: Option<f64>,
    /// Value of one ms less for one Gbps during five minutes, CNY.
    #[arg(long, value_name = "CNY", default_value_t = 0.02, value_parser = value_of_ms)]
    pub(crate) value_of_ms: f64,
    /// Folder for policies.csv, contracts.csv, hours.csv, outages.csv and the plots; made if it is
    /// missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Policies played at a time; all cores when absent. The figures do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: Option<u16>,
}

/// Movements of demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TrafficArg {
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

/// Refuses what is no traffic.
fn positive_mbps(text: &str) -> Result<f64, String> {
    let sane = |value: &f64| value.is_finite() && *value > 0.0 && *value <= 1e9;
    let value = text.parse().ok().filter(sane);
    value.ok_or_else(|| "give a number of Mbps above 0, at most 1e9".to_owned())
}

/// Plays the month and prints the comparison.
///
/// # Errors
/// When the configuration is wrong, the month cannot be played, or files cannot be written.
pub(crate) fn run(global: &Global, args: &MonthArgs) -> Result<(), CommandError> {
    let scenario = scenario(global, args)?;
    if let Some(dir) = &args.out {
        prepare(dir, &scenario)?;
    }
    tell(&heading(&scenario, args.seed));
    let (commit, peak) = (scenario.commit_mbps(), scenario.peak_mbps());
    if commit >= peak {
        tell(&format!(
            "warning: contracts charge {commit:.0} Mbps in any case and no slot asks for more than {peak:.0}: policies can hardly\n\
             differ in bills; give more demand with --peak-mbps"
        ));
    }
    let played = play_all(&scenario, args.threads)?;
    if played.gap > GAP {
        tell(&format!(
            "warning: the bound is known to {:.2} % only, not to {:.2} %: figures \"of bound\" may be too high by that much",
            played.gap * 100.0,
            GAP * 100.0
        ));
    }
    report::show(global.json, &scenario, args.seed, &played)?;
    if let Some(dir) = &args.out {
        write(dir, &played)?;
    }
    Ok(())
}

/// Heading of the month, shown before it takes its time.
fn heading(scenario: &Scenario, seed: u64) -> String {
    let traffic = match scenario.traffic {
        Traffic::Drawn => format!("traffic drawn from seed {seed}"),
        Traffic::Abilene => format!(
            "traffic of Abilene 2004 (14 days of March, repeated), contracts and outages from seed {seed}"
        ),
    };
    format!(
        "{}, {} of {} days, {traffic}:\n{} links, {} contracts, {} of {} areas, {} units, {} slots, {} outages",
        scenario.name,
        scenario.days(),
        scenario.month_days(),
        scenario.instance.links.len(),
        scenario.instance.contracts.len(),
        scenario.areas,
        scenario.areas_known,
        scenario.instance.units.len(),
        scenario.slots,
        scenario.outages.len(),
    )
}

/// All policies, and the bound that none goes below.
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
        peak_mbps: args.peak_mbps,
    };
    if args.peak_mbps.is_some() && global.config.is_none() {
        return Err(CommandError::Usage(
            "--peak-mbps goes with -c: the generated instance has a demand of its own".to_owned(),
        ));
    }
    let mut scenario = if global.config.is_none() {
        month::month_95(&options)
    } else {
        let config = crate::commands::config(global)?;
        let (table, _) = watershed::areas::load(&config)?;
        month::configured(&config.inventory, &table, &options)
            .map_err(|fault| CommandError::Usage(fault.to_string()))?
    };
    scenario.instance.value_cny_per_gbps_ms_slot = args.value_of_ms;
    Ok(scenario)
}

/// The bound first, because the policy that knows the future needs its levels; then policies, a few
/// at a time.
fn play_all(scenario: &Scenario, threads: Option<u16>) -> anyhow::Result<Played> {
    let bar = progress(scenario);
    bar.set_message("bound");
    let exact = BudgetOptions {
        gap: GAP,
        rounds_max: 4000,
        flows_max: usize::MAX,
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

/// Makes the folder and writes into it what is known before the month: a folder that cannot be
/// written is found out first.
fn prepare(dir: &Path, scenario: &Scenario) -> Result<(), CommandError> {
    let usage = |what: &str, fault: std::io::Error| {
        CommandError::Usage(format!(
            "cannot {what} the folder {}: {fault}; name another one with --out",
            dir.display()
        ))
    };
    std::fs::create_dir_all(dir).map_err(|fault| usage("make", fault))?;
    std::fs::write(dir.join("outages.csv"), month::outages_csv(scenario))
        .map_err(|fault| usage("write into", fault))
}

fn write(dir: &Path, played: &Played) -> anyhow::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn one_day() -> Scenario {
        month::month_95(&MonthOptions {
            days: 1,
            ..MonthOptions::default()
        })
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_found_out_before_the_month() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let fault = prepare(&file.join("month"), &one_day()).unwrap_err();
        assert_eq!(fault.exit_code(), 2);
        assert!(fault.to_string().contains("--out"), "{fault}");
        let folder = dir.path().join("deep/month");
        prepare(&folder, &one_day()).unwrap();
        assert!(folder.join("outages.csv").exists());
    }

    #[test]
    fn the_heading_says_what_is_played() {
        let text = heading(&one_day(), 7);
        assert!(
            text.contains("1 of 30 days, traffic drawn from seed 7"),
            "{text}"
        );
        assert!(text.contains("93 of 93 areas"), "{text}");
    }
}
