//! The problem behind an instance: references resolved, traffic added up, costs and levels.
//!
//! Everything here is a plain function of the record. No room below this one knows a network.

pub(crate) mod compare;
pub(crate) mod dust;
pub(crate) mod index;
pub(crate) mod levels;
pub(crate) mod loads;
pub(crate) mod money;
pub(crate) mod prices;
pub(crate) mod requests;
