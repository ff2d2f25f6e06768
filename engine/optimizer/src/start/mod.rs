//! First bases: where the simplex begins.

pub(crate) mod crash;
pub(crate) mod extract;
pub(crate) mod sample;
pub(crate) mod sift;
