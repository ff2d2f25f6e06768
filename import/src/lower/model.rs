//! Model that is written in the end.

use crate::gdnsd::{Check, Leaf};
use std::path::PathBuf;

/// The whole, but for static records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) area: Area,
    pub(crate) checks: Vec<Check>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) services: Vec<Service>,
}

/// Sources of places: databases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Area {
    pub(crate) city: Option<PathBuf>,
}

/// A pool.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) leaf: Leaf,
    /// State of the pool as a whole.
    pub(crate) state: Option<bool>,
}

/// A policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    pub(crate) default: Preference,
    pub(crate) nearest_max: Option<usize>,
    /// [label]: degrees north and degrees east.
    pub(crate) coordinates: Vec<Option<(f64, f64)>>,
    pub(crate) rules: Vec<Rule>,
}

/// An order of labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Preference {
    /// Indices of labels; at least one.
    Labels(Vec<usize>),
    Nearest,
}

/// A rule of a policy: for networks, or for a path of places from the continent inwards.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) nets: Vec<String>,
    pub(crate) path: Vec<String>,
    pub(crate) prefer: Preference,
}

/// A service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) domains: Vec<String>,
    pub(crate) ttl_s: u32,
    pub(crate) steering: Steering,
}

/// Source of a service's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Steering {
    /// Pools in order.
    Pools(Vec<usize>),
    Policy {
        policy: usize,
        /// [label]: pools in order.
        pools: Vec<Vec<usize>>,
        /// [label].
        states: Vec<Option<bool>>,
    },
}
