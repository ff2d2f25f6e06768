//! The actor thread: the only one that touches engine, store and publisher.

use super::publisher::Publisher;
use super::{Command, ControlError, ControlHandle, Event, Fixed};
use crate::clock::now;
use crate::serving::Intake;
use crate::store::{LedgerRow, StateStore};
use anyhow::Context;
use coverage::observation::Directory;
use coverage::{AreaTable, Body, CheckId, Digest, MapVersion, Snapshot, Timestamp};
use ed25519_dalek::SigningKey;
use engine::billing::SlotSample;
use engine::cycle::{Draft, Engine, EngineOptions, Steering, Tick};
use engine::drain::{ChangeError, Drain, Request, RequestError, State};
use engine::inventory::Inventory;
use engine::policy::Policies;
use engine::publish::Held;
use engine::report::CycleReport;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
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
    let samples = ledger(store.as_ref(), &inventory)?;
    let drains = store.drains()?;
    let pinned = store.flag("pin")?;
    let mut engine = Engine::new(
        Arc::clone(&inventory),
        Arc::clone(&table),
        Arc::clone(&steering),
        options.engine,
        (drains, samples),
        serving,
    );
    engine.pin(pinned);
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
    let handle = ControlHandle {
        fixed: Arc::new(fixed),
        queue,
        record: record_seen,
        cycle: cycle_seen,
        drains: drains_seen,
        events: events.clone(),
    };
    let actor = Actor {
        engine,
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

struct Actor {
    engine: Engine,
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
        loop {
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
            Command::Stop => {}
        }
    }

    fn tick(&mut self) {
        let started = std::time::Instant::now();
        let at = now();
        self.confirm_edges(at);
        let Tick {
            drains,
            forgotten,
            outcome,
            failed_open,
        } = self.engine.tick(at, None);
        let solve_ms = started.elapsed().as_secs_f64() * 1e3;
        metrics::histogram!("watershed_solve_seconds").record(solve_ms / 1e3);
        // What a drain has become is durable before any map shows it.
        let kept = self
            .keep_drains(&drains)
            .and_then(|()| Ok(self.store.forget_drains(&forgotten)?));
        for drain in &drains {
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
        let (word, detail) = match (kept, outcome) {
            (Err(fault), _) => ("store".to_owned(), fault.to_string()),
            (Ok(()), Ok(draft)) => self.publish(&draft, at),
            (Ok(()), Err(held)) => {
                // Said once, not at every tick that it lasts.
                if !matches!(held, Held::NoGain) && self.cycle.borrow().outcome != held.word() {
                    tracing::warn!(%held, "the map stays");
                }
                (held.word().to_owned(), held.to_string())
            }
        };
        metrics::counter!("watershed_cycles_total", "outcome" => word.clone()).increment(1);
        let snapshot = self.intake.snapshot();
        let report = CycleReport {
            at,
            outcome: word,
            detail,
            map_version: snapshot
                .as_ref()
                .map(|snapshot| snapshot.version.to_string())
                .unwrap_or_default(),
            map_digest: snapshot
                .as_ref()
                .map(|snapshot| snapshot.digest.to_string())
                .unwrap_or_default(),
            map_created_at: snapshot
                .map(|snapshot| snapshot.created_at)
                .unwrap_or_default(),
            solve_ms,
            failed_open,
            ..CycleReport::default()
        };
        let report = report.with_solve(self.engine.last().map(AsRef::as_ref));
        self.gauge(&report);
        self.cycle.send_replace(Arc::new(report));
        self.show_drains();
    }

    /// Publishes a draft; the outcome in a word and a sentence.
    fn publish(&mut self, draft: &Draft, at: Timestamp) -> (String, String) {
        match self.put_in_service(&draft.body, digest_of(&draft.input_digest), at) {
            Ok(snapshot) => {
                let detail = format!("map {} ({})", snapshot.version, draft.reason.word());
                self.event("map.published", detail.clone());
                ("published".to_owned(), detail)
            }
            Err(fault) => {
                tracing::error!(%fault, "a checked map was not published");
                self.event("map.refused", fault.to_string());
                ("refused".to_owned(), fault.to_string())
            }
        }
    }

    fn put_in_service(
        &mut self,
        body: &Body,
        input: Digest,
        at: Timestamp,
    ) -> anyhow::Result<Arc<Snapshot>> {
        let (snapshot, record) =
            self.publisher
                .publish(body, input, (self.store.as_mut(), &self.intake), at)?;
        self.record.send_replace(Some(record));
        self.engine.published(Arc::clone(&snapshot), at);
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
        let published = self.put_in_service(&body, Digest::default(), now());
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
