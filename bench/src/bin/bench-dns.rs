//! `bench-dns`: what one DNS answer costs, against peers and against the floor.

use anyhow::{Context as _, Result, ensure};
use bench::dns::compare::{Plan, compare};
use bench::dns::echo;
use bench::dns::policy::Policy;
use bench::dns::prefixes::{Families, Networks, Prefix, Spread, pool};
use bench::dns::report::{PolicyReport, Report};
use bench::dns::servers::{Kind, Setup};
use bench::dns::swaps::{SwapReport, swaps};
use bench::mmsg;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Measures DNS answering against peers on the same data with the same policy.
#[derive(Debug, Parser)]
#[command(name = "bench-dns", after_help = EXAMPLES)]
struct CommandLine {
    /// Action to take.
    #[command(subcommand)]
    action: Action,
}

/// Shown below the help.
const EXAMPLES: &str = "\
Examples:
  bench-dns compare --database var/bench/GeoLite2-City.mmdb
  bench-dns compare --database GeoLite2-City.mmdb --policy map --families v6 --json var/bench/v6.json
  bench-dns compare --database GeoLite2-City.mmdb --servers gdnsd,echo --rounds 3 --run-s 2
  bench-dns swaps --database GeoLite2-City.mmdb --rounds 3";

/// Action to take.
#[derive(Debug, Subcommand)]
enum Action {
    /// Measures servers in turn and compares the first with the others.
    Compare(CompareArgs),
    /// Measures an edge under full load while its map is swapped many times a second.
    Swaps(SwapsArgs),
    /// Serves as the floor: sends every datagram back, longer by some octets.
    Echo {
        /// Address to listen on.
        #[arg(long)]
        listen: SocketAddr,
        /// Octets by which replies are longer.
        #[arg(long, default_value_t = echo::ANSWER_EXTRA_BYTES)]
        extra_bytes: usize,
    },
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
struct CompareArgs {
    /// Policies to measure, one comparison each.
    #[arg(long = "policy", value_delimiter = ',', default_value = "map,nearest")]
    policies: Vec<Policy>,
    /// Servers, in the order of their turns; the first is compared with the others.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "watershed,gdnsd,knot,echo"
    )]
    servers: Vec<Kind>,
    /// Measurement options.
    #[command(flatten)]
    common: CommonArgs,
}

/// Arguments of `swaps`.
#[derive(Debug, Args)]
struct SwapsArgs {
    /// Swaps a second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    per_second: u32,
    /// Policy behind the maps.
    #[arg(long, default_value = "map")]
    policy: Policy,
    /// Measurement options.
    #[command(flatten)]
    common: CommonArgs,
}

/// Measurement options.
#[derive(Debug, Args)]
struct CommonArgs {
    /// City database of the GeoIP2 schema, given to all servers.
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
    /// Families of the client subnets.
    #[arg(long, default_value = "mixed")]
    families: Families,
    /// Spread of client subnets over the address space.
    #[arg(long, default_value = "known")]
    spread: Spread,
    /// Questions open at a time; 128 fit into a receive buffer of default size.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=256))]
    window: u16,
    /// Rounds of each comparison.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// Length of each measurement, seconds.
    #[arg(long, default_value_t = 4.0)]
    run_s: f64,
    /// Load before each measurement, seconds.
    #[arg(long, default_value_t = 0.5)]
    warm_up_s: f64,
    /// Core of the servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// Core of the generator.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Seed of the client subnets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The daemon; the one beside this program when absent.
    #[arg(long, value_name = "FILE")]
    watershed: Option<PathBuf>,
    /// Place where servers keep their files; what an earlier run left there is removed.
    #[arg(long, value_name = "DIR", default_value = "var/bench/dns")]
    dir: PathBuf,
    /// Writes everything measured here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl CommonArgs {
    /// Returns what servers need for `policy`, in a directory named `name`.
    fn setup(&self, policy: Policy, name: &str) -> Result<Setup> {
        let watershed = match &self.watershed {
            Some(path) => std::path::absolute(path)?,
            None => std::env::current_exe()?.with_file_name("watershed"),
        };
        Ok(Setup {
            policy,
            database: std::path::absolute(&self.database)?,
            dir: std::path::absolute(self.dir.join(name))?,
            watershed,
            core: self.server_core,
        })
    }

    /// The plan that the options ask for.
    fn plan(&self) -> Result<Plan> {
        let duration = |name: &str, seconds: f64| {
            ensure!(
                (0.0..=600.0).contains(&seconds),
                "{name} must be 0 to 600 seconds"
            );
            Ok(Duration::from_secs_f64(seconds))
        };
        let plan = Plan {
            window: usize::from(self.window),
            rounds: usize::from(self.rounds),
            warm_up: duration("--warm-up-s", self.warm_up_s)?,
            run: duration("--run-s", self.run_s)?,
        };
        ensure!(
            plan.run >= Duration::from_millis(100),
            "--run-s must be 0.1 at least: the kernel's accounts are no finer"
        );
        Ok(plan)
    }

    /// Keeps others from measuring at the same time with the same files, until what is returned is
    /// dropped.
    fn alone(&self) -> Result<File> {
        let dir = self.dir.display();
        std::fs::create_dir_all(&self.dir).with_context(|| format!("cannot make {dir}"))?;
        let file = File::create(self.dir.join("lock"))?;
        file.try_lock().with_context(|| {
            format!("another run uses {dir}: wait for it, its figures and these would suffer")
        })?;
        Ok(file)
    }

    /// Draws client subnets and keeps this thread on its core.
    fn prepare(&self) -> Result<Vec<Prefix>> {
        let (servers, load) = (self.server_core, self.load_core);
        ensure!(servers != load, "servers and generator need a core each");
        let networks = Networks::read(&self.database)?;
        let prefixes = pool(&networks, self.families, self.spread, self.seed);
        mmsg::pin_thread(load).with_context(|| {
            format!("cannot keep the generator on core {load}: two cores are needed")
        })?;
        Ok(prefixes)
    }

    /// Writes the report where it is wanted.
    fn write(&self, report: &impl Serialize) -> Result<()> {
        let Some(path) = &self.json else {
            return Ok(());
        };
        let text = serde_json::to_vec_pretty(report)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A function that shows progress, with the time since now, for about `estimate`.
fn progress(estimate: Duration) -> impl FnMut(&str) {
    let begun = Instant::now();
    let say = move |line: &str| {
        let elapsed_s = begun.elapsed().as_secs();
        // Progress is not worth failing for.
        let _ = writeln!(io::stderr(), "[{elapsed_s:3} s] {line}");
    };
    say(&format!("about {} s to go", estimate.as_secs() + 15));
    say
}

fn main() -> Result<()> {
    match CommandLine::parse().action {
        Action::Compare(args) => run_compare(&args),
        Action::Swaps(args) => run_swaps(&args),
        Action::Echo {
            listen,
            extra_bytes,
        } => echo::serve(listen, extra_bytes),
    }
}

/// Measures all policies and reports.
fn run_compare(args: &CompareArgs) -> Result<()> {
    let common = &args.common;
    let plan = common.plan()?;
    let _lock = common.alone()?;
    let servers = args.policies.iter().map(|policy| {
        let able = args.servers.iter().filter(|kind| kind.can(*policy));
        able.count()
    });
    let runs = u32::try_from(servers.sum::<usize>() * plan.rounds).unwrap_or(u32::MAX);
    let mut say = progress((plan.run + plan.warm_up).saturating_mul(runs));
    let prefixes = common.prepare()?;
    let versions = args.servers.iter().map(|kind| (*kind, version(*kind)));
    let mut report = Report {
        kernel: read_line("/proc/sys/kernel/osrelease"),
        processor: processor(),
        versions: versions.collect(),
        families: common.families,
        spread: common.spread,
        plan,
        policies: Vec::new(),
    };
    for &policy in &args.policies {
        let setup = common.setup(policy, &policy.to_string())?;
        let comparison = compare(&setup, &args.servers, &plan, &prefixes, &mut say)?;
        let policy = PolicyReport::new(policy, &comparison);
        io::stdout().write_all(policy.text().as_bytes())?;
        report.policies.push(policy);
    }
    common.write(&report)
}

/// Measures swaps and reports.
fn run_swaps(args: &SwapsArgs) -> Result<()> {
    let plan = args.common.plan()?;
    let _lock = args.common.alone()?;
    let runs = u32::try_from(plan.rounds * 2).unwrap_or(u32::MAX);
    let mut say = progress((plan.run + plan.warm_up).saturating_mul(runs));
    let prefixes = args.common.prepare()?;
    let setup = args.common.setup(args.policy, "swaps")?;
    let rounds = swaps(&setup, &plan, &prefixes, args.per_second, &mut say)?;
    let report = SwapReport::new(plan, &rounds);
    io::stdout().write_all(report.text().as_bytes())?;
    args.common.write(&report)
}

/// The one line of a file of the kernel; empty when it cannot be read.
fn read_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

/// The name of the processor.
fn processor() -> String {
    let text = read_line("/proc/cpuinfo");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = line
        .unwrap_or("unknown")
        .trim_start_matches(['\t', ' ', ':']);
    name.to_owned()
}

/// The version of a server, as the package manager knows it.
fn version(kind: Kind) -> String {
    let package = match kind {
        Kind::Gdnsd => "gdnsd",
        Kind::Knot => "knot",
        Kind::Watershed | Kind::Echo => return env!("CARGO_PKG_VERSION").to_owned(),
    };
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Version}", package])
        .output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}
