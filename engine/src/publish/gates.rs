//! All gates together: what they remember, what they forbid, and what they have to say.

use super::canary::{Canary, CanaryRules};
use super::damping::{Damping, DampingRules};
use super::inputs::{InputRules, Inputs, Prices};
use super::moves::{Move, StepRules};
use super::step::{Aim, Step, step};
use super::swing::{SwingRules, Swings};
use super::{Gate, Held};
use coverage::Timestamp;
use instance::{Instance, Plan};
use optimizer::Problem;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rules of all gates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateRules {
    /// Bounds of one step.
    pub step: StepRules,
    /// Rules of flapping.
    pub damping: DampingRules,
    /// Rules of swings.
    pub swing: SwingRules,
    /// Rules by which input is doubted.
    pub inputs: InputRules,
    /// Rules of trials.
    pub canary: CanaryRules,
    /// Age of what is known of a site beyond which its units stay where they are.
    pub frozen_after: Duration,
    /// Share of its soft limit that a link or site gives up once it is stale; twice that after
    /// `frozen_after`.
    pub silent_margin: f64,
}

impl Default for GateRules {
    fn default() -> Self {
        Self {
            step: StepRules::default(),
            damping: DampingRules::default(),
            swing: SwingRules::default(),
            inputs: InputRules::default(),
            canary: CanaryRules::default(),
            frozen_after: Duration::from_mins(10),
            // What a site may gain in one step anyway: as much can have come unseen.
            silent_margin: 0.1,
        }
    }
}

/// Something that a gate stopped, or lets pass again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Gate.
    pub gate: Gate,
    /// Text that says what it stopped and why; empty when it lets pass again.
    pub why: String,
}

/// Knowledge of gates of the present beside their own memory.
pub struct Present<'a> {
    /// Now.
    pub now: Timestamp,
    /// [site] -> age of the newest report of it; `None` where nobody reports it.
    pub site_ages: &'a [Option<Duration>],
    /// Age from which figures are stale.
    pub stale_after: Duration,
    /// [unit] -> TTL of its answers.
    pub ttl: &'a dyn Fn(usize) -> Duration,
    /// Unit -> (quality on its present links in ms, time of the oldest measurement, Mbps).
    pub measured: &'a dyn Fn(usize) -> Option<(f64, Timestamp, f64)>,
    /// Purpose of the plan.
    pub purpose: Purpose,
}

/// Purpose for which a plan is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing but cost and latency.
    Gain,
    /// Relief of what is lost, too full or too far; then cost and latency.
    Relief,
    /// The same and nothing else: the input is doubted.
    ReliefAlone,
    /// Relief in answer to links that were closed a moment ago: who was just sent away from them
    /// may go on at once.
    Rescue,
}

/// The gates and their memory.
#[derive(Debug)]
pub struct Gates {
    pub(super) rules: GateRules,
    inputs: Inputs,
    damping: Damping,
    pub(super) swings: Swings,
    pub(super) canary: Canary,
    /// [unit] -> when it was last moved.
    pub(super) acted: Vec<Timestamp>,
    /// Gate -> what it said last; a gate is silent while it repeats itself.
    said: BTreeMap<Gate, String>,
    pub(super) news: Vec<Stop>,
}

impl Gates {
    /// Gates that have seen nothing.
    #[must_use]
    pub fn new(rules: GateRules, units: usize, sites: usize) -> Self {
        Self {
            inputs: Inputs::new(rules.inputs),
            damping: Damping::new(rules.damping, sites),
            swings: Swings::new(rules.swing),
            canary: Canary::default(),
            acted: vec![Timestamp::default(); units],
            said: BTreeMap::new(),
            news: Vec::new(),
            rules,
        }
    }

    /// Brings what was noted under a clock that was ahead back to `now`: nothing is held for longer
    /// than if it had just begun.
    pub fn not_after(&mut self, now: Timestamp) {
        self.inputs.not_after(now);
        self.damping.not_after(now);
        self.swings.not_after(now);
        self.canary.not_after(now, self.rules.canary.hold);
        for acted in &mut self.acted {
            *acted = (*acted).min(now);
        }
    }

    /// Notes which sites are away, [site], and that time has passed.
    pub fn note_sites(&mut self, away: &[bool], now: Timestamp) {
        for (site, away) in away.iter().enumerate() {
            self.damping.note(site, *away, now);
        }
        if !self.swings.any_held(now) {
            self.say(Gate::Swing, None);
        }
    }

    /// Notes whether an operator holds the map, and the reason that was given.
    pub fn note_pinned(&mut self, reason: Option<&str>) {
        let why = reason.map(|reason| format!("nothing is published, whatever fails: {reason}"));
        self.say(Gate::Pinned, why);
    }

    /// Notes regions that failed open.
    pub fn note_failed_open(&mut self, regions: &[String]) {
        let why = regions.join(", ");
        let why = (!regions.is_empty())
            .then(|| format!("more looks down than can be: reports are not believed in {why}"));
        self.say(Gate::FailOpen, why);
    }

    /// Notes that the whole map is frozen, or that it is not.
    pub fn note_frozen(&mut self, why: Option<String>) {
        self.say(Gate::Stale, why);
    }

    /// Believes the next input whatever it is.
    pub fn trust_next_input(&mut self) {
        self.inputs.trust_next();
    }

    /// Compares prices with those before the restart; one that jumped is doubted for as long as any
    /// input.
    pub fn compare_prices(&mut self, before: &Prices, now: &Prices) {
        self.inputs.compare_prices(before, now);
    }

    /// Tells whether the prices that there are now are not doubted.
    #[must_use]
    pub const fn believes_prices(&self) -> bool {
        self.inputs.believes_prices()
    }

    /// Refuses while the newest input is doubted, which nobody has to judge again.
    ///
    /// # Errors
    /// [`Held::Input`].
    pub fn doubt(&self) -> Result<(), Held> {
        let why = self.said.get(&Gate::Input);
        why.map_or(Ok(()), |why| Err(Held::Input(why.clone())))
    }

    /// Judges the input of a solve.
    ///
    /// # Errors
    /// [`Held::Input`].
    pub fn admit(&mut self, instance: &Instance, now: Timestamp) -> Result<(), Held> {
        let judged = self.inputs.judge(instance, now);
        let doubt = judged.as_ref().err();
        self.say_once(Gate::Input, doubt.map(|why| || why.clone()));
        judged.map_err(Held::Input)
    }

    /// Returns the part of the way from `before` to `target` that may be gone now.
    ///
    /// # Errors
    /// [`Held::Canary`] while a large change is being tried, or after it failed.
    pub fn step(
        &mut self,
        problem: &Problem<'_>,
        (before, target): (&Plan, &Plan),
        present: &Present<'_>,
    ) -> Result<Step, Held> {
        let free = self.free(problem, (before, target), present);
        if !free.gains {
            // An emergency does not wait for a trial, and does not end it.
            self.tell(problem, &free);
            return Ok(free);
        }
        if let Some(back) = self.take_back(problem, before, present) {
            return Ok(back);
        }
        let taken = self.canaries_first(problem, (before, target), present, free)?;
        self.tell(problem, &taken);
        Ok(taken)
    }

    /// The step that rules and memory allow, without a thought of canaries.
    fn free(&self, problem: &Problem<'_>, plans: (&Plan, &Plan), present: &Present<'_>) -> Step {
        let aim = match present.purpose {
            Purpose::Gain => Aim::All,
            Purpose::Relief | Purpose::Rescue => Aim::ReliefFirst,
            Purpose::ReliefAlone => Aim::ReliefOnly,
        };
        let forbidden = |asked: Move| self.forbids(present, asked);
        step(problem, plans, &self.rules.step, forbidden, aim)
    }

    /// The gate that forbids a move. Relief does not wait for those that only spare clients and
    /// caches.
    pub(super) fn forbids(&self, present: &Present<'_>, asked: Move) -> Option<Gate> {
        let Move {
            unit,
            from,
            to,
            relieves,
        } = asked;
        let now = present.now;
        let age = |site: usize| present.site_ages.get(site).copied().flatten();
        if self.damping.is_suppressed(to, now) {
            return Some(Gate::Flapping);
        }
        if age(to).is_some_and(|age| age > present.stale_after) {
            return Some(Gate::Silent);
        }
        if relieves {
            return None;
        }
        let frozen = |site: usize| age(site).is_some_and(|age| age > self.rules.frozen_after);
        if from.is_some_and(frozen) {
            return Some(Gate::Silent);
        }
        if from.is_some_and(|from| self.swings.is_held(from, to, now)) {
            return Some(Gate::Swing);
        }
        if present.purpose == Purpose::Rescue {
            return None;
        }
        let dwell = (present.ttl)(unit).max(self.rules.step.dwell_min);
        let acted = self.acted.get(unit).copied().unwrap_or_default();
        (acted > Timestamp::default() && now.since(acted) < dwell).then_some(Gate::Dwell)
    }

    /// Takes what gates have stopped or let pass since the last call.
    pub fn take_news(&mut self) -> Vec<Stop> {
        std::mem::take(&mut self.news)
    }

    /// Says what a step withheld.
    fn tell(&mut self, problem: &Problem<'_>, step: &Step) {
        for (gate, means) in Gate::OF_STEPS {
            let withheld = step.withheld_mbps.get(&gate);
            self.say_once(
                gate,
                withheld.map(|mbps| {
                    move || {
                        let mut why = format!("{means}: {mbps:.0} Mbps");
                        let site = step.wanted_site.get(&gate);
                        if let Some(site) = site.and_then(|site| problem.instance.sites.get(*site))
                        {
                            why.push_str(&format!(", most of it for {}", site.id));
                        }
                        why
                    }
                }),
            );
        }
    }

    /// Says that a gate begins to hold, and why, or that it holds no more. The figures change all
    /// the time that it lasts.
    pub(super) fn say_once(&mut self, gate: Gate, why: Option<impl FnOnce() -> String>) {
        if why.is_none() || !self.said.contains_key(&gate) {
            self.say(gate, why.map(|why| why()));
        }
    }

    /// Says why a gate holds whenever that has changed, or that it holds no more.
    pub(super) fn say(&mut self, gate: Gate, why: Option<String>) {
        let before = self.said.get(&gate);
        if before == why.as_ref() {
            return;
        }
        let why = match why {
            Some(why) => {
                self.said.insert(gate, why.clone());
                why
            }
            None => {
                self.said.remove(&gate);
                String::new()
            }
        };
        self.news.push(Stop { gate, why });
    }
}
