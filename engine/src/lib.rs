//! The thinking half of Watershed: estimates, demand, plan, independent checker, drains and
//! publishing.
//!
//! ```text
//! observations -> estimate, billing, health --.
//! inventory, drains -> limits ----------------+-> model -> plan -> check -> publish -> realise
//!                                                                               draft <-'
//! One tick of cycle. Beside it: explain, and policy (rows without an optimizer).
//! ```
//! There is no runtime here, no socket, file, clock or environment: time, seed and inputs are
//! arguments, and the same input and seed give the same map, byte for byte, with any number of
//! threads. The checker and the optimizer are crates of their own, `checker` and `optimizer`, and
//! share no code.

pub mod baseline;
pub mod billing;
pub mod cycle;
mod distance;
pub mod drain;
pub mod estimate;
pub mod explain;
mod health;
pub mod inventory;
pub mod limits;
pub mod model;
pub mod policy;
pub mod publish;
pub mod realise;
pub mod report;
pub mod world;
