//! Steps of drains in time: leases end, shares fall and rise, emptiness is measured, the queue
//! moves up.

use std::time::Duration;

use coverage::{MapVersion, Timestamp};

use super::admission::{Judge, Verdict};
use super::rules::Rules;
use super::state::{Drain, EndedBy, Event, State, Warning};
use super::target::{Part, Target};
use super::world::{Reading, World};
use super::{Drains, Request};

/// Something happened to a drain: store it and tell whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The drain.
    pub id: String,
    /// Target.
    pub target: Target,
    /// State before.
    pub from: State,
    /// State now; the same when only a warning or the evidence changed.
    pub to: State,
    /// The latest line of its history.
    pub why: String,
}

impl Drains {
    /// Goes on to `now`: ends leases, moves ramps, measures, starts what waited, warns, and
    /// forgets. O(drains) besides proofs, which are made at most every [`Rules::recheck_every`] or
    /// after a drain has moved.
    ///
    /// Returns what is to be stored: drains whose state, history or evidence changed. Progress
    /// along a ramp follows from what is stored.
    pub fn step(&mut self, world: &World<'_>, now: Timestamp) -> Vec<Changed> {
        for drain in &mut self.drains {
            drain.not_after(now);
        }
        let before: Vec<Marks> = self.drains.iter().map(Marks::of).collect();
        let mut moved = false;
        for drain in &mut self.drains {
            let from = drain.state;
            drain.advance(world, now, &self.rules);
            moved |= drain.state != from;
        }
        let due = self
            .rechecked_at
            .is_none_or(|at| now < at || now.since(at) >= self.rules.recheck_every);
        if moved || due {
            self.recheck(world, now);
            self.rechecked_at = Some(now);
        }
        let changed = self
            .drains
            .iter()
            .zip(&before)
            .filter(|(drain, old)| Marks::of(drain) != **old);
        let changed = changed.map(|(drain, old)| Changed {
            id: drain.id.clone(),
            target: drain.target.clone(),
            from: old.state,
            to: drain.state,
            why: drain
                .history
                .last()
                .map_or_else(String::new, |event| event.why.clone()),
        });
        let changed = changed.collect();
        self.forget();
        changed
    }

    /// Starts what can start, in the order of the queue, and checks whether the active drains still
    /// leave enough.
    fn recheck(&mut self, world: &World<'_>, now: Timestamp) {
        let rules = self.rules.clone();
        let mut judge = Judge::new(world, &rules, now);
        let queued = (0..self.drains.len()).filter(|&i| self.drains[i].state == State::Queued);
        let queued: Vec<usize> = queued.take(rules.queue_proofs_max).collect();
        for index in queued {
            let out = self.out(world.inventory);
            let drain = &mut self.drains[index];
            if let Ok(part) = drain.target.resolve(world.inventory) {
                let verdict = judge.retry(part, drain.force, &out);
                drain.follow(verdict, part, world, now, &rules);
            }
            if drain.state == State::Queued && now.since(drain.requested_at) >= rules.patience {
                break;
            }
        }
        let out = self.out(world.inventory);
        if out.parts.is_empty() {
            return;
        }
        // Without headroom: that is there to be used up while a drain lasts.
        let shortfall = judge
            .prove(&out, 1.0, rules.recheck_sites_max)
            .err()
            .map(|refusal| refusal.text);
        for drain in &mut self.drains {
            if matches!(drain.state, State::Shifting | State::Drained) {
                drain.warn(Warning::AtRisk, shortfall.as_deref(), now, &rules);
            }
        }
    }
}

/// Marks that make a drain worth storing again.
#[derive(PartialEq)]
struct Marks {
    state: State,
    last_event: Option<Event>,
    zero_published_at: Option<(Timestamp, MapVersion)>,
    edges_confirmed_at: Option<Timestamp>,
}

impl Marks {
    /// The marks of a drain as it stands.
    fn of(drain: &Drain) -> Self {
        Self {
            state: drain.state,
            last_event: drain.history.last().cloned(),
            zero_published_at: drain.zero_published_at,
            edges_confirmed_at: drain.edges_confirmed_at,
        }
    }
}

impl Drain {
    /// A drain that was just asked for.
    pub(super) fn from_request(
        id: String,
        request: Request,
        ramp: Duration,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            target: request.target,
            requester: request.requester,
            reason: request.reason,
            state: State::Requested,
            ended_by: None,
            requested_at: now,
            lease: request.lease,
            expires_at: now.after(request.lease),
            ramp,
            shifting_since: None,
            refilling_since: None,
            refill_from: 1.0,
            planned_share: 1.0,
            base_mbps: 0.0,
            share_zero_at: None,
            zero_published_at: None,
            edges_confirmed_at: None,
            observed_mbps: None,
            ttl_tail_left: None,
            proof: None,
            refusal: None,
            force: request.force,
            idempotency_key: request.idempotency_key,
            warnings: std::collections::BTreeSet::new(),
            history: Vec::new(),
        }
    }

    /// Does what a verdict says to a drain that is requested or queued.
    pub(super) fn follow(
        &mut self,
        verdict: Verdict,
        part: Part,
        world: &World<'_>,
        now: Timestamp,
        rules: &Rules,
    ) {
        match verdict {
            Verdict::Refuse(refusal) => {
                self.enter(State::Refused, refusal.text.clone(), now, rules);
                self.refusal = Some(refusal);
            }
            Verdict::Wait(refusal) => {
                if self.state != State::Queued {
                    self.enter(State::Queued, refusal.text.clone(), now, rules);
                }
                self.refusal = Some(refusal);
            }
            Verdict::Start(proof, overridden) => {
                if self.state != State::Queued {
                    self.enter(State::Queued, "admitted".to_owned(), now, rules);
                }
                let why = match (&proof, &overridden) {
                    (_, Some(refusal)) => format!("forced, although {}", refusal.text),
                    (Some(proof), None) => {
                        format!("{:.0} Mbps of capacity to spare", proof.spare_mbps)
                    }
                    (None, None) => "started".to_owned(),
                };
                (self.proof, self.refusal) = (proof, overridden);
                self.start(part, world, now);
                self.enter(State::Shifting, why, now, rules);
            }
        }
    }

    /// Takes the base from which the share falls.
    fn start(&mut self, part: Part, world: &World<'_>, now: Timestamp) {
        // `max` also turns what is not a number into 0.
        let planned_mbps = world.facts.planned_mbps(part).max(0.0);
        let observed_mbps = world
            .facts
            .observed(part)
            .map_or(0.0, |seen| seen.mbps.max(0.0));
        self.base_mbps = if planned_mbps > 0.0 {
            planned_mbps
        } else {
            observed_mbps
        };
        self.shifting_since = Some(now);
        if self.ramp.is_zero() {
            // The next step notes since when: only a step is followed by a plan that knows of it.
            self.planned_share = 0.0;
        }
    }

    /// Ends a drain that is queued, shifting or drained. What had not started is over at once.
    pub(super) fn end(&mut self, by: EndedBy, now: Timestamp, rules: &Rules) {
        let from = self.share_at(now, rules);
        self.ended_by = Some(by);
        let why = match by {
            EndedBy::Expired => "the lease ended",
            EndedBy::Cancelled => "cancelled",
        };
        self.warnings.clear();
        self.ttl_tail_left = None;
        self.refill_from = from.max(rules.warm_up_share).clamp(0.0, 1.0);
        self.planned_share = self.refill_from;
        self.refilling_since = Some(now);
        let queued = self.state == State::Queued;
        self.enter(State::Refilling, why.to_owned(), now, rules);
        if queued {
            self.enter(
                State::Serving,
                "nothing had been taken away".to_owned(),
                now,
                rules,
            );
        }
    }

    /// Goes on to `now`, without regard to other drains.
    fn advance(&mut self, world: &World<'_>, now: Timestamp, rules: &Rules) {
        if self.state.is_leased() && self.expires_at <= now {
            self.end(EndedBy::Expired, now, rules);
        }
        self.planned_share = self.share_at(now, rules);
        match self.state {
            State::Shifting | State::Drained => {
                if let Ok(part) = self.target.resolve(world.inventory) {
                    self.measure(part, world, now, rules);
                }
            }
            State::Refilling if self.planned_share >= 1.0 => {
                self.enter(
                    State::Serving,
                    "all capacity is back".to_owned(),
                    now,
                    rules,
                );
            }
            _ => {}
        }
    }

    /// Follows the share of 0 through map, edges and caches to the traffic itself.
    fn measure(&mut self, part: Part, world: &World<'_>, now: Timestamp, rules: &Rules) {
        let fresh = |seen: &Reading| seen.mbps.is_finite() && seen.age <= rules.observation_age_max;
        let reading = world.facts.observed(part).filter(fresh);
        self.observed_mbps = reading.map(|seen| seen.mbps);
        let tail_ends = self.tail_ends(part, world, now);
        self.ttl_tail_left = tail_ends.map(|ends| ends.since(now));
        let below_mbps = rules.drained_below(self.base_mbps);
        if self.state == State::Drained {
            let back = match reading {
                Some(seen) if seen.mbps > below_mbps => {
                    Some(format!("{:.1} Mbps are back on the target", seen.mbps))
                }
                _ if tail_ends.is_none() => {
                    Some("the map in service, or an edge, may name the target again".to_owned())
                }
                _ => None,
            };
            self.warn(Warning::TrafficBack, back.as_deref(), now, rules);
            return;
        }
        let (Some(ends), Some(seen)) = (tail_ends, reading) else {
            return;
        };
        let taken_at = Timestamp(now.0.saturating_sub(Timestamp(0).after(seen.age).0));
        // A sample from before the tail ended says nothing about the caches that had yet to forget.
        if taken_at >= ends && seen.mbps <= below_mbps {
            let why = format!(
                "{:.1} Mbps observed, at most {below_mbps:.1} allowed",
                seen.mbps
            );
            self.enter(State::Drained, why, now, rules);
        }
    }

    /// Time at which the last cache will have forgotten the target; `None` while a map or an edge
    /// may still name it.
    fn tail_ends(&mut self, part: Part, world: &World<'_>, now: Timestamp) -> Option<Timestamp> {
        if self.planned_share > 0.0 {
            return None;
        }
        let zero_at = *self.share_zero_at.get_or_insert(now);
        let without = world
            .published
            .filter(|map| map.holds_as_of >= zero_at && world.facts.planned_mbps(part) <= 0.0);
        let Some(map) = without else {
            // Not yet, or a rollback to an older map: the tail starts anew.
            (self.zero_published_at, self.edges_confirmed_at) = (None, None);
            return None;
        };
        let seen = (map.at.max(zero_at), map.version);
        let (since, version) = *self.zero_published_at.get_or_insert(seen);
        match world.edges_confirmed {
            None => Some(since.after(world.edge_lag_max).after(world.ttl_max)),
            Some(confirmed) if confirmed >= version => {
                let confirmed_at = *self.edges_confirmed_at.get_or_insert(now);
                Some(confirmed_at.after(world.ttl_max))
            }
            Some(_) => {
                self.edges_confirmed_at = None;
                None
            }
        }
    }

    /// Raises a warning, or takes it back when `problem` is `None`; the history tells when it comes
    /// and goes.
    fn warn(&mut self, kind: Warning, problem: Option<&str>, now: Timestamp, rules: &Rules) {
        let words = match kind {
            Warning::AtRisk => "at risk",
            Warning::TrafficBack => "traffic is back",
        };
        match problem {
            Some(problem) if self.warnings.insert(kind) => {
                self.note(format!("{words}: {problem}"), now, rules);
            }
            None if self.warnings.remove(&kind) => {
                self.note(format!("no longer {words}"), now, rules);
            }
            _ => {}
        }
    }
}
