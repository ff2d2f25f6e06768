//! The tree that a warm solve goes on from, and when it can.

use crate::health::Margins;
use coverage::LinkId;
use instance::Instance;
use optimizer::{Problem, Standing};
use std::sync::Arc;

/// A solved network that stands ready for closed links, and what it was built from.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) standing: Standing,
    /// The instance that the network was built from.
    pub(super) built: Arc<Instance>,
    /// Links that the network has closed since, rising.
    pub(super) closed: Vec<LinkId>,
    /// Links that might serve when the network was built.
    pub(super) basis: Basis,
}

/// Facts beside the instance that a tree stands on.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    /// `[service]` -> links that may serve it, rising.
    pub(super) reach: Vec<Vec<LinkId>>,
    /// Reliance on soft limits. What falls silent later is for the next full solve: it
    /// must not keep a failure from being answered.
    pub(super) margins: Margins,
}

/// The instance of the last solve with other links closed.
#[derive(Debug)]
pub(super) struct Closings {
    pub(super) instance: Instance,
    /// Links that can carry nothing, rising.
    pub(super) closed: Vec<LinkId>,
}

/// Links that can carry nothing, rising.
pub(super) fn closed_links(problem: &Problem<'_>) -> Vec<LinkId> {
    let links = problem.places().iter().map(|place| place.link);
    links.filter(|link| !problem.is_open(*link)).collect()
}

impl Tree {
    /// Tells whether all that changed since the network was built is which links are closed.
    pub(super) fn explains(
        &self,
        problem: &Problem<'_>,
        closed: &[LinkId],
        reach: &[Vec<LinkId>],
    ) -> bool {
        let is_closed = |link: &LinkId| closed.binary_search(link).is_ok();
        let (now, built) = (problem.instance, &self.built);
        // Not with another capacity, nor for a link that the network was built without.
        let as_built = problem.places().iter().all(|place| {
            let (link, site) = (place.link.index(), place.site.index());
            is_closed(&place.link)
                || now.links[link] == built.links[link] && now.sites[site] == built.sites[site]
        });
        let mut services = self.basis.reach.iter().zip(reach);
        let lost = |before: &[LinkId], after: &[LinkId]| {
            let gone = |link: &&LinkId| !after.contains(link);
            before.iter().filter(gone).all(is_closed)
        };
        as_built && services.all(|(before, after)| lost(before, after))
    }
}
