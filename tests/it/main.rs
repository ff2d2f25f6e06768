//! Integration tests: real processes, real sockets on ephemeral ports, small worlds.

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod areas;
mod command_line;
mod crash;
mod faults;
mod gates;
mod harness;
mod policies;
mod replay;
mod serving;
mod tidy;

// Databases are written by the same code as for the proof of equality, which needs more of it.
#[allow(dead_code)]
#[path = "../gdnsd/mmdb.rs"]
mod mmdb;
#[allow(dead_code)]
#[path = "../gdnsd/prefix.rs"]
mod prefix;
#[allow(dead_code)]
#[path = "../gdnsd/random.rs"]
mod random;
