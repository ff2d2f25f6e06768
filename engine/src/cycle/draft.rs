//! A draft of a map.

use super::in_force::Under;
use super::tier::Tier;
use crate::publish::Reason;
use coverage::Body;

/// A checked map that awaits its version and signature.
#[derive(Debug)]
pub struct Draft {
    /// The map and what it speaks of.
    pub body: Body,
    /// Digest of the instance behind it.
    pub input_digest: String,
    /// Reason why it is worth publishing.
    pub reason: Reason,
    /// Tier that found the optimizer's part; `None` when only static services changed.
    pub tier: Option<Tier>,
    /// Conditions it was made under.
    pub(super) under: Under,
    /// True when it is all that was wanted; gates may let through a part of it first.
    pub(super) whole: bool,
}
