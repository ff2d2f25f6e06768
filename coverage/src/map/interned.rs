//! Equal answer sets kept once. A large map asks millions of times, so that an ordered tree, or a
//! hash that resists attackers, would be most of the time that building takes; who writes the
//! answers is the optimizer, not the network.

use super::AnswerSet;
use crate::ids::AnswerSetId;
use crate::split::mix;

/// Answer sets without repetition, by id, with a table of slots to find them by hash.
#[derive(Debug, Default)]
pub(super) struct Interned {
    sets: Vec<AnswerSet>,
    hashes: Vec<u64>,
    /// Index into `sets`, at the hash modulo the length or at the next free slot behind it. The
    /// length is a power of two and at least twice that of `sets`.
    slots: Vec<Option<u32>>,
}

impl Interned {
    /// The id of a set, a new one where it was not there. Ids follow the order in which sets were
    /// first asked for.
    pub(super) fn id(&mut self, answers: AnswerSet) -> AnswerSetId {
        if (self.sets.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let hash = hash(&answers);
        let slot = self.slot(hash, |index| self.sets[index] == answers);
        if let Some(known) = self.slots[slot] {
            return AnswerSetId(known);
        }
        let id = AnswerSetId::from_index(self.sets.len());
        self.slots[slot] = Some(id.0);
        self.sets.push(answers);
        self.hashes.push(hash);
        id
    }

    /// The sets, each at the index that is its id.
    pub(super) fn into_sets(self) -> Vec<AnswerSet> {
        self.sets
    }

    /// The slot of the set with this hash that is the one, or the free slot where it belongs.
    fn slot(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the mask takes the low bits anyway"
        )]
        let mut slot = hash as usize & mask;
        // Half of the slots are free, so this ends, and soon.
        while let Some(index) = self.slots[slot] {
            let index = index as usize;
            if self.hashes[index] == hash && is_it(index) {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// Doubles the slots.
    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(64);
        self.slots = vec![None; slots];
        for index in 0..self.sets.len() {
            let slot = self.slot(self.hashes[index], |_| false);
            self.slots[slot] = u32::try_from(index).ok();
        }
    }
}

/// A hash of all that makes an answer set, the same in every run.
fn hash(answers: &AnswerSet) -> u64 {
    let shares = answers.shares.iter();
    let shares = shares.map(|&(id, weight)| u64::from(id.0) << 8 | u64::from(weight));
    let runners_up = answers.runners_up.iter();
    let runners_up = runners_up.map(|id| 1 << 63 | u64::from(id.0));
    // Multiplication by the golden ratio spreads each word upwards, the rotation brings it down
    // again.
    mix(shares.chain(runners_up).fold(0_u64, |hash, word| {
        (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }))
}
