//! Promises of the DNS crate, seen from outside: bytes in, bytes out, and real sockets.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails, here as in any test function.

mod conformance;
mod corpus;
mod differential;
mod ecs;
mod fuzz;
mod honesty;
mod hostile;
mod lengths;
mod message;
mod oracle;
mod random;
mod reencode;
mod reread;
mod sockets;
mod speed;
mod swaps;
mod view;
mod world;
