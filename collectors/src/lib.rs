//! Telemetry in: bytes become observations, line by line.
//!
//! ```text
//!   JSON lines --decode--> Vec<Observation> --> the control plane's queue
//!                 `--> Refused { line, reason }, counted by label
//!   addresses  --probe---> Observation, when a check changes its mind
//! ```
//!
//! Decoding is pure: directory, area table, time and limits are arguments, and a bad line never
//! costs a good one; whoever owns the listener or the file hands in the bytes. Only [`probe`] asks
//! by itself.
//!
//! The choice made: each line is one record, so that a sender may stop anywhere and a reader may
//! skip anything. Rejected: one JSON array per batch, because a single fault in it would lose the
//! whole batch.

pub mod decode;
mod line;
pub mod probe;
mod resolve;

pub use decode::{Batch, Limits, Refused, decode_batch};
pub use line::{EncodeError, TelemetryLine, encode_line};
pub use resolve::{LOAD_MAX, MBPS_MAX, RTT_MS_MAX, Reason};
