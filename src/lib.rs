//! Watershed: the daemon, its control API, and the client of that.
//!
//! ```text
//!   wiring: config, keys, store, control (actor), serving, dns, redirect, api
//!   client: control API of a running daemon
//! ```
//! The command line is the binary's own: `main.rs` with `args` and `commands`. So this library
//! links neither the simulator nor anything else that only a command needs.
//!
//! Clocks, files, random bytes and listeners are made here and nowhere else.

pub mod api;
pub mod areas;
pub mod client;
pub mod clock;
pub mod config;
mod control;
mod edge;
pub mod keys;
mod memory;
mod metrics;
pub mod serving;
mod store;
pub mod wiring;
