//! Telemetry in: bytes become observations, line by line.
//!
//! ```text
//!   JSON lines --decode--> Vec<Observation> --queue (bounded)--> the engine's tick
//!                 `--> Refused { line, reason }, counted by label
//! ```
//!
//! Decoding is pure: directory, area table, time and limits are arguments, and a bad line never costs a good one. There are
//! no sockets and no clock here; whoever owns the listener or the file hands in the bytes.
//!
//! The choice made: each line is one record, so that a sender may stop anywhere and a reader may skip anything. Rejected: one
//! JSON array per batch, because a single fault in it would lose the whole batch.

pub mod decode;
mod line;
pub mod queue;
pub mod replay;
mod resolve;

pub use decode::{Batch, Limits, Refused, decode_batch};
pub use line::{EncodeError, TelemetryLine, encode_line};
pub use queue::ObservationQueue;
pub use replay::Replay;
pub use resolve::{LOAD_MAX, MBPS_MAX, RTT_MS_MAX, Reason};
