//! Effects of the engine: ticks, solves, maps, and the report of them.

use super::Actor;
use crate::clock::now;
use crate::control::worker::{Done, Result as Found, Task};
use crate::keys::digest_of_hex;
use anyhow::Context;
use coverage::{Body, Digest, Snapshot, Timestamp};
use engine::billing::{LevelsOutcome, PlannedLevels};
use engine::cycle::{Adopted, Draft, Solved, Tick, Tier};
use engine::publish::{Held, Stop};
use engine::report::CycleReport;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Outcome of a tick or of a solve, as it is reported.
struct Outcome {
    /// Tier that found something; `None` when nothing was to be found.
    tier: Option<Tier>,
    word: String,
    /// The same in a sentence.
    detail: String,
}

impl Actor {
    /// Does what cannot wait: drains, what failed, static services. The rest is for the worker.
    pub(super) fn tick(&mut self) {
        let started = Instant::now();
        let at = now();
        self.confirm_edges(at);
        let tick = self.engine.tick(at);
        let took = started.elapsed();
        let kept = self.keep_what_drains_became(&tick);
        self.keep_demand();
        self.keep_levels();
        self.keep_prices();
        self.tell_stops(at);
        let (failed_open, silent_nodes) = (tick.failed_open, tick.silent_nodes);
        let outcome = match (kept, tick.outcome) {
            (Err(fault), _) => Some(Outcome {
                tier: None,
                word: "store".to_owned(),
                detail: fault.to_string(),
            }),
            (Ok(()), Some(Ok(draft))) => Some(self.publish(&draft, took, at)),
            (Ok(()), Some(Err(held))) => Some(self.hold(None, &held)),
            (Ok(()), None) => None,
        };
        // How long other tiers took is said when they are done.
        let local = outcome
            .as_ref()
            .is_some_and(|outcome| outcome.tier == Some(Tier::Local));
        self.report(at, outcome, |report| {
            report.failed_open = failed_open;
            report.silent_nodes = silent_nodes;
            if local {
                report.solve_ms = took.as_secs_f64() * 1e3;
            }
        });
        self.show_drains();
        if !self.worker.is_busy() {
            self.assign();
        } else if self.engine.wants_warm(at) {
            self.worker.give_up_slow();
        }
    }

    /// Stores what drains have become before any map shows it.
    fn keep_what_drains_became(&mut self, tick: &Tick) -> anyhow::Result<()> {
        let kept = self
            .keep_drains(&tick.drains)
            .and_then(|()| Ok(self.store.forget_drains(&tick.forgotten)?));
        for drain in &tick.drains {
            let why = drain
                .history
                .last()
                .map(|event| event.why.clone())
                .unwrap_or_default();
            self.event(
                &format!("drain.{}", drain.state),
                format!("{} {}: {why}", drain.id, drain.target),
            );
        }
        kept
    }

    /// Gives the worker what is worth its time now: levels once a day, else the next solve. What
    /// failed does not wait for levels, and neither does the first plan after a start.
    fn assign(&mut self) {
        let at = now();
        let urgent = self.engine.last().is_none() || self.engine.wants_warm(at);
        if !urgent && let Some(job) = self.engine.levels_job(at) {
            self.worker.assign(Task::Levels(job));
        } else if let Some(job) = self.engine.job(at) {
            self.worker.assign(Task::Solve(job));
        }
    }

    /// Takes what the worker has done.
    pub(super) fn take_done(&mut self, done: Done) {
        self.worker.idle();
        let Done { tier, result, took } = done;
        if let Some(tier) = tier {
            metrics::histogram!("watershed_solve_seconds", "tier" => tier.word())
                .record(took.as_secs_f64());
        }
        match result {
            Some(Found::Solve(solved)) => self.adopt(solved, took),
            Some(Found::Levels(planned)) => {
                self.adopt_levels(planned, took);
                self.assign();
            }
            None if tier.is_none() => {
                let why = "planning broke; the log says where".to_owned();
                let failed = self.engine.fail_levels(why, now());
                self.tell_levels(failed, took);
            }
            None => {
                tracing::error!(tier = tier.map(Tier::word), "a solve broke; the map stays");
                let broken = Outcome {
                    tier,
                    word: "broken".to_owned(),
                    detail: "a solve broke; the log says where".to_owned(),
                };
                self.report(now(), Some(broken), |_| ());
            }
        }
    }

    /// Takes what was solved.
    fn adopt(&mut self, solved: Solved, took: Duration) {
        let (at, tier) = (now(), solved.tier());
        let adopted = self.engine.adopt(solved, at);
        self.tell_stops(at);
        let outcome = match adopted {
            Adopted::Draft(draft) => self.publish(&draft, took, at),
            Adopted::Held(held) => self.hold(Some(tier), &held),
            Adopted::Outdated => return self.assign(),
        };
        self.report(at, Some(outcome), |report| {
            report.solve_ms = took.as_secs_f64() * 1e3;
        });
        if tier == Tier::Warm {
            self.assign();
        } else if let Some(job) = self.engine.levels_job(at) {
            self.worker.assign(Task::Levels(job));
        }
    }

    /// Takes levels that were planned.
    fn adopt_levels(&mut self, planned: PlannedLevels, took: Duration) {
        let outcome = self.engine.adopt_levels(planned, now());
        self.tell_levels(outcome, took);
        self.keep_levels();
        self.report(now(), None, |_| ());
    }

    /// Says what became of planning levels.
    fn tell_levels(&self, outcome: LevelsOutcome, took: Duration) {
        let word = outcome.word();
        metrics::counter!("watershed_levels_total", "outcome" => word).increment(1);
        metrics::histogram!("watershed_levels_seconds").record(took.as_secs_f64());
        match outcome {
            LevelsOutcome::Planned { gap, rounds } => {
                tracing::info!(?took, gap, rounds, "levels of contracts are planned");
            }
            LevelsOutcome::GivenUp => {
                tracing::info!(?took, "planning levels made way for what failed");
            }
            LevelsOutcome::Failed => {
                let fault = self.engine.contracts().fault();
                tracing::warn!(?took, fault, "levels of contracts are not planned");
            }
        }
    }

    /// Writes down what gates have stopped or let pass again.
    fn tell_stops(&mut self, at: Timestamp) {
        for Stop { gate, why } in self.engine.take_stops() {
            let (action, detail) = if why.is_empty() {
                ("gate.open", format!("{} lets pass again", gate.word()))
            } else {
                metrics::counter!("watershed_gate_held_total", "gate" => gate.word()).increment(1);
                ("gate.hold", format!("{}: {why}", gate.word()))
            };
            if let Err(fault) = self.store.audit(at, "engine", action, &detail) {
                tracing::warn!(%fault, "what a gate did is not in the audit log");
            }
            self.event(action, detail);
        }
    }

    /// Says why the map stays: once, not each time that it lasts.
    fn hold(&self, tier: Option<Tier>, held: &Held) -> Outcome {
        if !matches!(held, Held::NoGain) && self.cycle.borrow().outcome != held.word() {
            tracing::warn!(%held, "the map stays");
        }
        Outcome {
            tier,
            word: held.word().to_owned(),
            detail: held.to_string(),
        }
    }

    /// Shows what was done last: `outcome`, or what was said before when that is still to come.
    fn report(
        &self,
        at: Timestamp,
        outcome: Option<Outcome>,
        change: impl FnOnce(&mut CycleReport),
    ) {
        let mut report = CycleReport::clone(&self.cycle.borrow());
        report.at = at;
        if let Some(Outcome { tier, word, detail }) = outcome {
            metrics::counter!("watershed_cycles_total", "outcome" => word.clone()).increment(1);
            (report.tier, report.outcome, report.detail) = (tier, word, detail);
        }
        if let Some(snapshot) = self.intake.snapshot() {
            report.map_version = snapshot.version.to_string();
            report.map_digest = snapshot.digest.to_string();
            report.map_created_at = snapshot.created_at;
        }
        report.contracts = self.engine.contracts().states(at);
        self.engine
            .contracts()
            .fault()
            .clone_into(&mut report.levels_fault);
        change(&mut report);
        let report = report.with_solve(self.engine.last());
        self.gauge(&report);
        self.cycle.send_replace(Arc::new(report));
    }

    /// Publishes a draft that took `took` to make.
    fn publish(&mut self, draft: &Draft, took: Duration, at: Timestamp) -> Outcome {
        if draft.tier == Some(Tier::Local) {
            metrics::histogram!("watershed_solve_seconds", "tier" => Tier::Local.word())
                .record(took.as_secs_f64());
        }
        let published = input_digest(&draft.input_digest)
            .and_then(|input| self.put_in_service(&draft.body, Some(draft), input, at));
        let (word, detail) = match published {
            Ok(snapshot) => {
                let (version, reason) = (snapshot.version, draft.reason.word());
                let tier = draft.tier.map(|tier| format!(", {}", tier.word()));
                let detail = format!("map {version} ({reason}{})", tier.unwrap_or_default());
                self.event("map.published", detail.clone());
                ("published", detail)
            }
            Err(fault) => {
                let fault = format!("{fault:#}");
                tracing::error!(%fault, "a checked map was not published");
                self.event("map.refused", fault.clone());
                ("refused", fault)
            }
        };
        Outcome {
            tier: draft.tier,
            word: word.to_owned(),
            detail,
        }
    }

    pub(super) fn put_in_service(
        &mut self,
        body: &Body,
        draft: Option<&Draft>,
        input: Digest,
        at: Timestamp,
    ) -> anyhow::Result<Arc<Snapshot>> {
        let (snapshot, record) =
            self.publisher
                .publish(body, input, self.store.as_mut(), &self.intake, at)?;
        self.record.send_replace(Some(record));
        self.engine.note_published(Arc::clone(&snapshot), draft, at);
        Ok(snapshot)
    }

    fn gauge(&self, report: &CycleReport) {
        if let Some(plan) = &report.plan {
            metrics::gauge!("watershed_plan_gap_ratio").set(plan.gap);
            metrics::gauge!("watershed_plan_unserved_mbps").set(plan.levels.unserved_mbps);
            metrics::gauge!("watershed_plan_overload_mbps").set(plan.levels.overload_mbps);
            metrics::gauge!("watershed_plan_cost_cny").set(plan.objective);
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 nodes")]
        metrics::gauge!("watershed_nodes_silent").set(report.silent_nodes.len() as f64);
        for meter in &report.contracts {
            let label = || meter.name.clone();
            if let (Some(level), Some(tokens)) = (meter.level_mbps, meter.tokens) {
                metrics::gauge!("watershed_meter_level_mbps", "meter" => label()).set(level);
                #[expect(clippy::cast_precision_loss, reason = "slots of a month")]
                metrics::gauge!("watershed_meter_tokens", "meter" => label()).set(tokens as f64);
            }
            let bursting = f64::from(u8::from(meter.bursting));
            metrics::gauge!("watershed_meter_bursting", "meter" => label()).set(bursting);
        }
        for (reason, count) in self.engine.contracts().ledger().refused().by_reason() {
            metrics::counter!("watershed_ledger_refused_total", "reason" => reason).absolute(count);
        }
        let age = now().since(report.map_created_at);
        metrics::gauge!("watershed_map_age_seconds").set(age.as_secs_f64());
    }
}

/// Digest of the instance behind a draft: zeros where there is none, because nothing was optimized.
///
/// # Errors
/// When it is no digest. The map is then not published, and the one in force stays.
fn input_digest(hex: &str) -> anyhow::Result<Digest> {
    if hex.is_empty() {
        return Ok(Digest::default());
    }
    digest_of_hex(hex).with_context(|| format!("the digest {hex:?} of its input does not read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sha256;

    #[test]
    fn an_input_digest_is_read_or_told_to_be_none() {
        let digest = sha256("instance");
        assert_eq!(input_digest(&digest.to_string()).unwrap(), digest);
        assert_eq!(input_digest("").unwrap(), Digest::default());
        let fault = format!("{:#}", input_digest("12x4").unwrap_err());
        assert_eq!(
            fault,
            "the digest \"12x4\" of its input does not read: a digest has hex digits only, not 'x' at place 3"
        );
    }
}
