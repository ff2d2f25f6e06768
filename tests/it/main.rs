//! Integration tests: real processes, real sockets on ephemeral ports, small worlds.

mod crash;
mod faults;
mod harness;
mod serving;
mod tidy;
