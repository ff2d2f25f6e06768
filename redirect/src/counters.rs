//! Counters: what happened, by event, and requests by service. Each worker counts on cache lines of
//! its own.

use crate::slots::SLOTS;
use crate::view::HttpView;
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares events with their names in metrics, so that the list, the names and the count cannot
/// drift apart.
macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal,)*) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event { $($(#[$doc])* $event,)* }

        impl Event {
            /// All events, in the order of their values.
            pub const ALL: &'static [Self] = &[$(Self::$event,)*];

            /// The name in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name,)* }
            }
        }
    };
}

events! {
    /// 302.
    Redirect = "redirect",
    /// 302 to a runner-up, because the picked endpoint had no serving node. Counted beside
    /// [`Event::Redirect`].
    RunnerUp = "runner_up",
    /// 302 to a node that does not serve, because none did. Counted beside [`Event::Redirect`].
    FailedOpen = "failed_open",
    /// 302 to another node than the object's own, which was too busy. Counted beside
    /// [`Event::Redirect`].
    Spilled = "spilled",
    /// An HTTPDNS answer.
    HttpDns = "httpdns",
    /// A health probe.
    Health = "health",
    /// 400.
    BadRequest = "bad_request",
    /// 403.
    Forbidden = "forbidden",
    /// 404.
    NotFound = "not_found",
    /// 405.
    MethodNotAllowed = "method_not_allowed",
    /// 414.
    TargetTooLong = "target_too_long",
    /// 421.
    NotOurHost = "not_our_host",
    /// 503.
    Unavailable = "unavailable",
    /// A connection that ended with bytes which are no HTTP.
    Malformed = "malformed",
    /// A connection that was closed for being slow or silent.
    TimedOut = "timed_out",
    /// A connection that was closed at once, because there were too many.
    ConnectionRefused = "connection_refused",
    /// A connection that was taken.
    Connection = "connection",
    /// The system would not hand out a connection.
    AcceptFailed = "accept_failed",
}

/// One worker's counts. Two cache lines apart from the next one's, because processors fetch lines
/// in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shard([AtomicU64; Event::ALL.len()]);

/// The totals of a server.
#[derive(Debug)]
pub struct Counters {
    shards: Box<[Shard]>,
    /// By the slot of the service.
    services: Box<[AtomicU64]>,
}

impl Counters {
    /// All zero, for a number of workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let zero = |_| AtomicU64::new(0);
        let shard = |_| Shard(std::array::from_fn(zero));
        Self {
            shards: (0..workers.max(1)).map(shard).collect(),
            services: (0..SLOTS).map(zero).collect(),
        }
    }

    /// Counts an event of a worker.
    pub(crate) fn count(&self, worker: usize, event: Event) {
        let shard = &self.shards[worker % self.shards.len()];
        shard.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request of a service.
    pub(crate) fn count_service(&self, slot: usize) {
        self.services[slot % SLOTS].fetch_add(1, Ordering::Relaxed);
    }

    /// Number of times that an event happened, over all workers.
    #[must_use]
    pub fn get(&self, event: Event) -> u64 {
        let counts = self
            .shards
            .iter()
            .map(|shard| shard.0[event as usize].load(Ordering::Relaxed));
        counts.sum()
    }

    /// Requests that were answered for each service of a view: redirects and HTTPDNS together.
    pub fn services<'v>(&self, view: &'v HttpView) -> impl Iterator<Item = (&'v str, u64)> {
        let names = view.snapshot.catalog.services.iter();
        let count = |slot: usize| self.services[slot % SLOTS].load(Ordering::Relaxed);
        names
            .zip(&view.services)
            .map(move |(service, facts)| (&*service.name, count(facts.slot)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stand_at_their_values_and_add_up() {
        let counters = Counters::new(2);
        for (index, event) in Event::ALL.iter().enumerate() {
            assert_eq!(*event as usize, index);
            counters.count(0, *event);
            counters.count(1, *event);
            assert_eq!(counters.get(*event), 2, "{}", event.name());
        }
    }
}
