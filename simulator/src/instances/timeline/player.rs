//! Virtual time: what is true is observed, the engine decides, clients follow, and all of it is
//! measured.

mod judge;
mod senses;

use super::Outcome;
use super::cdn::Cdn;
use coverage::{Digest, MapVersion, SiteId, Snapshot, Timestamp};
use engine::billing::ControlOptions;
use engine::cycle::{Adopted, Draft, Engine, EngineOptions, Stored};
use engine::drain;
use engine::estimate::{EstimateOptions, priors};
use engine::model::ModelOptions;
use engine::publish::PublishRules;
use engine::realise::incumbent;
use judge::{excess, oscillates};
use optimizer::{FeasibilityOptions, feasibility};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Time between two steps; also the period of all telemetry.
pub(super) const STEP: Duration = Duration::from_secs(10);
/// Time at which stories begin: 2026-01-05 00:00 UTC, in ms.
const BEGIN: Timestamp = Timestamp(1_767_571_200_000);
/// Time in which clients follow a new map: the TTL, and then some who hold on longer.
const FOLLOW: Duration = Duration::from_secs(30);
/// A site is silent for this long before it must not attract traffic: two periods.
const SILENT: Duration = Duration::from_secs(2 * STEP.as_secs());

/// An engine with a world around it.
pub(super) struct Player {
    pub(super) cdn: Cdn,
    pub(super) now: Timestamp,
    /// Sites that say nothing, and since when.
    pub(super) frozen: BTreeMap<usize, Timestamp>,
    /// Sites whose nodes say that they are not well.
    pub(super) unwell: BTreeSet<usize>,
    /// The site whose health changes again and again.
    pub(super) flapping: Option<usize>,
    /// Factor on the true quality of sites that still speak.
    pub(super) worse: f64,
    /// Factor on demand.
    pub(super) busier: f64,
    engine: Engine,
    serving: Option<Arc<Snapshot>>,
    /// `[area][link]`, ms.
    quality_ms: Vec<f64>,
    /// `[link]`, Mbps: what is really carried.
    carried_mbps: Vec<f64>,
    /// `[site]` -> planned Mbps after each map.
    planned: Vec<Vec<f64>>,
    drains: BTreeSet<String>,
    seed: u64,
    outcome: Outcome,
    lost_mbps: f64,
    asked_mbps: f64,
}

impl Player {
    /// Nothing was observed yet.
    pub(super) fn new(cdn: Cdn, seed: u64) -> Self {
        let engine = Engine::new(
            Arc::clone(&cdn.inventory),
            Arc::clone(&cdn.table),
            Arc::default(),
            options(seed),
            Stored::default(),
        );
        Self {
            quality_ms: priors(&cdn.inventory, &cdn.table),
            carried_mbps: vec![0.0; cdn.inventory.links.len()],
            planned: vec![Vec::new(); cdn.inventory.sites.len()],
            outcome: Outcome {
                demand_mbps: cdn.demand_mbps.iter().sum(),
                ..Outcome::default()
            },
            engine,
            cdn,
            now: BEGIN,
            frozen: BTreeMap::new(),
            unwell: BTreeSet::new(),
            flapping: None,
            worse: 1.0,
            busier: 1.0,
            serving: None,
            drains: BTreeSet::new(),
            seed,
            lost_mbps: 0.0,
            asked_mbps: 0.0,
        }
    }

    /// The mind, to be asked.
    #[cfg(test)]
    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Asks for a drain.
    pub(super) fn drain(&mut self, target: &str, by: &str, ramp: Duration, force: bool) {
        let Ok(target) = target.parse() else { return };
        let request = drain::Request {
            target,
            requester: by.to_owned(),
            reason: "an upgrade, or a loss".to_owned(),
            lease: Duration::from_hours(1),
            ramp: Some(ramp),
            force,
            idempotency_key: String::new(),
        };
        match self.engine.request_drain(request, self.now) {
            Ok(drain) => drop(self.drains.insert(drain.id)),
            Err(fault) => self.outcome.refusals.push(fault.to_string()),
        }
    }

    /// Links and sites that carry something in the map in force.
    pub(super) fn loaded(&self) -> (Vec<usize>, Vec<usize>) {
        let loads = self.planned_links();
        let links: Vec<usize> = (0..loads.len()).filter(|l| loads[*l] > 0.0).collect();
        let site = |link: &usize| self.cdn.inventory.links[*link].site.index();
        let sites: BTreeSet<usize> = links.iter().map(site).collect();
        (links, sites.into_iter().collect())
    }

    /// Returns what the map in force sends to a site, Mbps.
    pub(super) fn site_mbps(&self, site: usize) -> f64 {
        let links = self.cdn.inventory.links.iter().zip(self.planned_links());
        let here = links.filter(|(link, _)| link.site == SiteId::from_index(site));
        here.map(|(_, mbps)| mbps).sum()
    }

    /// A site's part of the capacity of its region.
    pub(super) fn part_of_region(&self, site: usize) -> f64 {
        let inventory = &self.cdn.inventory;
        let region = &inventory.sites[site].region;
        let (mut own, mut all) = (0.0, 0.0);
        for link in &inventory.links {
            if inventory.sites[link.site.index()].region == *region {
                all += link.capacity_mbps;
                own += if link.site.index() == site {
                    link.capacity_mbps
                } else {
                    0.0
                };
            }
        }
        own / all
    }

    /// Some steps.
    pub(super) fn wait(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
    }

    /// Observe, decide, follow, measure.
    pub(super) fn step(&mut self) {
        self.now = self.now.after(STEP);
        let observations = self.observations();
        self.engine.observe(&observations);
        self.cycle();
        let (planned, keep) = (self.planned_links(), keep());
        for (carried, planned) in self.carried_mbps.iter_mut().zip(&planned) {
            *carried = keep * *carried + (1.0 - keep) * planned;
        }
        self.measure(&planned);
    }

    /// One cycle of the engine; what it publishes is in force at once.
    pub(super) fn cycle(&mut self) {
        let mut maps: Vec<Arc<Snapshot>> = Vec::new();
        let mut version = self.serving.as_ref().map_or(0, |map| map.version.version);
        let (table, now) = (&self.cdn.table, self.now);
        let mut published = Vec::new();
        let cycle = self.engine.cycle(now, |draft: &Draft| {
            version += 1;
            let version = MapVersion { epoch: 1, version };
            let body = draft.body.clone();
            let map = Snapshot::new(version, Digest::default(), now, Arc::clone(table), body);
            let map = Arc::new(map.ok()?);
            let tier = draft.tier.map_or("static", |tier| tier.word());
            published.push(format!("{tier}, {}", draft.reason.word()));
            maps.push(Arc::clone(&map));
            Some(map)
        });
        for tier in published {
            *self.outcome.published.entry(tier).or_default() += 1;
        }
        let mut held: Vec<&str> = Vec::new();
        if let Some(Err(why)) = &cycle.tick.outcome {
            held.push(why.word());
        }
        for (_, adopted) in &cycle.adopted {
            if let Adopted::Held(why) = adopted {
                held.push(why.word());
            }
        }
        for word in held {
            *self.outcome.held.entry(word.to_owned()).or_default() += 1;
        }
        for map in maps {
            let before = self.planned_links();
            self.serving = Some(map);
            self.follow(&before);
        }
    }

    /// Notes where a new map sends traffic.
    fn follow(&mut self, before: &[f64]) {
        let after = self.planned_links();
        let first = before.iter().all(|mbps| *mbps <= 0.0);
        let mut by_site = vec![(0.0, 0.0); self.planned.len()];
        for (link, (before, after)) in self
            .cdn
            .inventory
            .links
            .iter()
            .zip(before.iter().zip(&after))
        {
            let site = &mut by_site[link.site.index()];
            *site = (site.0 + before, site.1 + after);
            if !first {
                self.outcome.moved_mbps += (after - before).max(0.0);
            }
        }
        for (site, (before, after)) in by_site.into_iter().enumerate() {
            self.planned[site].push(after);
            let came_mbps = (after - before).max(0.0);
            let silent = self.frozen.get(&site);
            if silent.is_some_and(|since| self.now.since(*since) > SILENT) {
                self.outcome.to_frozen_mbps += came_mbps;
            }
            if self.flapping == Some(site) && !first {
                self.outcome.to_flapping_mbps += came_mbps;
            }
        }
    }

    /// `[link]`: where the map in force sends true demand, Mbps.
    fn planned_links(&self) -> Vec<f64> {
        let mut mbps = vec![0.0; self.cdn.inventory.links.len()];
        let Some(serving) = &self.serving else {
            return mbps;
        };
        let plan = incumbent(serving, &self.cdn.inventory);
        for (shares, demand) in plan.shares.iter().zip(&self.cdn.demand_mbps) {
            for &(link, share) in shares {
                mbps[link.index()] += share * demand * self.busier;
            }
        }
        mbps
    }

    /// Measures what does not fit under the map in force, and what of that could have been served.
    fn measure(&mut self, planned: &[f64]) {
        let instance = self.engine.instance(true, self.now);
        let asked: f64 = self.cdn.demand_mbps.iter().sum::<f64>() * self.busier;
        let lost = excess(&instance, planned);
        self.outcome.steps += 1;
        self.asked_mbps += asked;
        self.lost_mbps += lost;
        if lost > 0.0 {
            let must = feasibility(&instance, &FeasibilityOptions::default()).unserved_mbps;
            let servable = lost - must;
            self.outcome.servable_lost_mbps_max = self.outcome.servable_lost_mbps_max.max(servable);
        }
    }

    /// The figures.
    pub(super) fn finish(mut self) -> Outcome {
        self.outcome.lost_share = self.lost_mbps / self.asked_mbps.max(1e-9);
        let mut ended: BTreeMap<String, usize> = BTreeMap::new();
        for id in &self.drains {
            if let Some(drain) = self.engine.drains().get(id) {
                *ended.entry(drain.state.to_string()).or_default() += 1;
                if matches!(drain.state, drain::State::Refused | drain::State::Queued) {
                    let last = drain.history.last();
                    let why = last.map_or("", |event| event.why.as_str());
                    self.outcome
                        .refusals
                        .push(format!("{}: {why}", drain.target));
                }
            }
        }
        self.outcome.drains = ended;
        self.outcome.oscillating_sites = self.planned.iter().filter(|row| oscillates(row)).count();
        self.outcome
    }
}

/// Share of clients that still stand where they stood a step ago.
fn keep() -> f64 {
    (-STEP.as_secs_f64() / FOLLOW.as_secs_f64()).exp()
}

/// As a daemon with short periods has them.
fn options(seed: u64) -> EngineOptions {
    EngineOptions {
        estimate: EstimateOptions {
            quality_tau: Duration::from_mins(1),
            traffic_tau: Duration::from_secs(30),
            stale_after: SILENT,
        },
        model: ModelOptions {
            slot_seconds: 300,
            value_cny_per_gbps_ms_slot: 0.02,
            candidates_max: 20,
            move_cost_ms: 5.0,
            reserve_worst_site: true,
        },
        publish: PublishRules::default(),
        drain: drain::Rules::default(),
        slot: Duration::from_mins(5),
        billing: ControlOptions::default(),
        threads: 1,
        seed,
    }
}
