//! Named optimization problems of known make, for measuring and comparing: the same seed gives the
//! same bytes.
//!
//! ```text
//!   area table (real prefixes, areas, ISPs)  --> ground: clients, sites with ports
//!   488 pairs of province and ISP, addresses --> pairs:  clients
//!   measured round-trip times (242 cities)   --> world:  clients
//!   339 points of presence of a real CDN     --> colos:  sites
//!                                                 |
//!                    assemble: demand, capacity, candidates, contracts --> instance::Instance
//!                                                 |
//!                    storm: drains and failures, one after another
//! ```
//! Where clients are and which ISP they have is real; how much they ask for and what sites can
//! carry is drawn. Demand is log-normal, capacity is drawn without looking at the demand around it,
//! so many sites are full while others are idle.

mod across;
mod asking;
mod assemble;
mod colos;
mod draw;
mod east;
mod ground;
mod pairs;
mod storm;
pub mod timeline;
mod world;

pub use storm::{StormEvent, apply, storm};

use assemble::{Recipe, assemble};
use coverage::AreaTable;
use instance::{Instance, InstanceError};
use std::fmt;
use std::str::FromStr;

/// A named instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// China: 488 pairs of province and ISP, 3 services, 300 sites, contracts that cut across
    /// sites.
    Cn488,
    /// The same with requests per second, which four sites in five limit.
    Cn488Requests,
    /// 242 cities of the world, one service, 339 points of presence, measured round-trip times.
    World242,
    /// 100,000 client subnets, 1,000 sites, 20 candidates each.
    Ecs100k,
    /// The same with one contract for all ports of an ISP in a region.
    Ecs100kContracts,
    /// 500,000 client subnets, 5,000 sites, 20 candidates each.
    Ecs500k5k,
    /// 20,000 client subnets; the sites of the east cannot carry what only they may serve.
    InfeasibleEast,
}

/// All names, in the order in which they are reported.
pub const NAMES: [Name; 7] = [
    Name::Cn488,
    Name::Cn488Requests,
    Name::World242,
    Name::InfeasibleEast,
    Name::Ecs100k,
    Name::Ecs100kContracts,
    Name::Ecs500k5k,
];

impl Name {
    /// As it is written on a command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cn488 => "cn-488",
            Self::Cn488Requests => "cn-488-requests",
            Self::World242 => "world-242",
            Self::Ecs100k => "ecs-100k",
            Self::Ecs100kContracts => "ecs-100k-contracts",
            Self::Ecs500k5k => "ecs-500k-5k",
            Self::InfeasibleEast => "infeasible-east",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = GenerateError;

    fn from_str(text: &str) -> Result<Self, GenerateError> {
        NAMES
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| GenerateError::Unknown(text.to_owned()))
    }
}

/// Sources instances are made from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Prefixes with country, province, ISP and coordinates.
    pub table: &'a AreaTable,
    /// Measured round-trip times between cities: CSV with the columns
    /// `from,to,km,avg_ms,min_ms,max_ms,mdev_ms`. Without them [`Name::World242`] takes the largest
    /// places of the table and distances.
    pub round_trips_csv: Option<&'a str>,
}

/// Reason why there is no instance.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// No such name.
    #[error(
        "no instance is called `{0}`: use one of cn-488, cn-488-requests, world-242, ecs-100k, ecs-100k-contracts, ecs-500k-5k, infeasible-east"
    )]
    Unknown(String),
    /// The area table has too little in it.
    #[error("the area table has no {0}: use the shipped one")]
    Table(&'static str),
    /// The round-trip times cannot be read.
    #[error("round-trip times, line {line}: {why}")]
    RoundTrips {
        /// Line, from 1.
        line: usize,
        /// Fault of it.
        why: &'static str,
    },
    /// Result that is not a valid instance: a fault of this module.
    #[error(transparent)]
    Invalid(#[from] InstanceError),
}

/// Makes an instance. Takes seconds for the largest; equal arguments give equal instances.
///
/// # Errors
/// [`GenerateError`] when the sources do not suffice.
pub fn generate(name: Name, seed: u64, sources: &Sources<'_>) -> Result<Instance, GenerateError> {
    let recipe = Recipe::of(name);
    let ground = match (name, sources.round_trips_csv) {
        (Name::World242, Some(csv)) => world::measured(csv, seed)?,
        (Name::World242, None) => ground::cities(sources.table, 242)?,
        (Name::Cn488 | Name::Cn488Requests, _) => {
            pairs::provinces(sources.table, recipe.sites, seed)?
        }
        _ => ground::subnets(sources.table, recipe.units, recipe.sites, seed)?,
    };
    let mut instance = assemble(&recipe, &ground, seed);
    match name {
        Name::Cn488Requests => asking::ask(&mut instance, seed),
        Name::Ecs100kContracts => across::share_contracts(&mut instance, seed),
        _ => {}
    }
    instance.validate()?;
    Ok(instance)
}

/// An instance of the make of [`Name::Ecs100k`] in another size: `units` client subnets, `sites`
/// sites.
///
/// # Errors
/// [`GenerateError`] when the sources do not suffice.
pub fn generate_sized(
    units: usize,
    sites: usize,
    seed: u64,
    sources: &Sources<'_>,
) -> Result<Instance, GenerateError> {
    let recipe = Recipe::of(Name::Ecs100k).sized(units, sites);
    let ground = ground::subnets(sources.table, units, sites, seed)?;
    let instance = assemble(&recipe, &ground, seed);
    instance.validate()?;
    Ok(instance)
}

#[cfg(test)]
mod tests;
