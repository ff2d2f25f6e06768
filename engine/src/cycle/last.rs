//! The newest solve, and the network that stands ready for the next.

use super::tier::Tier;
use super::weights::OnWeights;
use crate::health::Margins;
use coverage::{LinkId, Timestamp};
use instance::{Certificate, Instance, Levels, Plan};
use optimizer::WarmStart;
use std::sync::Arc;

/// The newest solve.
#[derive(Debug)]
pub struct LastSolve {
    /// Time at which its input was taken.
    pub at: Timestamp,
    /// Tier that solved it.
    pub tier: Tier,
    /// The instance.
    pub instance: Arc<Instance>,
    /// The plan.
    pub plan: Plan,
    /// The same as answers can have it.
    pub weights: OnWeights,
    /// Certificate.
    pub certificate: Certificate,
    /// Levels of the map in force on the same instance; `None` when it named what was gone, or
    /// there was none.
    pub incumbent: Option<Levels>,
    /// The network of `instance`, ready for closed links; away while a job has it.
    pub(super) tree: Option<Tree>,
}

/// A solved network that stands ready for closed links, and what it was built from.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) warm_start: WarmStart,
    /// Links and sites as the network has them.
    pub(super) built: Ports,
    /// Links that it has closed since, rising.
    pub(super) closed: Vec<LinkId>,
    /// [service] -> links that might serve it when the network was built, rising.
    pub(super) reach: Vec<Vec<LinkId>>,
    /// Reliance on soft limits then. What falls silent later is for the next full solve:
    /// it must not keep a failure from being answered.
    pub(super) margins: Margins,
}

/// Links and sites of an instance.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    pub(super) links: Vec<instance::Link>,
    pub(super) sites: Vec<instance::Site>,
}

impl Ports {
    /// Tells whether a link can carry anything.
    pub(super) fn is_open(&self, link: usize, site: usize) -> bool {
        self.links[link].capacity_mbps > 0.0 && self.sites[site].capacity_mbps > 0.0
    }
}
