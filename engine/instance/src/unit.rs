//! One unit of demand.

use crate::shares::Shares;
use coverage::LinkId;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

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
    #[serde(rename = "floor_ms", alias = "latency_limit_ms")]
    pub latency_limit_ms: Option<f64>,
    /// Where the unit is served now: (link index, share). Empty for a new unit.
    #[serde(default)]
    pub incumbent: Shares,
    /// Where it may be served: (link index, quality in equivalent ms).
    pub cand: Vec<(LinkId, f64)>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
pub(crate) fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// Order of candidates (link, ms): the best first, ties by link.
pub fn by_quality(a: &(LinkId, f64), b: &(LinkId, f64)) -> Ordering {
    a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))
}

impl Unit {
    /// Its candidate links, the best first.
    pub fn ranked(&self) -> Vec<LinkId> {
        let mut cand = self.cand.clone();
        cand.sort_by(by_quality);
        cand.into_iter().map(|(link, _)| link).collect()
    }
}
