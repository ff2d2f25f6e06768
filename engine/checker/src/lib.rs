//! The independent checker: believes nothing but the instance.
//!
//! It shares no code with the optimizer, only the plain types of its input and output. From the raw
//! instance it recomputes feasibility, the five levels and the lower bound, and it refuses a plan
//! whose certificate claims anything else.
//!
//! # Why the bound holds for any prices
//!
//! Costs are vectors `(unserved, overload, late, CNY)`, compared from the first component on.
//! Vectors under this order form an ordered vector space: adding the same vector to both sides and
//! multiplying by a non-negative number keep the order. These two rules are all that weak duality
//! needs. Let `x` be any feasible plan, `y_r` the traffic it puts on row `r` (a link, site, region
//! or contract), `f_r` the cost of a row and `c` the cost of a candidate. For any price vectors
//! `p_r`,
//!
//! ```text
//! cost(x) = sum_u sum_j mbps_u x_uj c_uj + sum_r f_r(y_r)
//!         = sum_u sum_j mbps_u x_uj (c_uj + sum_{r on j} p_r) - sum_r (p_r y_r - f_r(y_r))
//!        >= sum_u mbps_u min_j (c_uj + sum_{r on j} p_r)
//!                - sum_r max_{0 <= y <= Y_r} (p_r y - f_r(y))
//! ```
//!
//! because the shares of a unit (with its unserved share, at cost `(1,0,0,0)`) are non-negative and
//! sum to 1, and because `y_r` lies between 0 and its hard limit `Y_r` (for a contract: the sum of
//! its links' capacities). The last line does not mention `x`. Signs of the prices do not matter: a
//! foolish price gives a weak bound, never a wrong one. `f_r` is convex and piecewise linear with
//! one breakpoint, so the maximum is at 0, at the breakpoint or at `Y_r`.
//!
//! If moves cost, a candidate counts twice: once for the share that it carries now, at its
//! price and limited to that share, once without limit at its price and the move. The minimum over
//! the shares of a unit then takes the cheapest pieces first; nothing else changes.

mod answers;
mod bound;
mod charges;
mod evaluate;
mod failure;
mod loads;
mod shares;
mod tolerances;
mod verify;

pub use answers::{Answers, answers};
pub use evaluate::{Bands, Evaluation, evaluate, fits, measure, measure_beyond};
pub use failure::CheckFailure;
pub use verify::{Verified, verify};
