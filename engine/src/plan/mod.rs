//! The optimizer: from an [`Instance`] to a [`Plan`] with a [`Certificate`].
//!
//! ```text
//! input ─> network ─> sample ─> crash ─> simplex ─> (coupling, vertex) ─> certificate ─> report
//!          one tree    prices    first     exact       contracts across     plan, prices,
//!          of hubs     of 1/8    basis     optimum     sites, requests      bound, gap
//! ```
//! Five levels are optimized in strict order: unserved, overload, below the floor, cost, moved.
//! They are kept apart in exact integers, never by tuned penalties. Beside the plan stand
//! [`on_ladder`] (shares as answers can have them), [`feasibility`] (can it be carried at all, and
//! what is in the way) and [`explain_unit`] (why here and not there).
//!
//! Every stage is a function of its arguments; there is no clock and no shared state. Weighted
//! penalties and a general-purpose linear-programming library were not taken: the first lose
//! the order of the levels, the second is slower on this network by orders of magnitude.

mod certificate;
mod coupling;
mod crash;
mod digest;
mod echelon;
mod explain;
mod extract;
mod faults;
mod feasibility;
mod fronts;
mod hubs;
mod input;
mod inverse;
mod knees;
mod ladder;
mod levels;
mod master;
mod maxflow;
mod movement;
mod network;
mod pricing;
mod relief;
mod report;
mod requests;
mod result;
mod rough;
mod rounds;
mod rows;
mod salvage;
mod sample;
mod scale;
mod sift;
mod simplex;
mod slack;
mod solve;
mod standing;
mod threads;
mod topology;
mod tree;
mod trim;
mod units;
mod vertex;
mod whole;

pub use certificate::BINDING_ROWS_MAX;
pub(crate) use certificate::cost_gap;
pub use explain::{CandidateView, explain_unit};
pub use faults::{FAULTS_KEPT_MAX, Fault, RPS_MIN, RPS_PER_MBPS_MAX};
pub use feasibility::{Cut, Feasibility, FeasibilityOptions, FlowModel, Limit, cut, feasibility};
pub(crate) use input::by_quality;
pub(crate) use network::money_step;
pub(crate) use relief::give;
pub(crate) use threads::both;

pub use input::{
    CANDIDATE_PAIRS_MAX, CANDIDATES_MAX, INCUMBENTS_MAX, INSTANCE_VERSION, Instance, InstanceError,
    LINKS_MAX, Link, METERS_MAX, Meter, MeterModel, REGIONS_MAX, Region, SITES_MAX, Site,
    UNITS_MAX, Unit,
};
pub use ladder::on_ladder;
pub use relief::{Relief, relieve};
pub use report::{Report, report, write_assign};
pub use result::{
    BindingRow, Certificate, Changes, Duals, LevelBound, Levels, Plan, Price, RowKind,
};
pub use solve::{Deadline, Movement, Outcome, SolveOptions, Solved, solve};
pub use standing::{CLOSED_LINKS_MAX, Standing};
pub use units::Units;
