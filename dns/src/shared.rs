//! State and habits that UDP workers and TCP connections share.

use crate::config::DnsConfig;
use crate::counters::{Counters, Event, Tally};
use arc_swap::ArcSwap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// State that workers and connections share.
pub(crate) struct Shared<S> {
    pub(crate) view: Arc<ArcSwap<S>>,
    pub(crate) config: DnsConfig,
    pub(crate) counters: Arc<Counters>,
    /// The shard of [`Counters`] that TCP writes to.
    pub(crate) tcp_shard: usize,
    /// Tells UDP workers to stop.
    pub(crate) stop: Arc<AtomicBool>,
}

impl<S> Shared<S> {
    /// Seconds since 1970, the low 32 bits.
    pub(crate) fn now_s(&self) -> u32 {
        // Only cookies look at the time, and their stamps wrap around (RFC 9018 section 4.3).
        if self.config.reply.cookies.is_none() {
            return 0;
        }
        let now_s = (self.config.clock)().0 / 1000;
        u32::try_from(now_s & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// Counts one event of the TCP side.
    pub(crate) fn count_tcp(&self, event: Event) {
        let mut tally = Tally::default();
        tally.count(event);
        self.counters.add(self.tcp_shard, &tally);
    }
}

/// Answers one message; a panic costs that message and nothing else. The view is immutable and the
/// buffers are written anew for every message, so nothing half-done is ever seen again.
pub(crate) fn guarded<T>(
    tally: &mut Tally,
    answer: impl FnOnce(&mut Tally) -> Option<T>,
) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(|| answer(&mut *tally)));
    result.unwrap_or_else(|_| {
        tally.count(Event::Panicked);
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_costs_one_message() {
        let mut tally = Tally::default();
        assert_eq!(guarded::<usize>(&mut tally, |_| panic!("on purpose")), None);
        assert_eq!(guarded(&mut tally, |_| Some(12)), Some(12));
        assert_eq!(tally.get(Event::Panicked), 1);
    }
}
