//! Reasons for a refusal.

/// Reason for which a plan or its certificate was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckFailure {
    /// The plan or certificate was made for another instance.
    #[error("{what} was made for input {found}, this input is {expected}")]
    Digest {
        /// `plan` or `certificate`.
        what: &'static str,
        /// Digest it carries.
        found: String,
        /// Digest of the instance at hand.
        expected: String,
    },
    /// An array has the wrong length.
    #[error("{what} has {found} entries, expected {expected}")]
    Length {
        /// Name of the array.
        what: &'static str,
        /// Length found.
        found: usize,
        /// Length that the instance asks for.
        expected: usize,
    },
    /// A share is out of range, repeated, or on a link that is no candidate.
    #[error("unit {unit}: {problem}")]
    Share {
        /// Index of the unit.
        unit: usize,
        /// Fault of its shares.
        problem: String,
    },
    /// A hard limit is exceeded.
    #[error("{row} carries {load_mbps} mbps, its capacity is {capacity_mbps} mbps")]
    Capacity {
        /// Link, site or region.
        row: String,
        /// Traffic of the plan.
        load_mbps: f64,
        /// Hard limit.
        capacity_mbps: f64,
    },
    /// A price is not a finite number.
    #[error("price of {row} is not finite")]
    Price {
        /// Id of the link, site, region or contract.
        row: String,
    },
    /// The certificate claims a figure that the input does not give.
    #[error("certificate claims {what} {claimed}, recomputed {found}")]
    Claim {
        /// Name of the figure.
        what: &'static str,
        /// Figure in the certificate.
        claimed: f64,
        /// Figure that the checker found.
        found: f64,
    },
}
