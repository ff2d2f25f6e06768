//! Choices of a deployment.

use crate::billing::ControlOptions;
use crate::drain;
use crate::estimate::EstimateOptions;
use crate::model::ModelOptions;
use crate::publish::PublishRules;
use std::time::Duration;

/// All that a deployment may choose.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Options of estimates.
    pub estimate: EstimateOptions,
    /// Options of instances.
    pub model: ModelOptions,
    /// Rules of publishing.
    pub publish: PublishRules,
    /// Rules of drains.
    pub drain: drain::Rules,
    /// Slot length of billing.
    pub slot: Duration,
    /// Options of the use of levels and free slots.
    pub billing: ControlOptions,
    /// Threads for building an instance, solving and checking it; the result does not depend on it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
}
