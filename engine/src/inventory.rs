//! The inventory: parts that exist and what they may carry. Its builder validates it; here it is
//! immutable.
//!
//! ```text
//! site --< link (towards one ISP, billed by a contract)
//!   `---< group --< node          endpoint = one group on one link: the addresses an answer names
//! ```

pub(crate) mod calendar;

pub use calendar::{OffsetError, Period, UtcOffset};

use coverage::catalog::{Service as ServedService, Zone};
use coverage::observation::Directory;
use coverage::{EndpointId, GroupId, LinkId, NodeId, ServiceId, SiteId};
use instance::ContractModel;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A machine room.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Name, such as `gz1`.
    pub name: String,
    /// Region whose sites stand in for one another, such as `south`.
    pub region: String,
    /// ISO 3166 country code, lower-case.
    pub country: String,
    /// Province code or name as in area names; empty outside China.
    pub province: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// An egress port of a site towards one ISP.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Name, `site/isp` by habit, such as `gz1/ct`.
    pub name: String,
    /// Site that it belongs to.
    pub site: SiteId,
    /// ISP as in area names; `bgp` reaches all ISPs alike.
    pub isp: String,
    /// Hard limit, Mbps.
    pub capacity_mbps: f64,
    /// Soft limit, Mbps: traffic above it counts as overload.
    pub watermark_mbps: f64,
    /// Index of its contract in [`Inventory::contracts`].
    pub contract: usize,
}

/// A billing contract over one or more links.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// Name.
    pub name: String,
    /// Model by which it is billed.
    pub model: ContractModel,
    /// CNY per Mbps and month, for the models billed by bandwidth; 0 otherwise.
    pub price_cny_per_mbps_month: f64,
    /// CNY per gigabyte, for [`ContractModel::PerGb`]; 0 otherwise.
    pub price_cny_per_gb: f64,
    /// Bandwidth that is paid for in any case, Mbps.
    pub commit_mbps: f64,
    /// Zone that its months and days are counted in.
    pub utc_offset: UtcOffset,
}

/// Naming of a group in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Behind one balancer: answers name its VIPs.
    Vip,
    /// Without a balancer: answers name the serving nodes one by one.
    Nodes,
}

/// A service cluster in a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Name, such as `gz1-a`.
    pub name: String,
    /// Site that it stands in.
    pub site: SiteId,
    /// Naming in answers.
    pub front: Front,
    /// Services it may serve, ascending.
    pub services: Vec<ServiceId>,
    /// Nodes of the group, contiguous in [`Inventory::nodes`].
    pub nodes: Vec<NodeId>,
}

/// An edge host.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Name, such as `gz1-a-1`.
    pub name: String,
    /// Group that it belongs to.
    pub group: GroupId,
    /// Capacity, Mbps.
    pub capacity_mbps: f64,
    /// Capacity in requests per second; `None` when that is never what it lacks.
    pub capacity_rps: Option<f64>,
}

/// The presence of one group on one link: what an answer names.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The group.
    pub group: GroupId,
    /// The link.
    pub link: LinkId,
    /// VIPs in IPv4; empty for [`Front::Nodes`].
    pub ipv4: Vec<Ipv4Addr>,
    /// VIPs in IPv6; empty for [`Front::Nodes`].
    pub ipv6: Vec<Ipv6Addr>,
    /// The nodes of the group as reached over this link, in the order of [`Group::nodes`].
    pub nodes: Vec<NodePort>,
}

/// A node's own presence on a link.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePort {
    /// Address in IPv4.
    pub ipv4: Ipv4Addr,
    /// Address in IPv6, if it has one.
    pub ipv6: Option<Ipv6Addr>,
    /// Authority (host, optional port) for a `Location`.
    pub authority: String,
}

/// Needs of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Names, TTL and answer size, as serving knows them.
    pub served: ServedService,
    /// Quality, in equivalent milliseconds, above which an answer counts as above the latency
    /// limit.
    pub latency_limit_ms: f64,
    /// Demand assumed where none was ever observed, Mbps over all areas, spread by address counts.
    pub initial_mbps: f64,
    /// Requests per second of one Mbps, where they are not reported.
    pub rps_per_mbps: f64,
}

/// Inventory of all parts that exist. Ids are indices into these tables.
///
/// ```
/// use engine::inventory::{Inventory, Site};
/// let inventory = Inventory {
///     sites: vec![Site {
///         name: "gz1".to_owned(),
///         region: "south".to_owned(),
///         country: "cn".to_owned(),
///         province: "44".to_owned(),
///         latitude: 23.1,
///         longitude: 113.3,
///     }],
///     ..Inventory::default()
/// };
/// assert_eq!(inventory.directory().sites["gz1"].index(), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Inventory {
    /// Sites.
    pub sites: Vec<Site>,
    /// Links.
    pub links: Vec<Link>,
    /// Contracts.
    pub contracts: Vec<Contract>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Endpoints, ordered by (group, link).
    pub endpoints: Vec<Endpoint>,
    /// Services.
    pub services: Vec<Service>,
    /// DNS zones served.
    pub zones: Vec<Zone>,
}

impl Inventory {
    /// Names -> ids for the collectors.
    #[must_use]
    pub fn directory(&self) -> Directory {
        fn ids<'a, T>(
            names: impl Iterator<Item = &'a String>,
            id: impl Fn(usize) -> T,
        ) -> BTreeMap<String, T> {
            let named = names.enumerate();
            named.map(|(at, name)| (name.clone(), id(at))).collect()
        }
        let link = |at| (LinkId::from_index(at), self.links[at].site);
        Directory {
            sites: ids(self.sites.iter().map(|x| &x.name), SiteId::from_index),
            links: ids(self.links.iter().map(|x| &x.name), link),
            groups: ids(self.groups.iter().map(|x| &x.name), GroupId::from_index),
            nodes: ids(self.nodes.iter().map(|x| &x.name), NodeId::from_index),
            services: ids(
                self.services.iter().map(|x| &x.served.name),
                ServiceId::from_index,
            ),
            checks: BTreeMap::new(),
        }
    }

    /// The site that a node stands in.
    #[must_use]
    pub fn site_of(&self, node: &Node) -> SiteId {
        self.groups[node.group.index()].site
    }

    /// Endpoints of a site that may serve `service`, with their ids.
    pub fn endpoints_for(
        &self,
        link: LinkId,
        service: ServiceId,
    ) -> impl Iterator<Item = (EndpointId, &Endpoint)> {
        self.endpoints
            .iter()
            .enumerate()
            .filter_map(move |(index, endpoint)| {
                let serves = endpoint.link == link
                    && self.groups[endpoint.group.index()]
                        .services
                        .contains(&service);
                serves.then(|| (EndpointId::from_index(index), endpoint))
            })
    }

    /// Capacity of all nodes of a group together, Mbps.
    #[must_use]
    pub(crate) fn group_capacity_mbps(&self, group: GroupId) -> f64 {
        self.groups[group.index()]
            .nodes
            .iter()
            .map(|node| self.nodes[node.index()].capacity_mbps)
            .sum()
    }

    /// Longest TTL of any service.
    #[must_use]
    pub(crate) fn ttl_max(&self) -> Duration {
        let ttl_s = self
            .services
            .iter()
            .map(|service| service.served.ttl_s)
            .max()
            .unwrap_or(0);
        Duration::from_secs(u64::from(ttl_s))
    }
}
