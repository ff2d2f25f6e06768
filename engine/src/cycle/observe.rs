//! Observations as the engine takes them in, and what of them should not wait for the next tick.

use super::Engine;
use crate::billing::SlotSample;
use crate::estimate::Estimates;
use coverage::Timestamp;
use coverage::observation::{Observation, Sample};

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
    /// clock is there again: measurements would be taken for late ones, and what gates hold would
    /// be held.
    pub(super) fn follow_clock(&mut self, now: Timestamp) {
        if self.clock.follow(now) {
            self.in_force.holds_as_of = self.in_force.holds_as_of.min(now);
            self.estimates.not_after(now);
            self.gates.not_after(now);
        }
    }
}
