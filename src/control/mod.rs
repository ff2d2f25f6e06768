//! The control plane as an actor: one thread owns engine, store and publisher. Everybody else holds
//! a handle.
//!
//! ```text
//!   API, CLI, edges --ControlHandle--> bounded queue --> actor thread: observe | drain | tick
//!      ^                                     ^                |            |
//!      |                                     '--- results --- | ------- worker thread
//!      '------ watch: record, cycle report, drains -----------'
//!              broadcast: events
//! ```
//! The actor never solves: what takes long is a job for the worker, and its result comes back as
//! one more command. The queue is bounded and never waited for: what does not fit is refused, and
//! the caller is told to come again.

mod actor;
mod publisher;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use actor::{ControlOptions, Deployment, start};

use crate::store::AuditEntry;
use collectors::Limits;
use coverage::observation::{Directory, Observation};
use coverage::{AreaTable, MapVersion, Snapshot, Timestamp};
use ed25519_dalek::VerifyingKey;
use engine::billing::Bills;
use engine::drain::{Drain, Request};
use engine::explain::Explanation;
use engine::inventory::Inventory;
use engine::report::CycleReport;
use instance::Instance;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;
use tokio::sync::{broadcast, oneshot, watch};

use crate::serving::Intake;

/// An event, for subscribers.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Event {
    /// Time of the event, ms since 1970.
    pub at: Timestamp,
    /// Such as `map.published` or `drain.shifting`.
    pub kind: String,
    /// In words.
    pub detail: String,
}

/// The queue to the control plane is full; come again in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the control plane is busy: its queue is full; send this again in a second")]
pub(crate) struct QueueFull;

/// Reason for which a request to the control plane was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A guard refused it; the drain says why.
    #[error("{0}")]
    Refused(String, Option<Box<Drain>>),
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The work could not be done now.
    #[error("{0}")]
    Unavailable(String),
}

type Reply<T> = oneshot::Sender<Result<T, ControlError>>;

/// Instance that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The one that the next tick would solve.
    Next,
    /// The same as if no map were in force.
    Fresh,
    /// The one that was solved last.
    Last,
}

/// Requests to the actor.
enum Command {
    Observe(Vec<Observation>),
    RequestDrain(String, Box<Request>, Reply<Drain>),
    RenewDrain(String, String, Duration, Reply<Drain>),
    CancelDrain(String, String, Reply<Drain>),
    Pin(String, String, Reply<()>),
    Unpin(String, Reply<()>),
    Rollback(String, Option<MapVersion>, Reply<()>),
    Instance(Wanted, Reply<Instance>),
    Explain(String, IpAddr, Reply<Explanation>),
    Bills(Reply<Bills>),
    Audit(u32, Reply<Vec<AuditEntry>>),
    EdgeSeen(String, MapVersion),
    Done(Box<worker::Done>),
    Stop,
}

/// Parts that never change while a control plane runs.
struct Fixed {
    directory: Directory,
    telemetry: Limits,
    inventory: Arc<Inventory>,
    table: Arc<AreaTable>,
    map_key: VerifyingKey,
    intake: Arc<Intake>,
}

/// The way to a running control plane. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ControlHandle {
    fixed: Arc<Fixed>,
    queue: SyncSender<Command>,
    record: watch::Receiver<Option<Arc<Vec<u8>>>>,
    cycle: watch::Receiver<Arc<CycleReport>>,
    drains: watch::Receiver<Arc<Vec<Drain>>>,
    events: broadcast::Sender<Event>,
}

impl ControlHandle {
    /// Names -> ids, for decoding telemetry.
    #[must_use]
    pub(crate) fn directory(&self) -> &Directory {
        &self.fixed.directory
    }

    /// Limits of telemetry.
    #[must_use]
    pub(crate) fn telemetry(&self) -> &Limits {
        &self.fixed.telemetry
    }

    /// Inventory: all that exists.
    #[must_use]
    pub(crate) fn inventory(&self) -> &Inventory {
        &self.fixed.inventory
    }

    /// Area table: where clients are.
    #[must_use]
    pub(crate) fn table(&self) -> &Arc<AreaTable> {
        &self.fixed.table
    }

    /// Key that signs maps.
    #[must_use]
    pub(crate) fn map_key(&self) -> VerifyingKey {
        self.fixed.map_key
    }

    /// The snapshot in service in this process.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.fixed.intake.snapshot()
    }

    /// The newest sealed record.
    #[must_use]
    pub(crate) fn record(&self) -> watch::Receiver<Option<Arc<Vec<u8>>>> {
        self.record.clone()
    }

    /// The newest tick.
    #[must_use]
    pub(crate) fn cycle(&self) -> watch::Receiver<Arc<CycleReport>> {
        self.cycle.clone()
    }

    /// All drains.
    #[must_use]
    pub(crate) fn drains(&self) -> watch::Receiver<Arc<Vec<Drain>>> {
        self.drains.clone()
    }

    /// Events from now on; a slow reader misses events and is told so.
    #[must_use]
    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Hands observations over.
    ///
    /// # Errors
    /// [`QueueFull`]; none of them was taken.
    pub(crate) fn observe(&self, observations: Vec<Observation>) -> Result<(), QueueFull> {
        self.queue
            .try_send(Command::Observe(observations))
            .map_err(|_| QueueFull)
    }

    /// Asks for a drain.
    ///
    /// # Errors
    /// [`ControlError::Refused`] with the proof, or what is wrong with the request.
    pub(crate) async fn request_drain(
        &self,
        who: &str,
        request: Request,
    ) -> Result<Drain, ControlError> {
        self.ask(|reply| Command::RequestDrain(who.to_owned(), Box::new(request), reply))
            .await
    }

    /// Renews a lease, from now.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) async fn renew_drain(
        &self,
        who: &str,
        id: &str,
        lease: Duration,
    ) -> Result<Drain, ControlError> {
        self.ask(|reply| Command::RenewDrain(who.to_owned(), id.to_owned(), lease, reply))
            .await
    }

    /// Ends a drain.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) async fn cancel_drain(&self, who: &str, id: &str) -> Result<Drain, ControlError> {
        self.ask(|reply| Command::CancelDrain(who.to_owned(), id.to_owned(), reply))
            .await
    }

    /// Pins the map in force.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) async fn pin(&self, who: &str, reason: &str) -> Result<(), ControlError> {
        self.ask(|reply| Command::Pin(who.to_owned(), reason.to_owned(), reply))
            .await
    }

    /// Lets the map move again.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) async fn unpin(&self, who: &str) -> Result<(), ControlError> {
        self.ask(|reply| Command::Unpin(who.to_owned(), reply))
            .await
    }

    /// Publishes an earlier map again, under a new version, and pins it. Without a version: the
    /// parent.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] when that map is not kept.
    pub(crate) async fn rollback(
        &self,
        who: &str,
        to: Option<MapVersion>,
    ) -> Result<(), ControlError> {
        self.ask(|reply| Command::Rollback(who.to_owned(), to, reply))
            .await
    }

    /// An instance as the optimizer reads it.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] when nothing was solved yet.
    pub(crate) async fn instance(&self, wanted: Wanted) -> Result<Instance, ControlError> {
        self.ask(|reply| Command::Instance(wanted, reply)).await
    }

    /// Tells why a client gets its answer.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) async fn explain(
        &self,
        name: &str,
        client: IpAddr,
    ) -> Result<Explanation, ControlError> {
        self.ask(|reply| Command::Explain(name.to_owned(), client, reply))
            .await
    }

    /// Bills of contracts so far.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) async fn bills(&self) -> Result<Bills, ControlError> {
        self.ask(Command::Bills).await
    }

    /// The newest entries of the audit log.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, ControlError> {
        self.ask(|reply| Command::Audit(limit, reply)).await
    }

    /// Notes that an edge serves `version`. Lost when the queue is full: the edge will say it
    /// again.
    pub(crate) fn edge_seen(&self, edge: &str, version: MapVersion) {
        let _ = self
            .queue
            .try_send(Command::EdgeSeen(edge.to_owned(), version));
    }

    /// Asks the actor to end after what is queued.
    pub(crate) fn stop(&self) {
        let _ = self.queue.send(Command::Stop);
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ControlError> {
        let (reply, answer) = oneshot::channel();
        let ended =
            || ControlError::Unavailable("the control plane has ended; see its log".to_owned());
        self.queue
            .try_send(command(reply))
            .map_err(|fault| match fault {
                TrySendError::Full(_) => ControlError::Unavailable(QueueFull.to_string()),
                TrySendError::Disconnected(_) => ended(),
            })?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}
