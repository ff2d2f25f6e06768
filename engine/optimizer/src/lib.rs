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

mod feasibility;
mod movement;
mod network;
mod optimize;
mod options;
mod problem;
mod relief;
mod result;
mod salvage;
mod side;
mod simplex;
mod solve;
mod start;
mod threads;
mod warm;

pub use feasibility::{Cut, Feasibility, FeasibilityOptions, FlowModel, Limit, cut, feasibility};
pub use options::{Deadline, Movement, Outcome, SolveOptions, Solved};
pub use problem::index::{Place, Problem};
pub use problem::loads::{Loads, ROUNDING, Room};
pub use problem::money::money_step;
pub use relief::{Relief, relieve};
pub use result::certificate::{BINDING_ROWS_MAX, cost_gap};
pub use result::explain::{CandidateView, explain_unit};
pub use result::report::{Report, report, write_assign};
pub use result::weights::on_ladder;
pub use solve::solve;
pub use threads::both;
pub use warm::{CLOSED_LINKS_MAX, Standing};
