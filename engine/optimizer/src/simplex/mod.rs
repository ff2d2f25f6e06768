//! The network simplex with lexicographic costs.

pub(crate) mod basis;
pub(crate) mod lazy;
pub(crate) mod pricing;
pub(crate) mod tree;
