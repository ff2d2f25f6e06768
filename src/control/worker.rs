//! The thread beside the actor: it does what takes long, one thing at a time, and reports through
//! the actor's own queue.

use super::Command;
use anyhow::Context;
use engine::billing::{LevelsJob, PlannedLevels};
use engine::cycle::{Job, Solved, Tier};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Work that takes long.
pub(super) enum Task {
    /// A map to be solved.
    Solve(Job),
    /// Levels of contracts to be planned.
    Levels(LevelsJob),
}

/// Result of a task.
pub(super) enum Result {
    /// Of a map.
    Solve(Solved),
    /// Of levels.
    Levels(PlannedLevels),
}

/// Report of a task that ended.
pub(super) struct Done {
    /// Tier by which it was to be solved; `None` for levels.
    pub tier: Option<Tier>,
    /// The result; `None` when the task broke, which is a defect of ours.
    pub result: Option<Result>,
    /// Time that it took.
    pub took: Duration,
}

/// The actor's end of the worker.
pub(super) struct Worker {
    tasks: SyncSender<(Task, Arc<AtomicBool>)>,
    /// Of the task under way: how it is solved, and the flag that gives it up.
    busy: Option<(Option<Tier>, Arc<AtomicBool>)>,
}

impl Worker {
    /// Starts the thread. It ends when the worker or the actor's queue is gone.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(queue: SyncSender<Command>) -> anyhow::Result<Self> {
        let (tasks, waiting) = sync_channel(1);
        thread::Builder::new()
            .name("solve".into())
            .spawn(move || work(&waiting, &queue))
            .context("cannot start the thread that solves")?;
        Ok(Self { tasks, busy: None })
    }

    /// Tells whether a task is under way.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Hands over a task; only when none is under way.
    pub(super) fn assign(&mut self, task: Task) {
        let given_up = Arc::new(AtomicBool::new(false));
        let tier = task.tier();
        if self.tasks.try_send((task, Arc::clone(&given_up))).is_ok() {
            self.busy = Some((tier, given_up));
        }
    }

    /// Notes that the task is done.
    pub(super) fn idle(&mut self) {
        self.busy = None;
    }

    /// Lets a full solve, or a planning of levels, end at its next stage: there is a better use for
    /// the thread.
    pub(super) fn give_up_slow(&self) {
        if let Some((Some(Tier::Full) | None, given_up)) = &self.busy {
            given_up.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some((_, given_up)) = &self.busy {
            given_up.store(true, Ordering::Relaxed);
        }
    }
}

impl Task {
    const fn tier(&self) -> Option<Tier> {
        match self {
            Self::Solve(job) => Some(job.tier()),
            Self::Levels(_) => None,
        }
    }

    fn run(self, given_up: &AtomicBool) -> Result {
        let expired = || given_up.load(Ordering::Relaxed);
        match self {
            Self::Solve(job) => Result::Solve(job.run(Some(&expired))),
            Self::Levels(job) => Result::Levels(job.run(Some(&expired))),
        }
    }
}

fn work(waiting: &Receiver<(Task, Arc<AtomicBool>)>, queue: &SyncSender<Command>) {
    while let Ok((task, given_up)) = waiting.recv() {
        let started = Instant::now();
        let tier = task.tier();
        // The task is gone whatever happens; nothing that a panic could leave half done is seen
        // again.
        let result = catch_unwind(AssertUnwindSafe(|| task.run(&given_up))).ok();
        let done = Done {
            tier,
            result,
            took: started.elapsed(),
        };
        if queue.send(Command::Done(Box::new(done))).is_err() {
            return;
        }
    }
}
