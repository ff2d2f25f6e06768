//! The actor thread: the only one that touches engine, store and publisher.

use super::publisher::Publisher;
use super::worker::{Done, Result as Found, Task, Worker};
use super::{Command, ControlError, ControlHandle, Event, Fixed};
use crate::clock::now;
use crate::serving::Intake;
use crate::store::{LedgerRow, StateStore};
use anyhow::Context;
use coverage::observation::Directory;
use coverage::{AreaTable, Body, CheckId, Digest, MapVersion, Snapshot, Timestamp};
use ed25519_dalek::SigningKey;
use engine::billing::SlotSample;
use engine::cycle::{Adopted, Draft, Engine, EngineOptions, Solved, Steering, Tick, Tier};
use engine::drain::{ChangeError, Drain, Request, RequestError, State};
use engine::inventory::Inventory;
use engine::policy::Policies;
use engine::publish::Held;
use engine::report::CycleReport;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// Most commands that wait for the actor; more are refused.
const QUEUE_MAX: usize = 1024;
/// Events kept for slow readers.
const EVENTS_MAX: usize = 256;
/// An edge not heard of for this long is not waited for: its poll stays open for 20 s at most.
const EDGE_SILENT_MAX: Duration = Duration::from_secs(45);
/// Most edges that are kept track of.
const EDGES_MAX: usize = 4096;
/// The ledger of the running month is read back after a restart.
const LEDGER_SPAN_MS: u64 = 31 * 86_400_000;
/// Flag of the store that keeps planned levels.
const LEVELS_FLAG: &str = "levels";

/// What a control plane is started with.
pub struct ControlOptions {
    /// How the engine thinks.
    pub engine: EngineOptions,
    /// Time between ticks.
    pub cycle: Duration,
    /// Where maps, keys and history are kept.
    pub data_dir: PathBuf,
    /// Whether this process serves the map itself, so that its own swap counts as an edge's acknowledgement.
    pub serves: bool,
}

/// What a control plane decides about.
pub struct Deployment {
    /// What exists.
    pub inventory: Arc<Inventory>,
    /// Where clients are.
    pub table: Arc<AreaTable>,
    /// Static policies, applied to the areas of the table.
    pub steering: Arc<Steering>,
}

/// Starts the actor with what the store holds.
///
/// # Errors
/// When the store cannot be read or no epoch can be taken.
pub fn start(
    deployment: Deployment,
    options: ControlOptions,
    mut store: Box<dyn StateStore>,
    key: SigningKey,
    intake: Arc<Intake>,
) -> anyhow::Result<(ControlHandle, JoinHandle<()>)> {
    let Deployment {
        inventory,
        table,
        steering,
    } = deployment;
    let map_key = key.verifying_key();
    let serving = intake.snapshot();
    let publisher = Publisher::new(
        &options.data_dir,
        key,
        Digest(table.digest()),
        store.as_mut(),
        serving.as_deref(),
    )?;
    let steered = Arc::clone(&steering);
    let engine = restored(
        (Arc::clone(&inventory), Arc::clone(&table), steered),
        options.engine,
        store.as_ref(),
        serving,
    )?;
    let record = std::fs::read(options.data_dir.join("map.wsm"))
        .ok()
        .filter(|_| intake.snapshot().is_some());
    let (queue, commands) = sync_channel(QUEUE_MAX);
    let (record, record_seen) = watch::channel(record.map(Arc::new));
    let (cycle, cycle_seen) = watch::channel(Arc::new(CycleReport::default()));
    // Stored drains are shown from the first moment on.
    let stored: Vec<Drain> = engine.drains().iter().cloned().collect();
    let (drains, drains_seen) = watch::channel(Arc::new(stored));
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let fixed = Fixed {
        directory: directory(&inventory, &steering.policies),
        inventory,
        table,
        map_key,
        intake: Arc::clone(&intake),
    };
    let fixed = Arc::new(fixed);
    let worker = Worker::start(queue.clone())?;
    let handle = ControlHandle {
        fixed: Arc::clone(&fixed),
        queue,
        record: record_seen,
        cycle: cycle_seen,
        drains: drains_seen,
        events: events.clone(),
    };
    let actor = Actor {
        engine,
        worker,
        handles: Arc::downgrade(&fixed),
        store,
        publisher,
        intake,
        edges: BTreeMap::new(),
        serves: options.serves,
        record,
        cycle,
        drains,
        events,
    };
    let every = options.cycle;
    let thread = thread::Builder::new()
        .name("control".into())
        .spawn(move || actor.run(&commands, every));
    Ok((handle, thread.context("cannot start the control thread")?))
}

/// The engine with what the store holds.
fn restored(
    (inventory, table, steering): (Arc<Inventory>, Arc<AreaTable>, Arc<Steering>),
    options: EngineOptions,
    store: &dyn StateStore,
    serving: Option<Arc<Snapshot>>,
) -> anyhow::Result<Engine> {
    let samples = ledger(store, &inventory)?;
    let stored = (store.drains()?, samples);
    let mut engine = Engine::new(inventory, table, steering, options, stored, serving);
    engine.pin(store.flag("pin")?);
    if let Some(levels) = store.flag(LEVELS_FLAG)? {
        let restored = engine.restore_levels(&levels, now());
        tracing::info!(restored, "levels of contracts from before the restart");
    }
    Ok(engine)
}

/// Names that telemetry may use.
fn directory(inventory: &Inventory, policies: &Policies) -> Directory {
    let checks = policies.checks.iter().enumerate();
    Directory {
        checks: checks
            .map(|(index, check)| {
                let id = CheckId::from_index(index);
                (check.clone(), (id, policies.probed_by(index)))
            })
            .collect(),
        ..inventory.directory()
    }
}

/// Billing samples of the running month, by meter index; those of meters that are gone are left out.
fn ledger(store: &dyn StateStore, inventory: &Inventory) -> anyhow::Result<Vec<SlotSample>> {
    let since = Timestamp(now().0.saturating_sub(LEDGER_SPAN_MS));
    let meter = |name: &str| inventory.meters.iter().position(|meter| meter.name == name);
    let rows = store.ledger_since(since)?;
    let sample = |row: LedgerRow| {
        Some(SlotSample {
            meter: meter(&row.meter)?,
            slot: row.slot,
            mbps: row.mbps,
        })
    };
    Ok(rows.into_iter().filter_map(sample).collect())
}

/// How something was found, what became of it in a word, and the same in a sentence.
type Outcome = (Option<Tier>, String, String);

struct Actor {
    engine: Engine,
    worker: Worker,
    /// Lives as long as some handle does. The worker keeps the queue open, so that it cannot tell.
    handles: Weak<Fixed>,
    store: Box<dyn StateStore>,
    publisher: Publisher,
    intake: Arc<Intake>,
    /// Edge -> version it serves and when it said so.
    edges: BTreeMap<String, (MapVersion, Timestamp)>,
    serves: bool,
    record: watch::Sender<Option<Arc<Vec<u8>>>>,
    cycle: watch::Sender<Arc<CycleReport>>,
    drains: watch::Sender<Arc<Vec<Drain>>>,
    events: broadcast::Sender<Event>,
}

impl Actor {
    /// Works commands off and ticks every `every`, until told to stop or every handle is gone.
    fn run(mut self, commands: &Receiver<Command>, every: Duration) {
        let mut next_tick = now();
        while self.handles.strong_count() > 0 {
            let wait = next_tick.since(now());
            match commands.recv_timeout(wait) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if now() >= next_tick || self.engine.is_urgent() {
                self.tick();
                next_tick = now().after(every);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Observe(observations) => {
                let closed = self.engine.observe(&observations);
                self.keep_ledger(&closed);
            }
            Command::RequestDrain(who, request, reply) => {
                let _ = reply.send(self.request_drain(&who, *request));
            }
            Command::RenewDrain(who, id, lease, reply) => {
                let renewed = self.engine.renew_drain(&id, lease, now());
                let _ = reply.send(self.changed_drain(&who, "drain.renew", renewed));
            }
            Command::CancelDrain(who, id, reply) => {
                let cancelled = self.engine.cancel_drain(&id, now());
                let _ = reply.send(self.changed_drain(&who, "drain.cancel", cancelled));
            }
            Command::Pin(who, reason, reply) => {
                let _ = reply.send(self.pin(&who, Some(reason)));
            }
            Command::Unpin(who, reply) => {
                let _ = reply.send(self.pin(&who, None));
            }
            Command::Rollback(who, to, reply) => {
                let _ = reply.send(self.rollback(&who, to));
            }
            Command::Instance(fresh, reply) => {
                let _ = reply.send(Ok(self.engine.instance(fresh, now())));
            }
            Command::Explain(name, client, reply) => {
                let explained = self.engine.explain(&name, client, now());
                let _ = reply
                    .send(explained.map_err(|fault| ControlError::NotFound(fault.to_string())));
            }
            Command::Audit(limit, reply) => {
                let tail = self.store.audit_tail(limit);
                let _ =
                    reply.send(tail.map_err(|fault| ControlError::Unavailable(fault.to_string())));
            }
            Command::EdgeSeen(edge, version) => self.edge_seen(edge, version),
            Command::Done(done) => self.take_done(*done),
            Command::Stop => {}
        }
    }

    /// What cannot wait: drains, what failed, static services. The rest is for the worker.
    fn tick(&mut self) {
        let started = Instant::now();
        let at = now();
        self.confirm_edges(at);
        let tick = self.engine.tick(at);
        let took = started.elapsed();
        let kept = self.keep_what_drains_became(&tick);
        let failed_open = tick.failed_open;
        let outcome = match (kept, tick.outcome) {
            (Err(fault), _) => Some((None, "store".to_owned(), fault.to_string())),
            (Ok(()), Some(Ok(draft))) => Some(self.publish(&draft, took, at)),
            (Ok(()), Some(Err(held))) => Some(self.hold(None, &held)),
            (Ok(()), None) => None,
        };
        // How long other tiers took is said when they are done.
        let local = matches!(&outcome, Some((Some(Tier::Local), _, _)));
        self.report(at, outcome, |report| {
            report.failed_open = failed_open;
            if local {
                report.solve_ms = took.as_secs_f64() * 1e3;
            }
        });
        self.show_drains();
        if !self.worker.is_busy() {
            self.assign();
        } else if self.engine.wants_warm(at) {
            self.worker.give_up_full();
        }
    }

    /// What a drain has become is durable before any map shows it.
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

    /// Gives the worker what is worth its time now: levels once a day, else the next solve.
    fn assign(&mut self) {
        let at = now();
        if let Some(job) = self.engine.levels_job(at) {
            self.worker.assign(Task::Levels(job));
        } else if let Some(job) = self.engine.job(at) {
            self.worker.assign(Task::Solve(job));
        }
    }

    /// Takes what the worker has done.
    fn take_done(&mut self, done: Done) {
        self.worker.idle();
        let Done { tier, result, took } = done;
        if let Some(tier) = tier {
            metrics::histogram!("watershed_solve_seconds", "tier" => tier.word())
                .record(took.as_secs_f64());
        }
        match result {
            Some(Found::Solve(solved)) => self.adopt(solved, took),
            Some(Found::Levels(planned)) => {
                if self.engine.adopt_levels(planned) {
                    self.keep_levels();
                }
                self.assign();
            }
            None => {
                tracing::error!(tier = tier.map(Tier::word), "a solve broke; the map stays");
                let detail = "a solve broke; the log says where".to_owned();
                self.report(now(), Some((tier, "broken".to_owned(), detail)), |_| ());
            }
        }
    }

    /// Takes what was solved.
    fn adopt(&mut self, solved: Solved, took: Duration) {
        let (at, tier) = (now(), solved.tier());
        let outcome = match self.engine.adopt(solved, at) {
            Adopted::Draft(draft) => self.publish(&draft, took, at),
            Adopted::Held(held) => self.hold(Some(tier), &held),
            Adopted::Outdated => return self.assign(),
        };
        self.report(at, Some(outcome), |report| {
            report.solve_ms = took.as_secs_f64() * 1e3;
        });
        if tier == Tier::Warm {
            self.assign();
        }
    }

    /// Keeps the levels of contracts over a restart.
    fn keep_levels(&mut self) {
        let levels = self.engine.contracts().kept_levels();
        if let Err(fault) = self.store.set_flag(LEVELS_FLAG, levels.as_deref()) {
            tracing::warn!(%fault, "planned levels are not stored; after a restart they are planned anew");
        }
    }

    /// Says why the map stays: once, not each time that it lasts.
    fn hold(&self, tier: Option<Tier>, held: &Held) -> Outcome {
        if !matches!(held, Held::NoGain) && self.cycle.borrow().outcome != held.word() {
            tracing::warn!(%held, "the map stays");
        }
        (tier, held.word().to_owned(), held.to_string())
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
        if let Some((tier, word, detail)) = outcome {
            metrics::counter!("watershed_cycles_total", "outcome" => word.clone()).increment(1);
            (report.tier, report.outcome, report.detail) = (tier, word, detail);
        }
        if let Some(snapshot) = self.intake.snapshot() {
            report.map_version = snapshot.version.to_string();
            report.map_digest = snapshot.digest.to_string();
            report.map_created_at = snapshot.created_at;
        }
        report.meters = self.engine.contracts().states(at);
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
        let input = digest_of(&draft.input_digest);
        match self.put_in_service(&draft.body, Some(draft), input, at) {
            Ok(snapshot) => {
                let (version, reason) = (snapshot.version, draft.reason.word());
                let tier = draft.tier.map(|tier| format!(", {}", tier.word()));
                let detail = format!("map {version} ({reason}{})", tier.unwrap_or_default());
                self.event("map.published", detail.clone());
                (draft.tier, "published".to_owned(), detail)
            }
            Err(fault) => {
                tracing::error!(%fault, "a checked map was not published");
                self.event("map.refused", fault.to_string());
                (draft.tier, "refused".to_owned(), fault.to_string())
            }
        }
    }

    fn put_in_service(
        &mut self,
        body: &Body,
        draft: Option<&Draft>,
        input: Digest,
        at: Timestamp,
    ) -> anyhow::Result<Arc<Snapshot>> {
        let (snapshot, record) =
            self.publisher
                .publish(body, input, (self.store.as_mut(), &self.intake), at)?;
        self.record.send_replace(Some(record));
        self.engine.published(Arc::clone(&snapshot), draft, at);
        Ok(snapshot)
    }

    fn request_drain(&mut self, who: &str, request: Request) -> Result<Drain, ControlError> {
        let (target, reason, force) = (
            request.target.to_string(),
            request.reason.clone(),
            request.force,
        );
        let drain = self
            .engine
            .request_drain(request, now())
            .map_err(|fault| match fault {
                RequestError::Target(_) => ControlError::NotFound(fault.to_string()),
                RequestError::QueueFull(_) | RequestError::TooMany(_) => {
                    ControlError::Refused(fault.to_string(), None)
                }
                _ => ControlError::Invalid(fault.to_string()),
            })?;
        let forced = if force { " (forced)" } else { "" };
        let detail = format!("{} {target} -> {}{forced}: {reason}", drain.id, drain.state);
        self.store_change(who, "drain.request", &detail, std::slice::from_ref(&drain))?;
        if drain.state == State::Refused {
            let text = drain
                .refusal
                .as_ref()
                .map_or("refused", |refusal| refusal.text.as_str())
                .to_owned();
            return Err(ControlError::Refused(text, Some(Box::new(drain))));
        }
        Ok(drain)
    }

    fn changed_drain(
        &mut self,
        who: &str,
        action: &str,
        changed: Result<Drain, ChangeError>,
    ) -> Result<Drain, ControlError> {
        let drain = changed.map_err(|fault| match fault {
            ChangeError::Unknown(_) => ControlError::NotFound(fault.to_string()),
            ChangeError::Ended { .. } => ControlError::Refused(fault.to_string(), None),
            ChangeError::Lease(_) => ControlError::Invalid(fault.to_string()),
        })?;
        let detail = format!("{} {} -> {}", drain.id, drain.target, drain.state);
        self.store_change(who, action, &detail, std::slice::from_ref(&drain))?;
        Ok(drain)
    }

    /// Makes a change durable and audited before anybody hears that it was done.
    fn store_change(
        &mut self,
        who: &str,
        action: &str,
        detail: &str,
        drains: &[Drain],
    ) -> Result<(), ControlError> {
        let stored = self
            .keep_drains(drains)
            .and_then(|()| Ok(self.store.audit(now(), who, action, detail)?));
        self.show_drains();
        self.event(action, format!("{who}: {detail}"));
        stored.map_err(|fault| ControlError::Unavailable(fault.to_string()))
    }

    fn pin(&mut self, who: &str, reason: Option<String>) -> Result<(), ControlError> {
        let unavailable =
            |fault: crate::store::StoreError| ControlError::Unavailable(fault.to_string());
        let action = if reason.is_some() {
            "map.pin"
        } else {
            "map.unpin"
        };
        self.store
            .set_flag("pin", reason.as_deref())
            .map_err(unavailable)?;
        let detail = reason.clone().unwrap_or_default();
        self.store
            .audit(now(), who, action, &detail)
            .map_err(unavailable)?;
        self.engine.pin(reason);
        self.event(action, format!("{who}: {detail}"));
        Ok(())
    }

    fn rollback(&mut self, who: &str, to: Option<MapVersion>) -> Result<(), ControlError> {
        let (version, body) = self
            .publisher
            .kept(to)
            .map_err(|fault| ControlError::NotFound(format!("{fault:#}")))?;
        self.pin(who, Some(format!("rolled back to map {version}")))?;
        let published = self.put_in_service(&body, None, Digest::default(), now());
        published
            .map(|_| ())
            .map_err(|fault| ControlError::Unavailable(fault.to_string()))
    }

    fn edge_seen(&mut self, edge: String, version: MapVersion) {
        if self.edges.len() < EDGES_MAX || self.edges.contains_key(&edge) {
            self.edges.insert(edge, (version, now()));
        }
    }

    /// The oldest version among edges that were heard of lately, and our own where we serve.
    fn confirm_edges(&mut self, at: Timestamp) {
        self.edges
            .retain(|_, (_, seen)| at.since(*seen) <= EDGE_SILENT_MAX);
        let own = self
            .intake
            .snapshot()
            .filter(|_| self.serves)
            .map(|snapshot| snapshot.version);
        let oldest = self
            .edges
            .values()
            .map(|(version, _)| *version)
            .chain(own)
            .min();
        self.engine.confirm_edges(oldest);
    }

    fn keep_drains(&mut self, drains: &[Drain]) -> anyhow::Result<()> {
        if !drains.is_empty() {
            self.store.put_drains(drains)?;
        }
        Ok(())
    }

    fn keep_ledger(&mut self, closed: &[SlotSample]) {
        if closed.is_empty() {
            return;
        }
        let row = |sample: &SlotSample| LedgerRow {
            meter: self.engine.inventory().meters[sample.meter].name.clone(),
            slot: sample.slot,
            mbps: sample.mbps,
        };
        let rows: Vec<LedgerRow> = closed.iter().map(row).collect();
        if let Err(fault) = self.store.put_ledger(&rows) {
            tracing::warn!(%fault, "billing samples are not stored; a restart would forget them");
        }
    }

    fn show_drains(&self) {
        let drains: Vec<Drain> = self.engine.drains().iter().cloned().collect();
        self.drains.send_replace(Arc::new(drains));
    }

    fn event(&self, kind: &str, detail: String) {
        tracing::info!(kind, detail, "event");
        // Nobody listening is no fault.
        let _ = self.events.send(Event {
            at: now(),
            kind: kind.to_owned(),
            detail,
        });
    }

    fn gauge(&self, report: &CycleReport) {
        if let Some(plan) = &report.plan {
            metrics::gauge!("watershed_plan_gap_ratio").set(plan.gap);
            metrics::gauge!("watershed_plan_unserved_mbps").set(plan.levels.unserved_mbps);
            metrics::gauge!("watershed_plan_overload_mbps").set(plan.levels.overload_mbps);
            metrics::gauge!("watershed_plan_cost_cny").set(plan.objective);
        }
        for meter in &report.meters {
            let label = || meter.name.clone();
            if let (Some(level), Some(tokens)) = (meter.level_mbps, meter.tokens) {
                metrics::gauge!("watershed_meter_level_mbps", "meter" => label()).set(level);
                #[expect(clippy::cast_precision_loss, reason = "slots of a month")]
                metrics::gauge!("watershed_meter_tokens", "meter" => label()).set(tokens as f64);
            }
            let bursting = f64::from(u8::from(meter.bursting));
            metrics::gauge!("watershed_meter_bursting", "meter" => label()).set(bursting);
        }
        let age = now().since(report.map_created_at);
        metrics::gauge!("watershed_map_age_seconds").set(age.as_secs_f64());
    }
}

/// A hex digest as bytes; zeros when it is none.
fn digest_of(hex: &str) -> Digest {
    let mut bytes = [0; 32];
    let pairs = hex.as_bytes().chunks_exact(2).zip(&mut bytes);
    for (pair, byte) in pairs {
        let text = std::str::from_utf8(pair).unwrap_or("00");
        *byte = u8::from_str_radix(text, 16).unwrap_or(0);
    }
    Digest(bytes)
}
