//! Shares of one unit on links.

use coverage::LinkId;
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};

/// Parts of one unit by link, each in (0, 1]; what is missing to 1 is unserved.
///
/// The pairs are kept in the order in which they were given; a plan has them by rising link.
///
/// ```
/// use coverage::LinkId;
/// use instance::Shares;
///
/// let mut shares = Shares::from([(3, 0.25), (7, 0.5)]);
/// assert_eq!(shares.on(LinkId(7)), 0.5);
/// assert_eq!(shares.on(LinkId(1)), 0.0);
/// shares.give(LinkId(3), 0.125);
/// assert_eq!(shares.total(), 0.875);
/// assert_eq!(shares.main(), Some(LinkId(7)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shares(Vec<(LinkId, f64)>);

impl Shares {
    /// No share on any link.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Shares of a unit that is on one link as a whole.
    #[must_use]
    pub fn whole(link: LinkId) -> Self {
        Self(vec![(link, 1.0)])
    }

    /// Share on `link`; 0 when it has none.
    #[must_use]
    pub fn on(&self, link: LinkId) -> f64 {
        self.iter().find(|s| s.0 == link).map_or(0.0, |s| s.1)
    }

    /// Sum of all shares: 1 less the unserved share.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.iter().map(|s| s.1).sum()
    }

    /// Link with the largest share; the first of equals.
    #[must_use]
    pub fn main(&self) -> Option<LinkId> {
        let largest = self.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
        largest.map(|s| s.0)
    }

    /// Adds to the share of a link; a new link comes last.
    pub fn give(&mut self, link: LinkId, share: f64) {
        match self.iter_mut().find(|s| s.0 == link) {
            Some(old) => old.1 += share,
            None => self.push((link, share)),
        }
    }

    /// Sorts by rising link.
    pub fn sort(&mut self) {
        self.sort_unstable_by_key(|share| share.0);
    }
}

impl Deref for Shares {
    type Target = Vec<(LinkId, f64)>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Shares {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl From<Vec<(LinkId, f64)>> for Shares {
    fn from(shares: Vec<(LinkId, f64)>) -> Self {
        Self(shares)
    }
}

impl<const N: usize> From<[(u32, f64); N]> for Shares {
    fn from(shares: [(u32, f64); N]) -> Self {
        shares
            .into_iter()
            .map(|(link, share)| (LinkId(link), share))
            .collect()
    }
}

impl FromIterator<(LinkId, f64)> for Shares {
    fn from_iter<I: IntoIterator<Item = (LinkId, f64)>>(shares: I) -> Self {
        Self(Vec::from_iter(shares))
    }
}

impl<'a> IntoIterator for &'a Shares {
    type Item = &'a (LinkId, f64);
    type IntoIter = std::slice::Iter<'a, (LinkId, f64)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
