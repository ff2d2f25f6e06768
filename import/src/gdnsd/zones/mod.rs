//! Zone files: what is static is written anew with all names absolute, what is dynamic becomes
//! services.

mod name;
mod read;
mod record;
mod ttl;
mod words;

use super::options::Options;
use crate::fault::{ImportError, Place};
use crate::files::{self, Reader};
use std::collections::BTreeSet;
use std::path::Path;

/// One zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// Name without its final dot, in text with escapes; `.` for the root.
    pub(crate) name: String,
    /// Static records, one to a line, all names absolute.
    pub(crate) records: String,
    pub(crate) dynamic: Vec<Dynamic>,
}

/// A record whose answer a plugin decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dynamic {
    pub(crate) place: Place,
    /// Absolute.
    pub(crate) owner: String,
    /// Longest TTL, in seconds.
    pub(crate) ttl_s: u32,
    /// Shortest TTL, in seconds.
    pub(crate) ttl_min_s: u32,
    pub(crate) plugin: String,
    pub(crate) resource: String,
}

/// Reads all zones of a directory; none when it does not exist.
///
/// # Errors
/// [`ImportError`].
pub(super) fn read(
    dir: &Path,
    options: &Options,
    reader: &mut Reader,
) -> Result<Vec<Zone>, ImportError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut zones: Vec<Zone> = Vec::new();
    let mut names = BTreeSet::new();
    for path in files::listing(dir)? {
        if !path.is_file() {
            continue;
        }
        let zone = read::zone(&path, options, reader)?;
        if !names.insert(zone.name.to_ascii_lowercase()) {
            let why = format!("zone {} has two files", zone.name);
            return Err(ImportError::invalid(&files::place(&path), why));
        }
        zones.push(zone);
    }
    Ok(zones)
}
