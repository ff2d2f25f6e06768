//! Authoritative DNS over one snapshot.
//!
//! ```text
//!   respond: bytes --wire--> question, EDNS --client--> address --answer(view)--> Answer
//!            --encode--> bytes
//!   UDP: one pinned thread and socket per worker, batched system calls
//!   TCP: tokio tasks, own framing
//! ```
//!
//! [`respond`] is pure: bytes and a [`DnsView`] in, bytes out, no clock, no allocation, no lock.
//! Transports stand around it and load the view once per batch, so that everything in a reply comes
//! from one snapshot.
//!
//! The choice made: own framing for TCP and own sockets for UDP. Rejected: a general DNS server
//! library in front, which answers a malformed Client Subnet option with a bare header instead of
//! FORMERR with question and OPT, and spends far more on each question than answering it takes.
//!
//! Deliberately absent: recursion, zone transfer, dynamic update, and anything that waits.

mod answer;
mod arrival;
mod client;
mod config;
mod cookie;
mod counters;
mod edns;
mod encode;
mod fast;
mod fault;
mod name;
mod names;
mod prepared;
mod respond;
mod server;
mod shared;
mod sys;
mod tcp;
mod udp;
mod view;
mod wire;
mod zone;

pub use answer::{Addresses, Answer, CHAIN_MAX, Chain, Outcome, Tailored, answer};
pub use arrival::{Arrival, Transport};
pub use client::Client;
pub use config::{DnsConfig, EcsBits, EcsPolicy, NSID_BYTES_MAX, ReplyConfig, TcpConfig};
pub use cookie::{CookiePolicy, CookieSecrets};
pub use counters::{Counters, Event, Tally};
pub use edns::Ecs;
pub use fault::ViewError;
pub use name::NameBuf;
pub use names::RrSet;
pub use respond::{respond, respond_completely, respond_fast};
pub use server::{BindError, DnsServer};
pub use view::DnsView;
pub use wire::Question;
