//! Tiers of answers, by how soon they are there.

use serde::Serialize;

/// Way in which an answer was found: the sooner it is there, the less it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Moves only what stood on a part that is gone, to the best place with room. Milliseconds,
    /// always there.
    Local,
    /// Goes on from the last tree of the simplex with some links closed or reopened. Exact for the
    /// demand of the last full solve, in tenths of a second.
    Warm,
    /// Solves everything anew, with the newest demand and quality. Seconds.
    Full,
}

impl Tier {
    /// Word for logs and counters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Warm => "warm",
            Self::Full => "full",
        }
    }
}
