//! The thread beside the actor: it does what takes long, one thing at a time, and reports through the actor's own queue.

use super::Command;
use anyhow::Context;
use engine::cycle::{Job, Solved, Tier};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// What the worker has done.
pub(super) struct Done {
    /// How it was to be solved.
    pub tier: Tier,
    /// The result; `None` when the solve broke, which is a defect of ours.
    pub solved: Option<Solved>,
    /// Time that it took.
    pub took: Duration,
}

/// The actor's end of the worker.
pub(super) struct Worker {
    jobs: SyncSender<(Job, Arc<AtomicBool>)>,
    /// Of the job under way: how it is solved, and the flag that gives it up.
    busy: Option<(Tier, Arc<AtomicBool>)>,
}

impl Worker {
    /// Starts the thread. It ends when the worker or the actor's queue is gone.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(queue: SyncSender<Command>) -> anyhow::Result<Self> {
        let (jobs, waiting) = sync_channel(1);
        thread::Builder::new()
            .name("solve".into())
            .spawn(move || work(&waiting, &queue))
            .context("cannot start the thread that solves")?;
        Ok(Self { jobs, busy: None })
    }

    /// Whether a job is under way.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Hands over a job; only when none is under way.
    pub(super) fn assign(&mut self, job: Job) {
        let given_up = Arc::new(AtomicBool::new(false));
        let tier = job.tier();
        if self.jobs.try_send((job, Arc::clone(&given_up))).is_ok() {
            self.busy = Some((tier, given_up));
        }
    }

    /// Notes that the job is done.
    pub(super) fn idle(&mut self) {
        self.busy = None;
    }

    /// Lets a full solve end at its next stage: there is a better use for the thread.
    pub(super) fn give_up_full(&self) {
        if let Some((Tier::Full, given_up)) = &self.busy {
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

fn work(waiting: &Receiver<(Job, Arc<AtomicBool>)>, queue: &SyncSender<Command>) {
    while let Ok((job, given_up)) = waiting.recv() {
        let started = Instant::now();
        let tier = job.tier();
        let expired = || given_up.load(Ordering::Relaxed);
        // The job is gone whatever happens; nothing that a panic could leave half done is seen again.
        let solved = catch_unwind(AssertUnwindSafe(|| job.run(Some(&expired)))).ok();
        let done = Done {
            tier,
            solved,
            took: started.elapsed(),
        };
        if queue.send(Command::Done(Box::new(done))).is_err() {
            return;
        }
    }
}
