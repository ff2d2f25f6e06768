//! The HTTP view: everything that HTTP derives from a snapshot, built before the snapshot is
//! swapped in and swapped with it. What could not be redirected safely is refused here, whole, so
//! that serving never meets it.

use crate::host::{Host, HostName};
use crate::ring::{RING_MEMBERS_MAX, Ring, hash_bytes};
use crate::slots::{SLOTS, Slots};
use coverage::catalog::{Endpoint, EndpointNode};
use coverage::{EndpointId, ServiceId, Snapshot};
use hyper::header::HeaderValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reason why a snapshot cannot be served by HTTP.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A redirect host or domain of a service is no host name.
    #[error("{name:?} of service {service} is not a host name")]
    BadName {
        /// The text.
        name: String,
        /// The service.
        service: String,
    },
    /// Two services claim one name.
    #[error("{0} is claimed by two services: keep one of them")]
    ClaimedTwice(String),
    /// A node's authority would not stay an authority in a `Location`.
    #[error(
        "node {node} on {link} has the authority {authority:?}: write a host and at most a port"
    )]
    BadAuthority {
        /// The node.
        node: String,
        /// The link.
        link: String,
        /// Text that was written.
        authority: String,
    },
    /// An endpoint lists a node twice.
    #[error("node {node} is listed twice on {link}")]
    NodeTwice {
        /// The node.
        node: String,
        /// The link.
        link: String,
    },
    /// More than the fixed tables hold.
    #[error("{what}: {count} are more than the {max} that can be served")]
    TooMany {
        /// Nodes of an endpoint, nodes and groups, or services.
        what: &'static str,
        /// Number of them, or where counting stopped.
        count: usize,
        /// The bound.
        max: usize,
    },
}

/// A node that a `Location` may name.
#[derive(Debug)]
pub struct Member {
    /// Name in the inventory; the address itself where an endpoint is known by addresses alone.
    pub name: Box<str>,
    /// Host and optional port, from the inventory.
    pub authority: Box<str>,
    /// Counter in [`crate::NodeLoads`].
    pub(crate) slot: usize,
}

/// The nodes of one endpoint that may be named, with their ring.
#[derive(Debug)]
pub(crate) struct Roster {
    /// True when the members serve. When none of the endpoint's nodes does, all are members, for
    /// failing open.
    pub(crate) serving: bool,
    /// Members in the order of their names, which is the order of the ring.
    pub(crate) members: Vec<Member>,
    /// Shared by endpoints with the same names: a group places an object on one node, whichever
    /// link is taken.
    pub(crate) ring: Arc<Ring>,
    /// The group's counter in [`crate::NodeLoads`].
    pub(crate) group_slot: usize,
}

/// Facts a service needs beside the map.
#[derive(Debug)]
pub(crate) struct ServiceFacts {
    /// Hash of its name: tells equal paths of different services apart.
    pub(crate) seed: u64,
    /// Counter in [`crate::Counters`].
    pub(crate) slot: usize,
}

/// Names with their services, sorted for binary search.
type Names = Vec<(Box<str>, ServiceId)>;

/// All HTTP derives from one snapshot. Immutable.
#[derive(Debug)]
pub struct HttpView {
    pub(crate) snapshot: Arc<Snapshot>,
    /// `epoch.version`, ready for a header.
    pub(crate) map_version: HeaderValue,
    pub(crate) services: Vec<ServiceFacts>,
    hosts: Names,
    domains: Names,
    /// Wildcard domains without their `*`, as `.example.com`.
    wildcards: Names,
    /// By endpoint.
    rosters: Vec<Roster>,
}

impl HttpView {
    /// Derives the view. O(n log n) in the points of all rings; rings of equal node lists are built
    /// once.
    ///
    /// # Errors
    /// [`ViewError`] names the first fault; the snapshot must not be served then.
    pub fn build(snapshot: Arc<Snapshot>) -> Result<Self, ViewError> {
        let [mut hosts, mut domains, mut wildcards] = [Names::new(), Names::new(), Names::new()];
        for (index, service) in snapshot.catalog.services.iter().enumerate() {
            let id = ServiceId::from_index(index);
            for name in &service.redirect_hosts {
                hosts.push((plain_name(name, &service.name)?, id));
            }
            for name in &service.domains {
                match name.strip_prefix("*.") {
                    Some(below) => {
                        let below = plain_name(below, &service.name)?;
                        wildcards.push((format!(".{below}").into(), id));
                    }
                    None => domains.push((plain_name(name, &service.name)?, id)),
                }
            }
        }
        let services = service_facts(&snapshot)?;
        let rosters = Rosters::default().build(&snapshot)?;
        let map_version = HeaderValue::try_from(snapshot.version.to_string())
            .unwrap_or(HeaderValue::from_static("unknown"));
        let hosts = sorted(hosts)?;
        let (domains, wildcards) = (sorted(domains)?, sorted(wildcards)?);
        Ok(Self {
            snapshot,
            map_version,
            services,
            hosts,
            domains,
            wildcards,
            rosters,
        })
    }

    /// The snapshot that this was derived from.
    #[must_use]
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The service that redirects a host.
    #[must_use]
    pub fn service_of_host(&self, host: &HostName) -> Option<ServiceId> {
        find(&self.hosts, host.as_str())
    }

    /// The service that answers for a domain name: the name itself, else the nearest wildcard above
    /// it.
    #[must_use]
    pub fn service_of_domain(&self, domain: &HostName) -> Option<ServiceId> {
        let name = domain.as_str();
        let above = || {
            let mut dots = name.match_indices('.').filter(|(at, _)| *at > 0);
            dots.find_map(|(at, _)| find(&self.wildcards, &name[at..]))
        };
        find(&self.domains, name).or_else(above)
    }

    /// Every authority that a `Location` of this view can name.
    pub fn authorities(&self) -> impl Iterator<Item = &str> {
        self.rosters
            .iter()
            .flat_map(|roster| &roster.members)
            .map(|member| &*member.authority)
    }

    /// The nodes of an endpoint.
    pub(crate) fn roster(&self, endpoint: EndpointId) -> &Roster {
        &self.rosters[endpoint.index()]
    }
}

/// Looks a name up in a sorted list.
fn find(names: &Names, name: &str) -> Option<ServiceId> {
    let index = names
        .binary_search_by(|(known, _)| (**known).cmp(name))
        .ok()?;
    Some(names[index].1)
}

/// Sorts names; two services on one name are a fault, one service twice is not.
fn sorted(mut names: Names) -> Result<Names, ViewError> {
    names.sort_unstable();
    names.dedup();
    match names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(ViewError::ClaimedTwice(pair[0].0.to_string())),
        None => Ok(names),
    }
}

/// A name as it is looked up: lower case, no final dot.
fn plain_name(name: &str, service: &str) -> Result<Box<str>, ViewError> {
    let bad = |_| ViewError::BadName {
        name: name.to_owned(),
        service: service.to_owned(),
    };
    HostName::parse(name)
        .map(|name| name.as_str().into())
        .map_err(bad)
}

/// Seeds and counters of all services.
fn service_facts(snapshot: &Snapshot) -> Result<Vec<ServiceFacts>, ViewError> {
    let mut slots = Slots::new();
    let services = snapshot.catalog.services.iter();
    let facts = services.map(|service| {
        let slot = slots.take("", &service.name)?;
        Some(ServiceFacts {
            seed: hash_bytes(0, service.name.as_bytes()),
            slot,
        })
    });
    let count = snapshot.catalog.services.len();
    let too_many = ViewError::TooMany {
        what: "services",
        count,
        max: SLOTS,
    };
    facts.collect::<Option<_>>().ok_or(too_many)
}

/// Parts endpoints share while their rosters are built.
#[derive(Default)]
struct Rosters {
    rings: BTreeMap<Vec<Box<str>>, Arc<Ring>>,
    /// (group, node) -> slot; the group's own slot stands at `None`.
    slots: BTreeMap<(u32, Option<Box<str>>), usize>,
}

impl Rosters {
    /// The rosters of all endpoints.
    fn build(mut self, snapshot: &Snapshot) -> Result<Vec<Roster>, ViewError> {
        let catalog = &snapshot.catalog;
        let mut free = Slots::new();
        let mut rosters = Vec::with_capacity(catalog.endpoints.len());
        for endpoint in &catalog.endpoints {
            let group = &catalog.groups[endpoint.group.index()].name;
            let mut slot = |node: Option<&str>| {
                let key = (endpoint.group.0, node.map(Box::from));
                if let Some(slot) = self.slots.get(&key) {
                    return Ok(*slot);
                }
                // A node's name is never empty, so the group's own counter has a name of its own.
                let slot = free.take(group, node.unwrap_or_default());
                let too_many = ViewError::TooMany {
                    what: "nodes and groups",
                    count: SLOTS + 1,
                    max: SLOTS,
                };
                let slot = slot.ok_or(too_many)?;
                self.slots.insert(key, slot);
                Ok(slot)
            };
            let group_slot = slot(None)?;
            let (serving, nodes) = eligible(endpoint)?;
            let mut members = Vec::with_capacity(nodes.len());
            for node in &nodes {
                members.push(Member {
                    slot: slot(Some(&node.name))?,
                    name: node.name.as_str().into(),
                    authority: node.authority.as_str().into(),
                });
            }
            let names: Vec<Box<str>> = members.iter().map(|member| member.name.clone()).collect();
            let build = |names: &Vec<Box<str>>| {
                Arc::new(Ring::build(
                    &names.iter().map(|name| &**name).collect::<Vec<_>>(),
                ))
            };
            let ring = Arc::clone(self.rings.entry(names).or_insert_with_key(build));
            rosters.push(Roster {
                serving,
                members,
                ring,
                group_slot,
            });
        }
        Ok(rosters)
    }
}

/// The nodes of an endpoint that a redirect may name, sorted by name, and whether they serve: those
/// that serve, else all of them. An endpoint without nodes is known by its addresses or its alias,
/// of which it has at least one.
fn eligible(endpoint: &Endpoint) -> Result<(bool, Vec<EndpointNode>), ViewError> {
    let mut nodes = endpoint.nodes.clone();
    if nodes.is_empty() {
        let v4 = endpoint.ipv4.iter().map(ToString::to_string);
        let v6 = endpoint.ipv6.iter().map(|addr| format!("[{addr}]"));
        let alias = endpoint.alias.iter();
        let alias = alias.map(|name| name.trim_end_matches('.').to_owned());
        // One name per place: IPv6 counts where there is nothing else.
        let v6 = v6.filter(|_| endpoint.ipv4.is_empty());
        nodes = v4.chain(v6).chain(alias).map(bare_host).collect();
    }
    if nodes.len() > RING_MEMBERS_MAX {
        let what = "nodes of one endpoint";
        return Err(ViewError::TooMany {
            what,
            count: nodes.len(),
            max: RING_MEMBERS_MAX,
        });
    }
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut twice, link) = (nodes.windows(2), endpoint.link.clone());
    if let Some(pair) = twice.find(|pair| pair[0].name == pair[1].name) {
        return Err(ViewError::NodeTwice {
            node: pair[0].name.clone(),
            link,
        });
    }
    for node in &nodes {
        check_authority(node, &endpoint.link)?;
    }
    let serving = nodes.iter().any(|node| node.serving);
    nodes.retain(|node| node.serving || !serving);
    Ok((serving, nodes))
}

/// An address or a name as a node of its own.
fn bare_host(host: String) -> EndpointNode {
    EndpointNode {
        name: host.clone(),
        authority: host,
        serving: true,
    }
}

/// Refuses what is not exactly a host with an optional port.
fn check_authority(node: &EndpointNode, link: &str) -> Result<(), ViewError> {
    match Host::parse(node.authority.as_bytes()) {
        Ok(_) if !node.name.is_empty() => Ok(()),
        _ => Err(ViewError::BadAuthority {
            node: node.name.clone(),
            link: link.to_owned(),
            authority: node.authority.clone(),
        }),
    }
}
