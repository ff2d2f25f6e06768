//! JSON lines -> observations. Refused line by line; the good ones are kept.

use crate::line::TelemetryLine;
use crate::resolve::{Reason, Resolver, cut};
use coverage::observation::{Directory, Observation};
use coverage::{AreaTable, Timestamp};
use serde::Deserialize;
use serde_json::error::Category;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// Limits of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest line, in bytes.
    pub line_bytes_max: usize,
    /// Most lines that are read; empty lines count.
    pub lines_max: usize,
    /// Most refusals that are listed one by one; all are counted.
    pub listed_max: usize,
    /// Oldest sample that is taken, against the time of arrival.
    pub behind_max: Duration,
    /// The same for samples of links: bills are made of them, and may count them for longer than
    /// they are news.
    pub link_behind_max: Duration,
    /// Lead that a sender's clock may have.
    pub ahead_max: Duration,
}

impl Default for Limits {
    /// A line is a few hundred bytes at most; a matrix of 250 areas x 400 links fits one batch; ten
    /// minutes is the age at which samples are stale anyway.
    fn default() -> Self {
        Self {
            line_bytes_max: 4096,
            lines_max: 100_000,
            listed_max: 100,
            behind_max: Duration::from_secs(600),
            link_behind_max: Duration::from_secs(600),
            ahead_max: Duration::from_secs(60),
        }
    }
}

/// One refused line.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Line number in the batch, from 1.
    pub line: usize,
    /// Reason.
    pub reason: Reason,
}

/// Outcome of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The good lines, in their order.
    pub accepted: Vec<Observation>,
    /// The first refused lines, at most [`Limits::listed_max`].
    pub refused: Vec<Refused>,
    /// All refused lines, by label of the reason.
    pub refused_by_label: BTreeMap<&'static str, u64>,
}

impl Batch {
    /// Number of lines that were refused.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused_by_label.values().sum()
    }

    fn refuse(&mut self, line: usize, reason: Reason, listed_max: usize) {
        *self.refused_by_label.entry(reason.label()).or_insert(0) += 1;
        if self.refused.len() < listed_max {
            self.refused.push(Refused { line, reason });
        }
    }
}

/// Decodes a batch of JSON lines that arrived at `now`. Total for any bytes: what is not good is
/// refused with its line number. Empty lines are skipped. O(bytes x log names).
#[must_use]
pub fn decode_batch(
    bytes: &[u8],
    directory: &Directory,
    table: &AreaTable,
    now: Timestamp,
    limits: &Limits,
) -> Batch {
    let resolver = Resolver::new(directory, table, now, limits);
    let mut batch = Batch::default();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let decoded = if index >= limits.lines_max {
            Err(Reason::TooManyLines {
                max: limits.lines_max,
            })
        } else if line.len() > limits.line_bytes_max {
            Err(Reason::LineTooLong {
                bytes: line.len(),
                max: limits.line_bytes_max,
            })
        } else {
            parse(line).and_then(|line| resolver.observation(&line))
        };
        match decoded {
            Ok(observation) => batch.accepted.push(observation),
            Err(reason) => batch.refuse(index + 1, reason, limits.listed_max),
        }
    }
    batch
}

/// Parses one line; on failure finds out what is wrong with it.
pub(crate) fn parse(line: &[u8]) -> Result<TelemetryLine<'_>, Reason> {
    serde_json::from_slice(line).map_err(|error| diagnose(line, &error))
}

/// The kind alone, read again from a line that failed.
#[derive(Deserialize)]
struct KindOnly<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
}

fn diagnose(line: &[u8], error: &serde_json::Error) -> Reason {
    if error.classify() != Category::Data {
        // Invalid UTF-8 and numbers beyond f64 are syntax errors, too.
        return Reason::NotJson(cut(&error.to_string()));
    }
    let kind = serde_json::from_slice::<KindOnly<'_>>(line)
        .ok()
        .and_then(|read| read.kind);
    match kind.as_deref() {
        Some("quality" | "node" | "group" | "link" | "check" | "demand") => {
            Reason::Keys(without_position(error))
        }
        Some(other) => Reason::Kind(cut(other)),
        None => Reason::Keys("`kind` is missing, or the line is no object".to_owned()),
    }
}

/// The message without `at line 1 column 0`: the decoder says the line, and columns are lost in
/// tagged records.
fn without_position(error: &serde_json::Error) -> String {
    const BYTES_MAX: usize = 160;
    let text = error.to_string();
    let message = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(message, _)| message);
    message.chars().take(BYTES_MAX).collect()
}

#[cfg(test)]
mod tests;
