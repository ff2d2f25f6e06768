//! The translation as files.

mod config;
mod policies;
mod report;
mod toml;

pub(crate) use config::{Head, config};
pub(crate) use policies::policies;
pub(crate) use report::report;
