//! Watershed: the daemon, its control API and its command line.
//!
//! ```text
//!   main -> args -> commands: run | control | edge -> wiring: config, store, control (actor), serving, dns, redirect, api
//!                             everything else      -> client of a running daemon, or the engine on files
//! ```
//! Clocks, files, random bytes and listeners are made here and nowhere else.

pub mod api;
pub mod areas;
pub mod args;
pub mod client;
pub mod clock;
pub mod commands;
pub mod config;
pub mod control;
pub mod edge;
pub mod keys;
mod memory;
pub mod metrics;
pub mod serving;
pub mod store;
pub mod wiring;
