//! The command line.

use super::{Failure, growth};
use simulator::instances::timeline::{STORIES, Story};
use simulator::instances::{NAMES, Name};
use std::fmt;

/// Options that may be asked for.
pub(super) const USAGE: &str = "usage: bench_opt [--runs N] [--seed N] [--round-trips FILE.csv] [--out FOLDER] \
     [--month FILE.json] [--made TEXT] [NAME | STORY | units-N ...]";

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A named instance.
    Instance(Name),
    /// A quarter of an hour with the engine.
    Story(Story),
    /// So many units, for the plot.
    Units(usize),
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => write!(out, "{name}"),
            Self::Story(story) => write!(out, "{story}"),
            Self::Units(units) => write!(out, "units-{units}"),
        }
    }
}

impl std::str::FromStr for Part {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        if let Some(units) = text.strip_prefix("units-") {
            return Ok(Self::Units(units.parse()?));
        }
        if let Ok(story) = text.parse() {
            return Ok(Self::Story(story));
        }
        Ok(Self::Instance(text.parse()?))
    }
}

/// Options that were asked for.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) parts: Vec<Part>,
    pub(super) runs: usize,
    pub(super) seed: u64,
    pub(super) round_trips: Option<String>,
    /// Bills of a month, as `simulate month --json` prints them, whose targets join the table.
    pub(super) month: Option<String>,
    /// Folder that the report goes to.
    pub(super) out: Option<String>,
    /// Date and commit, for the head of the report.
    pub(super) made: String,
    /// Measure the one part here and write its figures as JSON.
    pub(super) child: bool,
}

/// Reads the arguments; without a part, everything is measured.
pub(super) fn read(mut args: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options {
        parts: Vec::new(),
        runs: 5,
        seed: 1,
        round_trips: None,
        month: None,
        out: None,
        made: String::new(),
        child: false,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--runs" => options.runs = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--round-trips" => options.round_trips = Some(value()?),
            "--month" => options.month = Some(value()?),
            "--out" => options.out = Some(value()?),
            "--made" => options.made = value()?,
            "--child" => options.child = true,
            part => options.parts.push(part.parse()?),
        }
    }
    if options.parts.is_empty() {
        options.parts.extend(NAMES.map(Part::Instance));
        options.parts.extend(STORIES.map(Part::Story));
        options.parts.extend(growth::UNITS.map(Part::Units));
    }
    options.runs = options.runs.max(1);
    Ok(options)
}
