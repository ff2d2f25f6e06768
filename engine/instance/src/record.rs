//! The instance: one optimization problem, complete and self-contained.
//!
//! An [`Instance`] is what the optimizer, the checker and the baselines all read. It is plain data
//! in the units of its field names, so a decision made live can be written to a file and replayed
//! later. Reading is strict: unknown keys are refused, and every fault of the content is reported
//! at once.
//!
//! Some keys have two names: the one that is written, and a newer one that is read as well. The
//! name for reading such a key holds both (``meters` or `contracts``), so that the message about a
//! key that is missing or given twice shows them.

use serde::{Deserialize, Serialize};

use crate::unit::is_zero;
use crate::units::Units;

/// The only format version that this code reads and writes.
pub const INSTANCE_VERSION: u32 = 1;

/// Most links in one instance. The levels stay apart with any number, but the quantum of money
/// grows with the longest path.
pub(crate) const LINKS_MAX: usize = 32_768;

/// Most sites in one instance.
pub(crate) const SITES_MAX: usize = 32_768;

/// Most contracts in one instance.
pub(crate) const CONTRACTS_MAX: usize = 32_768;

/// Most regions with limits in one instance.
pub(crate) const REGIONS_MAX: usize = 4_096;

/// Most demand units in one instance.
pub(crate) const UNITS_MAX: usize = 4_000_000;

/// Most candidates of one unit.
pub(crate) const CANDIDATES_MAX: usize = 1_024;

/// Most candidates of all units together; arcs are numbered in 32 bits.
pub(crate) const CANDIDATE_PAIRS_MAX: usize = 1_000_000_000;

/// Most incumbent links of one unit.
pub(crate) const INCUMBENTS_MAX: usize = 64;

/// An optimization problem: demand, the places where it may go, their limits and prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Format version; must be [`INSTANCE_VERSION`].
    pub version: u32,
    /// Length of one billing slot in seconds.
    #[serde(default = "default_slot_seconds")]
    pub slot_seconds: u32,
    /// Worth of one millisecond of quality for one Gbps during one slot, in CNY.
    pub value_cny_per_gbps_ms_slot: f64,
    /// Cost of moving traffic onto a link that does not carry it now, in equivalent ms: the cold
    /// cache and the new connection, spread over the time that it stays. Part of level 4; units
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
    /// Billing contracts; links refer to them by id.
    #[serde(rename(serialize = "meters", deserialize = "meters` or `contracts"))]
    #[serde(alias = "meters", alias = "contracts")]
    pub contracts: Vec<Contract>,
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
    /// Id of the contract that bills it.
    #[serde(rename(serialize = "meter", deserialize = "meter` or `contract"))]
    #[serde(alias = "meter", alias = "contract")]
    pub contract: String,
}

/// A machine room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Unique name.
    pub id: String,
    /// Region; its limits are in [`Instance::regions`], if it has any.
    pub region: String,
    /// Hard limit in Mbps over all its links.
    pub capacity_mbps: f64,
    /// Soft limit in Mbps over all its links. The capacity when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark_mbps: Option<f64>,
    /// Requests per second that it can answer; no limit when absent. A plan has as few above it as
    /// levels 1 to 3 allow, before anything else of level 4 counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_rps: Option<f64>,
}

/// Limits over all sites of one region, beside those of the sites themselves.
///
/// The soft one holds a reserve: room that must stay free so that the loss of the worst single
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
pub struct Contract {
    /// Unique name.
    pub id: String,
    /// Model by which the contract counts.
    pub model: ContractModel,
    /// Price of one Mbps above [`Self::free_below_mbps`] in this slot, in CNY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cny_per_mbps: Option<f64>,
    /// Price of one gigabyte (10^9 bytes) in CNY; only read by [`ContractModel::PerGb`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cny_per_gb: Option<f64>,
    /// Level in Mbps up to which this slot costs nothing more.
    #[serde(default)]
    pub free_below_mbps: f64,
    /// True when this slot is one of the contract's free ones.
    #[serde(default)]
    pub burst: bool,
}

/// Models by which a contract turns traffic into money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContractModel {
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

impl ContractModel {
    /// All of them, in the order of lists.
    pub const ALL: [Self; 5] = [
        Self::Month95,
        Self::DailyPeakMean,
        Self::Daily95Mean,
        Self::Flat,
        Self::PerGb,
    ];

    /// Word for it in files, configurations and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month95 => "month-95",
            Self::DailyPeakMean => "daily-peak-mean",
            Self::Daily95Mean => "daily-95-mean",
            Self::Flat => "flat",
            Self::PerGb => "per-gb",
        }
    }
}

fn default_slot_seconds() -> u32 {
    300
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
