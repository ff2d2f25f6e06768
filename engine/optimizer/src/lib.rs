//! The optimizer: from an [`instance::Instance`] to a [`instance::Plan`] with a certificate.
//!
//! ```text
//! instance ─> problem ─> network ─> start ─> simplex ─> side ─> result
//!             indices,   one tree   first    exact      side    plan, certificate,
//!             loads      of hubs    basis    optimum    constraints   bound, report
//! ```
//! Five levels are optimized in strict order: unserved, overload, late traffic, cost, moved. They
//! are kept apart in exact integers, never by tuned penalties. Beside the plan stand
//! [`round_to_weights`] (shares as answers can have them), [`feasibility`] (can demand be carried
//! at all, and what is in the way), [`relieve`] (the first answer to a failure) and
//! [`explain_unit`] (why here and not there). `docs/optimizer.md` tells the method with its papers.
//!
//! Every stage is a function of its arguments; there is no clock and no shared state. Weighted
//! penalties and a general-purpose linear-programming library were not taken: the first lose the
//! order of the levels, the second is slower on this network by orders of magnitude.
//!
//! ```
//! use instance::Instance;
//! use optimizer::{SolveOptions, solve};
//!
//! let text = r#"{ "version": 1, "value_cny_per_gbps_ms_slot": 0.02,
//!     "links": [{"id": "a/x", "site": "a", "capacity_mbps": 100, "contract": "m"},
//!               {"id": "b/x", "site": "b", "capacity_mbps": 100, "contract": "m"}],
//!     "sites": [{"id": "a", "region": "r", "capacity_mbps": 100},
//!               {"id": "b", "region": "r", "capacity_mbps": 100}],
//!     "contracts": [{"id": "m", "model": "flat"}],
//!     "units": [{"area": "cn/44/ct", "service": "live", "mbps": 150,
//!                "cand": [[0, 9], [1, 30]]}] }"#;
//! let instance = Instance::read(text.as_bytes()).unwrap();
//! let solved = solve(&instance, &SolveOptions::default(), None);
//! // The nearer link is filled first; nothing cheaper is possible.
//! assert_eq!(solved.plan.shares[0].len(), 2);
//! assert_eq!(solved.certificate.levels.unserved_mbps, 0.0);
//! assert!(solved.certificate.gap < 1e-9);
//! ```

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
pub use result::certificate::cost_gap;
pub use result::explain::{CandidateView, explain_unit};
pub use result::report::{Report, report, write_assign};
pub use result::weights::round_to_weights;
pub use solve::solve;
pub use threads::both;
pub use warm::{CLOSED_LINKS_MAX, WarmStart};
