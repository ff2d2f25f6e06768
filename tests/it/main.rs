//! Integration tests: real processes, real sockets on ephemeral ports, small worlds.

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod crash;
mod faults;
mod harness;
mod policies;
mod serving;
mod tidy;
