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
