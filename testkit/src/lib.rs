//! Kit that tests of several crates share: random draws, DNS and HTTP clients, databases of places.
//!
//! Crates name it among their dev-dependencies only; `tests/it/tidy.rs` holds them to it. It
//! depends on none of them, so that what it says of them is a second opinion.
//!
//! ```
//! use testkit::Random;
//!
//! let draws = |seed| -> Vec<u64> {
//!     let mut random = Random::new(seed);
//!     (0..3).map(|_| random.bits()).collect()
//! };
//! assert_eq!(draws(7), draws(7));
//! assert_ne!(draws(7), draws(8));
//! ```

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

pub mod dns;
pub mod http;
pub mod mmdb;
mod prefix;
mod random;

pub use prefix::Prefix;
pub use random::Random;

use std::time::Duration;

/// Time that anything may take to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);
