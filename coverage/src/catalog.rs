//! Catalog of the coverage map: services and their names, groups, endpoints with their
//! addresses, static zone data.

use crate::ids::{EndpointId, GroupId, ServiceId};
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A service: domain names that are scheduled alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Name in configuration, API and metrics, such as `live`.
    pub name: String,
    /// Absolute lower-case domain names answered by DNS; a leading `*.` matches one or more labels.
    pub domains: Vec<String>,
    /// Lower-case `Host` names (no port) redirected by HTTP 302.
    pub redirect_hosts: Vec<String>,
    /// TTL of tailored answers, in seconds.
    pub ttl_s: u32,
    /// Most addresses of one family in an answer.
    pub addresses_max: u8,
}

/// A group, as far as serving needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Name, such as `gz1-a`.
    pub name: String,
    /// Name of its site.
    pub site: String,
    /// Name of the site's region.
    pub region: String,
}

/// Thing an answer names: the presence of one group on one link, or another name to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The group.
    pub group: GroupId,
    /// Name of the link, such as `gz1/ct`.
    pub link: String,
    /// IPv4 addresses to answer: VIPs, or the serving nodes one by one.
    pub ipv4: Vec<Ipv4Addr>,
    /// IPv6 addresses to answer. There is an address of some family, or an alias.
    pub ipv6: Vec<Ipv6Addr>,
    /// Absolute lower-case name, with its final dot, answered as CNAME in place of addresses: what
    /// another CDN serves.
    pub alias: Option<String>,
    /// Nodes that a redirect may name, in inventory order.
    pub nodes: Vec<EndpointNode>,
}

/// One node of a group, as seen through one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointNode {
    /// Name in the inventory.
    pub name: String,
    /// Authority (host, optional port) to put into a `Location`; from the inventory, never from a
    /// request.
    pub authority: String,
    /// True when it takes new clients: healthy and not drained.
    pub serving: bool,
}

/// One resource record of static zone data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ZoneRecord {
    /// Absolute owner name, lower-case, with its final dot.
    pub owner: String,
    /// Type code.
    pub rtype: u16,
    /// TTL in seconds.
    pub ttl_s: u32,
    /// RDATA on the wire, names uncompressed.
    pub rdata: Vec<u8>,
}

/// A DNS zone: its apex and its static records (SOA and NS among them).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Absolute lower-case name of the apex.
    pub apex: String,
    /// Static records, sorted; exactly one SOA and at least one NS at the apex.
    pub records: Vec<ZoneRecord>,
}

/// A drain that shapes this snapshot: enough to explain an answer without the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveDrain {
    /// Identifier in the control API.
    pub id: String,
    /// Target as people write it, such as `group:gz1-a`.
    pub target: String,
    /// State in words, such as `shifting`.
    pub state: String,
    /// Reason why it was asked for.
    pub reason: String,
    /// Time at which the lease ends.
    pub expires_at: Timestamp,
}

/// All the coverage map refers to. Part of the signed record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Catalog {
    /// DNS zones that we are authoritative for.
    pub zones: Vec<Zone>,
    /// Services, indexed by [`ServiceId`].
    pub services: Vec<Service>,
    /// Groups, indexed by [`GroupId`].
    pub groups: Vec<Group>,
    /// Endpoints, indexed by [`EndpointId`].
    pub endpoints: Vec<Endpoint>,
    /// Drains in force.
    pub drains: Vec<ActiveDrain>,
    /// Services that this record leaves out on purpose, by name; any other loss of a service is
    /// refused.
    pub retired_services: Vec<String>,
}

impl Catalog {
    /// A service by its name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<(ServiceId, &Service)> {
        let index = self
            .services
            .iter()
            .position(|service| service.name == name)?;
        Some((ServiceId::from_index(index), &self.services[index]))
    }

    /// The group behind an endpoint.
    ///
    /// # Panics
    /// When the endpoint is not of this catalog.
    #[must_use]
    pub fn group_of(&self, endpoint: EndpointId) -> &Group {
        &self.groups[self.endpoints[endpoint.index()].group.index()]
    }

    /// The first fault that would leave a name without an answer or an id dangling, in words.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            if endpoint.group.index() >= self.groups.len() {
                return Some(format!(
                    "endpoint {index} names a group that does not exist"
                ));
            }
            let addresses = endpoint.ipv4.len() + endpoint.ipv6.len();
            if (addresses == 0) != endpoint.alias.is_some() {
                return Some(format!(
                    "endpoint {index} on {} must have addresses or an alias, and not both",
                    endpoint.link
                ));
            }
        }
        for service in &self.services {
            if service.domains.is_empty() && service.redirect_hosts.is_empty() {
                return Some(format!("service {} has no name", service.name));
            }
            if service.addresses_max == 0 {
                return Some(format!("service {} may answer no address", service.name));
            }
        }
        None
    }
}
