//! Record of an optimization problem, and of the result of a solve.
//!
//! ```text
//! bytes --read--> Instance (links, sites, regions, contracts, units) --> Plan, Certificate
//! ```
//! The optimizer, the checker and the baselines share these records and nothing else. Everything is
//! in the units of the field names, so a decision made live can be written to a file and replayed.
//! Nothing is computed here but the faults and the digest of an instance: an index of its
//! references is the business of the optimizer.

mod digest;
mod faults;
mod plan;
mod read;
mod record;
mod shares;
mod sink;
mod unit;
mod units;

pub use faults::{FAULTS_KEPT_MAX, Fault, RPS_MIN, RPS_PER_MBPS_MAX};
pub use plan::{BindingRow, Certificate, Changes, Duals, LevelBound, Levels, Plan, Price, RowKind};
pub use read::InstanceError;
pub use record::{Contract, ContractModel, INSTANCE_VERSION, Instance, Link, Region, Site};
pub use shares::Shares;
pub use unit::{Unit, by_quality};
pub use units::Units;
