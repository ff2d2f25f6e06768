//! The optimizer: from an [`Instance`] to a [`Plan`] with a [`Certificate`].

mod certificate;
mod crash;
mod explain;
mod faults;
mod feasibility;
mod hubs;
mod input;
mod levels;
mod master;
mod maxflow;
mod meters;
mod network;
mod report;
mod result;
mod sample;
mod scale;
mod simplex;
mod solve;
mod topology;
mod tree;

pub use certificate::BINDING_ROWS_MAX;
pub use explain::{CandidateView, explain_unit};
pub use faults::{FAULTS_KEPT_MAX, Fault};
pub use feasibility::{Cut, Feasibility, FeasibilityOptions, FlowModel, Limit, cut, feasibility};
pub use input::{
    CANDIDATE_PAIRS_MAX, CANDIDATES_MAX, INCUMBENTS_MAX, INSTANCE_VERSION, Instance, InstanceError,
    LINKS_MAX, Link, METERS_MAX, Meter, MeterModel, SITES_MAX, Site, UNITS_MAX, Unit,
};
pub use report::{Report, report, write_assign};
pub use result::{BindingRow, Certificate, Duals, LevelBound, Levels, Plan, Price, RowKind};
pub use solve::{Deadline, Movement, Outcome, SolveOptions, Solved, solve};
