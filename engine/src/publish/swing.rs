//! Oscillation: traffic that goes to and fro between the same two sites is left where it is for a
//! while.

use super::flows::Flows;
use coverage::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Pairs of sites that are remembered; the quietest are forgotten first.
const PAIRS_MAX: usize = 4096;
/// Movements of one pair that are remembered.
const MOVES_MAX: usize = 16;

/// Rules by which a pair counts as swinging.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SwingRules {
    /// Changes of direction within `window` that are allowed.
    pub turns_max: usize,
    /// Time that is looked back.
    pub window: Duration,
    /// Time for which a swinging pair is left alone.
    pub hold: Duration,
    /// Smaller movements are noise, as a share of all demand.
    pub noise_share: f64,
}

impl Default for SwingRules {
    fn default() -> Self {
        Self {
            turns_max: 2,
            window: Duration::from_mins(15),
            hold: Duration::from_mins(15),
            noise_share: 0.001,
        }
    }
}

/// Traffic that moved between pairs of sites lately.
#[derive(Clone, Debug)]
pub(super) struct Swings {
    rules: SwingRules,
    /// (lower site, higher site) -> what moved up (positive) or down.
    pairs: BTreeMap<(usize, usize), Pair>,
}

#[derive(Clone, Debug, Default)]
struct Pair {
    moves: VecDeque<(Timestamp, bool)>,
    held_until: Timestamp,
}

impl Swings {
    /// Nothing has moved yet.
    #[must_use]
    pub(super) const fn new(rules: SwingRules) -> Self {
        Self {
            rules,
            pairs: BTreeMap::new(),
        }
    }

    /// Notes what a published step moved: (from, to) -> Mbps. Returns the pairs that swing from now
    /// on.
    pub(super) fn note(
        &mut self,
        moved_mbps: &Flows,
        demand_mbps: f64,
        now: Timestamp,
    ) -> Vec<(usize, usize)> {
        let mut net = Flows::new();
        let between = moved_mbps.iter().filter(|((from, to), _)| from != to);
        for (&(from, to), &mbps) in between {
            let (pair, signed) = if from < to {
                ((from, to), mbps)
            } else {
                ((to, from), -mbps)
            };
            *net.entry(pair).or_default() += signed;
        }
        let mut swinging = Vec::new();
        for (key, mbps) in net {
            if mbps.abs() <= self.rules.noise_share * demand_mbps {
                continue;
            }
            let pair = self.pairs.entry(key).or_default();
            pair.moves.push_back((now, mbps > 0.0));
            pair.forget(&self.rules, now);
            if pair.turns() > self.rules.turns_max && pair.held_until <= now {
                pair.held_until = now.after(self.rules.hold);
                swinging.push(key);
            }
        }
        self.bound(now);
        swinging
    }

    /// Brings what was noted under a clock that was ahead back to `now`.
    pub(super) fn not_after(&mut self, now: Timestamp) {
        for pair in self.pairs.values_mut() {
            for (at, _) in &mut pair.moves {
                *at = (*at).min(now);
            }
            pair.held_until = pair.held_until.min(now.after(self.rules.hold));
        }
    }

    /// Tells whether a pair is to be left alone at `now`, whichever way.
    #[must_use]
    pub(super) fn is_held(&self, a: usize, b: usize, now: Timestamp) -> bool {
        let pair = self.pairs.get(&(a.min(b), a.max(b)));
        pair.is_some_and(|pair| pair.held_until > now)
    }

    /// Tells whether any pair is to be left alone at `now`.
    #[must_use]
    pub(super) fn any_held(&self, now: Timestamp) -> bool {
        self.pairs.values().any(|pair| pair.held_until > now)
    }

    fn bound(&mut self, now: Timestamp) {
        let rules = self.rules;
        self.pairs.retain(|_, pair| {
            pair.forget(&rules, now);
            !pair.moves.is_empty() || pair.held_until > now
        });
        while self.pairs.len() > PAIRS_MAX {
            let quietest = self.pairs.iter().min_by_key(|(_, pair)| pair.moves.len());
            let Some(key) = quietest.map(|(key, _)| *key) else {
                break;
            };
            self.pairs.remove(&key);
        }
    }
}

impl Pair {
    fn forget(&mut self, rules: &SwingRules, now: Timestamp) {
        let old = |at: Timestamp| now.since(at) > rules.window;
        while self.moves.front().is_some_and(|(at, _)| old(*at)) || self.moves.len() > MOVES_MAX {
            self.moves.pop_front();
        }
    }

    fn turns(&self) -> usize {
        let directions = self.moves.iter().map(|(_, up)| *up);
        directions
            .clone()
            .zip(directions.skip(1))
            .filter(|(a, b)| a != b)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Timestamp {
        Timestamp(1_800_000_000_000 + minutes * 60_000)
    }

    fn moved(from: usize, to: usize) -> BTreeMap<(usize, usize), f64> {
        BTreeMap::from([((from, to), 50.0)])
    }

    #[test]
    fn to_and_fro_freezes_the_pair_for_a_while() {
        let mut swings = Swings::new(SwingRules::default());
        for minute in 0..3 {
            let (from, to) = if minute % 2 == 0 { (3, 7) } else { (7, 3) };
            assert!(swings.note(&moved(from, to), 1000.0, at(minute)).is_empty());
        }
        assert!(!swings.is_held(3, 7, at(2)));
        assert_eq!(swings.note(&moved(7, 3), 1000.0, at(3)), vec![(3, 7)]);
        assert!(swings.is_held(7, 3, at(4)));
        assert!(!swings.is_held(3, 5, at(4)));
        assert!(!swings.is_held(3, 7, at(18)));
    }

    #[test]
    fn one_way_and_little_moves_are_no_swing() {
        let mut swings = Swings::new(SwingRules::default());
        for minute in 0..10 {
            assert!(swings.note(&moved(1, 2), 1000.0, at(minute)).is_empty());
            let (from, to) = if minute % 2 == 0 { (3, 4) } else { (4, 3) };
            assert!(swings.note(&moved(from, to), 1e6, at(minute)).is_empty());
        }
    }
}
