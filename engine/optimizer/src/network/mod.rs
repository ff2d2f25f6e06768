//! The network of one tree of hubs, in fixed point.

pub(crate) mod arcs;
pub(crate) mod fronts;
pub(crate) mod hubs;
pub(crate) mod rough;
pub(crate) mod scale;
