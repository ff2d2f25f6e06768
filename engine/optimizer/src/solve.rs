//! One solve from beginning to end.

use crate::options::{SolveOptions, Solved};
use crate::warm::WarmStart;
use instance::{Instance, Plan};

/// Solves a valid instance. Never fails: demand that fits nowhere is unserved.
///
/// The result is a function of `input`, `options` (without `threads`) and `warm`, unless the
/// deadline cuts it short. `warm` is an earlier plan for similar input; its choices are tried
/// first, but where rows cut across the tree: prices say more there.
#[must_use]
pub fn solve(input: &Instance, options: &SolveOptions<'_>, warm: Option<&Plan>) -> Solved {
    WarmStart::cold(input, options, warm).0
}
