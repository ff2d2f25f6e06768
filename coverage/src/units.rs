//! Quantities that cross crate borders, with their units.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The wire-facing denominator of a weight: a share of 1.0 is 64/64.
pub const WEIGHT_TOTAL: u8 = 64;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z. Passed in, never read from a clock
/// here.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time passed since `earlier`; zero when `earlier` lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This time plus `span`, saturating.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(span_ms))
    }
}
