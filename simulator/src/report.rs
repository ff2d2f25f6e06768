//! Telemetry of one tick: what nodes, links and groups carry, what clients want, and how good the
//! paths are.
//!
//! The matrix of paths is large, so it is told whole at first and then in turns; columns of links
//! whose state changed are told at once, because a dead link must not wait for its turn.

use crate::paths::Paths;
use crate::population::DemandArea;
use crate::random::noise;
use crate::topology::Topology;
use crate::traffic::{Failures, Loads};
use collectors::{EncodeError, TelemetryLine, encode_line};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Utilisation from which a link counts as crowded.
const CROWDED_FROM: f64 = 0.95;

/// Lines for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The lines.
    pub(crate) bytes: Vec<u8>,
    /// Count.
    pub(crate) lines: usize,
}

/// All that telemetry tells of one tick.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// The world.
    pub(crate) topology: &'a Topology,
    /// Areas with demand.
    pub(crate) areas: &'a [DemandArea],
    /// Paths between them.
    pub(crate) paths: &'a Paths,
    /// Demand, [area][service], Mbps.
    pub(crate) demand: &'a [f64],
    /// Traffic.
    pub(crate) loads: &'a Loads,
    /// Dead parts.
    pub(crate) failures: &'a Failures,
    /// Number of the tick, for noise.
    pub(crate) tick: u64,
}

/// State of a link, as far as paths depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    Free,
    Crowded,
    Overloaded,
    Dead,
}

/// Writes telemetry, tick by tick.
#[derive(Debug)]
pub(crate) struct Reporter {
    batch_lines_max: usize,
    quality_lines: usize,
    noise: f64,
    seed: u64,
    /// Next pair whose turn it is; `None` when the whole matrix is due.
    next_pair: Option<usize>,
    states: Vec<LinkState>,
}

impl Reporter {
    /// A reporter that has told nothing yet: batches of at most so many lines, so many paths in
    /// turn per tick.
    pub(crate) fn new(
        (batch_lines_max, quality_lines): (usize, usize),
        (noise, seed): (f64, u64),
    ) -> Self {
        Self {
            batch_lines_max: batch_lines_max.max(1),
            quality_lines,
            noise,
            seed,
            next_pair: None,
            states: Vec::new(),
        }
    }

    /// The next tick tells the whole matrix again: what was told may not have arrived.
    pub(crate) const fn start_over(&mut self) {
        self.next_pair = None;
    }

    /// Telemetry of one tick, most urgent first.
    ///
    /// # Errors
    /// [`EncodeError`], which plain numbers and names do not cause.
    pub(crate) fn tick(&mut self, view: &View<'_>) -> Result<Vec<Batch>, EncodeError> {
        let mut writer = Writer {
            batches: vec![Batch::default()],
            lines_max: self.batch_lines_max,
        };
        write_loads(view, &mut writer)?;
        write_demand(view, &mut writer)?;
        for index in self.pairs(view) {
            self.write_path(view, index, &mut writer)?;
        }
        Ok(writer.batches)
    }

    /// Pairs of area and link that are due, ascending.
    fn pairs(&mut self, view: &View<'_>) -> BTreeSet<usize> {
        let (total, links) = (view.paths.pairs(), view.topology.links.len());
        let states: Vec<LinkState> = (0..links).map(|link| state(view, link)).collect();
        let changed = |link: &usize| {
            self.states
                .get(*link)
                .is_some_and(|old| *old != states[*link])
        };
        let columns: Vec<usize> = (0..links).filter(changed).collect();
        self.states = states;
        let Some(first) = self.next_pair else {
            self.next_pair = Some(0);
            return (0..total).collect();
        };
        let count = self.quality_lines.min(total);
        self.next_pair = Some((first + count) % total.max(1));
        let turn = (first..first + count).map(|index| index % total);
        let urgent = columns
            .iter()
            .flat_map(|link| (0..view.areas.len()).map(move |area| area * links + link));
        turn.chain(urgent).collect()
    }

    fn write_path(
        &self,
        view: &View<'_>,
        index: usize,
        writer: &mut Writer,
    ) -> Result<(), EncodeError> {
        let pair = view.paths.pair(index);
        let path = view
            .paths
            .now(pair, view.topology, (view.loads, view.failures));
        let link = &view.topology.links[pair.1];
        let jitter = noise(self.seed, view.tick, index as u64) * self.noise;
        writer.line(&TelemetryLine::Quality {
            area: Cow::Borrowed(&view.areas[pair.0].name),
            site: Cow::Borrowed(&link.site),
            link: Some(Cow::Borrowed(&link.name)),
            rtt_ms: rounded(path.rtt_ms * (1.0 + jitter)),
            loss: rounded(path.loss),
            at: None,
        })
    }
}

fn state(view: &View<'_>, link: usize) -> LinkState {
    let utilisation = view.loads.utilisation(view.topology, link);
    if view.failures.links.contains(&link) {
        LinkState::Dead
    } else if utilisation > 1.0 {
        LinkState::Overloaded
    } else if utilisation > CROWDED_FROM {
        LinkState::Crowded
    } else {
        LinkState::Free
    }
}

/// Nodes, links, and services in groups.
fn write_loads(view: &View<'_>, writer: &mut Writer) -> Result<(), EncodeError> {
    let View {
        topology,
        loads,
        failures,
        ..
    } = view;
    for (index, node) in topology.nodes.iter().enumerate() {
        let mbps = loads.node[index];
        writer.line(&TelemetryLine::Node {
            node: Cow::Borrowed(&node.name),
            healthy: !failures.nodes.contains(&index),
            load: rounded((mbps / node.capacity_mbps.max(1e-9)).min(collectors::LOAD_MAX)),
            mbps: rounded(mbps),
            at: None,
        })?;
    }
    for (link, mbps) in topology.links.iter().zip(&loads.link_carried) {
        let link = Cow::Borrowed(link.name.as_str());
        writer.line(&TelemetryLine::Link {
            link,
            mbps: rounded(*mbps),
            at: None,
        })?;
    }
    let services = topology.services.len();
    for (index, mbps) in loads.group_service.iter().enumerate() {
        writer.line(&TelemetryLine::Group {
            group: Cow::Borrowed(&topology.groups[index / services].name),
            service: Cow::Borrowed(&topology.services[index % services].name),
            mbps: rounded(*mbps),
            at: None,
        })?;
    }
    Ok(())
}

/// Writes what each area wants of each service.
fn write_demand(view: &View<'_>, writer: &mut Writer) -> Result<(), EncodeError> {
    let services = view.topology.services.len();
    for (index, mbps) in view.demand.iter().enumerate() {
        writer.line(&TelemetryLine::Demand {
            area: Some(Cow::Borrowed(&view.areas[index / services].name)),
            client: None,
            service: Cow::Borrowed(&view.topology.services[index % services].name),
            mbps: rounded(*mbps),
            rps: None,
            at: None,
        })?;
    }
    Ok(())
}

/// Three places: no instrument is better, and lines stay short. Small loss keeps five.
fn rounded(value: f64) -> f64 {
    let scale = if value < 1.0 { 1e5 } else { 1e3 };
    (value * scale).round() / scale
}

/// Cuts lines into batches.
struct Writer {
    batches: Vec<Batch>,
    lines_max: usize,
}

impl Writer {
    fn line(&mut self, line: &TelemetryLine<'_>) -> Result<(), EncodeError> {
        if self
            .batches
            .last()
            .is_none_or(|batch| batch.lines >= self.lines_max)
        {
            self.batches.push(Batch::default());
        }
        if let Some(batch) = self.batches.last_mut() {
            encode_line(line, &mut batch.bytes)?;
            batch.lines += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
