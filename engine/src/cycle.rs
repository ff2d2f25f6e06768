//! One tick: estimates -> instance -> plan -> checked -> gated -> draft of a map.
//!
//! The engine holds all state of the control plane's thinking and does nothing by itself: whoever owns it feeds
//! observations, calls [`Engine::tick`] at its own pace, and publishes the draft that comes out.

use crate::billing::{Ledger, SlotSample};
use crate::check;
use crate::drain::{self, Drain, Drains};
use crate::estimate::{EstimateOptions, Estimates, priors};
use crate::explain::{self, ExplainError, Explanation};
use crate::health::{self, Health};
use crate::inventory::Inventory;
use crate::limits::Limits;
use crate::model::{Facts, ModelOptions};
use crate::plan::{self, Certificate, Instance, Levels, Plan, SolveOptions};
use crate::policy::{self, CheckStates, Policies, PolicyAreas};
use crate::publish::{Held, PublishRules, Reason, gate};
use crate::realise::{catalog, incumbent, realise};
use crate::world::World;
use coverage::catalog::Catalog;
use coverage::map::CoverageMapBuilder;
use coverage::observation::{Observation, Sample};
use coverage::{AreaId, AreaTable, Body, MapVersion, ServiceId, Snapshot, Timestamp};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longest time from publishing to serving on an edge that is not heard from: two of its polls.
const EDGE_LAG_MAX: Duration = Duration::from_secs(40);

/// Everything that a deployment may choose.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How estimates follow.
    pub estimate: EstimateOptions,
    /// How instances are made.
    pub model: ModelOptions,
    /// When plans are published.
    pub publish: PublishRules,
    /// How drains behave.
    pub drain: drain::Rules,
    /// Slot length of billing.
    pub slot: Duration,
    /// Threads of the solver; the result does not depend on it.
    pub threads: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
}

/// What a tick produced.
#[derive(Debug)]
pub struct Tick {
    /// Drains that changed and must be stored before anything is published.
    pub drains: Vec<Drain>,
    /// Identifiers of drains that were forgotten.
    pub forgotten: Vec<String>,
    /// A map to publish, or why the one in force stays.
    pub outcome: Result<Draft, Held>,
    /// Regions whose health reports were not believed.
    pub failed_open: Vec<String>,
}

/// A checked map that awaits its version and signature.
#[derive(Debug)]
pub struct Draft {
    /// The map and what it speaks of.
    pub body: Body,
    /// Digest of the instance behind it.
    pub input_digest: String,
    /// Why it is worth publishing.
    pub reason: Reason,
}

/// Static policies, and what every area of the table gets from them.
#[derive(Clone, Debug, Default)]
pub struct Steering {
    /// The policies.
    pub policies: Policies,
    /// What areas get.
    pub areas: PolicyAreas,
}

/// The optimizer's part of a map, before static services are added.
struct Half {
    catalog: Catalog,
    map: CoverageMapBuilder,
    input_digest: String,
    reason: Reason,
}

/// What was solved last.
#[derive(Debug)]
pub struct LastSolve {
    /// When.
    pub at: Timestamp,
    /// The instance.
    pub instance: Instance,
    /// The plan.
    pub plan: Plan,
    /// Its certificate.
    pub certificate: Certificate,
    /// How the map in force fares on the same instance; `None` when it names what is gone, or there is none.
    pub incumbent: Option<Levels>,
}

/// The control plane's mind.
pub struct Engine {
    inventory: Arc<Inventory>,
    table: Arc<AreaTable>,
    steering: Arc<Steering>,
    checks: CheckStates,
    /// Whether a check told something new since the last tick.
    urgent: bool,
    priors_ms: Vec<f64>,
    options: EngineOptions,
    estimates: Estimates,
    ledger: Ledger,
    drains: Drains,
    serving: Option<Arc<Snapshot>>,
    /// Limits and node states of the map in force.
    published_under: Option<(Limits, Vec<bool>)>,
    holds_as_of: Timestamp,
    edges_confirmed: Option<MapVersion>,
    pinned: Option<String>,
    last: Option<Arc<LastSolve>>,
}

impl Engine {
    /// A mind with stored drains and billing samples, and the map in force if there is one.
    #[must_use]
    pub fn new(
        inventory: Arc<Inventory>,
        table: Arc<AreaTable>,
        steering: Arc<Steering>,
        options: EngineOptions,
        stored: (Vec<Drain>, Vec<SlotSample>),
        serving: Option<Arc<Snapshot>>,
    ) -> Self {
        let (drains, samples) = stored;
        let mut ledger = Ledger::new(&inventory, options.slot);
        ledger.restore(samples);
        Self {
            priors_ms: priors(&inventory, &table),
            estimates: Estimates::new(&inventory, table.areas().len(), options.estimate),
            drains: Drains::restore(drains, options.drain.clone()),
            holds_as_of: serving
                .as_ref()
                .map(|snapshot| snapshot.created_at)
                .unwrap_or_default(),
            inventory,
            table,
            steering,
            checks: CheckStates::default(),
            urgent: false,
            options,
            ledger,
            serving,
            published_under: None,
            edges_confirmed: None,
            pinned: None,
            last: None,
        }
    }

    /// Folds observations in. Returns billing slots that they closed, to be stored.
    pub fn observe(&mut self, observations: &[Observation]) -> Vec<SlotSample> {
        let mut closed = Vec::new();
        // What links carry comes first: it tells which quality was measured through a full one.
        let (traffic, quality): (Vec<_>, Vec<_>) = observations
            .iter()
            .partition(|observation| !matches!(observation.sample, Sample::Quality { .. }));
        for observation in traffic.into_iter().chain(quality) {
            self.estimates.apply(observation);
            if let Sample::Check { check, address, up } = observation.sample {
                self.urgent |= self.checks.set(check.index(), address, up);
            }
            if let Sample::Link { link, mbps } = observation.sample {
                // What is refused is counted by the ledger; the good ones go on.
                let counted =
                    self.ledger
                        .count(&self.inventory, link.index(), mbps, observation.at);
                closed.extend(counted.ok().flatten());
            }
        }
        closed
    }

    /// Whether the next tick should not be waited for: a check has told something new.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Whether, and why, an operator holds the map.
    pub fn pin(&mut self, reason: Option<String>) {
        self.pinned = reason;
    }

    /// Newest version that all known edges serve; `None` when there are none.
    pub const fn confirm_edges(&mut self, version: Option<MapVersion>) {
        self.edges_confirmed = version;
    }

    /// What exists.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Drains as they stand.
    #[must_use]
    pub const fn drains(&self) -> &Drains {
        &self.drains
    }

    /// What was solved last.
    #[must_use]
    pub const fn last(&self) -> Option<&Arc<LastSolve>> {
        self.last.as_ref()
    }

    /// One tick at `now`: drains first, then the map.
    pub fn tick(&mut self, now: Timestamp, deadline: Option<&dyn plan::Deadline>) -> Tick {
        self.ledger.advance(now);
        self.urgent = false;
        let health = self.health();
        let changed = self.with_world(&health, now, |drains, world| drains.step(world, now));
        let drains = changed
            .iter()
            .filter_map(|changed| self.drains.get(&changed.id))
            .cloned()
            .collect();
        let forgotten = self.drains.take_forgotten();
        let outcome = self.plan_map(&health, now, deadline);
        if matches!(outcome, Err(Held::NoGain)) {
            self.holds_as_of = now;
        }
        Tick {
            drains,
            forgotten,
            outcome,
            failed_open: health.failed_open,
        }
    }

    /// Asks for a drain: admitted, queued or refused, with the proof.
    ///
    /// # Errors
    /// [`drain::RequestError`] when the request itself is wrong; a refusal by proof is a drain in state `refused`.
    pub fn request_drain(
        &mut self,
        request: drain::Request,
        now: Timestamp,
    ) -> Result<Drain, drain::RequestError> {
        let health = self.health();
        self.with_world(&health, now, |drains, world| {
            drains.request(request, world, now).cloned()
        })
    }

    /// Renews a drain's lease from now.
    ///
    /// # Errors
    /// [`drain::ChangeError`].
    pub fn renew_drain(
        &mut self,
        id: &str,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Drain, drain::ChangeError> {
        self.drains.renew(id, lease, now).cloned()
    }

    /// Ends a drain; its target refills.
    ///
    /// # Errors
    /// [`drain::ChangeError`].
    pub fn cancel_drain(&mut self, id: &str, now: Timestamp) -> Result<Drain, drain::ChangeError> {
        self.drains.cancel(id, now).cloned()
    }

    /// Tells the engine that its draft is in force as `snapshot`.
    pub fn published(&mut self, snapshot: Arc<Snapshot>, now: Timestamp) {
        let nodes_up = self.health().nodes_up;
        self.published_under = Some((self.drains.limits(now, &self.inventory), nodes_up));
        self.serving = Some(snapshot);
        self.holds_as_of = now;
    }

    /// The instance that the next tick would solve; `fresh` as if no map were in force, so that nothing costs a move.
    #[must_use]
    pub fn instance(&self, fresh: bool, now: Timestamp) -> Instance {
        let health = self.health();
        let incumbent = self.incumbent().filter(|_| !fresh);
        let facts = self.facts(&health, incumbent.as_ref());
        facts.instance(&self.drains.limits(now, &self.inventory), now)
    }

    /// Why `client` gets its answer for `name`.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub fn explain(
        &self,
        name: &str,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<Explanation, ExplainError> {
        let snapshot = self.serving.as_ref().ok_or(ExplainError::NoMap)?;
        let health = self.health();
        let facts = self.facts(&health, None);
        let limits = self.drains.limits(now, &self.inventory);
        let solved = self.last.as_ref().map(|last| explain::Solved {
            instance: &last.instance,
            plan: &last.plan,
            certificate: &last.certificate,
        });
        let mut story = explain::explain(&facts, &limits, snapshot, solved, (name, client), now)?;
        let Steering { policies, areas } = &*self.steering;
        let area = snapshot.table.lookup(client.to_canonical()).area;
        // A map made for another table has other areas.
        if snapshot.table.digest() == self.table.digest() {
            let given = (area, story.answer.group.as_str());
            story.policy = policies.story(areas, &self.checks, &story.service, given);
        }
        Ok(story)
    }

    fn health(&self) -> Health {
        health::judge(
            &self.inventory,
            &self.estimates,
            self.options.publish.down_share_max,
        )
    }

    fn incumbent(&self) -> Option<Plan> {
        let same_table =
            |snapshot: &&Arc<Snapshot>| snapshot.table.areas().len() == self.table.areas().len();
        self.serving
            .as_ref()
            .filter(same_table)
            .map(|snapshot| incumbent(snapshot, &self.inventory))
    }

    fn facts<'a>(&'a self, health: &'a Health, incumbent: Option<&'a Plan>) -> Facts<'a> {
        Facts {
            inventory: &self.inventory,
            table: &self.table,
            priors_ms: &self.priors_ms,
            estimates: &self.estimates,
            ledger: &self.ledger,
            nodes_up: &health.nodes_up,
            incumbent,
            options: self.options.model,
        }
    }

    /// Runs `judge` on the drains with the world as it is now.
    fn with_world<T>(
        &mut self,
        health: &Health,
        now: Timestamp,
        judge: impl FnOnce(&mut Drains, &drain::World<'_>) -> T,
    ) -> T {
        // Taken out while they are judged, because the world borrows everything else.
        let mut drains =
            std::mem::replace(&mut self.drains, Drains::new(self.options.drain.clone()));
        let facts = World::new(self.facts(health, None), self.serving.as_deref(), now);
        let world = drain::World {
            inventory: &self.inventory,
            facts: &facts,
            demand_mbps: facts.demand_mbps(),
            published: self.serving.as_ref().map(|snapshot| drain::Published {
                version: snapshot.version,
                at: snapshot.created_at,
                holds_as_of: self.holds_as_of,
            }),
            edges_confirmed: self.edges_confirmed,
            ttl_max: self.inventory.ttl_max(),
            edge_lag_max: EDGE_LAG_MAX,
        };
        let judged = judge(&mut drains, &world);
        self.drains = drains;
        judged
    }

    /// The map that should be in force, if it differs enough from the one that is.
    fn plan_map(
        &mut self,
        health: &Health,
        now: Timestamp,
        deadline: Option<&dyn plan::Deadline>,
    ) -> Result<Draft, Held> {
        if let Some(reason) = &self.pinned {
            return Err(Held::Pinned(reason.clone()));
        }
        let (mut draft, held) = match self.optimized(health, now, deadline) {
            Ok(draft) => (draft, None),
            // What the optimizer's gates hold back must not hold back a failover of static services.
            Err(held) => (self.as_served().ok_or_else(|| held.clone())?, Some(held)),
        };
        policy::compile(
            &self.steering.policies,
            &self.steering.areas,
            &self.checks,
            &mut draft.catalog,
            &mut draft.map,
        );
        let map = draft
            .map
            .finish()
            .map_err(|hole| Held::Uncovered(hole.to_string()))?;
        let same = |serving: &Arc<Snapshot>| serving.map == map && serving.catalog == draft.catalog;
        if self.serving.as_ref().is_some_and(same) {
            if held.is_none() {
                let limits = self.drains.limits(now, &self.inventory);
                self.published_under = Some((limits, health.nodes_up.clone()));
            }
            return Err(held.unwrap_or(Held::NoGain));
        }
        Ok(Draft {
            body: Body {
                catalog: draft.catalog,
                map,
            },
            input_digest: draft.input_digest,
            reason: draft.reason,
        })
    }

    /// A map of the right size with nothing in it yet.
    fn blank_map(&self) -> CoverageMapBuilder {
        let services = self.inventory.services.len() + self.steering.policies.services.len();
        let areas = u32::try_from(self.table.areas().len()).unwrap_or(u32::MAX);
        CoverageMapBuilder::new(services, areas)
    }

    /// The optimizer's part of the next map.
    fn optimized(
        &mut self,
        health: &Health,
        now: Timestamp,
        deadline: Option<&dyn plan::Deadline>,
    ) -> Result<Half, Held> {
        let limits = self.drains.limits(now, &self.inventory);
        if self.inventory.services.is_empty() {
            let facts = self.facts(health, None);
            return Ok(Half {
                catalog: catalog(&facts, &limits, self.drains.active(now)),
                map: self.blank_map(),
                input_digest: String::new(),
                reason: Reason::Policy,
            });
        }
        let unlimited = || limits == Limits::default();
        let changed = self.published_under.as_ref().map_or_else(
            // After a restart the map in force was made under limits that are not known here; drains tell most of them.
            || !unlimited(),
            |(under, nodes_up)| *under != limits || *nodes_up != health.nodes_up,
        );
        self.refuse_stale(changed, now)?;
        let last = Arc::new(self.solve(health, &limits, now, deadline)?);
        self.last = Some(Arc::clone(&last));
        let verified = check::verify(&last.instance, &last.plan, &last.certificate)
            .map_err(|failure| Held::Checker(failure.to_string()))?;
        let reason = match (&self.serving, &last.incumbent) {
            // The map in force names what is gone: it must be replaced whatever it costs.
            (Some(_), None) => Reason::Limits,
            (_, incumbent) => gate(
                &self.options.publish,
                &verified,
                incumbent.as_ref(),
                changed,
            )?,
        };
        let facts = self.facts(health, None);
        let mut map = self.blank_map();
        realise(
            &facts,
            &limits,
            &last.instance,
            &last.plan,
            self.serving.as_deref(),
            &mut map,
        );
        Ok(Half {
            catalog: catalog(&facts, &limits, self.drains.active(now)),
            map,
            input_digest: last.certificate.input_digest.clone(),
            reason,
        })
    }

    /// The optimizer's part as it is served now; `None` when there are no static services to go on with, or no map, or one
    /// of another inventory.
    fn as_served(&self) -> Option<Half> {
        let inventory = &self.inventory;
        let serving = self.serving.as_ref()?;
        let fixed = &self.steering.policies.services;
        let names = inventory.services.iter().map(|service| &service.served);
        let names = names.chain(fixed.iter().map(|service| &service.served));
        let same = serving.table.areas().len() == self.table.areas().len()
            && serving.catalog.services.iter().eq(names)
            && serving.catalog.endpoints.len() >= inventory.endpoints.len();
        if fixed.is_empty() || !same {
            return None;
        }
        let mut catalog = serving.catalog.clone();
        catalog.services.truncate(inventory.services.len());
        catalog.groups.truncate(inventory.groups.len());
        catalog.endpoints.truncate(inventory.endpoints.len());
        let mut map = self.blank_map();
        let ids: Vec<_> = serving
            .map
            .answer_sets()
            .iter()
            .map(|set| map.intern(set.clone()))
            .collect();
        for service in (0..inventory.services.len()).map(ServiceId::from_index) {
            for (set, area) in serving.map.row(service).iter().zip(0..) {
                map.put(service, AreaId(area), ids[set.index()]);
            }
        }
        Some(Half {
            catalog,
            map,
            input_digest: String::new(),
            reason: Reason::Policy,
        })
    }

    /// Freezes the map when too much of demand is stale, unless what may be used changed: then it must still be left. After
    /// a restart nothing is known for a while, and a map made of assumptions must not replace one made of measurements.
    fn refuse_stale(&self, changed: bool, now: Timestamp) -> Result<(), Held> {
        let freshness = self.estimates.demand_freshness(now);
        if self.serving.is_some() && freshness.known == 0 {
            return Err(Held::Silent);
        }
        if !changed
            && self.serving.is_some()
            && freshness.stale_share() > self.options.publish.stale_share_max
        {
            return Err(Held::Stale {
                stale: freshness.stale,
                known: freshness.known,
            });
        }
        Ok(())
    }

    fn solve(
        &self,
        health: &Health,
        limits: &Limits,
        now: Timestamp,
        deadline: Option<&dyn plan::Deadline>,
    ) -> Result<LastSolve, Held> {
        let in_force = self.incumbent();
        let facts = self.facts(health, in_force.as_ref());
        let instance = facts.instance(limits, now);
        instance
            .validate()
            .map_err(|fault| Held::Instance(fault.to_string()))?;
        let options = SolveOptions {
            threads: self.options.threads,
            seed: self.options.seed,
            deadline,
            ..SolveOptions::default()
        };
        let solved = plan::solve(&instance, &options, in_force.as_ref());
        let incumbent = in_force
            .and_then(|plan| check::evaluate(&instance, &plan).ok())
            .map(|figures| figures.levels);
        Ok(LastSolve {
            at: now,
            instance,
            plan: solved.plan,
            certificate: solved.certificate,
            incumbent,
        })
    }
}
