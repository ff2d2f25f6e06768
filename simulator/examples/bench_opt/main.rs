//! Measures the optimizer on the named instances and stories, and writes the report: `make
//! bench-opt`.
//!
//! Each instance runs in a process of its own, so that its memory can be told. Times are medians;
//! beside the time on the clock stands the processor time, because other programs may use the same
//! cores.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

mod growth;
mod measure;
mod options;
mod report;
mod storms;
mod verdicts;
mod yardsticks;

use coverage::AreaTable;
use options::{Options, Part};
use serde_json::{Value, json};
use simulator::instances::{Name, Sources, generate, generate_sized, timeline};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

const AREAS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../data/geo/areas.wsa"
));
/// The CDN of stories.
const STORY_SIZE: timeline::Size = timeline::Size {
    sites: 150,
    areas: 200,
};

/// Failure of any program here; it is shown to a person.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let options = match options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(fault) => {
            eprintln!("{fault}\n{}", options::USAGE);
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

/// Returns what the controller's month came to.
fn of_month(file: &str) -> Result<Value, Failure> {
    let mut month: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let policies = month["policies"].as_array_mut();
    let mut policies = policies.into_iter().flatten();
    let ours = policies.find(|row| row["policy"] == "controller");
    Ok(ours
        .map(Value::take)
        .ok_or("the month was played without the policy controller")?)
}

/// Measures every part in a process of its own, shows the report and keeps it.
fn measure_all(options: &Options) -> Result<(), Failure> {
    let measured = options.round_trips.is_some();
    if options.parts.contains(&Part::Instance(Name::World242)) && !measured {
        eprintln!(
            "world-242: no measured round-trip times given (--round-trips); distances are used"
        );
    }
    let month = options.month.as_deref().map(of_month).transpose()?;
    let (mut instances, mut stories, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for part in &options.parts {
        eprintln!("measuring {part}");
        let mut child = Command::new(std::env::current_exe()?);
        child.args(["--child", &part.to_string()]);
        child.args(["--runs", &options.runs.to_string()]);
        child.args(["--seed", &options.seed.to_string()]);
        if let Some(file) = &options.round_trips {
            child.args(["--round-trips", file]);
        }
        let output = child.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("measuring {part} failed").into());
        }
        let figures: Value = serde_json::from_slice(&output.stdout)?;
        match part {
            Part::Instance(_) => instances.push(figures),
            Part::Story(_) => stories.push(figures),
            Part::Units(_) => sizes.push(figures),
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let all = json!({
        "made": options.made,
        "processors": threads,
        "runs": options.runs,
        "seed": options.seed,
        "measured_round_trips": measured,
        "instances": instances,
        "stories": stories,
        "month": month,
        "growth": growth::figures(sizes),
    });
    let text = report::markdown(&all);
    print!("{text}");
    if let Some(folder) = &options.out {
        let folder = Path::new(folder);
        std::fs::create_dir_all(folder)?;
        std::fs::write(
            folder.join("optimizer.json"),
            serde_json::to_vec_pretty(&all)?,
        )?;
        std::fs::write(folder.join("optimizer.md"), text)?;
        std::fs::write(
            folder.join("optimizer-growth.svg"),
            growth::plot(&all["growth"]),
        )?;
    }
    Ok(())
}

/// Measures one part here.
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
    let (seed, runs) = (options.seed, options.runs);
    let figures = match options.parts[0] {
        Part::Instance(name) => {
            let instance = generate(name, seed, &sources)?;
            let mut figures = measure::measure(name, &instance, runs)?;
            if matches!(name, Name::Ecs100k | Name::Cn488) {
                figures["storm"] = storms::measure(&instance, seed)?;
            }
            figures
        }
        Part::Story(story) => json!({
            "name": story.as_str(),
            "sites": STORY_SIZE.sites,
            "areas": STORY_SIZE.areas,
            "outcome": timeline::play(story, STORY_SIZE, seed, &sources)?,
        }),
        Part::Units(units) => {
            let instance = generate_sized(units, units / growth::UNITS_PER_SITE, seed, &sources)?;
            growth::measure(&instance, runs)
        }
    };
    println!("{figures}");
    Ok(())
}
