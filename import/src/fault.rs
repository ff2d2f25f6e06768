//! Faults of an import, and what of a configuration has no equivalent.

use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// A line of a file that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Reason why nothing was imported. The operator can repair all of these.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or directory cannot be read.
    #[error("{file}: cannot be read: {why}")]
    Unreadable {
        /// File.
        file: String,
        /// Error of the system.
        why: std::io::Error,
    },
    /// A file does not mean anything; the server it was written for would refuse it, too.
    #[error("{place}: {why}")]
    Invalid {
        /// Place.
        place: Place,
        /// Fault.
        why: String,
    },
    /// A file of the result cannot be written.
    #[error("{file}: cannot be written: {why}")]
    Unwritable {
        /// File.
        file: String,
        /// Error of the system.
        why: std::io::Error,
    },
    /// The target holds an import or a configuration already.
    #[error("{file} exists: name another directory, or give --force to write over it")]
    Occupied {
        /// The file that is in the way.
        file: String,
    },
}

impl ImportError {
    /// A fault of the input at a place.
    pub(crate) fn invalid(place: &Place, why: impl Into<String>) -> Self {
        Self::Invalid {
            place: place.clone(),
            why: why.into(),
        }
    }
}

/// Meaning for answers that something has no equivalent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Gone: somebody gets no answer or another one than before.
    Lost,
    /// Carried over as nearly as can be; the reason says where answers may differ.
    Changed,
    /// Without counterpart, and no answer depends on it.
    Moot,
}

impl Effect {
    /// The word for people and programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Changed => "changed",
            Self::Moot => "moot",
        }
    }
}

/// One thing that has no equivalent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file in which it stands.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
    /// Meaning for answers.
    pub effect: Effect,
    /// Item, in the words of the configuration.
    pub what: String,
    /// Fate of it, and why.
    pub why: String,
}

/// All that has no equivalent, as it is found.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes one.
    pub(crate) fn add(
        &mut self,
        place: &Place,
        effect: Effect,
        what: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.0.push(Fault {
            file: place.file.to_string(),
            line: place.line,
            effect,
            what: what.into(),
            why: why.into(),
        });
    }

    /// In order of files and lines, each once.
    pub(crate) fn sorted(mut self) -> Vec<Fault> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}
