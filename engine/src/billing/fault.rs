//! Refusals of billing, and where they are counted.

use coverage::Timestamp;
use std::collections::VecDeque;

/// Most refused samples remembered in words.
const RECENT_MAX: usize = 16;

/// Reason why a sample does not count. Everything else goes on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SampleFault {
    /// No number, infinite, or negative.
    #[error("sample of {name} at {} ms: {mbps} is no traffic; send a finite number of Mbps, 0 or more", at.0)]
    NotTraffic {
        /// Link or contract.
        name: String,
        /// Value that was sent.
        mbps: f64,
        /// Time.
        at: Timestamp,
    },
    /// Slot is closed for good.
    #[error("sample of {name} at {} ms: comes too late at {} ms, its slot is closed; check the sender's clock and delay", at.0, now.0)]
    Late {
        /// Link.
        name: String,
        /// Time.
        at: Timestamp,
        /// The time it was counted at.
        now: Timestamp,
    },
    /// From the future.
    #[error("sample of {name} at {} ms: lies ahead of the clock, {} ms; set the sender's clock", at.0, now.0)]
    Ahead {
        /// Link.
        name: String,
        /// Time.
        at: Timestamp,
        /// The time it was counted at.
        now: Timestamp,
    },
    /// No such link.
    #[error("sample of link number {link}: there is no such link")]
    UnknownLink {
        /// Index that was given.
        link: usize,
    },
    /// No such contract.
    #[error("stored sample of contract number {contract}: there is no such contract")]
    UnknownContract {
        /// Index that was given.
        contract: usize,
    },
}

/// Samples refused since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    /// No traffic, or of nothing known.
    pub malformed: u64,
    /// Too late for their slot.
    pub late: u64,
    /// Ahead of the clock.
    pub ahead: u64,
    /// The latest of them, oldest first, at most 16.
    pub recent: VecDeque<SampleFault>,
}

impl Refused {
    /// Counts them by reason.
    #[must_use]
    pub const fn by_reason(&self) -> [(&'static str, u64); 3] {
        [
            ("malformed", self.malformed),
            ("late", self.late),
            ("ahead", self.ahead),
        ]
    }

    pub(super) fn add(&mut self, fault: SampleFault) {
        match fault {
            SampleFault::Late { .. } => self.late += 1,
            SampleFault::Ahead { .. } => self.ahead += 1,
            SampleFault::NotTraffic { .. }
            | SampleFault::UnknownLink { .. }
            | SampleFault::UnknownContract { .. } => self.malformed += 1,
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(fault);
    }
}
