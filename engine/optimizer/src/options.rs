//! Options of a solve, and its outcome.

use instance::{Certificate, Plan};
use serde::{Deserialize, Serialize};

/// Tells a solve when to stop. Consulted between stages only, so that a plan depends on how many
/// stages ran and on nothing finer.
pub trait Deadline: Sync {
    /// Tells whether no further stage should start.
    fn expired(&self) -> bool;
}

impl<F: Fn() -> bool + Sync> Deadline for F {
    fn expired(&self) -> bool {
        self()
    }
}

/// Choices of a caller.
#[derive(Clone, Copy)]
pub struct SolveOptions<'a> {
    /// Threads allowed. From 2 on the least movement and the digest are found beside the plan, and
    /// the bound beside its levels; the simplex itself is sequential. The result does not depend on
    /// it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Deadline at which to stop with the best plan so far; `None`: never.
    pub deadline: Option<&'a dyn Deadline>,
    /// Choice of whether to find the least possible movement, which is a second, shorter solve.
    pub movement: Movement,
}

/// Choice of whether the least possible movement is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Movement {
    /// Compute it when some unit has an incumbent.
    Bounded,
    /// Leave it out.
    Unbounded,
}

impl Default for SolveOptions<'_> {
    fn default() -> Self {
        Self {
            threads: 1,
            seed: 0,
            deadline: None,
            movement: Movement::Bounded,
        }
    }
}

/// End of a solve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The plan is optimal up to the gap of the certificate.
    Finished,
    /// The deadline came first; the plan is feasible and its gap is true, but may be large.
    Stopped,
}

/// The result of [`solve`].
#[derive(Debug, Clone, PartialEq)]
pub struct Solved {
    /// Shares of every unit.
    pub plan: Plan,
    /// Proof of how good the plan is.
    pub certificate: Certificate,
    /// End of the solve.
    pub outcome: Outcome,
    /// Simplex pivots made, for the record.
    pub pivots: u64,
    /// Threads that were allowed.
    pub threads: usize,
}
