//! Redirects and HTTPDNS from outside: decisions over a small world, and bytes over real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world fails"
)]

mod balance;
mod decisions;
mod httpdns;
mod properties;
mod smuggling;
mod sockets;
mod speed;
mod world;
