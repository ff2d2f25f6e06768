//! Content of one source: ranges with the attributes it knows, later ranges over earlier ones.

use coverage::area::{AreaAttrs, AreaTable, AreaTableBuilder};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Refused records whose reasons are kept word by word.
const REASONS_MAX: usize = 20;

/// A record that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Line, or byte offset in a binary file.
    pub at: usize,
    /// Reason.
    pub why: String,
}

/// Reason why a source cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The bytes are not of this format.
    #[error("not {format}: {why}")]
    Format {
        /// Expected format.
        format: &'static str,
        /// Fault.
        why: String,
    },
    /// Nothing in it could be used.
    #[error("no usable record; first refused: {0}")]
    Empty(String),
    /// Ranges do not fit a table.
    #[error(transparent)]
    Build(#[from] coverage::area::AreaBuildError),
}

/// Place where a source counts, by the country that the layers below it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere that it covers: it overrides the country, too.
    Everywhere,
    /// Place where the layers below found the same country or none.
    SameCountryOrNone,
    /// Only where the layers below found the same country: it refines and never claims.
    SameCountry,
}

/// A source that was read: its own table, and what was left out.
#[derive(Debug)]
pub struct Source {
    pub(crate) table: AreaTable,
    pub(crate) reach: Reach,
    /// Records taken.
    pub taken: usize,
    /// Records left out.
    pub refused: usize,
    /// The first of them, with reasons.
    pub reasons: Vec<Refused>,
}

impl Source {
    /// The same source with another reach.
    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }
}

/// Text from a source as part of an area's name: lower-case, words joined by `-`, without the `/`
/// that parts names.
pub(crate) fn name_part(text: &str) -> String {
    let words = text.split(|char: char| char.is_whitespace() || char == '/');
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

/// Collects the records of one source.
#[derive(Default)]
pub(crate) struct SourceBuilder {
    builder: AreaTableBuilder,
    taken: usize,
    refused: usize,
    reasons: Vec<Refused>,
}

impl SourceBuilder {
    /// Takes a range of addresses of one family, both ends included.
    pub(crate) fn take(&mut self, at: usize, first: IpAddr, last: IpAddr, attrs: &AreaAttrs) {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
                self.builder
                    .add_v4(u32::from(first), u32::from(last), attrs);
            }
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
                self.builder.add_v6(upper(first), upper(last), attrs);
            }
            _ => return self.refuse(at, format!("{first} to {last} is no range")),
        }
        self.taken += 1;
    }

    /// Takes a prefix.
    pub(crate) fn take_prefix(&mut self, at: usize, addr: IpAddr, len: u8, attrs: &AreaAttrs) {
        match (addr, len) {
            (IpAddr::V4(addr), 0..=32) => {
                let host = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
                let first = u32::from(addr) & !host;
                self.take(
                    at,
                    Ipv4Addr::from(first).into(),
                    Ipv4Addr::from(first | host).into(),
                    attrs,
                );
            }
            (IpAddr::V6(addr), 0..=128) => {
                let host = u128::MAX.checked_shr(u32::from(len)).unwrap_or(0);
                let first = u128::from(addr) & !host;
                self.take(
                    at,
                    Ipv6Addr::from(first).into(),
                    Ipv6Addr::from(first | host).into(),
                    attrs,
                );
            }
            _ => self.refuse(at, format!("{addr}/{len} is no prefix")),
        }
    }

    /// Leaves a record out.
    pub(crate) fn refuse(&mut self, at: usize, why: impl Into<String>) {
        self.refused += 1;
        if self.reasons.len() < REASONS_MAX {
            self.reasons.push(Refused {
                at,
                why: why.into(),
            });
        }
    }

    /// The source, if anything in it could be used.
    pub(crate) fn finish(self) -> Result<Source, SourceError> {
        if self.taken == 0 {
            let first = self
                .reasons
                .first()
                .map_or_else(|| "the file is empty".to_owned(), |first| first.why.clone());
            return Err(SourceError::Empty(first));
        }
        let Self {
            builder,
            taken,
            refused,
            reasons,
        } = self;
        Ok(Source {
            table: builder.finish()?,
            reach: Reach::Everywhere,
            taken,
            refused,
            reasons,
        })
    }
}

/// The upper 64 bits of an IPv6 address.
fn upper(addr: Ipv6Addr) -> u64 {
    (u128::from(addr) >> 64) as u64
}
