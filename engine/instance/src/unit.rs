//! Unit of demand.

use crate::shares::Shares;
use coverage::LinkId;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Traffic of one (area, service) that is to be placed.
///
/// ```
/// use coverage::LinkId;
/// use instance::Unit;
///
/// let unit: Unit = serde_json::from_str(
///     r#"{"area": "cn/44/ct", "service": "live", "mbps": 812.5, "floor_ms": 120,
///         "incumbent": [[0, 1.0]], "cand": [[0, 12.4], [1, 8.1]]}"#,
/// )?;
/// assert_eq!(unit.latency_limit_ms, Some(120.0));
/// assert_eq!(unit.incumbent.on(LinkId(0)), 1.0);
/// assert_eq!(unit.ranked(), [LinkId(1), LinkId(0)]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Area name.
    pub area: String,
    /// Service name; (area, service) is unique.
    pub service: String,
    /// Demand in Mbps. Zero is allowed: the unit still gets an answer.
    pub mbps: f64,
    /// Requests per second, which are split like the traffic. Only read by sites that limit them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rps: f64,
    /// Latency limit: traffic on candidates above this quality in equivalent ms counts as late. No
    /// limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename(serialize = "floor_ms", deserialize = "floor_ms` or `latency_limit_ms"))]
    #[serde(alias = "floor_ms", alias = "latency_limit_ms")]
    pub latency_limit_ms: Option<f64>,
    /// Links that serve the unit now: (link index, share). Empty for a new unit.
    #[serde(default)]
    pub incumbent: Shares,
    /// Candidates, the links that may serve it: (link index, quality in equivalent ms).
    pub cand: Vec<(LinkId, f64)>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
pub(crate) fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// Compares candidates (link, ms): the best first, ties by link.
pub fn by_quality(a: &(LinkId, f64), b: &(LinkId, f64)) -> Ordering {
    a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))
}

impl Unit {
    /// Candidate links, the best first.
    pub fn ranked(&self) -> Vec<LinkId> {
        let mut cand = self.cand.clone();
        cand.sort_by(by_quality);
        cand.into_iter().map(|(link, _)| link).collect()
    }
}
