//! The instance: one optimization problem, complete and self-contained.
//!
//! An [`Instance`] is what the optimizer, the checker and the baselines all read. It is plain data
//! in the units of its field names, so a decision made live can be written to a file and replayed
//! later. Reading is strict: unknown keys are refused, and every fault of the content is reported
//! at once.

use serde::{Deserialize, Serialize};

use crate::digest::Sink;
use crate::unit::is_zero;
use crate::units::Units;

/// The only format version this code reads and writes.
pub const INSTANCE_VERSION: u32 = 1;

/// Most links in one instance. The levels stay apart with any number, but the quantum of money
/// grows with the longest path.
pub const LINKS_MAX: usize = 32_768;

/// Most sites in one instance.
pub const SITES_MAX: usize = 32_768;

/// Most contracts in one instance.
pub const CONTRACTS_MAX: usize = 32_768;

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
    /// Billing contracts; links refer to them by id.
    #[serde(rename = "meters", alias = "contracts")]
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
    #[serde(rename = "meter", alias = "contract")]
    pub contract: String,
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
pub struct Contract {
    /// Unique name.
    pub id: String,
    /// How the contract counts.
    pub model: ContractModel,
    /// What one Mbps above [`Self::free_below_mbps`] costs in this slot, in CNY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cny_per_mbps: Option<f64>,
    /// Price of one gigabyte (10^9 bytes) in CNY; only read by [`ContractModel::PerGb`].
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

impl Instance {
    /// SHA-256 over the content as lower-case hex; independent of JSON spelling and key order.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sink = Sink::default();
        sink.count(self.version as usize);
        sink.count(self.slot_seconds as usize);
        sink.number(self.value_cny_per_gbps_ms_slot);
        sink.number(self.move_cost_ms);
        sink.count(self.links.len());
        for link in &self.links {
            sink.text(&link.id);
            sink.text(&link.site);
            sink.number(link.capacity_mbps);
            sink.optional(link.watermark_mbps);
            sink.text(&link.contract);
        }
        sink.count(self.sites.len());
        for site in &self.sites {
            sink.text(&site.id);
            sink.text(&site.region);
            sink.number(site.capacity_mbps);
            sink.optional(site.watermark_mbps);
            sink.optional(site.capacity_rps);
        }
        sink.count(self.regions.len());
        for region in &self.regions {
            sink.text(&region.id);
            sink.number(region.capacity_mbps);
            sink.optional(region.watermark_mbps);
        }
        sink.count(self.contracts.len());
        for contract in &self.contracts {
            sink.text(&contract.id);
            sink.count(contract.model as usize);
            sink.optional(contract.price_cny_per_mbps);
            sink.optional(contract.price_cny_per_gb);
            sink.number(contract.free_below_mbps);
            sink.count(usize::from(contract.burst));
        }
        sink.bytes(&self.units.digest());
        sink.hex()
    }

    /// Demand of all units, Mbps.
    #[must_use]
    pub fn demand_mbps(&self) -> f64 {
        self.units.iter().map(|unit| unit.mbps).sum()
    }
}
