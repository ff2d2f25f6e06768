//! Parts that may be used.

use crate::limits::Limits;

/// Parts that may be used: a plan is made under them, and adopted only while they hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Under {
    /// Limits that drains and refills leave.
    pub(crate) limits: Limits,
    /// `[node]`: true when it may serve.
    pub(crate) nodes_up: Vec<bool>,
}
