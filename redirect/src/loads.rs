//! Loads of nodes: what consistent hashing with bounded loads looks at.
//!
//! Mirrokni, Thorup and Zadimoghaddam (2018): walking clockwise from an object's place, the first
//! node whose load is below `c` times the mean takes the request. An object stays on its node while
//! that node is not busier than its neighbours; what is too hot for one node flows on to the next
//! ones, always the same.

use crate::slots::SLOTS;
use crate::view::{Member, Roster};
use std::sync::atomic::{AtomicU32, Ordering};

/// `c` as a fraction: a node takes at most five quarters of the mean of its group.
const BOUND: (u64, u64) = (5, 4);
/// A node with fewer requests in the window is never too busy. Without it, the first requests of a
/// quiet group would be dealt out one to each node, and every cache would fetch every object.
const LOAD_FLOOR: u32 = 32;

/// Requests sent to each node within the window, for all workers of a process. Reading and counting
/// take no lock; with `t` threads counting at once a node can pass its bound by at most `t - 1`.
#[derive(Debug)]
pub struct NodeLoads {
    counts: Box<[AtomicU32]>,
}

/// Node that a request was placed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'v> {
    /// The node.
    pub(crate) member: &'v Member,
    /// True when the object's own node was too busy.
    pub(crate) spilled: bool,
}

impl NodeLoads {
    /// No load anywhere.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counts: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Chooses a node for an object and counts the request; `None` when there is no node at all.
    /// O(log points) when the object's own node is not too busy, never more than O(points).
    pub(crate) fn place<'v>(&self, roster: &'v Roster, key: u64) -> Option<Placed<'v>> {
        let total = self
            .count(roster.group_slot)
            .fetch_add(1, Ordering::Relaxed);
        let bound = bound(total.saturating_add(1), roster.members.len());
        let load = |member: &Member| self.count(member.slot).load(Ordering::Relaxed);
        let mut walked = roster
            .ring
            .walk(key)
            .filter_map(|index| roster.members.get(index));
        let home = walked.next()?;
        let chosen = if load(home) < bound {
            home
        } else {
            // The mean is below the bound, so somebody is, unless others count at this very moment.
            walked.find(|member| load(member) < bound).unwrap_or(home)
        };
        self.count(chosen.slot).fetch_add(1, Ordering::Relaxed);
        Some(Placed {
            member: chosen,
            spilled: !std::ptr::eq(chosen, home),
        })
    }

    /// Halves all counts. Called once per window, which makes the window a half-life: old load
    /// fades instead of vanishing, and objects that had flowed on do not all come home at once.
    pub fn halve(&self) {
        for count in &self.counts {
            let now = count.load(Ordering::Relaxed);
            if now > 0 {
                // A subtraction, so that what is counted meanwhile is kept. Halves of nodes are
                // rounded as those of groups, so their sum never passes the group's.
                count.fetch_sub(now - now / 2, Ordering::Relaxed);
            }
        }
    }

    /// Requests of a node within the window.
    #[must_use]
    pub fn of(&self, member: &Member) -> u32 {
        self.count(member.slot).load(Ordering::Relaxed)
    }

    /// The counter of a slot.
    fn count(&self, slot: usize) -> &AtomicU32 {
        // Slots come from the same constant as the table; the remainder only tells the compiler so.
        &self.counts[slot % SLOTS]
    }
}

impl Default for NodeLoads {
    fn default() -> Self {
        Self::new()
    }
}

/// The least load that is too much, when `total` requests are to be shared by `members`.
fn bound(total: u32, members: usize) -> u32 {
    let (numerator, denominator) = BOUND;
    let shares = denominator.saturating_mul(members as u64).max(1);
    let bound = (u64::from(total) * numerator).div_ceil(shares);
    u32::try_from(bound).unwrap_or(u32::MAX).max(LOAD_FLOOR)
}
