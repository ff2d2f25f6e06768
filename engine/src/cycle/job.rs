//! The heavy part of a cycle as a value: everything that a solve needs, and everything that comes
//! of it.

#[cfg(test)]
mod tampered;

use super::Engine;
use super::in_force::Under;
use super::last::{LastSolve, Ports, Tree};
use super::tier::Tier;
use super::weights::{OnWeights, as_answered};
use crate::health::{Health, Margins};
use crate::model::{Facts, Reach};
use checker::{Bands, CheckFailure, Verified};
use coverage::{LinkId, Timestamp, WEIGHT_TOTAL};
use instance::{Certificate, Instance, Levels, Plan};
use optimizer::{
    Deadline, Movement, Outcome, Problem, SolveOptions, WarmStart, both, round_to_weights,
};
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
        reach: Vec<Vec<LinkId>>,
        margins: Margins,
    },
    Warm {
        base: Arc<Instance>,
        now: Ports,
        closed: Vec<LinkId>,
        tree: Box<Tree>,
    },
}

/// The plan in force, if there is one, and from where its loads count.
#[derive(Clone, Copy)]
struct InForce<'a> {
    plan: Option<&'a Plan>,
    bands: Bands,
}

/// Outcome of a [`Job`].
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

/// A plan with all that is known of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) instance: Instance,
    pub(super) plan: Plan,
    pub(super) weights: OnWeights,
    /// Levels as the map in force is judged, too.
    pub(super) answered: Option<Levels>,
    pub(super) certificate: Certificate,
    pub(super) outcome: Outcome,
    pub(super) verified: Result<Verified, CheckFailure>,
    pub(super) incumbent: Option<Levels>,
    tree: Option<Tree>,
}

impl Solved {
    /// Tells how it was solved.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        self.tier
    }
}

impl Job {
    /// Tells how it will be solved.
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
            // A figure to look at, for a second solve in each cycle: `watershed solve` finds it.
            movement: Movement::Unbounded,
        };
        let in_force = InForce {
            plan: self.in_force.as_deref(),
            bands: self.bands,
        };
        let found = match self.work {
            Work::Full {
                instance,
                reach,
                margins,
            } => full(*instance, (reach, margins), &options, in_force),
            Work::Warm {
                base,
                now,
                closed,
                tree,
            } => {
                let instance = Instance {
                    links: now.links,
                    sites: now.sites,
                    ..(*base).clone()
                };
                warm(instance, closed, *tree, &options, in_force)
            }
        };
        Solved {
            at: self.at,
            tier,
            under: self.under,
            in_force: self.in_force,
            found: found.map(Box::new),
        }
    }
}

fn full(
    instance: Instance,
    (reach, margins): (Vec<Vec<LinkId>>, Margins),
    options: &SolveOptions<'_>,
    in_force: InForce<'_>,
) -> Result<Found, Failure> {
    instance
        .validate()
        .map_err(|fault| Failure::Instance(fault.to_string()))?;
    let (solved, warm_start) = WarmStart::solve(&instance, options, in_force.plan);
    let built = Ports {
        links: instance.links.clone(),
        sites: instance.sites.clone(),
    };
    let tree = Tree {
        warm_start,
        closed: Problem::new(&instance).closed_links(),
        built,
        reach,
        margins,
    };
    Ok(Found::new(instance, solved, Some(tree), in_force))
}

fn warm(
    instance: Instance,
    closed: Vec<LinkId>,
    mut tree: Tree,
    options: &SolveOptions<'_>,
    in_force: InForce<'_>,
) -> Result<Found, Failure> {
    let solved = tree
        .warm_start
        .resolve(&instance, options)
        .ok_or(Failure::Tree)?;
    tree.closed = closed;
    Ok(Found::new(instance, solved, Some(tree), in_force))
}

/// A plan as answers can have it, beside the one in force.
struct Answered {
    weights: OnWeights,
    /// Levels, and those of the plan in force, as maps are judged.
    levels: Option<Levels>,
    incumbent: Option<Levels>,
}

impl Answered {
    fn of(instance: &Instance, solved: &optimizer::Solved, in_force: InForce<'_>) -> Self {
        let bands = in_force.bands;
        let before = |plan| as_answered(instance, plan, [bands]).map(|[levels]| levels);
        let plan = round_to_weights(instance, &solved.plan, WEIGHT_TOTAL);
        let judged = as_answered(instance, &plan, [bands, Bands::default()]);
        let exact = judged.map(|[_, exact]| exact).unwrap_or_default();
        Self {
            weights: OnWeights::new(instance, plan, exact, &solved.certificate),
            levels: judged.map(|[answered, _]| answered),
            incumbent: in_force.plan.and_then(before),
        }
    }
}

impl Found {
    /// Gain of the plan over the map in force, as a share.
    pub(super) fn gain_share(&self) -> f64 {
        let incumbent = self.incumbent.as_ref().map_or(0.0, Levels::cost_cny);
        let answered = self.answered.as_ref().map_or(0.0, Levels::cost_cny);
        let gain = incumbent - answered;
        if incumbent > 0.0 {
            gain / incumbent
        } else {
            0.0
        }
    }

    /// Checks a plan, and how the one in force fares on the same instance.
    fn new(
        instance: Instance,
        solved: optimizer::Solved,
        tree: Option<Tree>,
        in_force: InForce<'_>,
    ) -> Self {
        let judge = || Answered::of(&instance, &solved, in_force);
        let verify = || checker::verify(&instance, &solved.plan, &solved.certificate);
        let (answered, verified) = both(solved.threads, judge, verify);
        let Answered {
            weights,
            levels,
            incumbent,
        } = answered;
        Self {
            weights,
            answered: levels,
            verified,
            instance,
            plan: solved.plan,
            certificate: solved.certificate,
            outcome: solved.outcome,
            incumbent,
            // A tree that did not get to its end is no basis to go on from.
            tree: tree.filter(|_| solved.outcome == Outcome::Finished),
        }
    }

    /// Returns what is kept of it.
    pub(super) fn into_last(self, at: Timestamp, tier: Tier) -> LastSolve {
        LastSolve {
            at,
            tier,
            instance: Arc::new(self.instance),
            plan: self.plan,
            weights: self.weights,
            certificate: self.certificate,
            incumbent: self.incumbent,
            tree: self.tree,
        }
    }
}

impl Engine {
    /// The next solve that is worth a thread at `now`: the warm one if links were closed or
    /// reopened since the last, else the full one. `None` while nothing may be optimized.
    ///
    /// One at a time: the tree is in the job until [`Engine::adopt`] gets it back. A job that is
    /// lost costs a full solve.
    pub fn job(&mut self, now: Timestamp) -> Option<Job> {
        let idle = self.pinned.is_some() || self.known.inventory.services.is_empty();
        if idle || self.frozen(now).is_some() {
            return None;
        }
        let health = self.known.health(now);
        let under = self.under(&health, now);
        let in_force = self.in_force.plan.clone();
        let facts = self.known.facts(&health, in_force.as_deref());
        let work = if let Some((now, closed)) = self.closings(&health, &under) {
            let last = self.last.as_mut()?;
            let tree = Box::new(last.tree.take()?);
            let base = Arc::clone(&last.instance);
            Work::Warm {
                base,
                now,
                closed,
                tree,
            }
        } else {
            Work::Full {
                instance: Box::new(facts.instance(&under.limits, now)),
                reach: Reach::new(&facts, &under.limits).by_service,
                margins: health.margins.clone(),
            }
        };
        self.newest = Some(under.clone());
        Some(Job {
            at: now,
            under,
            in_force,
            threads: self.known.options.threads,
            bands: self.known.options.publish.bands,
            seed: self.known.options.seed,
            work,
        })
    }

    /// Tells whether a warm solve would answer what changed since the last one; a full one under
    /// way may be given up for it.
    #[must_use]
    pub fn wants_warm(&self, now: Timestamp) -> bool {
        let health = self.known.health(now);
        let under = self.under(&health, now);
        self.closings(&health, &under).is_some()
    }

    /// Links and sites as they are under `under`, and the closed links, if all that changed since
    /// the tree was built is which links are closed, and those have changed.
    fn closings(&self, health: &Health, under: &Under) -> Option<(Ports, Vec<LinkId>)> {
        let tree = self.last.as_ref()?.tree.as_ref()?;
        self.in_force.plan.as_ref()?;
        let facts = Facts {
            margins: &tree.margins,
            ..self.known.facts(health, None)
        };
        let now = Ports {
            links: facts.links(&under.limits),
            sites: facts.sites(&under.limits),
        };
        let site_of = |link: usize| self.known.inventory.links[link].site.index();
        let mut closed = Vec::new();
        for index in 0..now.links.len() {
            let site = site_of(index);
            if !now.is_open(index, site) {
                closed.push(LinkId::from_index(index));
            } else if now.links[index] != tree.built.links[index]
                || now.sites[site] != tree.built.sites[site]
            {
                // Another capacity, or a link that the network was built without.
                return None;
            }
        }
        let reach = Reach::new(&facts, &under.limits).by_service;
        let explained = |(before, after): (&Vec<LinkId>, &Vec<LinkId>)| {
            before
                .iter()
                .all(|link| after.contains(link) || closed.binary_search(link).is_ok())
        };
        let alike = tree.reach.iter().zip(&reach).all(explained);
        (alike && closed != tree.closed).then_some((now, closed))
    }
}
