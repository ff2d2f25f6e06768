//! Choices of a deployment.

use crate::billing::ControlOptions;
use crate::drain;
use crate::estimate::EstimateOptions;
use crate::model::ModelOptions;
use crate::publish::PublishRules;
use std::time::Duration;

/// Everything that a deployment may choose.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How estimates follow.
    pub estimate: EstimateOptions,
    /// How instances are made.
    pub model: ModelOptions,
    /// When plans are published.
    pub publish: PublishRules,
    /// How drains behave.
    pub drain: drain::Rules,
    /// Slot length of billing.
    pub slot: Duration,
    /// How levels and free slots of contracts are used.
    pub billing: ControlOptions,
    /// Threads for building an instance, solving and checking it; the result does not depend on it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
}
