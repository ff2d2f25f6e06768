//! Counters: what was answered, by outcome. Each worker tallies a batch in plain integers and adds
//! it to its own cache lines when the batch is done, so that counting costs serving next to nothing
//! and workers never share a line.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Answered with records.
    Records,
    /// Name without that type.
    NoData,
    /// No such name.
    NxDomain,
    /// Delegated away.
    Referral,
    /// Not ours or not offered.
    Refused,
    /// Not understood.
    FormErr,
    /// Unknown opcode.
    NotImp,
    /// Unknown EDNS version.
    BadVers,
    /// Server cookie missing or wrong.
    BadCookie,
    /// Not answered, because no answer is allowed.
    Silent,
    /// Came with a Client Subnet option that counted.
    Ecs,
    /// Sent with TC.
    Truncated,
    /// Came over TCP.
    Tcp,
    /// Answering panicked; the message was dropped.
    Panicked,
    /// A reply that the system would not send.
    Unsent,
    /// Receiving failed.
    ReceiveFailed,
    /// A TCP connection closed at once, because there were too many.
    ConnectionRefused,
}

impl Event {
    /// All events, in the order of their values.
    pub const ALL: [Self; 17] = [
        Self::Records,
        Self::NoData,
        Self::NxDomain,
        Self::Referral,
        Self::Refused,
        Self::FormErr,
        Self::NotImp,
        Self::BadVers,
        Self::BadCookie,
        Self::Silent,
        Self::Ecs,
        Self::Truncated,
        Self::Tcp,
        Self::Panicked,
        Self::Unsent,
        Self::ReceiveFailed,
        Self::ConnectionRefused,
    ];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::NoData => "nodata",
            Self::NxDomain => "nxdomain",
            Self::Referral => "referral",
            Self::Refused => "refused",
            Self::FormErr => "formerr",
            Self::NotImp => "notimp",
            Self::BadVers => "badvers",
            Self::BadCookie => "badcookie",
            Self::Silent => "silent",
            Self::Ecs => "ecs",
            Self::Truncated => "truncated",
            Self::Tcp => "tcp",
            Self::Panicked => "panicked",
            Self::Unsent => "unsent",
            Self::ReceiveFailed => "receive_failed",
            Self::ConnectionRefused => "connection_refused",
        }
    }
}

/// Counts of one batch, or totals at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; Event::ALL.len()],
}

impl Tally {
    /// Counts one event.
    pub const fn count(&mut self, event: Event) {
        self.counts[event as usize] += 1;
    }

    /// Number of times that an event was counted.
    #[must_use]
    pub const fn get(&self, event: Event) -> u64 {
        self.counts[event as usize]
    }

    /// All events with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Event, u64)> {
        Event::ALL.into_iter().map(|event| (event, self.get(event)))
    }
}

/// One worker's totals, on cache lines of their own (two, because processors fetch them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    counts: [AtomicU64; Event::ALL.len()],
}

/// The totals of all workers.
#[derive(Debug)]
pub struct Counters {
    shards: Box<[Shard]>,
}

impl Counters {
    /// Zeros for this many writers, at least one.
    #[must_use]
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| Shard::default()).collect(),
        }
    }

    /// Adds a tally to a shard.
    pub(crate) fn add(&self, shard: usize, tally: &Tally) {
        let shard = &self.shards[shard % self.shards.len()];
        for (total, &count) in shard.counts.iter().zip(&tally.counts) {
            if count > 0 {
                // Relaxed: a total orders nothing else.
                total.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// The totals at this moment, over all workers.
    #[must_use]
    pub fn snapshot(&self) -> Tally {
        let mut sum = Tally::default();
        for shard in &self.shards {
            for (sum, total) in sum.counts.iter_mut().zip(&shard.counts) {
                *sum += total.load(Ordering::Relaxed);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stand_at_their_values_and_add_up() {
        let counters = Counters::new(2);
        for (index, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, index);
            let mut tally = Tally::default();
            tally.count(event);
            counters.add(0, &tally);
            counters.add(1, &tally);
        }
        assert!(counters.snapshot().iter().all(|(_, count)| count == 2));
    }
}
