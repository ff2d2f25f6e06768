//! The command line: commands, options, and help that teaches by examples.

use crate::commands::demo::DemoArgs;
use crate::commands::simulate::SimulateArgs;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

mod sources;

pub(crate) use sources::{Origin, Sources};

/// GSLB scheduling for CDNs: coverage maps made by an optimizer, served by DNS, HTTP 302 and
/// HTTPDNS.
#[derive(Debug, Parser)]
#[command(name = "watershed", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct CommandLine {
    /// Options that every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// Command with its own options.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl CommandLine {
    /// Reads words as a command line; the first is the program's name.
    ///
    /// # Errors
    /// What is wrong with them, and requests for help.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = with_negative_numbers(Self::command()).try_get_matches_from(words)?;
        Self::from_arg_matches(&matches)
    }
}

/// Lets every option take negative numbers as its value, so that the fault told is that of the
/// number.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let allowed = |arg: clap::Arg| {
        let takes = arg.get_action().takes_values() && !arg.is_positional();
        arg.allow_negative_numbers(takes)
    };
    command
        .mut_args(allowed)
        .mut_subcommands(with_negative_numbers)
}

/// Heading of [`Global`] in the help of every command.
const GLOBAL_OPTIONS: &str = "Global options";

/// Shown below the help of the whole.
const EXAMPLES: &str = "\
Examples:
  watershed demo                                   see a drain happen on real geography, in one command
  watershed check -c watershed.toml                every fault of a configuration, with file and line
  watershed run -c watershed.toml                  control plane, DNS and HTTP in one process
  watershed status -c watershed.toml               what that process is doing
  watershed drain group:gz1-a --lease 30m --reason upgrade --wait -c watershed.toml
  watershed undrain group:gz1-a -c watershed.toml
  watershed explain --name live.example.net --client 198.51.100.7 -c watershed.toml
  watershed solve instance.json --report report.json

Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 refused by a guard.";

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// Configuration file. For commands that talk to a daemon it tells where that listens and where
    /// its token is.
    #[arg(short, long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Sets a key of the configuration to a TOML value, over the file; repeatable.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "path.key=VALUE")]
    pub(crate) set: Vec<String>,
    /// Prints JSON for programs instead of tables for people.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub(crate) json: bool,
    /// Address of the control API, such as http://127.0.0.1:8053.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// File with the token for the control API.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs everything in one process: control plane, DNS and HTTP.
    Run,
    /// Runs the control plane alone; edges subscribe to it.
    Control,
    /// Runs DNS and HTTP alone, following a control plane.
    Edge,
    /// Shows the main job on real geography: a small CDN, its clients, and a drain from request to
    /// measured empty.
    Demo(DemoArgs),
    /// Drives a running daemon with a population of resolvers and clients.
    Simulate(SimulateArgs),
    /// Reads a whole configuration and prints every fault.
    Check,
    /// Solves an instance file and reports how good the plan provably is.
    Solve(SolveArgs),
    /// Tells why a client gets its answer, and why not another one.
    Explain(ExplainArgs),
    /// Steers traffic off a node, group, site or link before work on it. It is a lease: it ends by
    /// itself.
    Drain(DrainArgs),
    /// Gives a drained target back, by target or by the drain's identifier.
    Undrain(UndrainArgs),
    /// Lists drains.
    Drains,
    /// Tells how the control plane is doing.
    Status,
    /// Tells what contracts come to so far: level and money that are certain, and free slots left.
    Bills,
    /// Shows, compares, holds or takes back the coverage map.
    #[command(subcommand)]
    Map(MapCommand),
    /// Builds area tables from geographic data.
    #[command(subcommand)]
    Geo(GeoCommand),
    /// Translates the configuration of another DNS load balancer.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Makes tokens for the control API.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// Instance to solve, and files to write.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  watershed solve instance.json
  watershed solve instance.json --report r.json --assign a.csv --threads 2
  watershed solve next.json --warm r.json --time-limit 1s

--warm takes what an earlier --report or --assign wrote, for an instance with the same units and links at the same indices.
It only saves time: whatever it says, the plan is as good. Rows for units or links that are gone are passed over. Where contracts
cut across sites or requests are limited it is not used: prices from a sample are the better start.")]
pub(crate) struct SolveArgs {
    /// Instance file (JSON). A running control plane gives its own at GET /v1/instance, and the one
    /// behind its newest plan at GET /v1/instance?last=true.
    pub(crate) instance: PathBuf,
    /// Writes the report (JSON) here.
    #[arg(long, value_name = "R.json")]
    pub(crate) report: Option<PathBuf>,
    /// Writes the plan here, as rows `unit,link,share`.
    #[arg(long, value_name = "A.csv")]
    pub(crate) assign: Option<PathBuf>,
    /// Threads; the plan does not depend on it. All cores when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Earlier plan to start from: a report, or rows `unit,link,share`.
    #[arg(long, value_name = "PREV")]
    pub(crate) warm: Option<PathBuf>,
    /// Stops with the best plan so far after this time.
    #[arg(long, value_name = "1s", value_parser = humantime::parse_duration)]
    pub(crate) time_limit: Option<Duration>,
    /// Seed of everything drawn at random.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Name and client whose answer to explain.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Domain name, or host of a redirect.
    #[arg(long)]
    pub(crate) name: String,
    /// Address of the client.
    #[arg(long)]
    pub(crate) client: IpAddr,
}

/// Target to drain, lease and reason.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  watershed drain node:gz1-a-1 --lease 20m --reason 'kernel upgrade' --wait && upgrade gz1-a-1
  watershed drain site:gz1 --lease 4h --ramp 10m --reason 'power work'
  watershed drain service:live@gz1-a --lease 30m --reason 'new build'

Exit code 3: refused, because the rest could not carry the load; the bottleneck is printed.")]
pub(crate) struct DrainArgs {
    /// node:NAME, group:NAME, site:NAME, link:NAME or service:NAME@GROUP.
    pub(crate) target: String,
    /// Length of the lease; the drain ends by itself then, unless renewed. At most 72h.
    #[arg(long, value_name = "30m")]
    pub(crate) lease: String,
    /// Reason, for people and the audit log.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Waits until the target is measured to be empty, and shows progress.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Time over which traffic is moved; as configured when absent.
    #[arg(long, value_name = "5m")]
    pub(crate) ramp: Option<String>,
    /// Skips budgets and proof; needs the role operator.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Target or drain to give back.
#[derive(Clone, Debug, Args)]
pub(crate) struct UndrainArgs {
    /// A target, such as group:gz1-a, or a drain, such as d17.
    #[arg(value_name = "TARGET_OR_ID")]
    pub(crate) what: String,
}

/// Commands on the coverage map.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MapCommand {
    /// Shows the map in force and what the newest cycle thought of it.
    Show,
    /// Compares two maps: which areas of which services answer differently, and for how many
    /// addresses.
    #[command(after_help = "\
Examples:
  watershed map diff 3.1207 3.1208 -c watershed.toml
  watershed map diff old.wsm new.wsm -c watershed.toml")]
    Diff {
        /// Version of a kept map, or a map file.
        #[arg(value_name = "A")]
        old: String,
        /// Version of a kept map, or a map file.
        #[arg(value_name = "B")]
        new: String,
    },
    /// Holds the map: nothing is published until it is unpinned.
    Pin {
        /// Reason, for the next operator.
        #[arg(long)]
        reason: String,
    },
    /// Lets the map move again.
    Unpin,
    /// Publishes an earlier map again, and pins it.
    Rollback {
        /// Version, such as 3.1207; the one before the map in force when absent.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
}

/// Commands on geographic data.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GeoCommand {
    /// Lays sources over one another, in the order given, into one area table.
    #[command(after_help = "\
Example:
  watershed geo build -o areas.wsa --keys country --keys cn=country,province,isp \\
      --mmdb GeoLite2-City.mmdb --ip2region ip2region.db --cidr ct=chinanet.txt

A later source overrides what it knows, attribute by attribute.")]
    Build(GeoBuildArgs),
}

/// Sources and keys of an area table.
#[derive(Clone, Debug, Args)]
pub(crate) struct GeoBuildArgs {
    /// File to write the table to.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Keys that an area keeps: country,province,city,isp,asn; or CC=KEYS for one country;
    /// repeatable.
    #[arg(long, value_name = "KEYS", required = true)]
    pub(crate) keys: Vec<String>,
    /// Sources of the data.
    #[command(flatten)]
    pub(crate) sources: Sources,
}

/// Load balancers whose configuration can be translated.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Translates a configuration directory of gdnsd 3 and lists all that has no equivalent, with
    /// file and line.
    #[command(after_help = "\
Example:
  watershed import gdnsd /etc/gdnsd /etc/watershed
  watershed run -c /etc/watershed/watershed.toml

The list is also in DST/IMPORT.md. Exit code 0 also when something had no equivalent; 2 when the input cannot be read.")]
    Gdnsd(ImportArgs),
}

/// From where to where.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// Directory with `config`, `zones/` and `geoip/`.
    pub(crate) src: PathBuf,
    /// Directory to write `watershed.toml` and what it needs to.
    pub(crate) dst: PathBuf,
    /// Writes over files that exist.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Commands on tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and the lines of configuration that accept it.
    New {
        /// Name of the holder, for the audit log.
        #[arg(long, default_value = "ci")]
        name: String,
        /// Role that bounds its rights.
        #[arg(long, default_value = "rollout", value_parser = ["viewer", "rollout", "operator", "admin"])]
        role: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn parse(words: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::read(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        with_negative_numbers(CommandLine::command()).debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for words in [
            "watershed --json -c w.toml drains",
            "watershed drains -c w.toml --json",
        ] {
            let line = parse(words).unwrap();
            assert!(line.global.json && matches!(line.command, Command::Drains));
            assert_eq!(line.global.config, Some("w.toml".into()));
        }
        let line = parse("watershed run -c w.toml --set a.b=1 --set c=2").unwrap();
        assert_eq!(line.global.set, ["a.b=1", "c=2"]);
    }

    #[test]
    fn a_drain_has_a_lease_and_a_reason() {
        let line =
            parse("watershed drain group:gz1-a --lease 30m --reason upgrade --wait --ramp 5m")
                .unwrap();
        let Command::Drain(drain) = line.command else {
            panic!("not a drain")
        };
        assert_eq!(
            (
                drain.target.as_str(),
                drain.lease.as_str(),
                drain.wait,
                drain.force
            ),
            ("group:gz1-a", "30m", true, false)
        );
        for words in [
            "watershed drain group:gz1-a --lease 30m",
            "watershed drain --lease 30m --reason x",
        ] {
            let fault = parse(words).unwrap_err();
            assert_eq!(
                (fault.kind(), fault.exit_code()),
                (ErrorKind::MissingRequiredArgument, 2)
            );
        }
    }

    #[test]
    fn solve_reads_numbers_and_durations() {
        let line =
            parse("watershed solve i.json --threads 2 --time-limit 1500ms --seed 7").unwrap();
        let Command::Solve(solve) = line.command else {
            panic!("not a solve")
        };
        assert_eq!((solve.threads, solve.seed), (Some(2), 7));
        assert_eq!(solve.time_limit, Some(Duration::from_millis(1500)));
        for bad in ["--threads 0", "--threads x", "--time-limit soon"] {
            assert_eq!(
                parse(&format!("watershed solve i.json {bad}"))
                    .unwrap_err()
                    .exit_code(),
                2,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_negative_number_is_told_as_what_it_is() {
        for words in [
            "watershed simulate month --value-of-ms -1",
            "watershed solve i.json --seed -1",
            "watershed solve i.json --threads -1",
        ] {
            let fault = parse(words).unwrap_err();
            assert_eq!(fault.exit_code(), 2);
            assert!(fault.to_string().contains("invalid value '-1'"), "{fault}");
        }
        assert_eq!(
            parse("watershed solve i.json -x").unwrap_err().kind(),
            ErrorKind::UnknownArgument
        );
    }

    #[test]
    fn options_of_every_command_stand_apart_in_help() {
        let help = parse("watershed solve --help").unwrap_err().to_string();
        let (own, global) = help.split_once("Global options:").unwrap();
        assert!(
            own.contains("--threads") && !own.contains("--json"),
            "{help}"
        );
        assert!(
            global.contains("--json") && !global.contains("--seed"),
            "{help}"
        );
    }

    #[test]
    fn every_command_has_help() {
        let mut command = CommandLine::command();
        for sub in command.get_subcommands_mut() {
            assert!(sub.get_about().is_some(), "{}", sub.get_name());
        }
        assert_eq!(parse("watershed drain --help").unwrap_err().exit_code(), 0);
        assert_eq!(parse("watershed").unwrap_err().exit_code(), 2);
    }
}
