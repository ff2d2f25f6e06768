//! Tiers of answers.

use serde::Serialize;

/// Way in which an answer was found: the sooner it is there, the less it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Only what stood on a part that is gone moves, to the best place with room. Milliseconds,
    /// always there.
    Local,
    /// The simplex went on from its last tree with some links closed or reopened. Exact for the
    /// demand of the last full solve, in tenths of a second.
    Warm,
    /// All anew, with the newest demand and quality. Seconds.
    Full,
}

impl Tier {
    /// In a word, for logs and counters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Warm => "warm",
            Self::Full => "full",
        }
    }
}
