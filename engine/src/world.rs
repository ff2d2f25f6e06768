//! Facts drains are judged by: the traffic that the map in service plans, the traffic that was
//! measured, and what could still be carried if more were taken away.

mod loads;

use crate::drain::{Bottleneck, Facts as DrainFacts, Feasibility, Part, Reading, Unanswered};
use crate::estimate::Estimate;
use crate::limits::Limits;
use crate::model::Facts;
use coverage::{AreaId, EndpointId, GroupId, LinkId, ServiceId, SiteId, Snapshot, Timestamp};
use instance::{Instance, Unit};
use loads::Loads;
use optimizer::{Cut, FeasibilityOptions, FlowModel};
use std::cell::{OnceCell, RefCell};

/// Candidates per unit in a question of feasibility: many, because a shortage sends traffic far.
const FEASIBILITY_CANDIDATES: usize = 256;

/// Name in a bottleneck for the demand of areas that nothing but the target serves well.
const NOWHERE_ELSE: &str = "areas that nothing else serves within the quality floor";

/// The world of one tick, as drains see it.
pub struct World<'a> {
    facts: Facts<'a>,
    loads: Loads,
    snapshot: Option<&'a Snapshot>,
    now: Timestamp,
    /// The instance of the last question: a proof asks many about the same limits.
    asked: RefCell<Option<(Limits, Instance)>>,
    near: OnceCell<Vec<bool>>,
}

impl<'a> World<'a> {
    /// The world now.
    #[must_use]
    pub(crate) fn new(facts: Facts<'a>, snapshot: Option<&'a Snapshot>, now: Timestamp) -> Self {
        let loads = Loads::planned(&facts, snapshot);
        Self {
            facts,
            loads,
            snapshot,
            now,
            asked: RefCell::new(None),
            near: OnceCell::new(),
        }
    }

    /// Demand over all areas and services, Mbps.
    #[must_use]
    pub fn demand_mbps(&self) -> f64 {
        let services = || (0..self.facts.inventory.services.len()).map(ServiceId::from_index);
        let areas = (0..self.facts.table.areas().len()).map(AreaId::from_index);
        areas
            .flat_map(|area| services().map(move |service| (area, service)))
            .map(|(area, service)| self.facts.demand_mbps(area, service))
            .sum()
    }

    /// Marks units that have a candidate within their quality floor when nothing is limited.
    fn near(&self) -> &[bool] {
        self.near.get_or_init(|| {
            let undrained = self.facts.instance(&Limits::default(), self.now);
            let near = |unit: &Unit| {
                unit.latency_limit_ms.is_none_or(|latency_limit_ms| {
                    unit.cand.iter().any(|(_, ms)| *ms <= latency_limit_ms)
                })
            };
            undrained.units.iter().map(near).collect()
        })
    }

    fn group_of(&self, endpoint: EndpointId) -> GroupId {
        self.facts.inventory.endpoints[endpoint.index()].group
    }

    fn site_of(&self, group: GroupId) -> SiteId {
        self.facts.inventory.groups[group.index()].site
    }

    /// The sum of readings, as old as the oldest of them; `None` when one is missing or there is
    /// none: no data is not good news.
    fn total(&self, mut readings: impl Iterator<Item = Option<Estimate>>) -> Option<Reading> {
        let reading = |estimate: Estimate| Reading {
            mbps: estimate.value,
            age: self.now.since(estimate.at),
        };
        let first = reading(readings.next()??);
        readings.try_fold(first, |total, next| {
            let next = reading(next?);
            Some(Reading {
                mbps: total.mbps + next.mbps,
                age: total.age.max(next.age),
            })
        })
    }

    /// Traffic of all services that the groups serve.
    fn observed_groups(&self, counts: impl Fn(GroupId) -> bool) -> Option<Reading> {
        let groups = self.facts.inventory.groups.iter().enumerate();
        let cells = groups
            .filter(|(index, _)| counts(GroupId::from_index(*index)))
            .flat_map(|(index, group)| {
                group
                    .services
                    .iter()
                    .map(move |service| (GroupId::from_index(index), *service))
            });
        self.total(cells.map(|(group, service)| self.facts.estimates.group(group, service)))
    }

    /// Share of its group's new clients that a node is sent now: nodes that serve share alike.
    fn node_share(&self, node: coverage::NodeId) -> f64 {
        let name = &self.facts.inventory.nodes[node.index()].name;
        let Some(snapshot) = self.snapshot else {
            return 0.0;
        };
        let of_group = snapshot
            .catalog
            .endpoints
            .iter()
            .find(|endpoint| endpoint.nodes.iter().any(|n| n.name == *name));
        let Some(endpoint) = of_group else { return 0.0 };
        let serving = endpoint.nodes.iter().filter(|node| node.serving);
        let count = u32::try_from(serving.clone().count()).unwrap_or(u32::MAX);
        if serving.into_iter().any(|node| node.name == *name) {
            1.0 / f64::from(count.max(1))
        } else {
            0.0
        }
    }

    /// Instance under `limits`, for questions of feasibility; the newest answer is
    /// kept.
    fn instance(&self, limits: &Limits) -> Instance {
        let mut asked = self.asked.borrow_mut();
        if let Some((known, instance)) = asked.as_ref()
            && known == limits
        {
            return instance.clone();
        }
        let mut facts = self.facts;
        facts.options.candidates_max = FEASIBILITY_CANDIDATES;
        facts.incumbent = None;
        let mut instance = facts.instance(limits, self.now);
        for (unit, near) in instance.units.iter_mut().zip(self.near()) {
            // Capacity that is too far away to serve well is no reserve for who is served well
            // without drains.
            unit.cand.retain(|(_, ms)| {
                !near
                    || unit
                        .latency_limit_ms
                        .is_none_or(|latency_limit_ms| *ms <= latency_limit_ms)
            });
        }
        *asked = Some((limits.clone(), instance.clone()));
        instance
    }

    /// Names what a minimum cut holds.
    fn bottleneck(&self, cut: &Cut, missing_mbps: f64) -> Bottleneck {
        let inventory = self.facts.inventory;
        let link = |link: &u32| format!("link:{}", inventory.links[*link as usize].name);
        let site = |site: &u32| format!("site:{}", inventory.sites[*site as usize].name);
        let mut regions = cut.missing_by_region.clone();
        regions.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Bottleneck {
            regions: regions
                .into_iter()
                .filter(|(_, mbps)| *mbps > 0.0)
                .map(|(region, _)| {
                    if region.is_empty() {
                        NOWHERE_ELSE.to_owned()
                    } else {
                        region
                    }
                })
                .collect(),
            saturated: cut
                .links
                .iter()
                .map(link)
                .chain(cut.sites.iter().map(site))
                .collect(),
            missing_mbps,
        }
    }
}

/// The same problem with requests per second in the place of Mbps: sites have their limits on
/// these, and nothing else has any.
fn of_requests(mut instance: Instance) -> Instance {
    let all: f64 = instance.units.iter().map(|unit| unit.rps).sum();
    // Room for all of it is no limit, whatever it is multiplied with.
    let unlimited = 1e3 * all.max(1.0);
    let open = |capacity_mbps: f64| if capacity_mbps > 0.0 { unlimited } else { 0.0 };
    for link in &mut instance.links {
        (link.capacity_mbps, link.watermark_mbps) = (open(link.capacity_mbps), None);
    }
    for site in &mut instance.sites {
        let capacity = open(site.capacity_mbps).min(site.capacity_rps.unwrap_or(unlimited));
        (site.capacity_mbps, site.watermark_mbps) = (capacity, None);
    }
    instance.regions.clear();
    for unit in &mut instance.units {
        unit.mbps = unit.rps;
    }
    instance
}

impl DrainFacts for World<'_> {
    fn planned_mbps(&self, part: Part) -> f64 {
        let group_sum = |wanted: GroupId| {
            self.loads
                .sum(|endpoint, _| self.group_of(endpoint) == wanted)
        };
        match part {
            Part::Node(node) => {
                group_sum(self.facts.inventory.nodes[node.index()].group) * self.node_share(node)
            }
            Part::Group(group) => group_sum(group),
            Part::Site(site) => self
                .loads
                .sum(|endpoint, _| self.site_of(self.group_of(endpoint)) == site),
            Part::Link(link) => self
                .loads
                .sum(|endpoint, _| self.facts.inventory.endpoints[endpoint.index()].link == link),
            Part::Service(group, wanted) => self
                .loads
                .sum(|endpoint, service| service == wanted && self.group_of(endpoint) == group),
        }
    }

    fn observed(&self, part: Part) -> Option<Reading> {
        let estimates = self.facts.estimates;
        match part {
            Part::Node(node) => self.total([estimates.node(node)].into_iter()),
            Part::Group(group) => self.observed_groups(|other| other == group),
            Part::Site(site) => self.observed_groups(|group| self.site_of(group) == site),
            Part::Link(LinkId(link)) => self.total([estimates.link(LinkId(link))].into_iter()),
            Part::Service(group, service) => {
                self.total([estimates.group(group, service)].into_iter())
            }
        }
    }

    fn feasibility(
        &self,
        limits: &Limits,
        lost_site: Option<SiteId>,
        demand_factor: f64,
    ) -> Feasibility {
        let instance = self.instance(limits);
        let removed: Vec<u32> = lost_site.map(|site| site.0).into_iter().collect();
        let options = FeasibilityOptions {
            removed_sites: &removed,
            demand_factor,
            ..FeasibilityOptions::default()
        };
        let answer = FlowModel::new(&instance).check(&options);
        let unserved_mbps = answer.unserved_mbps;
        Feasibility {
            unserved_mbps,
            bottleneck: answer
                .bottleneck
                .map(|cut| self.bottleneck(&cut, unserved_mbps)),
        }
    }

    fn unanswered(&self, limits: &Limits, demand_factor: f64) -> Unanswered {
        if self
            .facts
            .inventory
            .nodes
            .iter()
            .all(|node| node.capacity_rps.is_none())
        {
            return Unanswered::default();
        }
        let requests = of_requests(self.instance(limits));
        let options = FeasibilityOptions {
            demand_factor,
            ..FeasibilityOptions::default()
        };
        let answer = FlowModel::new(&requests).check(&options);
        let site = |site: &u32| format!("site:{}", self.facts.inventory.sites[*site as usize].name);
        Unanswered {
            rps: answer.unserved_mbps,
            saturated: answer
                .bottleneck
                .map_or_else(Vec::new, |cut| cut.sites.iter().map(site).collect()),
        }
    }
}
