//! The process's wall clock: the only place that reads it for the control plane.

use coverage::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now. A clock before 1970 counts as 1970.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::default().after(since)
}
