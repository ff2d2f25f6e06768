//! Notes gates take of a map in force: who moved, and between which sites.

use super::flows;
use super::gates::Gates;
use optimizer::Problem;

use super::{Gate, Held, Reason};
use coverage::Timestamp;
use instance::Plan;

/// A gain below this share is none, and nothing that hysteresis held back.
const GAIN_SEEN_MIN: f64 = 1e-4;

impl Gates {
    /// Notes what became of a solve, or of a map without one: whether something about it was
    /// refused.
    pub fn note_refusal(&mut self, held: Option<&Held>) {
        let told = |gate: Gate| held.filter(|held| held.word() == gate.word());
        for gate in Gate::OF_REFUSALS {
            self.say_once(gate, told(gate).map(|held| || held.to_string()));
        }
    }

    /// Notes what became of the plan of a full solve that is cheaper than the map in force by
    /// `gain`, a share.
    pub fn note_verdict(&mut self, verdict: &Result<Reason, Held>, gain: f64) {
        match verdict {
            Err(Held::NoGain) if gain > GAIN_SEEN_MIN => {
                let percent = gain * 100.0;
                let why =
                    || format!("a plan that is {percent:.2} % cheaper is not worth moving anybody");
                self.say_once(Gate::Hysteresis, Some(why));
            }
            Ok(Reason::Gain) => self.say(Gate::Hysteresis, None),
            _ => {}
        }
    }

    /// Notes what a map in force has changed: who moved, and between which sites.
    pub fn published(
        &mut self,
        problem: &Problem<'_>,
        before: &Plan,
        after: &Plan,
        now: Timestamp,
    ) {
        let pairs = before.shares.iter().zip(&after.shares);
        for (acted, (before, after)) in self.acted.iter_mut().zip(pairs) {
            if before != after {
                *acted = now;
            }
        }
        let moved = flows::between(problem, before, after);
        self.canary.note(&moved);
        let demand = problem.instance.units.iter().map(|unit| unit.mbps).sum();
        let swinging = self.swings.note(&moved, demand, now);
        let name = |site: usize| {
            problem
                .instance
                .sites
                .get(site)
                .map_or("?", |s| s.id.as_str())
        };
        for (a, b) in swinging {
            let (a, b) = (name(a), name(b));
            let why = format!("traffic swings between {a} and {b}: it stays");
            self.say(Gate::Swing, Some(why));
        }
    }
}
