//! Files, and the files that they include.

use super::Node;
use super::parse::{self, Include};
use crate::fault::{ImportError, Place};
use crate::files::{self, Reader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Deepest chain of includes: a loop would be endless.
const DEPTH_MAX: usize = 32;

/// Reads a file with all that it includes.
///
/// # Errors
/// [`ImportError`] for what cannot be read or parsed.
pub(crate) fn load(path: &Path, reader: &mut Reader) -> Result<Node, ImportError> {
    file(path, reader, 0)
}

fn file(path: &Path, reader: &mut Reader, depth: usize) -> Result<Node, ImportError> {
    let bytes = reader.bytes(path)?;
    let name: Arc<str> = Arc::from(path.display().to_string());
    let mut from_disk = FromDisk {
        dir: path.parent().unwrap_or_else(|| Path::new("")).to_owned(),
        reader,
        depth,
    };
    parse::parse(&name, &bytes, &mut from_disk)
}

/// Includes relative to the file that has them.
struct FromDisk<'a> {
    dir: PathBuf,
    reader: &'a mut Reader,
    depth: usize,
}

impl Include for FromDisk<'_> {
    fn include(&mut self, at: &Place, path: &str) -> Result<Vec<Node>, ImportError> {
        if self.depth == DEPTH_MAX {
            let why = format!("includes are nested deeper than {DEPTH_MAX}; do they go round?");
            return Err(ImportError::invalid(at, why));
        }
        let path = self.dir.join(path);
        let paths = if path.is_dir() {
            files::listing(&path)?
                .into_iter()
                .filter(|path| path.is_file())
                .collect()
        } else {
            let found = files::glob(&path);
            if found.is_empty() {
                let why = format!("there is no file {} to include", path.display());
                return Err(ImportError::invalid(at, why));
            }
            found
        };
        let one = |path: &PathBuf| file(path, self.reader, self.depth + 1);
        paths.iter().map(one).collect()
    }
}
