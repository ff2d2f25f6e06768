//! Requests: what is asked for, what may be wrong with it, and how it becomes a drain exactly once.

use std::time::Duration;

use coverage::Timestamp;

use super::Drains;
use super::admission::{Judge, Verdict};
use super::rules::LeaseError;
use super::state::{Drain, Refusal, State};
use super::target::{NAME_BYTES_MAX, Part, ResolveError, Target};
use super::world::World;

/// Longest reason in bytes.
pub const REASON_BYTES_MAX: usize = 1_024;

/// Asks for a drain.
///
/// ```
/// use engine::drain::{Request, Rules};
/// use std::time::Duration;
///
/// let request = Request {
///     target: "site:gz1".parse()?,
///     requester: "rollout".into(),
///     reason: "new kernel".into(),
///     lease: Duration::from_secs(1800),
///     ramp: None,
///     force: false,
///     idempotency_key: String::new(),
/// };
/// assert!(Rules::default().check_lease(request.lease).is_ok());
/// # Ok::<(), engine::drain::TargetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Target to drain.
    pub target: Target,
    /// Requester.
    pub requester: String,
    /// Reason.
    pub reason: String,
    /// Duration, counted from the request: a drain that waits uses up its lease unless renewed.
    pub lease: Duration,
    /// Time over which the share falls to 0; the rules' when `None`, and 0 for a node.
    pub ramp: Option<Duration>,
    /// Skips budgets and proof. The caller has checked that the requester may.
    pub force: bool,
    /// Key under which the request may be repeated; empty for none.
    pub idempotency_key: String,
}

/// Reason why a request was turned away without becoming a drain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The target does not exist.
    #[error(transparent)]
    Target(#[from] ResolveError),
    /// The lease or the ramp is out of bounds.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A text is empty or too long.
    #[error("{field} must have {min} to {max} bytes")]
    Text {
        /// Name of the field.
        field: &'static str,
        /// Shortest.
        min: usize,
        /// Longest.
        max: usize,
    },
    /// The key was used for another target.
    #[error("the idempotency key was used for {target} (drain {id}): take a new key")]
    KeyReused {
        /// The drain that it stands for.
        id: String,
        /// Target.
        target: Target,
    },
    /// Too many requests wait.
    #[error("{0} drains are waiting already: try again when some have ended")]
    QueueFull(usize),
    /// Too many drains are open.
    #[error("{0} drains are open already: end some first")]
    TooMany(usize),
}

/// Reason why a drain could not be renewed or cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No such drain, or it was forgotten long after its end.
    #[error("no drain {0}: it may have ended long ago")]
    Unknown(String),
    /// Lease has ended.
    #[error("drain {id} has ended ({state}): request a new one")]
    Ended {
        /// The drain.
        id: String,
        /// Stage that it is in.
        state: State,
    },
    /// The new lease is out of bounds.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

impl Drains {
    /// Asks for a drain. It is refused, waits, or starts at once, as its [`Drain::state`] tells.
    ///
    /// Repeating a request (same requester and key, or same requester and target while the lease
    /// lasts) returns the drain there is, with its lease extended, and makes no second one. Another
    /// requester gets a drain of its own on the same target, which serves again when both have
    /// ended.
    ///
    /// # Errors
    /// [`RequestError`]; nothing was changed.
    pub fn request(
        &mut self,
        request: Request,
        world: &World<'_>,
        now: Timestamp,
    ) -> Result<&Drain, RequestError> {
        let ramp = self.check(&request)?;
        let part = request.target.resolve(world.inventory)?;
        if let Some(index) = self.find_existing(&request, now)? {
            self.repeat(index, &request, part, world, now);
            return Ok(&self.drains[index]);
        }
        let open = self
            .drains
            .iter()
            .filter(|drain| !drain.state.is_final())
            .count();
        if open >= self.rules.open_max {
            return Err(RequestError::TooMany(open));
        }
        let ramp = if matches!(part, Part::Node(_)) {
            Duration::ZERO
        } else {
            ramp
        };
        let verdict = self.verdict(self.drains.len(), part, request.force, world, now);
        let waiting = self
            .drains
            .iter()
            .filter(|drain| drain.state == State::Queued)
            .count();
        if matches!(verdict, Verdict::Wait(_)) && waiting >= self.rules.queue_max {
            return Err(RequestError::QueueFull(waiting));
        }
        self.forget();
        self.last = self.last.saturating_add(1);
        let mut drain = Drain::from_request(format!("d{}", self.last), request, ramp, now);
        let why = format!("{} asked: {}", drain.requester, drain.reason);
        drain.enter(State::Requested, why, now, &self.rules);
        drain.follow(verdict, part, world, now, &self.rules);
        self.drains.push(drain);
        Ok(&self.drains[self.drains.len() - 1])
    }

    /// Checks what can be checked without the world; returns the ramp.
    fn check(&self, request: &Request) -> Result<Duration, RequestError> {
        let texts = [
            ("requester", &request.requester, 1, NAME_BYTES_MAX),
            ("reason", &request.reason, 1, REASON_BYTES_MAX),
            (
                "idempotency key",
                &request.idempotency_key,
                0,
                NAME_BYTES_MAX,
            ),
        ];
        for (field, text, min, max) in texts {
            if !(min..=max).contains(&text.len()) {
                return Err(RequestError::Text { field, min, max });
            }
        }
        self.rules.check_lease(request.lease)?;
        match request.ramp {
            Some(ramp) if ramp > request.lease => Err(LeaseError::Ramp.into()),
            Some(ramp) => Ok(ramp),
            None => Ok(self.rules.ramp.min(request.lease)),
        }
    }

    /// The drain that `request` repeats.
    fn find_existing(
        &self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Option<usize>, RequestError> {
        let mine = |drain: &Drain| drain.requester == request.requester;
        let key = &request.idempotency_key;
        let keyed = |drain: &Drain| !key.is_empty() && drain.idempotency_key == *key && mine(drain);
        if let Some(index) = self.drains.iter().rposition(keyed) {
            let found = &self.drains[index];
            if found.target != request.target {
                let (id, target) = (found.id.clone(), found.target.clone());
                return Err(RequestError::KeyReused { id, target });
            }
            return Ok(Some(index));
        }
        Ok(self.drains.iter().rposition(|drain| {
            let leased = drain.state.is_leased() && drain.expires_at > now;
            leased && mine(drain) && drain.target == request.target
        }))
    }

    /// Answers a repeated request: extends the lease, and starts a waiting drain that is now
    /// forced.
    fn repeat(
        &mut self,
        index: usize,
        request: &Request,
        part: Part,
        world: &World<'_>,
        now: Timestamp,
    ) {
        let drain = &mut self.drains[index];
        if !drain.state.is_leased() || drain.expires_at <= now {
            return;
        }
        let expires_at = now.after(request.lease);
        if expires_at > drain.expires_at {
            (drain.lease, drain.expires_at) = (request.lease, expires_at);
        }
        if request.force && drain.state == State::Queued {
            drain.force = true;
            let verdict = self.verdict(index, part, true, world, now);
            self.drains[index].follow(verdict, part, world, now, &self.rules);
        }
    }

    /// Returns what is to become of the drain that is, or will be, at `index`.
    fn verdict(
        &self,
        index: usize,
        part: Part,
        force: bool,
        world: &World<'_>,
        now: Timestamp,
    ) -> Verdict {
        let mut judge = Judge::new(world, &self.rules, now);
        let verdict = judge.judge(part, force, &self.out(world.inventory));
        let impatient = |drain: &&Drain| {
            drain.state == State::Queued && now.since(drain.requested_at) >= self.rules.patience
        };
        match self.drains[..index].iter().find(impatient) {
            Some(first) if !force && matches!(verdict, Verdict::Start(..)) => Verdict::Wait(
                Refusal::words(format!("{} has waited long and goes first", first.id)),
            ),
            _ => verdict,
        }
    }
}
