//! The heavy part of a cycle as a value: everything that a solve needs.

#[cfg(test)]
mod tampered;

use super::found::{Found, Incumbent};
use super::tree::{Basis, Closings, Tree, closed_links};
use super::{Engine, Tier, Under};
use crate::health::Health;
use crate::model::{Facts, Reach};
use checker::Bands;
use coverage::Timestamp;
use instance::{Instance, Plan};
use optimizer::{Deadline, Movement, Problem, SolveOptions, Standing};
use std::sync::Arc;

/// A solve that waits for a thread.
#[derive(Debug)]
pub struct Job {
    at: Timestamp,
    under: Under,
    in_force: Option<Arc<Plan>>,
    threads: usize,
    bands: Bands,
    seed: u64,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Full {
        instance: Box<Instance>,
        basis: Basis,
    },
    Warm {
        closings: Box<Closings>,
        tree: Box<Tree>,
    },
}

/// Result of a [`Job`].
#[derive(Debug)]
pub struct Solved {
    pub(super) at: Timestamp,
    pub(super) tier: Tier,
    pub(super) under: Under,
    pub(super) in_force: Option<Arc<Plan>>,
    pub(super) found: Result<Box<Found>, Failure>,
}

/// Reason why there is no plan.
#[derive(Debug)]
pub(super) enum Failure {
    /// The instance itself is faulty.
    Instance(String),
    /// The tree cannot go on to this instance: it must be solved as a whole.
    Tree,
}

impl Solved {
    /// Tier that solved it.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        self.tier
    }
}

impl Job {
    /// Tier that will solve it.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        match self.work {
            Work::Full { .. } => Tier::Full,
            Work::Warm { .. } => Tier::Warm,
        }
    }

    /// Solves and checks. The result is a function of the job, unless `deadline` cuts it short.
    #[must_use]
    pub fn run(self, deadline: Option<&dyn Deadline>) -> Solved {
        let tier = self.tier();
        let options = SolveOptions {
            threads: self.threads,
            seed: self.seed,
            deadline,
            // The least movement possible is a solve of its own, and no gate asks for it.
            movement: Movement::Unbounded,
        };
        let incumbent = Incumbent {
            plan: self.in_force.as_deref(),
            bands: self.bands,
        };
        let solved = match self.work {
            Work::Full { instance, basis } => {
                solve_anew(*instance, basis, &options, incumbent.plan)
            }
            Work::Warm { closings, tree } => go_on(*closings, *tree, &options),
        };
        let found =
            solved.map(|(solved, instance, tree)| Found::new(instance, solved, tree, incumbent));
        Solved {
            at: self.at,
            tier,
            under: self.under,
            found: found.map(Box::new),
            in_force: self.in_force,
        }
    }
}

/// A solve with its instance and the tree that it left.
type Outcome = Result<(optimizer::Solved, Arc<Instance>, Tree), Failure>;

fn solve_anew(
    instance: Instance,
    basis: Basis,
    options: &SolveOptions<'_>,
    in_force: Option<&Plan>,
) -> Outcome {
    instance
        .validate()
        .map_err(|fault| Failure::Instance(fault.to_string()))?;
    let (solved, standing) = Standing::solve(&instance, options, in_force);
    let instance = Arc::new(instance);
    let tree = Tree {
        standing,
        closed: closed_links(&Problem::new(&instance)),
        built: Arc::clone(&instance),
        basis,
    };
    Ok((solved, instance, tree))
}

fn go_on(closings: Closings, mut tree: Tree, options: &SolveOptions<'_>) -> Outcome {
    let solved = tree.standing.resolve(&closings.instance, options);
    let solved = solved.ok_or(Failure::Tree)?;
    tree.closed = closings.closed;
    Ok((solved, Arc::new(closings.instance), tree))
}

impl Engine {
    /// The next solve that is worth a thread at `now`: the warm one if links were closed or
    /// reopened since the last, else the full one. `None` while nothing may be optimized.
    ///
    /// One at a time: the tree is in the job until [`Engine::adopt`] gets it back. A job that is
    /// lost costs a full solve.
    pub fn job(&mut self, now: Timestamp) -> Option<Job> {
        let idle = self.pinned.is_some() || self.inventory.services.is_empty();
        if idle || self.why_frozen(now).is_some() {
            return None;
        }
        let health = self.health(now);
        let under = self.under(&health, now);
        let work = if let Some(closings) = self.find_closings(&health, &under) {
            Work::Warm {
                closings: Box::new(closings),
                tree: Box::new(self.tree.take()?),
            }
        } else {
            let facts = self.facts(&health, self.in_force.plan.as_deref());
            Work::Full {
                instance: Box::new(facts.instance(&under.limits, now)),
                basis: Basis {
                    reach: Reach::new(&facts, &under.limits).by_service,
                    margins: health.margins.clone(),
                },
            }
        };
        self.newest = Some(under.clone());
        Some(Job {
            at: now,
            under,
            in_force: self.in_force.plan.clone(),
            threads: self.options.threads,
            bands: self.options.publish.bands,
            seed: self.options.seed,
            work,
        })
    }

    /// Tells whether a warm solve would answer what changed since the last one; a full one under
    /// way may be given up for it.
    #[must_use]
    pub fn wants_warm(&self, now: Timestamp) -> bool {
        let health = self.health(now);
        self.find_closings(&health, &self.under(&health, now))
            .is_some()
    }

    /// Links that closed or opened under `under`, if that is all that changed since the tree was
    /// built.
    pub(super) fn find_closings(&self, health: &Health, under: &Under) -> Option<Closings> {
        let tree = self.tree.as_ref()?;
        let last = self.last.as_ref()?;
        self.in_force.plan.as_ref()?;
        let facts = Facts {
            margins: &tree.basis.margins,
            ..self.facts(health, None)
        };
        let instance = Instance {
            links: facts.links(&under.limits),
            sites: facts.sites(&under.limits),
            ..(*last.instance).clone()
        };
        let problem = Problem::new(&instance);
        let closed = closed_links(&problem);
        let reach = Reach::new(&facts, &under.limits).by_service;
        let news = closed != tree.closed && tree.explains(&problem, &closed, &reach);
        news.then_some(Closings { instance, closed })
    }
}
