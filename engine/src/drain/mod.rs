//! Drains: steering traffic off a target that stays healthy, as a lease that is admitted, measured
//! and given back gradually.
//!
//! ```text
//! request --> admission (services, budgets, max-flow proof) --> queue --> shifting --> drained
//!                                                            lease over, cancel |
//!               limits for the plan <-- share of each tick            refilling --> serving
//! ```
//! [`State`] draws all arrows. Everything here is a pure function of the stored drains, a [`World`]
//! and a time, so that a restart goes on from what was stored. Nothing here steers traffic:
//! [`Drains::limits`] bounds what the plan may use.
//!
//! The choice made: a drain that nobody renews ends by itself. Rejected: a drain with a deadline
//! after which force applies, because a rollout controller that died would then leave the network
//! without the capacity for good.

mod admission;
mod extent;
mod request;
mod rules;
mod state;
mod step;
mod target;
#[cfg(test)]
mod tests;
mod world;

use std::time::Duration;

use coverage::Timestamp;
use coverage::catalog::ActiveDrain;

use crate::inventory::Inventory;
use crate::limits::Limits;
use admission::Active;
use extent::Bounds;

pub use request::{ChangeError, REASON_BYTES_MAX, Request, RequestError};
pub use rules::{LEASE_MAX, LeaseError, Rules};
pub use state::{Drain, EndedBy, Event, Proof, Refusal, State, Warning, WorstSite};
pub use step::Changed;
pub use target::{NAME_BYTES_MAX, Part, ResolveError, Target, TargetError};
pub use world::{Bottleneck, Facts, Feasibility, Published, Reading, Unanswered, World};

/// Drains in force, those that wait, and the latest that ended.
///
/// ```
/// use coverage::Timestamp;
/// use engine::drain::{ChangeError, Drains, Rules};
///
/// let mut drains = Drains::new(Rules::default());
/// let unknown = drains.cancel("d1", Timestamp(0)).unwrap_err();
/// assert_eq!(unknown, ChangeError::Unknown("d1".into()));
/// assert_eq!(drains.iter().count(), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Drains {
    rules: Rules,
    /// By number, ascending.
    drains: Vec<Drain>,
    /// Number of the newest drain there ever was.
    last: u64,
    /// Time at which queue and proofs were last re-evaluated; `None` makes the next step do it.
    rechecked_at: Option<Timestamp>,
    /// Ids that were forgotten and not yet reported.
    forgotten: Vec<String>,
}

impl Drains {
    /// No drains yet.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            drains: Vec::new(),
            last: 0,
            rechecked_at: None,
            forgotten: Vec::new(),
        }
    }

    /// Goes on from stored drains, in any order; of several with one id the last counts.
    #[must_use]
    pub fn restore(stored: Vec<Drain>, rules: Rules) -> Self {
        let mut drains = Self::new(rules);
        for mut drain in stored {
            drain.planned_share = drain.planned_share.clamp(0.0, 1.0);
            drains.drains.retain(|kept| kept.id != drain.id);
            drains.drains.push(drain);
        }
        drains.drains.sort_by_key(|drain| number(&drain.id));
        drains.last = drains.drains.last().map_or(0, |drain| number(&drain.id));
        drains
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Lists the drains, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Drain> {
        self.drains.iter()
    }

    /// Finds a drain by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Drain> {
        self.drains.iter().find(|drain| drain.id == id)
    }

    /// Ids that were forgotten since the last call, to be removed from the store.
    pub fn take_forgotten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.forgotten)
    }

    /// Grants a new lease, counted from `now`; it may be shorter than what was left.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing was changed.
    pub fn renew(
        &mut self,
        id: &str,
        lease: Duration,
        now: Timestamp,
    ) -> Result<&Drain, ChangeError> {
        self.rules.check_lease(lease)?;
        let index = self.index(id)?;
        let drain = &mut self.drains[index];
        // A lease that is over is over, whether or not a step has seen it yet.
        if !drain.state.is_leased() || drain.expires_at <= now {
            return Err(ChangeError::Ended {
                id: id.to_owned(),
                state: drain.state,
            });
        }
        (drain.lease, drain.expires_at) = (lease, now.after(lease));
        drain.note(
            format!("renewed for {} s", lease.as_secs()),
            now,
            &self.rules,
        );
        Ok(drain)
    }

    /// Gives the target back. Cancelling what has ended already changes nothing.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`].
    pub fn cancel(&mut self, id: &str, now: Timestamp) -> Result<&Drain, ChangeError> {
        let index = self.index(id)?;
        let drain = &mut self.drains[index];
        if drain.state.is_leased() {
            drain.end(EndedBy::Cancelled, now, &self.rules);
            self.rechecked_at = None;
        }
        Ok(&self.drains[index])
    }

    /// Returns what the drains leave of `inventory` at `now`. Targets that it does not have bound
    /// nothing.
    #[must_use]
    pub fn limits(&self, now: Timestamp, inventory: &Inventory) -> Limits {
        let mut bounds = Bounds::default();
        for drain in self.drains.iter().filter(|drain| drain.state.is_active()) {
            let Ok(part) = drain.target.resolve(inventory) else {
                continue;
            };
            let share = drain.share_at(now, &self.rules);
            let out = drain.state != State::Refilling;
            let bound = match part {
                // A node is bounded by share; inside a group nothing can be moved by degrees.
                Part::Node(_) if out => 0.0,
                Part::Node(_) => share,
                _ if out => drain.base_mbps * share,
                _ => part.capacity_mbps(inventory) * share,
            };
            bounds.put(part, bound, out);
        }
        bounds.finish(inventory)
    }

    /// The drains that shape the map, as a catalog carries them. One whose lease is over at `now`
    /// shows as what the next step makes of it.
    #[must_use]
    pub fn active(&self, now: Timestamp) -> Vec<ActiveDrain> {
        let state = |drain: &Drain| {
            let over = drain.state.is_leased() && drain.expires_at <= now;
            if over { State::Refilling } else { drain.state }
        };
        let active = self.drains.iter().filter(|drain| drain.state.is_active());
        active
            .map(|drain| ActiveDrain {
                id: drain.id.clone(),
                target: drain.target.to_string(),
                state: state(drain).to_string(),
                reason: drain.reason.clone(),
                expires_at: drain.expires_at,
            })
            .collect()
    }

    /// All that is out.
    fn out(&self, inventory: &Inventory) -> Active {
        let mut out = Active::default();
        for drain in self.drains.iter().filter(|drain| drain.state.is_active()) {
            if let Ok(part) = drain.target.resolve(inventory)
                && out.parts.insert(part)
            {
                out.targets.push(drain.target.clone());
            }
        }
        out
    }

    /// Index of a drain.
    fn index(&self, id: &str) -> Result<usize, ChangeError> {
        let index = self.drains.iter().position(|drain| drain.id == id);
        index.ok_or_else(|| ChangeError::Unknown(id.chars().take(80).collect()))
    }

    /// Drops the oldest ended drains beyond the bound.
    fn forget(&mut self) {
        let ended = self
            .drains
            .iter()
            .filter(|drain| drain.state.is_final())
            .count();
        // The newest ended one stays in any case: ids are numbered on from what is stored.
        let mut surplus = ended.saturating_sub(self.rules.ended_max.max(1));
        let forgotten = &mut self.forgotten;
        self.drains.retain(|drain| {
            let drop = surplus > 0 && drain.state.is_final();
            if drop {
                surplus -= 1;
                forgotten.push(drain.id.clone());
            }
            !drop
        });
    }
}

/// The number in an id such as `d17`; 0 for ids that we did not make.
fn number(id: &str) -> u64 {
    id.strip_prefix('d')
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}
