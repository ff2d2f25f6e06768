//! The network: one tree of hubs from links to the sink, in fixed point.
//!
//! Built from a problem, priced anew as often as the side constraints ask. Only costs change
//! after that; no room below this one knows a basis.

pub(crate) mod arcs;
pub(crate) mod fronts;
pub(crate) mod hubs;
pub(crate) mod numbers;
pub(crate) mod scale;
