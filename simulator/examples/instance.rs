//! Writes a named instance: `cargo run --release -p watershed-simulator --example instance --
//! ecs-100k > FILE`. `units-N` is the make of ecs-100k with N units and a hundredth as many sites,
//! as on the plot of `make bench-opt`.

#![allow(clippy::print_stderr, reason = "a program for people")]

use coverage::AreaTable;
use simulator::instances::{GenerateError, Name, Sources, generate, generate_sized};
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

const AREAS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../data/geo/areas.wsa"
));

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}\nusage: instance NAME [SEED [ROUND-TRIPS.csv]] > FILE");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let name = args
        .next()
        .ok_or_else(|| GenerateError::Unknown(String::new()))?;
    let seed = args.next().map_or(Ok(1), |text| text.parse())?;
    let round_trips = args.next().map(std::fs::read_to_string).transpose()?;
    if name == Name::World242.as_str() && round_trips.is_none() {
        eprintln!(
            "world-242: no measured round-trip times given; distances between places are used instead"
        );
    }
    let table = AreaTable::decode(AREAS)?;
    let sources = Sources {
        table: &table,
        round_trips_csv: round_trips.as_deref(),
    };
    let instance = match name.strip_prefix("units-") {
        Some(units) => {
            let units: usize = units.parse()?;
            generate_sized(units, units / 100, seed, &sources)?
        }
        None => generate(name.parse()?, seed, &sources)?,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer(&mut out, &instance)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
