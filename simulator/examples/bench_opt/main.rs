//! Measures the optimizer on the named instances: `make bench-opt`.
//!
//! Each instance runs in a process of its own, so that its memory can be told. Times are medians; beside the time on the
//! clock stands the processor time, because other programs may use the same cores.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

mod measure;
mod storms;
mod table;

use coverage::AreaTable;
use simulator::instances::{NAMES, Name, Sources, generate};
use std::process::{Command, ExitCode, Stdio};

const AREAS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../data/geo/areas.wsa"
));
const USAGE: &str =
    "usage: bench_opt [--runs N] [--seed N] [--round-trips FILE.csv] [--json FILE] [NAME ...]";

/// What any program here may fail with; it is shown to a person.
type Failure = Box<dyn std::error::Error>;

/// What was asked for.
#[derive(Clone, Debug)]
struct Options {
    names: Vec<Name>,
    runs: usize,
    seed: u64,
    round_trips: Option<String>,
    json: Option<String>,
    /// Measure the one name here and write its figures as JSON.
    child: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(fault) => {
            eprintln!("{fault}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = if options.child {
        measure_one(&options)
    } else {
        measure_all(&options)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options {
        names: Vec::new(),
        runs: 5,
        seed: 1,
        round_trips: None,
        json: None,
        child: false,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--runs" => options.runs = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--round-trips" => options.round_trips = Some(value()?),
            "--json" => options.json = Some(value()?),
            "--child" => options.child = true,
            name => options.names.push(name.parse()?),
        }
    }
    if options.names.is_empty() {
        options.names = NAMES.to_vec();
    }
    options.runs = options.runs.max(1);
    Ok(options)
}

/// Measures every name in a process of its own and shows the table.
fn measure_all(options: &Options) -> Result<(), Failure> {
    if options.names.contains(&Name::World242) && options.round_trips.is_none() {
        eprintln!(
            "world-242: no measured round-trip times given (--round-trips); distances are used"
        );
    }
    let mut figures = Vec::new();
    for name in &options.names {
        eprintln!("measuring {name}");
        let mut child = Command::new(std::env::current_exe()?);
        child.args(["--child", name.as_str()]);
        child.args(["--runs", &options.runs.to_string()]);
        child.args(["--seed", &options.seed.to_string()]);
        if let Some(file) = &options.round_trips {
            child.args(["--round-trips", file]);
        }
        let output = child.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("measuring {name} failed").into());
        }
        figures.push(serde_json::from_slice::<serde_json::Value>(&output.stdout)?);
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    table::show(&figures);
    Ok(())
}

/// Measures one name here.
fn measure_one(options: &Options) -> Result<(), Failure> {
    let table = AreaTable::decode(AREAS)?;
    let csv = options
        .round_trips
        .as_ref()
        .map(std::fs::read_to_string)
        .transpose()?;
    let sources = Sources {
        table: &table,
        round_trips_csv: csv.as_deref(),
    };
    let name = options.names[0];
    let instance = generate(name, options.seed, &sources)?;
    let mut figures = measure::measure(name, &instance, options.runs)?;
    if matches!(name, Name::Ecs100k | Name::Cn488) {
        figures["storm"] = storms::measure(&instance, options.seed)?;
    }
    println!("{figures}");
    Ok(())
}
