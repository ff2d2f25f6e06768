//! Reading an instance: strict, with every fault of the content at once.

use crate::faults::{self, Fault};
use crate::record::Instance;

/// Why an instance was refused.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The bytes are no JSON of the expected shape; the text names the record, line and column.
    #[error("instance does not parse: {0}")]
    Syntax(#[from] serde_path_to_error::Error<serde_json::Error>),
    /// The content contradicts itself.
    #[error("{}", faults::summary(.faults, *.total))]
    Faults {
        /// The faults in file order, at most [`faults::FAULTS_KEPT_MAX`] of them.
        faults: Vec<Fault>,
        /// How many there are in all.
        total: usize,
    },
}

/// The error with the record that it is in. Following the path takes time, which only faulty files
/// need to take.
fn located(
    bytes: &[u8],
    error: serde_json::Error,
) -> serde_path_to_error::Error<serde_json::Error> {
    let mut again = serde_json::Deserializer::from_slice(bytes);
    let found: Result<Instance, _> = serde_path_to_error::deserialize(&mut again);
    // Whoever reads the second time has not reached what comes after the instance.
    found.err().unwrap_or_else(|| {
        serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error)
    })
}

impl Instance {
    /// Reads and validates an instance.
    ///
    /// # Errors
    /// [`InstanceError::Syntax`] when the bytes are no JSON of this shape (unknown keys included),
    /// [`InstanceError::Faults`] with every fault of the content otherwise.
    pub fn read(bytes: &[u8]) -> Result<Self, InstanceError> {
        let instance: Self =
            serde_json::from_slice(bytes).map_err(|error| located(bytes, error))?;
        instance.validate()?;
        Ok(instance)
    }

    /// Checks an instance that was built in memory.
    ///
    /// # Errors
    /// [`InstanceError::Faults`] with every fault found.
    pub fn validate(&self) -> Result<(), InstanceError> {
        let (faults, total) = faults::find(self);
        if total == 0 {
            Ok(())
        } else {
            Err(InstanceError::Faults { faults, total })
        }
    }
}
