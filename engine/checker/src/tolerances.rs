//! Distances that rounding accounts for.

/// Part of a hard limit, of at least 1 Mbps, by which rounding may exceed it.
pub(crate) const CAPACITY_TOLERANCE: f64 = 1e-9;

/// Distance by which rounding may bring shares beyond their bounds.
pub(crate) const SHARE_TOLERANCE: f64 = 1e-9;

/// Difference between a claimed figure and the recomputed one, relative to its scale.
pub(crate) const CLAIM_TOLERANCE: f64 = 1e-8;

/// Highest cost that counts as none, in CNY per slot.
pub(crate) const COST_TOLERANCE_CNY: f64 = 1e-9;

/// Part of all requests by which sums of them are off: so many above limits count as none.
pub(crate) const EXCESS_TOLERANCE: f64 = 1e-12;

/// Part of a free level by which sums of traffic are off: so much above it costs nothing, and
/// bounds do not count on it either.
pub(crate) const CHARGE_TOLERANCE: f64 = 1e-14;

/// Absolute tolerance for figures that are sums of size `scale`.
pub(crate) fn claim_tolerance(scale: f64) -> f64 {
    CLAIM_TOLERANCE * scale.abs().max(1.0)
}
