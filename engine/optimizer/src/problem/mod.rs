//! The problem behind an instance: references resolved, levels counted.

pub(crate) mod explain;
pub(crate) mod index;
pub(crate) mod levels;
pub(crate) mod loads;
pub(crate) mod requests;
pub(crate) mod topology;
