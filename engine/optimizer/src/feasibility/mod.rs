//! Can the demand be carried at all? Maximum flow, and the cut that says where it cannot.
//!
//! Answers drain admission and N-1 questions: which load is left over when these links and sites
//! are gone. Price and quality play no part, so one answer takes milliseconds.

mod maxflow;

use serde::{Deserialize, Serialize};

use self::maxflow::{FlowGraph, FlowRun};
use crate::network::numbers::as_u32;
use crate::network::scale::{Scale, UNLIMITED};
use crate::problem::index::Problem;
use coverage::SiteId;
use instance::Instance;

/// Limit that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The hard capacities of links, sites and regions.
    #[default]
    Capacity,
    /// The watermarks of links, sites and regions.
    Watermark,
}

/// One what-if question.
#[derive(Debug, Clone, Copy)]
pub struct FeasibilityOptions<'a> {
    /// Limit that counts.
    pub limit: Limit,
    /// Indices of links that carry nothing.
    pub removed_links: &'a [u32],
    /// Indices of sites that carry nothing.
    pub removed_sites: &'a [u32],
    /// Factor on every demand; 1 for the demand as it is.
    pub demand_factor: f64,
}

impl Default for FeasibilityOptions<'_> {
    fn default() -> Self {
        let limit = Limit::default();
        Self {
            limit,
            removed_links: &[],
            removed_sites: &[],
            demand_factor: 1.0,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feasibility {
    /// Demand that fits nowhere, in Mbps; exact.
    pub unserved_mbps: f64,
    /// Cut at which it is stuck; `None` when everything fits.
    pub bottleneck: Option<Cut>,
}

/// A minimum cut: demand that can only reach rows which are full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// Indices of the links that are full, rising. Removed ones are not named.
    pub links: Vec<u32>,
    /// Indices of the sites that are full, rising. Removed ones are not named.
    pub sites: Vec<u32>,
    /// Indices of the limited regions that are full, rising.
    #[serde(default)]
    pub regions: Vec<u32>,
    /// Demand confined to these rows, in Mbps.
    pub demand_mbps: f64,
    /// Capacity of these rows together, in Mbps.
    pub capacity_mbps: f64,
    /// Missing Mbps by region, rising by name. A unit belongs to the region of its best candidate.
    pub missing_by_region: Vec<(String, f64)>,
}

/// The network for many questions about one instance.
#[derive(Debug, Clone)]
pub struct FlowModel<'a> {
    problem: Problem<'a>,
    nodes: Nodes,
    scale: Scale,
    graph: FlowGraph,
}

/// Answers one question. Build a [`FlowModel`] for many.
#[must_use]
pub fn feasibility(instance: &Instance, options: &FeasibilityOptions<'_>) -> Feasibility {
    FlowModel::new(instance).check(options)
}

/// The cut of an instance as it is, at hard capacities; `None` when all demand fits.
#[must_use]
pub fn cut(instance: &Instance) -> Option<Cut> {
    feasibility(instance, &FeasibilityOptions::default()).bottleneck
}

impl<'a> FlowModel<'a> {
    /// Builds the network. O(candidates).
    ///
    /// Nodes: source, sink, regions, sites, links, units. Arcs: one per region, site, link, unit
    /// and candidate, in that order.
    #[must_use]
    pub fn new(instance: &'a Instance) -> Self {
        let problem = Problem::new(instance);
        let nodes = Nodes::of(instance);
        let mut ends = Vec::new();
        ends.extend((0..instance.regions.len()).map(|r| (nodes.region(r), SINK)));
        let above = |site: SiteId| {
            let region = problem.region_of(site);
            region.map_or(SINK, |region| nodes.region(region.index()))
        };
        ends.extend(
            problem
                .sites()
                .map(|(s, _)| (nodes.site(s.index()), above(s))),
        );
        for place in problem.places() {
            ends.push((
                nodes.link(place.link.index()),
                nodes.site(place.site.index()),
            ));
        }
        let links = instance.links.len();
        ends.extend((0..instance.units.len()).map(|u| (SOURCE, nodes.unit(u))));
        for (index, unit) in instance.units.iter().enumerate() {
            for &(link, _) in unit.cand.iter().filter(|c| (c.0.index()) < links) {
                ends.push((nodes.unit(index), nodes.link(link.index())));
            }
        }
        let graph = FlowGraph::new(nodes.unit(instance.units.len()) as usize, &ends);
        Self {
            nodes,
            scale: Scale::of(&problem),
            problem,
            graph,
        }
    }

    /// Answers one question.
    #[must_use]
    pub fn check(&self, options: &FeasibilityOptions<'_>) -> Feasibility {
        let capacities = self.capacities(options);
        let demand: i64 = self.demands(options).sum();
        let (sent, run) = self.graph.run(capacities.clone(), SOURCE, SINK);
        let bottleneck = if sent < demand {
            Some(self.bottleneck(options, &capacities, &run))
        } else {
            None
        };
        Feasibility {
            unserved_mbps: self.scale.mbps(demand - sent),
            bottleneck,
        }
    }

    fn demands(&self, options: &FeasibilityOptions<'_>) -> impl Iterator<Item = i64> {
        let factor = options.demand_factor.max(0.0);
        self.problem
            .instance
            .units
            .iter()
            .map(move |u| self.scale.flow(u.mbps * factor))
    }

    /// `[arc]` -> capacity in quanta; 0 on the ways back.
    fn capacities(&self, options: &FeasibilityOptions<'_>) -> Vec<i64> {
        let mut forward: Vec<i64> = Vec::new();
        for region in &self.problem.instance.regions {
            forward.push(match options.limit {
                Limit::Capacity => self.scale.flow(region.capacity_mbps),
                Limit::Watermark => self.scale.flow(region.watermark_mbps()),
            });
        }
        for site in &self.problem.instance.sites {
            forward.push(match options.limit {
                Limit::Capacity => self.scale.flow(site.capacity_mbps),
                Limit::Watermark => self.scale.flow(site.watermark_mbps()),
            });
        }
        for link in &self.problem.instance.links {
            forward.push(match options.limit {
                Limit::Capacity => self.scale.flow(link.capacity_mbps),
                Limit::Watermark => self.scale.flow(link.watermark_mbps()),
            });
        }
        let (sites, links) = (
            self.problem.instance.sites.len(),
            self.problem.instance.links.len(),
        );
        let known = |index: &u32, count: usize| (*index as usize) < count;
        let removed_sites = options.removed_sites.iter().filter(|s| known(s, sites));
        let removed_sites = removed_sites.map(|&s| self.nodes.arc_of_site(s as usize));
        let removed_links = options.removed_links.iter().filter(|l| known(l, links));
        let removed_links = removed_links.map(|&l| self.nodes.arc_of_link(l as usize));
        for at in removed_sites.chain(removed_links) {
            if let Some(capacity) = forward.get_mut(at) {
                *capacity = 0;
            }
        }
        forward.extend(self.demands(options));
        let mut both: Vec<i64> = forward.into_iter().flat_map(|c| [c, 0]).collect();
        let candidates = self.graph.arc_count() - both.len();
        both.extend((0..candidates).map(|i| if i % 2 == 0 { UNLIMITED } else { 0 }));
        both
    }

    /// The cut behind a shortage.
    fn bottleneck(&self, options: &FeasibilityOptions<'_>, full: &[i64], run: &FlowRun) -> Cut {
        let nodes = self.nodes;
        let mut cut = Cut {
            links: Vec::new(),
            sites: Vec::new(),
            regions: Vec::new(),
            demand_mbps: 0.0,
            capacity_mbps: 0.0,
            missing_by_region: Vec::new(),
        };
        let mut capacity = 0;
        for region in 0..self.problem.instance.regions.len() {
            if run.on_source_side(nodes.region(region)) {
                capacity += full[2 * region];
                cut.regions.push(as_u32(region));
            }
        }
        let stuck = |site: SiteId| run.on_source_side(nodes.site(site.index()));
        let region_stuck = |site: SiteId| {
            let region = self.problem.region_of(site);
            region.is_some_and(|region| run.on_source_side(nodes.region(region.index())))
        };
        for (site, _) in self.problem.sites() {
            if stuck(site) && !region_stuck(site) {
                capacity += full[2 * nodes.arc_of_site(site.index())];
                if !options.removed_sites.contains(&site.0) {
                    cut.sites.push(site.0);
                }
            }
        }
        for place in self.problem.places() {
            let link = place.link.index();
            if !stuck(place.site) && run.on_source_side(nodes.link(link)) {
                capacity += full[2 * nodes.arc_of_link(link)];
                let site_removed = options.removed_sites.contains(&place.site.0);
                if !site_removed && !options.removed_links.contains(&place.link.0) {
                    cut.links.push(place.link.0);
                }
            }
        }
        cut.capacity_mbps = self.scale.mbps(capacity);
        let mut missing = std::collections::BTreeMap::new();
        let mut confined = 0;
        for (index, unit) in self.problem.instance.units.iter().enumerate() {
            if run.on_source_side(nodes.unit(index)) {
                let arc = 2 * nodes.arc_of_unit(index);
                confined += full[arc];
                if run.residual[arc] > 0 {
                    *missing.entry(self.region(unit)).or_insert(0) += run.residual[arc];
                }
            }
        }
        cut.demand_mbps = self.scale.mbps(confined);
        cut.missing_by_region = missing
            .into_iter()
            .map(|(region, flow)| (region.to_owned(), self.scale.mbps(flow)))
            .collect();
        cut
    }

    /// Region of the best candidate of a unit; empty when it has none.
    fn region(&self, unit: &instance::Unit) -> &str {
        let best = unit.cand.iter().min_by(|a, b| instance::by_quality(a, b));
        best.map_or("", |&(link, _)| {
            let site = self.problem.place(link).site;
            &self.problem.instance.sites[site.index()].region
        })
    }
}

const SOURCE: u32 = 0;
const SINK: u32 = 1;

/// Numbers of nodes and of the first arcs, which follow the same order: regions, sites, links,
/// units.
#[derive(Debug, Clone, Copy)]
struct Nodes {
    regions: usize,
    sites: usize,
    links: usize,
}

impl Nodes {
    const fn of(instance: &Instance) -> Self {
        Self {
            regions: instance.regions.len(),
            sites: instance.sites.len(),
            links: instance.links.len(),
        }
    }

    fn region(self, region: usize) -> u32 {
        as_u32(2 + region)
    }

    fn site(self, site: usize) -> u32 {
        as_u32(2 + self.arc_of_site(site))
    }

    fn link(self, link: usize) -> u32 {
        as_u32(2 + self.arc_of_link(link))
    }

    fn unit(self, unit: usize) -> u32 {
        as_u32(2 + self.arc_of_unit(unit))
    }

    const fn arc_of_site(self, site: usize) -> usize {
        self.regions + site
    }

    const fn arc_of_link(self, link: usize) -> usize {
        self.regions + self.sites + link
    }

    const fn arc_of_unit(self, unit: usize) -> usize {
        self.regions + self.sites + self.links + unit
    }
}
