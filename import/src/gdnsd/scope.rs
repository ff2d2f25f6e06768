//! Options that are inherited from outer hashes.

use crate::fault::ImportError;
use crate::vscf::{Hash, Node};

/// Hashes from the innermost outwards: the first that has a key has the say.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'a>(Vec<&'a Hash>);

impl<'a> Scope<'a> {
    /// The outermost hash, or none at all.
    pub(super) fn outermost(hash: Option<&'a Hash>) -> Self {
        Self(hash.into_iter().collect())
    }

    /// A hash within this scope.
    pub(super) fn with(&self, hash: Option<&'a Hash>) -> Self {
        Self(hash.into_iter().chain(self.0.iter().copied()).collect())
    }

    /// This scope within one more.
    pub(super) fn within(&self, beyond: Option<&'a Hash>) -> Self {
        Self(self.0.iter().copied().chain(beyond).collect())
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.0.iter().find_map(|hash| hash.get(key))
    }

    /// A truth; false where nothing is said.
    ///
    /// # Errors
    /// [`ImportError::Invalid`] for other text.
    pub(super) fn truth(&self, key: &str) -> Result<bool, ImportError> {
        self.get(key).map_or(Ok(false), |node| node.truth(key))
    }
}
