//! Result of a solve: the plan, and the certificate that says how good it is.

use crate::shares::Shares;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Shares of all units.
///
/// ```
/// use coverage::LinkId;
/// use instance::{Plan, Shares};
///
/// let plan: Plan = serde_json::from_str(
///     r#"{"shares": [[[0, 0.25], [2, 0.75]], []], "input_digest": ""}"#,
/// )?;
/// assert_eq!(plan.shares[0].main(), Some(LinkId(2)));
/// assert_eq!(plan.shares[1], Shares::new());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// `[unit]` -> (link index, share of the unit in (0, 1]), by rising link index.
    /// The shares of a unit sum to 1 less its unserved share.
    pub shares: Vec<Shares>,
    /// Digest of the instance it was made for.
    pub input_digest: String,
}

/// Unit -> its shares by rising link, instead of those that it has in a plan.
pub type Changes = BTreeMap<usize, Shares>;

/// The five levels of a plan, most important first.
///
/// ```
/// use instance::Levels;
///
/// let levels = Levels {
///     latency_cny: 2.5,
///     money_cny: 40.0,
///     moving_cny: 0.5,
///     ..Levels::default()
/// };
/// assert_eq!(levels.cost_cny(), 43.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Level 1: demand without a place, in Mbps.
    pub unserved_mbps: f64,
    /// Level 2: traffic above watermarks, summed over links, sites and regions, in Mbps.
    pub overload_mbps: f64,
    /// Level 3: traffic on candidates whose quality is above the unit's latency limit, in Mbps.
    #[serde(rename(
        serialize = "below_floor_mbps",
        deserialize = "below_floor_mbps` or `late_mbps"
    ))]
    #[serde(alias = "below_floor_mbps", alias = "late_mbps")]
    pub late_mbps: f64,
    /// Level 4, latency part: CNY per slot.
    pub latency_cny: f64,
    /// Level 4, money part: CNY per slot.
    pub money_cny: f64,
    /// Level 4, cost of moving: CNY per slot.
    #[serde(default)]
    pub moving_cny: f64,
    /// Requests per second above what sites can answer, summed over sites.
    #[serde(default)]
    pub excess_rps: f64,
    /// Level 4, charge for these requests: CNY per slot. No bill, but a price far above all others.
    #[serde(default)]
    pub excess_cny: f64,
    /// Level 5: traffic that leaves its incumbent link, in Mbps. Units without incumbent never
    /// move.
    pub moved_mbps: f64,
}

impl Levels {
    /// Level 4: the objective in CNY per slot.
    #[must_use]
    pub fn cost_cny(&self) -> f64 {
        self.latency_cny + self.money_cny + self.moving_cny + self.excess_cny
    }
}

/// A price per Mbps in the lexicographic order of the levels: the first three components count
/// Mbps of that level per Mbps of traffic, the last is money per slot.
///
/// The derived order compares the fields from the top, which is the order of the levels.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Mbps left unserved elsewhere for each Mbps carried here.
    pub unserved: i32,
    /// Mbps of overload caused elsewhere for each Mbps carried here.
    pub overload: i32,
    /// Mbps pushed above their latency limit elsewhere for each Mbps carried here.
    #[serde(rename(serialize = "below_floor", deserialize = "below_floor` or `late"))]
    #[serde(alias = "below_floor", alias = "late")]
    pub late: i32,
    /// CNY per Mbps in this slot.
    pub cny_per_mbps: f64,
}

/// Prices of all coupling rows, one for each. Any values give a valid lower bound; these make it
/// tight.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duals {
    /// `[link]`: price of its capacity and watermark.
    pub links: Vec<Price>,
    /// `[site]`: price of its capacity and watermark.
    pub sites: Vec<Price>,
    /// `[region]`: price of its capacity and watermark.
    #[serde(default)]
    pub regions: Vec<Price>,
    /// `[contract]`: its marginal money.
    #[serde(rename(serialize = "meters", deserialize = "meters` or `contracts"))]
    #[serde(alias = "meters", alias = "contracts")]
    pub contracts: Vec<Price>,
    /// `[site]`: price of a request per second in CNY; 0 where they are not limited.
    #[serde(default)]
    pub requests: Vec<f64>,
}

/// Kind of the row that a price belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// A link's capacity or watermark.
    Link,
    /// A site's capacity or watermark.
    Site,
    /// A region's capacity or watermark.
    Region,
    /// A contract's free level or price.
    #[serde(rename = "meter", alias = "contract")]
    Contract,
    /// The requests per second that a site can answer. Load and price of such a row are per request
    /// per second.
    Requests,
}

/// A row that binds: one more Mbps there would be worth [`Self::price`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingRow {
    /// Kind of the row.
    pub kind: RowKind,
    /// Id of the link, site, region or contract.
    pub id: String,
    /// Traffic of the plan there, in Mbps; of [`RowKind::Requests`]: requests per second.
    pub load_mbps: f64,
    /// Price of the row.
    pub price: Price,
}

/// The lower bound on the four levels, to be read lexicographically.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelBound {
    /// No plan leaves less than this unserved, in Mbps.
    pub unserved_mbps: f64,
    /// No plan with that little unserved has less overload, in Mbps.
    pub overload_mbps: f64,
    /// No plan with that little of both has less above latency limits, in Mbps.
    #[serde(rename(
        serialize = "below_floor_mbps",
        deserialize = "below_floor_mbps` or `late_mbps"
    ))]
    #[serde(alias = "below_floor_mbps", alias = "late_mbps")]
    pub late_mbps: f64,
    /// No plan with that little of all three costs less, in CNY per slot.
    pub cost_cny: f64,
}

/// Quality of a plan, and the proof of it.
///
/// The figures in it are claims: a checker recomputes the bound from the prices.
///
/// ```
/// use instance::{Certificate, Duals, LevelBound, Levels};
///
/// let certificate = Certificate {
///     objective: 43.0,
///     lower_bound: 43.0,
///     gap: 0.0,
///     gap_level: 4,
///     levels: Levels::default(),
///     bound: LevelBound::default(),
///     moved_min_possible_mbps: None,
///     split_units: 0,
///     duals: Duals::default(),
///     binding: Vec::new(),
///     input_digest: String::new(),
/// };
/// let written = serde_json::to_string(&certificate)?;
/// assert_eq!(serde_json::from_str::<Certificate>(&written)?, certificate);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Level-4 cost of the plan in CNY per slot.
    pub objective: f64,
    /// No plan that is as good on levels 1 to 3 costs less, in CNY per slot.
    pub lower_bound: f64,
    /// Relative distance to the bound at [`Self::gap_level`]: of the objective on level 4, of all
    /// demand on levels 1 to 3. Never negative.
    pub gap: f64,
    /// First level on which plan and bound differ, 4 when they agree on levels 1 to 3. Below 4 the
    /// `lower_bound` is 0: a solve that was stopped early has proved nothing of the cost.
    pub gap_level: u8,
    /// The five levels of the plan.
    pub levels: Levels,
    /// The bound on the first four.
    pub bound: LevelBound,
    /// Least movement among all plans as good on levels 1 to 3, in Mbps, or a bound below it where
    /// the least takes longer to find than the plan; `None` when the search was switched off or the
    /// solve stopped.
    pub moved_min_possible_mbps: Option<f64>,
    /// Units with more than one link.
    pub split_units: usize,
    /// Prices of links, sites, regions, contracts and requests.
    pub duals: Duals,
    /// The rows with a price, dearest first.
    pub binding: Vec<BindingRow>,
    /// Digest of the instance.
    pub input_digest: String,
}
