//! News between two ticks, and the clock that they are noted under.

use crate::policy::CheckStates;
use coverage::{LinkId, Timestamp};
use std::time::Duration;

/// Time that something may be noted ahead of the clock: as far as clocks of senders are borne with.
const AHEAD_MAX: Duration = Duration::from_mins(1);

/// News between two ticks, and the states that tell what is news.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// States of the checks of static services.
    pub(super) checks: CheckStates,
    /// `[link]`: true when its newest sample was above its watermark.
    full_links: Vec<bool>,
    /// True when something was told since the last tick that should not wait for the next.
    pub(super) urgent: bool,
}

impl Watch {
    /// No news of so many links.
    pub(super) fn new(links: usize) -> Self {
        Self {
            full_links: vec![false; links],
            ..Self::default()
        }
    }

    /// Begins a tick, which looks at all news.
    pub(super) const fn clear(&mut self) {
        self.urgent = false;
    }

    /// Notes whether a link is full. Returns whether it became so.
    pub(super) fn note_link(&mut self, link: LinkId, full: bool) -> bool {
        let before = std::mem::replace(&mut self.full_links[link.index()], full);
        full && !before
    }
}

/// Times that something was noted with, against a clock that may have been ahead.
#[derive(Debug)]
pub(super) struct Clock {
    /// Latest time that anything was noted with.
    noted_until: Timestamp,
    /// Time of the first tick.
    pub(super) awake_since: Option<Timestamp>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            // What was stored may be of any time.
            noted_until: Timestamp(u64::MAX),
            awake_since: None,
        }
    }
}

impl Clock {
    /// Notes that something is of `at`.
    pub(super) fn note(&mut self, at: Timestamp) {
        self.noted_until = self.noted_until.max(at);
    }

    /// Goes on to a tick at `now`. Returns whether something was noted under a clock that was ahead
    /// and is to be brought back to `now`.
    pub(super) fn follow(&mut self, now: Timestamp) -> bool {
        self.awake_since.get_or_insert(now);
        let was_ahead = self.noted_until > now.after(AHEAD_MAX);
        if was_ahead {
            self.noted_until = now;
        }
        self.note(now);
        was_ahead
    }
}
