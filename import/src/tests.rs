//! Whole directories, read and translated.

mod faults;
mod refused;
mod translation;

use crate::{Import, ImportError};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use toml::Table;

/// The records that each zone needs.
const ZONE: &str = "@ SOA ns1 admin 1 2h 30m 3d 900\n@ NS ns1\nns1 A 192.0.2.53\n";

/// A directory with a configuration and files beside it; records of `zones/example.com` follow
/// those that a zone needs.
struct Source {
    dir: TempDir,
}

impl Source {
    fn new(config: &str, records: &str) -> Self {
        let source = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        source.file("config", config);
        source.file("zones/example.com", &format!("{ZONE}{records}"));
        source
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn import(&self) -> Result<Import, ImportError> {
        crate::gdnsd(self.path())
    }

    /// The translation, and its policies.
    fn policies(&self) -> (Import, Table) {
        let import = self.import().unwrap();
        let table = text(&import, "policies.toml").parse().unwrap();
        (import, table)
    }
}

/// A file of a translation.
fn text<'a>(import: &'a Import, name: &str) -> &'a str {
    let mut files = import.files.iter();
    let file = files.find(|(path, _)| path == Path::new(name));
    &file.unwrap_or_else(|| panic!("there is no {name}")).1
}

/// An entry of a list of tables, by name.
fn named<'a>(table: &'a Table, list: &str, name: &str) -> &'a Table {
    let mut entries = table[list]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry.as_table().unwrap());
    let found = entries.find(|entry| entry["name"].as_str() == Some(name));
    found.unwrap_or_else(|| panic!("there is no {name} among {list}"))
}
