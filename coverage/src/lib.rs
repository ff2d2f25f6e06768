//! The common language of all parts of Watershed.
//!
//! ```text
//!   client address --AreaTable--> area --CoverageMap(service)--> answer set --split--> endpoint
//!                     `---- one Snapshot: immutable, versioned, signed as a record ----'
//! ```
//!
//! This crate holds what serving may know and nothing else: no optimizer, no sockets, no files, no
//! clock. The optimizer and the servers meet only here, so "serving cannot reach the optimizer" is
//! a compile error.
//!
//! The choice made: a snapshot carries full state and is swapped whole; deltas only ever save bytes
//! on the way. Rejected: several pointers (table, map, states) swapped one by one, because a
//! question could then see two generations.

mod alike;
pub mod area;
pub mod catalog;
mod ids;
pub mod map;
pub mod observation;
mod place;
mod prefix;
pub mod record;
mod snapshot;
pub mod split;
mod units;

pub use alike::Asked;
pub use area::{AreaId, AreaTable};
pub use ids::{
    AnswerSetId, CheckId, ContractId, EndpointId, GroupId, LinkId, NodeId, RegionId, ServiceId,
    SiteId,
};
pub use place::Place;
pub use prefix::{BadPrefix, Prefix, PrefixSet};
pub use snapshot::{BadVersion, Body, BodyFault, Decision, Digest, MapVersion, Snapshot};
pub use units::{Timestamp, WEIGHT_TOTAL};
