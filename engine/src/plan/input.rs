//! The instance: one optimization problem, complete and self-contained.
//!
//! An [`Instance`] is what the optimizer, the checker and the baselines all read. It is plain data
//! in the units of its field names, so a decision made live can be written to a file and replayed
//! later. Reading is strict: unknown keys are refused, and every fault of the content is reported
//! at once.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

use super::faults::{self, Fault};
use super::units::Units;

/// The only format version this code reads and writes.
pub const INSTANCE_VERSION: u32 = 1;

/// Most links in one instance. The levels stay apart with any number, but the quantum of money
/// grows with the longest path.
pub const LINKS_MAX: usize = 32_768;

/// Most sites in one instance.
pub const SITES_MAX: usize = 32_768;

/// Most meters in one instance.
pub const METERS_MAX: usize = 32_768;

/// Most regions with limits in one instance.
pub const REGIONS_MAX: usize = 4_096;

/// Most demand units in one instance.
pub const UNITS_MAX: usize = 4_000_000;

/// Most candidates of one unit.
pub const CANDIDATES_MAX: usize = 1_024;

/// Most candidates of all units together; arcs are numbered in 32 bits.
pub const CANDIDATE_PAIRS_MAX: usize = 1_000_000_000;

/// Most incumbent links of one unit.
pub const INCUMBENTS_MAX: usize = 64;

/// One optimization problem: where demand is, where it may go, what each place can carry and costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Format version; must be [`INSTANCE_VERSION`].
    pub version: u32,
    /// Length of one billing slot in seconds.
    #[serde(default = "default_slot_seconds")]
    pub slot_seconds: u32,
    /// What one millisecond of quality for one Gbps during one slot is worth, in CNY.
    pub value_cny_per_gbps_ms_slot: f64,
    /// What it costs to move traffic onto a link that does not carry it now, in equivalent ms: the
    /// cold cache and the new connection, spread over the time it stays. Part of level 4; units
    /// without incumbents never move.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub move_cost_ms: f64,
    /// Egress links; candidates and incumbents refer to them by index.
    pub links: Vec<Link>,
    /// Sites; links refer to them by id.
    pub sites: Vec<Site>,
    /// Limits over all sites of a region; regions that are not named here have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// Billing meters; links refer to them by id.
    pub meters: Vec<Meter>,
    /// Demand units: traffic of one (area, service) to be placed.
    pub units: Units,
}

/// An egress port of a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Unique name.
    pub id: String,
    /// Id of the site it belongs to.
    pub site: String,
    /// Hard limit in Mbps: never exceeded.
    pub capacity_mbps: f64,
    /// Soft limit in Mbps: traffic above it counts as overload. The capacity when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark_mbps: Option<f64>,
    /// Id of the meter that bills it.
    pub meter: String,
}

/// A machine room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Unique name.
    pub id: String,
    /// Region, for the operator's summary of a shortage.
    pub region: String,
    /// Hard limit in Mbps over all its links.
    pub capacity_mbps: f64,
    /// Soft limit in Mbps over all its links. The capacity when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark_mbps: Option<f64>,
    /// Requests per second that it can answer; no limit when absent. What is above is kept as small
    /// as levels 1 to 3 allow, before anything else of level 4 counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_rps: Option<f64>,
}

/// Limits over all sites of one region, beside those of the sites themselves.
///
/// The soft one is where a reserve goes: what must stay free so that the loss of the worst single
/// site can be carried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Name, as [`Site::region`] has it.
    pub id: String,
    /// Hard limit in Mbps over all its sites.
    pub capacity_mbps: f64,
    /// Soft limit in Mbps over all its sites. The capacity when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark_mbps: Option<f64>,
}

/// A billing contract over one or more links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Unique name.
    pub id: String,
    /// How the contract counts.
    pub model: MeterModel,
    /// What one Mbps above [`Self::free_below_mbps`] costs in this slot, in CNY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cny_per_mbps: Option<f64>,
    /// Price of one gigabyte (10^9 bytes) in CNY; only read by [`MeterModel::PerGb`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cny_per_gb: Option<f64>,
    /// Level in Mbps up to which this slot costs nothing more.
    #[serde(default)]
    pub free_below_mbps: f64,
    /// Whether this slot is one of the contract's free ones.
    #[serde(default)]
    pub burst: bool,
}

/// How a contract turns traffic into money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeterModel {
    /// The 95th percentile of the month's slots.
    #[serde(rename = "month-95")]
    Month95,
    /// The mean over days of each day's highest slot.
    DailyPeakMean,
    /// The mean over days of each day's 95th percentile.
    #[serde(rename = "daily-95-mean")]
    Daily95Mean,
    /// A port paid as a whole.
    Flat,
    /// Volume.
    PerGb,
}

/// Traffic of one (area, service) that is to be placed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Area name.
    pub area: String,
    /// Service name; (area, service) is unique.
    pub service: String,
    /// Demand in Mbps. Zero is allowed: the unit still gets an answer.
    pub mbps: f64,
    /// Its requests per second, which are split like its traffic. Only read by sites that limit
    /// them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rps: f64,
    /// Candidates above this quality in equivalent ms count as below the floor. No floor when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_ms: Option<f64>,
    /// Where the unit is served now: (link index, share). Empty for a new unit.
    #[serde(default)]
    pub incumbent: Vec<(u32, f64)>,
    /// Where it may be served: (link index, quality in equivalent ms).
    pub cand: Vec<(u32, f64)>,
}

/// Why an instance was refused.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The bytes are no JSON of the expected shape; the text names the record, line and column.
    #[error("instance does not parse: {0}")]
    Syntax(#[from] serde_path_to_error::Error<serde_json::Error>),
    /// The content contradicts itself.
    #[error("{}", faults::summary(.faults, *.total))]
    Faults {
        /// The faults in file order, at most [`faults::FAULTS_KEPT_MAX`] of them.
        faults: Vec<Fault>,
        /// How many there are in all.
        total: usize,
    },
}

fn default_slot_seconds() -> u32 {
    300
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// The error with the record that it is in. Following the path takes time, which only faulty files
/// need to take.
fn located(
    bytes: &[u8],
    error: serde_json::Error,
) -> serde_path_to_error::Error<serde_json::Error> {
    let mut again = serde_json::Deserializer::from_slice(bytes);
    let found: Result<Instance, _> = serde_path_to_error::deserialize(&mut again);
    // Whoever reads the second time has not reached what comes after the instance.
    found.err().unwrap_or_else(|| {
        serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error)
    })
}

impl Instance {
    /// Reads and validates an instance.
    ///
    /// # Errors
    /// [`InstanceError::Syntax`] when the bytes are no JSON of this shape (unknown keys included),
    /// [`InstanceError::Faults`] with every fault of the content otherwise.
    pub fn read(bytes: &[u8]) -> Result<Self, InstanceError> {
        let instance: Self =
            serde_json::from_slice(bytes).map_err(|error| located(bytes, error))?;
        instance.validate()?;
        Ok(instance)
    }

    /// Checks an instance that was built in memory.
    ///
    /// # Errors
    /// [`InstanceError::Faults`] with every fault found.
    pub fn validate(&self) -> Result<(), InstanceError> {
        let (faults, total) = faults::find(self);
        if total == 0 {
            Ok(())
        } else {
            Err(InstanceError::Faults { faults, total })
        }
    }
}

/// Order of candidates (link, ms): the best first, ties by link.
pub(crate) fn by_quality(a: &(u32, f64), b: &(u32, f64)) -> Ordering {
    a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))
}

impl Unit {
    /// Its candidate links, the best first.
    pub(crate) fn ranked(&self) -> Vec<u32> {
        let mut cand = self.cand.clone();
        cand.sort_by(by_quality);
        cand.into_iter().map(|(link, _)| link).collect()
    }
}

impl Link {
    /// The soft limit in Mbps, the capacity when none was given.
    #[must_use]
    pub fn watermark_mbps(&self) -> f64 {
        self.watermark_mbps.unwrap_or(self.capacity_mbps)
    }
}

impl Site {
    /// The soft limit in Mbps, the capacity when none was given.
    #[must_use]
    pub fn watermark_mbps(&self) -> f64 {
        self.watermark_mbps.unwrap_or(self.capacity_mbps)
    }
}

impl Region {
    /// The soft limit in Mbps, the capacity when none was given.
    #[must_use]
    pub fn watermark_mbps(&self) -> f64 {
        self.watermark_mbps.unwrap_or(self.capacity_mbps)
    }
}
