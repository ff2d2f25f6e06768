//! Forms of answers: declared once, for the OpenAPI document and for the command line that reads
//! them.
//!
//! The engine writes most answers itself; tests hold these shapes to what it writes. Readers ignore
//! keys they do not know, so an older command line understands a newer control plane. Times are
//! milliseconds since 1970.

mod bills;
mod inventory;

pub use bills::{Bill, Bills, RefusedSamples};
pub use inventory::{Group, Inventory, Link, Meter, Node, Service, Site};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Reason for which a request was not done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// Fault in words.
    pub error: String,
    /// Advice on what to do.
    pub hint: String,
}

/// A change that was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// In words.
    pub done: String,
}

/// Result of a batch of telemetry.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Taken {
    /// Lines that were taken.
    pub accepted: usize,
    /// Lines that were not.
    pub refused_total: u64,
    /// The first of them, at most 100.
    pub refused: Vec<RefusedLine>,
}

/// One refused line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RefusedLine {
    /// Number in the batch, from 1.
    pub line: usize,
    /// Reason.
    pub reason: String,
}

impl RefusedLine {
    /// As the decoder tells it.
    pub(super) fn of(refused: &collectors::Refused) -> Self {
        Self {
            line: refused.line,
            reason: refused.reason.to_string(),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Event {
    /// Time of the event, ms since 1970.
    pub at: u64,
    /// Such as `map.published` or `drain.shifting`.
    pub kind: String,
    /// In words.
    pub detail: String,
}

/// A drain.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Drain {
    /// Identifier, such as `d17`.
    pub id: String,
    /// Such as `group:gz1-a`.
    pub target: String,
    /// Name of the token that asked.
    pub requester: String,
    /// Reason that was given.
    pub reason: String,
    /// `requested`, `refused`, `queued`, `shifting`, `drained`, `refilling` or `serving`.
    pub state: String,
    /// `expired` or `cancelled`; null while it lasts.
    pub ended_by: Option<String>,
    /// Time at which it was asked for.
    pub requested_at: u64,
    /// Length of the lease when last granted, ms.
    pub lease_ms: u64,
    /// Time at which the lease ends unless renewed.
    pub expires_at: u64,
    /// Time over which the share falls, ms.
    pub ramp_ms: u64,
    /// Share that the target may have, 0 to 1.
    pub planned_share: f64,
    /// Latest traffic measured, Mbps; null while there is no fresh measurement.
    pub observed_mbps: Option<f64>,
    /// Time until caches have forgotten the target, ms; null while that cannot be told.
    pub ttl_tail_left_ms: Option<u64>,
    /// Numbers behind the admission.
    #[schema(value_type = Object)]
    pub proof: Option<serde_json::Value>,
    /// Reason for which it was refused, or waits.
    pub refusal: Option<Refusal>,
    /// True when the proof was skipped.
    pub force: bool,
    /// `at-risk` or `traffic-back`.
    pub warnings: Vec<String>,
    /// Steps so far, oldest first.
    pub history: Vec<DrainEvent>,
}

/// Reason for which a drain was refused, or waits.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Refusal {
    /// In words, with what to do.
    pub text: String,
    /// Places that are full.
    pub bottleneck: Option<Bottleneck>,
}

/// Places in the way of demand that would find no other.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Bottleneck {
    /// Regions whose demand is short, worst first.
    pub regions: Vec<String>,
    /// Links and sites that are full.
    pub saturated: Vec<String>,
    /// Traffic that is missing, Mbps.
    pub missing_mbps: f64,
}

/// One line of a drain's history.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct DrainEvent {
    /// Time of the step.
    pub at: u64,
    /// State from then on.
    pub state: String,
    /// Reason.
    pub why: String,
}

/// A drain that a guard refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct RefusedDrain {
    /// Fault in words.
    pub error: String,
    /// Advice on what to do.
    pub hint: String,
    /// Places that are full, when capacity is the reason.
    pub bottleneck: Option<Bottleneck>,
    /// The drain with its proof, when there is one.
    pub drain: Option<Drain>,
}

/// The map in force.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Map {
    /// `EPOCH.VERSION`; null before the first.
    pub version: Option<String>,
    /// SHA-256 of the record, hex.
    pub digest: Option<String>,
    /// Time at which it was published.
    pub created_at: Option<u64>,
    /// SHA-256 of the area table, hex.
    pub area_table: String,
    /// Findings of the newest tick.
    pub cycle: Cycle,
}

/// The newest tick.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Cycle {
    /// Time of the tick; 0 before the first.
    pub at: u64,
    /// `published`, or the word for why the map stayed.
    pub outcome: String,
    /// The same in a sentence.
    pub detail: String,
    /// Tier that found it: `local`, `warm` or `full`. Null when nothing was to be found.
    pub tier: Option<String>,
    /// Time that the tier took, from its input to a checked plan, ms.
    pub solve_ms: f64,
    /// Demand, Mbps.
    pub demand_mbps: f64,
    /// Worth of the newest plan.
    pub plan: Option<Plan>,
    /// Worth of the map in force under the same input.
    pub incumbent: Option<Levels>,
    /// Regions whose health reports were not believed.
    pub failed_open: Vec<String>,
    /// Nodes that were taken for down because they alone of their site say nothing.
    pub silent_nodes: Vec<String>,
    /// States of contracts.
    pub meters: Vec<MeterState>,
    /// Fault for which the levels of contracts are not planned; empty when they are, or will be
    /// after a day.
    pub levels_fault: String,
}

/// State of a contract.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct MeterState {
    /// Name.
    pub name: String,
    /// Level that is charged whatever follows, Mbps.
    pub certain_mbps: f64,
    /// Level that it is planned to be charged, Mbps; null while nothing was planned.
    pub level_mbps: Option<f64>,
    /// Free slots left above that level; null as long as there is none.
    pub tokens: Option<u64>,
    /// True when the slot under way is one of them.
    pub bursting: bool,
}

/// The certificate of a plan, without its prices.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Plan {
    /// Time at which its input was taken.
    pub at: u64,
    /// Tier that solved it: `warm` or `full`.
    pub tier: String,
    /// CNY per slot.
    pub objective: f64,
    /// No plan as good on the levels before costs less, CNY per slot.
    pub lower_bound: f64,
    /// Relative distance of the two.
    pub gap: f64,
    /// All levels.
    pub levels: Levels,
    /// Least movement that was possible, Mbps; none where it was not searched for.
    pub moved_min_possible_mbps: Option<f64>,
    /// Worth of what the map makes of it, with weights of 64ths; what does not fit counts as
    /// unserved.
    pub on_weights: Levels,
    /// Relative distance of that to the bound; none when rounding costs something on levels 1 to 3.
    pub on_weights_gap: Option<f64>,
    /// Units with more than one link.
    pub split_units: usize,
    /// SHA-256 of the instance, hex.
    pub input_digest: String,
}

/// The levels of a plan, most important first.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub struct Levels {
    /// Demand without a place, Mbps.
    pub unserved_mbps: f64,
    /// Traffic above watermarks, Mbps.
    pub overload_mbps: f64,
    /// Traffic below the quality floor, Mbps.
    pub below_floor_mbps: f64,
    /// Latency, CNY per slot.
    pub latency_cny: f64,
    /// Money, CNY per slot.
    pub money_cny: f64,
    /// Price of moving, CNY per slot.
    pub moving_cny: f64,
    /// Requests above what sites can answer, per second.
    pub excess_rps: f64,
    /// Price of these, CNY per slot; no bill.
    pub excess_cny: f64,
    /// Traffic that moves, Mbps.
    pub moved_mbps: f64,
}

/// Key that signs maps.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MapKey {
    /// Ed25519 public key, hex.
    pub key: String,
}

/// Reasons for which a client gets its answer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Explanation {
    /// Name that was asked.
    pub name: String,
    /// Service of the name.
    pub service: String,
    /// Address of the client.
    pub client: String,
    /// Area of the client.
    pub area: String,
    /// Reason for that area.
    pub area_why: String,
    /// Map that answers.
    pub map_version: String,
    /// Digest of the map.
    pub map_digest: String,
    /// Time at which the map was published.
    pub map_created_at_ms: u64,
    /// Tier that found the optimizer's part of the map: `local`, `warm` or `full`. Null after a
    /// restart or a rollback.
    pub tier: Option<String>,
    /// Endpoints that answer.
    pub answer: Answer,
    /// ECS scope of the answer.
    pub scope: u8,
    /// All endpoints that could answer, best first.
    pub candidates: Vec<Candidate>,
    /// Drains in force.
    pub drains: Vec<NearDrain>,
    /// Policy that decided in place of the optimizer, for a service that follows one.
    pub policy: Option<PolicyStory>,
}

/// The story of an answer that follows a policy.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct PolicyStory {
    /// The policy; empty where the service lists its pools itself.
    pub policy: String,
    /// True when a rule pins the first label, whatever its state.
    pub pinned: bool,
    /// Pools in the order in which this area prefers them.
    pub pools: Vec<PoolStory>,
}

/// One pool and how it fared.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct PoolStory {
    /// Label of the policy.
    pub label: String,
    /// The pool.
    pub pool: String,
    /// True when it may answer.
    pub up: bool,
    /// Source of that knowledge.
    pub because: String,
    /// Chosen, or why it lost.
    pub verdict: String,
}

/// An endpoint in words.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Answer {
    /// Group.
    pub group: String,
    /// Site of the group.
    pub site: String,
    /// Link.
    pub link: String,
    /// Addresses.
    pub addresses: Vec<String>,
    /// Name in the answer, where that is an alias.
    pub alias: Option<String>,
}

/// One candidate and how it fared.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Candidate {
    /// Link.
    pub link: String,
    /// Site.
    pub site: String,
    /// Region.
    pub region: String,
    /// Quality from the area, equivalent ms.
    pub quality_ms: f64,
    /// Measured, with its age, or assumed.
    pub quality_source: String,
    /// Price of capacity there, CNY per Mbps and slot.
    pub capacity_price_cny_per_mbps: f64,
    /// Charge of its contract, CNY per Mbps and slot.
    pub money_cny_per_mbps: f64,
    /// All together, less the best candidate's.
    pub reduced_cost_cny_per_mbps: f64,
    /// Share that the map gives it.
    pub share: f64,
    /// Chosen, or why it lost.
    pub verdict: String,
}

/// A drain in force, as an explanation tells it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NearDrain {
    /// Identifier.
    pub id: String,
    /// Target.
    pub target: String,
    /// State.
    pub state: String,
    /// Reason that was given.
    pub reason: String,
    /// True when it touches this answer.
    pub touches_this_answer: bool,
}
