//! Faults of a configuration: all of them, each with file and line.

use serde::Serialize;
use std::fmt;
use std::rc::Rc;

/// File and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) file: Rc<str>,
    /// From 1.
    pub(super) line: usize,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// File, as it was named; `--set` for the command line.
    pub file: String,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// Path of the key, such as `sites[3].links[0].capacity-mbps`; empty for faults of syntax.
    pub path: String,
    /// Fault in words, and advice on what to do.
    pub message: String,
}

impl Fault {
    pub(super) fn new(origin: &Origin, path: &str, message: impl Into<String>) -> Self {
        Self {
            file: origin.file.to_string(),
            line: origin.line,
            path: path.to_owned(),
            message: message.into(),
        }
    }

    /// Orders by file, line and key.
    pub(super) fn by_place(&self, other: &Self) -> std::cmp::Ordering {
        (&self.file, self.line, &self.path).cmp(&(&other.file, other.line, &other.path))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            path,
            message,
        } = self;
        write!(out, "{file}:")?;
        if *line > 0 {
            write!(out, "{line}:")?;
        }
        if !path.is_empty() {
            write!(out, " {path}:")?;
        }
        write!(out, " {message}")
    }
}

/// All faults of a configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// By file and line.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(out, "{fault}")?;
        }
        let count = self.faults.len();
        write!(
            out,
            "{count} fault{}; nothing was loaded",
            if count == 1 { "" } else { "s" }
        )
    }
}

impl std::error::Error for Faults {}
