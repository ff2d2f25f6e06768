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
    /// Way in which estimates follow.
    pub estimate: EstimateOptions,
    /// Way in which instances are made.
    pub model: ModelOptions,
    /// Time at which plans are published.
    pub publish: PublishRules,
    /// Way in which drains behave.
    pub drain: drain::Rules,
    /// Slot length of billing.
    pub slot: Duration,
    /// Way in which levels and free slots of contracts are used.
    pub billing: ControlOptions,
    /// Threads for building an instance, solving and checking it; the result does not depend on it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
}
