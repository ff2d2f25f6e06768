//! Places in fixed tables of counters, found by name, so that counts survive a change of snapshot
//! without any table of names on the serving path.

use crate::ring::hash_bytes;

/// Number of counters a table has. Bounds the nodes and groups of one snapshot, taken together.
pub(crate) const SLOTS: usize = 1 << 16;

/// Hands out slots. A name gets the slot of its hash, or the next free one: names of one snapshot
/// never share a slot. The same names in the same order get the same slots; where names come or go,
/// only those that collide may shift.
pub(crate) struct Slots {
    taken: Vec<bool>,
    left: usize,
}

impl Slots {
    /// All slots free.
    pub(crate) fn new() -> Self {
        Self {
            taken: vec![false; SLOTS],
            left: SLOTS,
        }
    }

    /// A slot for a name in a scope (a node in its group, say); `None` when all are taken.
    pub(crate) fn take(&mut self, scope: &str, name: &str) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let hash = hash_bytes(hash_bytes(0, scope.as_bytes()), name.as_bytes());
        // The remainder is below 65536 and fits every usize.
        let mut slot = usize::try_from(hash % SLOTS as u64).ok()?;
        while self.taken[slot] {
            slot = (slot + 1) % SLOTS;
        }
        self.taken[slot] = true;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_never_share_a_slot_and_the_table_has_an_end() {
        let mut slots = Slots::new();
        let seen: BTreeSet<usize> = (0..SLOTS)
            .map(|node| slots.take("g", &node.to_string()).unwrap())
            .collect();
        assert_eq!(seen.len(), SLOTS);
        assert_eq!(slots.take("g", "one too many"), None);
    }

    #[test]
    fn slots_follow_names() {
        let [mut one, mut other] = [Slots::new(), Slots::new()];
        other.take("g", "newcomer");
        assert_eq!(one.take("g", "n1"), other.take("g", "n1"));
    }
}
