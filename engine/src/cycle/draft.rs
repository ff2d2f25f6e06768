//! Drafts of maps.

use super::tier::Tier;
use super::under::Under;
use crate::publish::Reason;
use coverage::Body;
use coverage::catalog::Catalog;
use coverage::map::CoverageMapBuilder;

/// A checked map that awaits its version and signature.
#[derive(Debug)]
pub struct Draft {
    /// The map and the catalog that it speaks of.
    pub body: Body,
    /// Digest of the instance behind it.
    pub input_digest: String,
    /// Reason why it is worth publishing.
    pub reason: Reason,
    /// Tier that found the optimizer's part; `None` when only static services changed.
    pub tier: Option<Tier>,
    /// Parts that could be used when it was made.
    pub(super) under: Under,
    /// True when it is all that was wanted; gates may let through a part of it first.
    pub(super) whole: bool,
}

/// The optimizer's part of a map, before static services are added.
pub(super) struct Part {
    pub(super) catalog: Catalog,
    pub(super) map: CoverageMapBuilder,
    pub(super) input_digest: String,
    pub(super) reason: Reason,
    pub(super) tier: Option<Tier>,
    pub(super) whole: bool,
}

impl Part {
    /// A part that no solve is behind, for a map that policies change.
    pub(super) const fn of_policy(catalog: Catalog, map: CoverageMapBuilder) -> Self {
        Self {
            catalog,
            map,
            input_digest: String::new(),
            reason: Reason::Policy,
            tier: None,
            whole: true,
        }
    }
}
