//! First bases: where the simplex begins.
//!
//! Small networks begin greedily (`crash`), large ones at the prices of a sample, with all units
//! that these decide put in their places (`sift`).

pub(crate) mod crash;
pub(crate) mod extract;
pub(crate) mod sample;
pub(crate) mod sift;
