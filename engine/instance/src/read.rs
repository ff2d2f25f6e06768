//! Reading an instance: strict, with every fault of the content at once.

use crate::faults::{self, Fault};
use crate::record::Instance;

/// Reason for which an instance was refused.
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
        /// Number of faults in all.
        total: usize,
    },
}

/// Returns the error with the record that it is in. Following the path takes time, which only
/// faulty files need to take.
fn locate(bytes: &[u8], error: serde_json::Error) -> serde_path_to_error::Error<serde_json::Error> {
    let mut again = serde_json::Deserializer::from_slice(bytes);
    let found: Result<Instance, _> = serde_path_to_error::deserialize(&mut again);
    // The second reading stops at the end of the instance: text behind it is no error for it.
    found.err().unwrap_or_else(|| {
        serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error)
    })
}

impl Instance {
    /// Reads and validates an instance.
    ///
    /// ```
    /// let text = r#"{"version": 1, "value_cny_per_gbps_ms_slot": 0.02,
    ///     "links": [{"id": "gz1/ct", "site": "gz1", "capacity_mbps": 400, "meter": "m1"}],
    ///     "sites": [{"id": "gz1", "region": "south", "capacity_mbps": 400}],
    ///     "meters": [{"id": "m1", "model": "flat"}],
    ///     "units": [{"area": "cn/44/ct", "service": "live", "mbps": 80, "cand": [[0, 8.1]]}]}"#;
    /// let instance = instance::Instance::read(text.as_bytes())?;
    /// assert_eq!(instance.contracts[0].id, "m1");
    ///
    /// let spoiled = text.replace("[[0, 8.1]]", "[[7, 8.1]]");
    /// let error = instance::Instance::read(spoiled.as_bytes()).unwrap_err();
    /// assert!(error.to_string().contains("candidate link 7 is not an index into 1 links"));
    /// # Ok::<(), instance::InstanceError>(())
    /// ```
    ///
    /// # Errors
    /// [`InstanceError::Syntax`] when the bytes are no JSON of this shape (unknown keys included),
    /// [`InstanceError::Faults`] with every fault of the content otherwise.
    pub fn read(bytes: &[u8]) -> Result<Self, InstanceError> {
        let instance: Self = serde_json::from_slice(bytes).map_err(|error| locate(bytes, error))?;
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
