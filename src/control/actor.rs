//! The actor thread: the only one that touches engine, store and publisher.

mod changes;
mod keeping;
mod prepared;
mod pruning;
mod thinking;

use super::publisher::Publisher;
use super::worker::Worker;
use super::{Command, ControlError, ControlHandle, Event, Fixed, Wanted};
use crate::clock::now;
use crate::serving::Intake;
use crate::store::StateStore;
use anyhow::Context;
use coverage::{AreaTable, Digest, MapVersion, Timestamp};
use ed25519_dalek::SigningKey;
use engine::billing::Bills;
use engine::cycle::{Engine, EngineOptions, Steering};
use engine::drain::Drain;
use engine::inventory::Inventory;
use engine::report::CycleReport;
use instance::Instance;
use keeping::Unstored;
use prepared::{directory, restore, telemetry};
use pruning::Pruning;
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
/// Time between two writes of the slots under way.
const LEDGER_EVERY: Duration = Duration::from_secs(30);
/// Bills are no newer than this: a month of slots is sorted for each.
const BILLS_EVERY: Duration = Duration::from_secs(1);
/// Flag of the store that keeps planned levels.
const LEVELS_FLAG: &str = "levels";
/// Key under which the store keeps the prices of contracts that were believed last.
const PRICES_FLAG: &str = "prices";

/// Options of a control plane.
pub(crate) struct ControlOptions {
    /// Options of the engine.
    pub engine: EngineOptions,
    /// Time between ticks.
    pub cycle: Duration,
    /// Directory of maps, keys and history.
    pub data_dir: PathBuf,
    /// Time that entries of the audit log are kept.
    pub audit_kept: Duration,
    /// True when this process serves the map itself, so that its own swap counts as an edge's
    /// acknowledgement.
    pub serves: bool,
}

/// Deployment: all that a control plane decides about.
#[derive(Clone)]
pub(crate) struct Deployment {
    /// All that exists.
    pub inventory: Arc<Inventory>,
    /// Areas of clients.
    pub table: Arc<AreaTable>,
    /// Static policies, applied to the areas of the table.
    pub steering: Arc<Steering>,
}

/// Starts the actor with what the store holds.
///
/// # Errors
/// When the store cannot be read or no epoch can be taken.
pub(crate) fn start(
    deployment: Deployment,
    options: ControlOptions,
    mut store: Box<dyn StateStore>,
    key: SigningKey,
    intake: Arc<Intake>,
) -> anyhow::Result<(ControlHandle, JoinHandle<()>)> {
    let map_key = key.verifying_key();
    let serving = intake.snapshot();
    let publisher = Publisher::new(
        &options.data_dir,
        key,
        Digest(deployment.table.digest()),
        store.as_mut(),
        serving.as_deref(),
    )?;
    let pruning = Pruning::new(options.engine.slot, options.audit_kept, store.as_ref())?;
    let engine = restore(deployment.clone(), options.engine, store.as_ref(), serving)?;
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
    let fixed = Arc::new(Fixed {
        directory: directory(&deployment.inventory, &deployment.steering.policies),
        telemetry: telemetry(&engine),
        inventory: deployment.inventory,
        table: deployment.table,
        map_key,
        intake: Arc::clone(&intake),
    });
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
        unstored: Unstored::default(),
        pruning,
        bills: None,
    };
    let every = options.cycle;
    let thread = thread::Builder::new()
        .name("control".into())
        .spawn(move || actor.run(&commands, every));
    Ok((handle, thread.context("cannot start the control thread")?))
}

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
    unstored: Unstored,
    pruning: Pruning,
    /// The bills as they were asked for last, and when that was.
    bills: Option<(Instant, Bills)>,
}

impl Actor {
    /// Works commands off and ticks every `every`, until told to stop or every handle is gone.
    /// Whatever the wall clock does, the pace stays.
    fn run(mut self, commands: &Receiver<Command>, every: Duration) {
        let mut next_tick = Instant::now();
        let mut ledger_kept = next_tick;
        while self.handles.strong_count() > 0 {
            let wait = next_tick.saturating_duration_since(Instant::now());
            match commands.recv_timeout(wait) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.unstored.try_again();
                    self.keep_ledger(&self.engine.slots_under_way());
                    return;
                }
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= next_tick || self.engine.is_urgent() {
                self.tick();
                if ledger_kept.elapsed() >= LEDGER_EVERY {
                    self.keep_ledger(&self.engine.slots_under_way());
                    ledger_kept = Instant::now();
                }
                self.prune();
                next_tick = Instant::now() + every;
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
            Command::Instance(wanted, reply) => {
                let instance = match wanted {
                    Wanted::Next => Some(self.engine.instance(false, now())),
                    Wanted::Fresh => Some(self.engine.instance(true, now())),
                    Wanted::Last => self
                        .engine
                        .last()
                        .map(|last| Instance::clone(&last.instance)),
                };
                let none = || ControlError::NotFound("nothing was solved since the start".into());
                let _ = reply.send(instance.ok_or_else(none));
            }
            Command::Explain(name, client, reply) => {
                let explained = self.engine.explain(&name, client, now());
                let _ = reply
                    .send(explained.map_err(|fault| ControlError::NotFound(fault.to_string())));
            }
            Command::Bills(reply) => {
                let _ = reply.send(Ok(self.bills()));
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

    fn edge_seen(&mut self, edge: String, version: MapVersion) {
        if self.edges.len() < EDGES_MAX || self.edges.contains_key(&edge) {
            self.edges.insert(edge, (version, now()));
        }
    }

    /// The oldest version among edges that were heard of lately, and our own where we serve.
    fn confirm_edges(&mut self, at: Timestamp) {
        self.edges.retain(|_, (_, seen)| {
            // Nobody was heard later than now, whatever the clock said then.
            *seen = (*seen).min(at);
            at.since(*seen) <= EDGE_SILENT_MAX
        });
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

    /// Bills so far, at most [`BILLS_EVERY`] old.
    fn bills(&mut self) -> Bills {
        if let Some((at, bills)) = &self.bills
            && at.elapsed() < BILLS_EVERY
        {
            return bills.clone();
        }
        let bills = self.engine.contracts().bills(now());
        self.bills = Some((Instant::now(), bills.clone()));
        bills
    }
}
