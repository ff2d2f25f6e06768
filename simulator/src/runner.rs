//! One tick after the other: state of the simulation, and what is done with it.

mod ask;

use crate::asking::Asker;
use crate::cells::Cells;
use crate::config::{Servers, SimulationConfig, hours_per_s};
use crate::control::Command;
use crate::curve::DayClock;
use crate::demand::{Level, Scales, demand_mbps};
use crate::dns_client::parse_name;
use crate::paths::Paths;
use crate::random::Random;
use crate::report::{Reporter, View};
use crate::run::{Facts, StartError};
use crate::stats::{LinkStats, Stats, Tally, TelemetryStats};
use crate::topology::Topology;
use crate::traffic::{Failures, Loads, Offer};
use domain::base::Name;
use std::sync::Arc;
use tokio::time::Instant;

/// Counters that grow over the run.
#[derive(Debug, Default)]
struct Tallies {
    dns: Tally,
    redirect: Tally,
    httpdns: Tally,
    telemetry: TelemetryStats,
}

/// The state of a simulation.
#[derive(Debug)]
pub(crate) struct Runner {
    facts: Arc<Facts>,
    servers: Servers,
    names: Vec<Name<Vec<u8>>>,
    hosts: Vec<Arc<str>>,
    httpdns_path: String,
    asker: Asker,
    cells: Cells,
    paths: Paths,
    clock: DayClock,
    level: Level,
    scales: Scales,
    failures: Failures,
    reporter: Reporter,
    random: Random,
    /// Commands to come by themselves, by time in ms, latest first.
    events: Vec<(u64, Command)>,
    tallies: Tallies,
    ticks: u64,
}

impl Runner {
    /// Opens the sockets; `events` are ascending by time.
    pub(crate) async fn new(
        facts: Arc<Facts>,
        config: SimulationConfig,
        mut events: Vec<(u64, Command)>,
    ) -> Result<Self, StartError> {
        let SimulationConfig { servers, run, .. } = config;
        let services = &facts.topology.services;
        let name = |service: &crate::world::Service| {
            let bad = |_| StartError::Domain {
                service: service.name.clone(),
                domain: service.domain.clone(),
            };
            // A wildcard is asked for by a name under it.
            let under = service
                .domain
                .strip_prefix("*.")
                .map(|rest| format!("w.{rest}"));
            parse_name(under.as_deref().unwrap_or(&service.domain)).map_err(bad)
        };
        let names = services.iter().map(name).collect::<Result<_, _>>()?;
        events.reverse();
        Ok(Self {
            names,
            hosts: services
                .iter()
                .map(|service| Arc::from(service.redirect_host.as_str()))
                .collect(),
            asker: Asker::open(&servers, &run).await?,
            cells: Cells::new(&facts.population, services, run.sessions_per_client),
            paths: Paths::new(&facts.population.areas, &facts.topology),
            clock: DayClock::new(run.utc_hour, hours_per_s(run.day_s)),
            level: Level {
                peak_mbps: run.peak_mbps,
                noise: run.noise,
                seed: run.seed,
            },
            scales: Scales::default(),
            failures: Failures::default(),
            reporter: Reporter::new(
                (run.batch_lines_max, run.quality_lines_per_tick),
                (run.noise, run.seed),
            ),
            random: Random::new(run.seed ^ 0x5157),
            httpdns_path: run.httpdns_path,
            tallies: Tallies::default(),
            ticks: 0,
            facts,
            servers,
            events,
        })
    }

    /// Applies a command whose names were checked.
    pub(crate) fn apply(&mut self, command: &Command, now_ms: u64) {
        let topology = &self.facts.topology;
        match command {
            Command::Hour(hour) => self.clock.set_hour(now_ms, *hour),
            Command::DaySeconds(day_s) => self.clock.set_speed(now_ms, hours_per_s(*day_s)),
            Command::Scale(filter, factor) => self.scales.set(filter.clone(), *factor),
            Command::FailLink(name) => self.failures.links.extend(topology.link(name)),
            Command::FailNode(name) => self.failures.nodes.extend(topology.node(name)),
            Command::RestoreLink(name) => {
                topology
                    .link(name)
                    .map(|link| self.failures.links.remove(&link));
            }
            Command::RestoreNode(name) => {
                topology
                    .node(name)
                    .map(|node| self.failures.nodes.remove(&node));
            }
        }
    }

    /// One tick at wall time `now_ms`; questions that were not begun by `until` wait for the next.
    pub(crate) async fn tick(&mut self, now_ms: u64, until: Instant) -> Stats {
        while let Some((_, command)) = self.events.pop_if(|(at_ms, _)| *at_ms <= now_ms) {
            self.apply(&command, now_ms);
        }
        let facts = Arc::clone(&self.facts);
        let (topology, population) = (&facts.topology, &facts.population);
        let due = self
            .cells
            .due(population, &topology.services, topology.all_ipv6, now_ms);
        self.ask(due, now_ms, until).await;

        let utc_hour = self.clock.hour(now_ms);
        let time = (utc_hour, self.ticks);
        let demand = demand_mbps(
            &population.areas,
            &topology.services,
            &self.scales,
            self.level,
            time,
        );
        let offers = self
            .cells
            .offers(population, topology.services.len(), &demand);
        let loads = Loads::assign(topology, &self.failures, &offers);
        let mean_rtt_ms = self.mean_rtt_ms(&offers, &loads);
        let view = View {
            topology,
            areas: &population.areas,
            paths: &self.paths,
            demand: &demand,
            loads: &loads,
            failures: &self.failures,
            tick: self.ticks,
        };
        let batches = self.reporter.tick(&view);
        match batches {
            Ok(batches) => self.tell(batches).await,
            Err(error) => tracing::error!(%error, "telemetry of this tick is lost"),
        }
        self.ticks += 1;
        let totals = Stats {
            utc_hour,
            elapsed_ms: now_ms,
            mean_rtt_ms,
            demand_mbps: demand.iter().sum(),
            ..Stats::default()
        };
        self.stats(totals, &loads)
    }

    /// Sends telemetry; after a failure the rest of the tick is dropped, and after an outage
    /// the whole matrix is told again.
    async fn tell(&mut self, batches: Vec<crate::report::Batch>) {
        let Some(server) = self.servers.api else {
            return;
        };
        for batch in batches {
            match self
                .asker
                .http()
                .post_lines(server, &self.servers.api_token, batch.bytes)
                .await
            {
                Ok(refused) => {
                    self.tallies.telemetry.batches += 1;
                    self.tallies.telemetry.lines += batch.lines as u64;
                    self.tallies.telemetry.refused_lines += refused;
                }
                Err(error) => {
                    // A busy daemon keeps what it knows: telling it everything again would only
                    // keep it busy.
                    if error.is_outage() {
                        self.reporter.start_over();
                    }
                    let label = error.label().to_owned();
                    *self.tallies.telemetry.failures.entry(label).or_insert(0) += 1;
                    return;
                }
            }
        }
    }

    /// Mean round-trip time of traffic to living links, weighted by Mbps.
    fn mean_rtt_ms(&self, offers: &[Offer<'_>], loads: &Loads) -> f64 {
        let (mut weighted, mut total) = (0.0, 0.0);
        for (cell, offer) in self.cells.cells.iter().zip(offers) {
            let area = self.facts.population.clients[cell.client].area;
            for target in offer
                .targets
                .iter()
                .filter(|target| !self.failures.links.contains(&target.link))
            {
                #[expect(clippy::cast_precision_loss, reason = "an answer has few addresses")]
                let mbps = offer.mbps / offer.targets.len() as f64;
                let path = self.paths.now(
                    (area, target.link),
                    &self.facts.topology,
                    (loads, &self.failures),
                );
                weighted += mbps * path.rtt_ms;
                total += mbps;
            }
        }
        if total > 0.0 { weighted / total } else { 0.0 }
    }

    /// Fills in what the tick left.
    fn stats(&self, totals: Stats, loads: &Loads) -> Stats {
        let Topology {
            links,
            groups,
            services,
            nodes,
            ..
        } = &self.facts.topology;
        let link = |(index, link): (usize, &crate::topology::LinkFacts)| {
            let stats = LinkStats {
                offered_mbps: loads.link_offered[index],
                carried_mbps: loads.link_carried[index],
                capacity_mbps: link.capacity_mbps,
                up: !self.failures.links.contains(&index),
            };
            (link.name.clone(), stats)
        };
        let group = |(index, group): (usize, &crate::topology::GroupFacts)| {
            let row = &loads.group_service[index * services.len()..][..services.len()];
            let busy = services.iter().zip(row).filter(|(_, mbps)| **mbps > 0.0);
            (
                group.name.clone(),
                busy.map(|(service, mbps)| (service.name.clone(), *mbps))
                    .collect(),
            )
        };
        let names = services.iter().map(|service| service.name.clone());
        Stats {
            ticks: self.ticks,
            served_mbps: loads.service.iter().sum(),
            lost_mbps: loads.lost,
            unassigned_mbps: loads.unassigned,
            services: names.zip(loads.service.iter().copied()).collect(),
            groups: groups.iter().enumerate().map(group).collect(),
            links: links.iter().enumerate().map(link).collect(),
            dead_nodes: self
                .failures
                .nodes
                .iter()
                .map(|node| nodes[*node].name.clone())
                .collect(),
            areas: self.facts.population.areas.len(),
            cells: self.cells.cells.len(),
            dns: self.tallies.dns.shown(),
            redirect: self.tallies.redirect.shown(),
            httpdns: self.tallies.httpdns.shown(),
            telemetry: self.tallies.telemetry.clone(),
            ..totals
        }
    }
}
