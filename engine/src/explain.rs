//! Reasons why a client gets its answer: as data, for DNS, 302 and HTTPDNS alike, tied to a map
//! version.

use crate::cycle::Tier;
use crate::limits::Limits;
use crate::model::{Facts, unit_index};
use crate::policy::PolicyStory;
use coverage::catalog::ActiveDrain;
use coverage::{Asked, Decision, EndpointId, LinkId, ServiceId, Snapshot, Timestamp};
use instance::{Certificate, Instance, Plan};
use optimizer::{CandidateView, explain_unit};
use serde::Serialize;
use std::net::IpAddr;

/// The whole story of one answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Name that was asked.
    pub name: String,
    /// Service that the name belongs to.
    pub service: String,
    /// Client address or the network address of its prefix.
    pub client: IpAddr,
    /// Area of the client, such as `cn/44/ct`.
    pub area: String,
    /// Reason for that area: the prefix that matched.
    pub area_why: String,
    /// Map version that answers, `epoch.version`.
    pub map_version: String,
    /// Digest of that map.
    pub map_digest: String,
    /// Time at which it was published, ms since 1970.
    pub map_created_at_ms: u64,
    /// Tier that found the optimizer's part of that map; `None` after a restart or a rollback.
    pub tier: Option<Tier>,
    /// Endpoint that answers this client.
    pub answer: Endpoint,
    /// ECS scope of the answer.
    pub scope: u8,
    /// Links that could answer, best first.
    pub candidates: Vec<Candidate>,
    /// Drains in force, those that shaped this answer first.
    pub drains: Vec<Drain>,
    /// Decision in place of the optimizer's, for a service that follows a policy.
    pub policy: Option<PolicyStory>,
}

/// An endpoint in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Group.
    pub group: String,
    /// Site of the group.
    pub site: String,
    /// Link.
    pub link: String,
    /// Addresses in the answer.
    pub addresses: Vec<IpAddr>,
    /// Name in the answer, where that is an alias.
    pub alias: Option<String>,
}

/// A candidate link and its fate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Link.
    pub link: String,
    /// Site.
    pub site: String,
    /// Region.
    pub region: String,
    /// Quality from the area, equivalent ms.
    pub quality_ms: f64,
    /// `measured` with its age in seconds, or `assumed` from geography.
    pub quality_source: String,
    /// Price of capacity of link and site there, CNY per Mbps and slot.
    pub capacity_price_cny_per_mbps: f64,
    /// Charge of its contract, CNY per Mbps and slot.
    pub money_cny_per_mbps: f64,
    /// Latency, prices and money together, less the best candidate's; CNY per Mbps and slot.
    pub reduced_cost_cny_per_mbps: f64,
    /// Share of (area, service) that the map gives it.
    pub share: f64,
    /// Chosen, or the reason why it lost.
    pub verdict: String,
}

/// A drain in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drain {
    /// Identifier.
    pub id: String,
    /// Target.
    pub target: String,
    /// State.
    pub state: String,
    /// Reason why it was asked for.
    pub reason: String,
    /// True when its target is among this answer's candidates.
    pub touches_this_answer: bool,
}

/// Reason why an answer cannot be explained.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// No service has that name.
    #[error("no service answers for {0}; see the services in GET /v1/inventory")]
    UnknownName(String),
    /// There is no map yet.
    #[error("no map is in service yet")]
    NoMap,
}

/// The last solve: the prices behind the map.
#[derive(Clone, Copy)]
pub(crate) struct Solved<'a> {
    /// The instance.
    pub(crate) instance: &'a Instance,
    /// Plan of the instance.
    pub(crate) plan: &'a Plan,
    /// Certificate of the plan.
    pub(crate) certificate: &'a Certificate,
}

/// The service that answers for a domain name or redirects a host; `*.` matches one or more labels.
fn service_of(snapshot: &Snapshot, name: &str) -> Option<ServiceId> {
    let matches = |pattern: &String| {
        let pattern = pattern.trim_end_matches('.');
        match pattern.strip_prefix("*.") {
            Some(parent) => name
                .strip_suffix(parent)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => pattern == name,
        }
    };
    let mut services = snapshot.catalog.services.iter();
    let exact = |service: &coverage::catalog::Service| {
        service
            .domains
            .iter()
            .chain(&service.redirect_hosts)
            .any(matches)
    };
    services.position(exact).map(ServiceId::from_index)
}

/// Facts that an explanation is made from.
pub(crate) struct Story<'a> {
    /// Facts of the moment.
    pub(crate) facts: &'a Facts<'a>,
    /// Limits of the moment.
    pub(crate) limits: &'a Limits,
    /// The map in service.
    pub(crate) snapshot: &'a Snapshot,
    /// The last solve, if there was one.
    pub(crate) solved: Option<Solved<'a>>,
    /// The moment.
    pub(crate) now: Timestamp,
}

impl Story<'_> {
    /// Explains what `name` answers to `client`.
    ///
    /// # Errors
    /// [`ExplainError`] when nobody answers for the name.
    pub(crate) fn explain(&self, name: &str, client: IpAddr) -> Result<Explanation, ExplainError> {
        let snapshot = self.snapshot;
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let service =
            service_of(snapshot, &name).ok_or_else(|| ExplainError::UnknownName(name.clone()))?;
        let decision = snapshot.decide(service, client, Asked::Ipv4);
        let found = snapshot.table.lookup(client.to_canonical());
        let prefix = snapshot.table.prefix_len(found.leaf, client.to_canonical());
        let area = snapshot.table.area(decision.area);
        let candidates = self.candidates(&decision, service);
        Ok(Explanation {
            service: snapshot.catalog.services[service.index()].name.clone(),
            name,
            client,
            area: area.name.clone(),
            area_why: format!("{client}/{prefix} lies in {} by the area table", area.name),
            map_version: snapshot.version.to_string(),
            map_digest: snapshot.digest.to_string(),
            map_created_at_ms: snapshot.created_at.0,
            tier: None,
            answer: self.answer(decision.endpoint),
            scope: decision.scope,
            drains: self.drains(&candidates),
            candidates,
            policy: None,
        })
    }

    /// An endpoint in words.
    fn answer(&self, id: EndpointId) -> Endpoint {
        let endpoint = self.snapshot.endpoint(id);
        let group = self.snapshot.catalog.group_of(id);
        let v4 = endpoint.ipv4.iter().map(|&v4| IpAddr::V4(v4));
        let v6 = endpoint.ipv6.iter().map(|&v6| IpAddr::V6(v6));
        Endpoint {
            group: group.name.clone(),
            site: group.site.clone(),
            link: endpoint.link.clone(),
            addresses: v4.chain(v6).collect(),
            alias: endpoint.alias.clone(),
        }
    }

    /// Links that reach the service, solved candidates first with their prices, then those that
    /// may not serve.
    fn candidates(&self, decision: &Decision<'_>, service: ServiceId) -> Vec<Candidate> {
        let unit = unit_index(self.facts.table.areas().len(), decision.area, service);
        let views = self
            .solved
            .map(|solved| explain_unit(solved.instance, solved.plan, solved.certificate, unit));
        let views = views.unwrap_or_default();
        let best = views
            .iter()
            .map(|view| view.reduced_cost.cny_per_mbps)
            .fold(f64::INFINITY, f64::min);
        let mut rows: Vec<Candidate> = views
            .iter()
            .map(|view| self.candidate(view, decision, service, best))
            .collect();
        rows.sort_by(|a, b| {
            let cost = a
                .reduced_cost_cny_per_mbps
                .total_cmp(&b.reduced_cost_cny_per_mbps);
            b.share
                .total_cmp(&a.share)
                .then(cost)
                .then(a.link.cmp(&b.link))
        });
        rows.extend(self.list_excluded(decision, service, &views));
        rows
    }

    fn candidate(
        &self,
        view: &CandidateView,
        decision: &Decision<'_>,
        service: ServiceId,
        best: f64,
    ) -> Candidate {
        let link = view.link;
        let share = self.share(decision, link);
        let above = view.reduced_cost.cny_per_mbps - best;
        let capacity_price = view.link_price.cny_per_mbps + view.site_price.cny_per_mbps;
        let full =
            capacity_price > 0.0 || view.link_price.overload > 0 || view.site_price.overload > 0;
        let verdict = if share > 0.0 {
            format!("chosen for {:.0} % of this area", share * 100.0)
        } else if self.limits_touch(link, service) {
            "a drain or refill limits it".to_owned()
        } else if full {
            "its capacity is worth more to others, who would lose more elsewhere".to_owned()
        } else if view.money_cny_per_mbps > 0.0 {
            "its contract charges for more traffic in this slot".to_owned()
        } else {
            "others are nearer at the same price".to_owned()
        };
        Candidate {
            capacity_price_cny_per_mbps: capacity_price,
            money_cny_per_mbps: view.money_cny_per_mbps,
            reduced_cost_cny_per_mbps: above,
            share,
            verdict,
            ..self.row(decision, link)
        }
    }

    /// Links near the area that are no candidates now, with the reason; at most a handful.
    fn list_excluded(
        &self,
        decision: &Decision<'_>,
        service: ServiceId,
        views: &[CandidateView],
    ) -> Vec<Candidate> {
        const EXCLUDED_MAX: usize = 8;
        let inventory = self.facts.inventory;
        let mut links: Vec<LinkId> = (0..inventory.links.len())
            .map(LinkId::from_index)
            .filter(|link| views.iter().all(|view| view.link != *link))
            .collect();
        links.sort_by(|a, b| {
            let quality = |link: &LinkId| self.facts.quality_ms(decision.area, *link);
            quality(a).total_cmp(&quality(b)).then(a.cmp(b))
        });
        links.truncate(EXCLUDED_MAX);
        let explain = |link: LinkId| Candidate {
            share: self.share(decision, link),
            verdict: self.exclusion(link, service),
            ..self.row(decision, link)
        };
        links.into_iter().map(explain).collect()
    }

    fn exclusion(&self, link: LinkId, service: ServiceId) -> String {
        let inventory = self.facts.inventory;
        let mut eligible = inventory.endpoints_for(link, service).peekable();
        if eligible.peek().is_none() {
            return "no group there serves this service".to_owned();
        }
        if self.limits_touch(link, service) {
            return "drained".to_owned();
        }
        let mut groups = eligible.map(|(_, endpoint)| endpoint.group);
        let unlimited = Limits::default();
        if groups.all(|group| self.facts.group_capacity_mbps(group, &unlimited) <= 0.0) {
            return "all its nodes are down".to_owned();
        }
        "too far: not among the nearest or the largest".to_owned()
    }

    /// Tells whether some limit bears on what this link can give the service.
    fn limits_touch(&self, link: LinkId, service: ServiceId) -> bool {
        let inventory = self.facts.inventory;
        let site = inventory.links[link.index()].site;
        let mut endpoints = inventory.endpoints_for(link, service);
        self.limits.links_mbps.contains_key(&link)
            || self.limits.sites_mbps.contains_key(&site)
            || endpoints.any(|(_, endpoint)| {
                self.limits.groups_mbps.contains_key(&endpoint.group)
                    || self
                        .limits
                        .services_mbps
                        .contains_key(&(endpoint.group, service))
            })
    }

    fn share(&self, decision: &Decision<'_>, link: LinkId) -> f64 {
        let name = &self.facts.inventory.links[link.index()].name;
        let weights = decision.answers.shares.iter();
        let through =
            weights.filter(|(endpoint, _)| self.snapshot.endpoint(*endpoint).link == *name);
        through
            .map(|(_, weight)| f64::from(*weight) / f64::from(coverage::WEIGHT_TOTAL))
            .sum()
    }

    /// A row with what is known of a link from the area, without prices.
    fn row(&self, decision: &Decision<'_>, link: LinkId) -> Candidate {
        let inventory = self.facts.inventory;
        let known = &inventory.links[link.index()];
        let site = &inventory.sites[known.site.index()];
        let measured = self.facts.estimates.quality(decision.area, link);
        Candidate {
            link: known.name.clone(),
            site: site.name.clone(),
            region: site.region.clone(),
            quality_ms: self.facts.quality_ms(decision.area, link),
            quality_source: measured.map_or_else(
                || "assumed from geography".to_owned(),
                |estimate| format!("measured {} s ago", self.now.since(estimate.at).as_secs()),
            ),
            capacity_price_cny_per_mbps: 0.0,
            money_cny_per_mbps: 0.0,
            reduced_cost_cny_per_mbps: 0.0,
            share: 0.0,
            verdict: String::new(),
        }
    }

    fn drains(&self, candidates: &[Candidate]) -> Vec<Drain> {
        let touches = |drain: &ActiveDrain| {
            let (_, name) = drain.target.split_once(':').unwrap_or_default();
            candidates.iter().any(|candidate| {
                name == candidate.link
                    || name == candidate.site
                    || self.in_site(name, &candidate.site)
            })
        };
        let mut drains: Vec<Drain> = self
            .snapshot
            .catalog
            .drains
            .iter()
            .map(|drain| Drain {
                id: drain.id.clone(),
                target: drain.target.clone(),
                state: drain.state.clone(),
                reason: drain.reason.clone(),
                touches_this_answer: touches(drain),
            })
            .collect();
        drains.sort_by_key(|drain| !drain.touches_this_answer);
        drains
    }

    /// Tells whether a group, node, or `service@group` lies in a site.
    fn in_site(&self, name: &str, site: &str) -> bool {
        let name = name.rsplit('@').next().unwrap_or(name);
        let inventory = self.facts.inventory;
        let node_group = inventory
            .nodes
            .iter()
            .find(|node| node.name == name)
            .map(|node| node.group);
        let group = node_group
            .map(|group| &inventory.groups[group.index()])
            .or_else(|| inventory.groups.iter().find(|group| group.name == name));
        group.is_some_and(|group| inventory.sites[group.site.index()].name == site)
    }
}
