//! Observations as the engine takes them in, and what of them should not wait for the next tick.

use super::Engine;
use crate::billing::SlotSample;
use crate::estimate::Estimates;
use crate::policy::CheckStates;
use coverage::observation::{Observation, Sample};
use coverage::{LinkId, Timestamp};
use std::time::Duration;

/// How far ahead of the clock something may be noted: as far as clocks of senders are borne with.
const AHEAD_MAX: Duration = Duration::from_mins(1);

/// News between two ticks, and the states that tell what is news.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// States of the checks of static services.
    pub(super) checks: CheckStates,
    /// `[link]`: true when its newest sample was above its watermark.
    full_links: Vec<bool>,
    /// True when something was told since the last tick that should not wait for the next.
    urgent: bool,
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
    fn note_link(&mut self, link: LinkId, full: bool) -> bool {
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
    fn follow(&mut self, now: Timestamp) -> bool {
        self.awake_since.get_or_insert(now);
        let was_ahead = self.noted_until > now.after(AHEAD_MAX);
        if was_ahead {
            self.noted_until = now;
        }
        self.note(now);
        was_ahead
    }
}

impl Engine {
    /// Folds observations in. Returns billing slots that they closed, to be stored.
    pub fn observe(&mut self, observations: &[Observation]) -> Vec<SlotSample> {
        let mut closed = Vec::new();
        let newest = observations.iter().map(|observation| observation.at).max();
        self.clock.note(newest.unwrap_or_default());
        // What links carry comes first: it tells which quality was measured through a full one.
        let (traffic, quality): (Vec<_>, Vec<_>) = observations
            .iter()
            .partition(|observation| !matches!(observation.sample, Sample::Quality { .. }));
        for observation in traffic.into_iter().chain(quality) {
            self.watch.urgent |= self.take_in(observation);
            if let Sample::Link { link, mbps } = observation.sample {
                // What is refused is counted by the ledger; the good ones go on.
                let counted = self
                    .contracts
                    .count(&self.inventory, (link, mbps), observation.at);
                closed.extend(counted.unwrap_or_default());
            }
        }
        closed
    }

    /// Folds one observation in. Returns whether it tells something that should not wait.
    fn take_in(&mut self, observation: &Observation) -> bool {
        match observation.sample {
            Sample::Node { node, .. } => {
                let is_up = |estimates: &Estimates| estimates.health(node).up;
                let before = is_up(&self.estimates);
                self.estimates.apply(observation);
                before != is_up(&self.estimates)
            }
            Sample::Link { link, .. } => {
                // The ledger takes samples for long. What is stale when it comes is no news: a link
                // that nothing else is known of stays unknown, and counts as silent no sooner than
                // if it had said nothing.
                let age = self.contracts.ledger().age(observation.at);
                if self.estimates.link(link).is_none() && age > self.options.estimate.stale_after {
                    return false;
                }
                self.estimates.apply(observation);
                let full = self.estimates.is_full(link, observation.at);
                self.watch.note_link(link, full)
            }
            Sample::Check { check, address, up } => {
                self.watch.checks.set(check.index(), address, up)
            }
            _ => {
                self.estimates.apply(observation);
                false
            }
        }
    }

    /// Tells whether the next tick should not be waited for: a check changed its mind, a node went
    /// down or came back, a link became full.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        self.watch.urgent
    }

    /// Goes on to a tick at `now`.
    ///
    /// What was noted under a clock that was ahead is brought back. It would count as new until the
    /// clock is there again: measurements would be taken for late ones, and what gates hold would be
    /// held.
    pub(super) fn follow_clock(&mut self, now: Timestamp) {
        if self.clock.follow(now) {
            self.in_force.holds_as_of = self.in_force.holds_as_of.min(now);
            self.estimates.not_after(now);
            self.gates.not_after(now);
        }
    }
}
