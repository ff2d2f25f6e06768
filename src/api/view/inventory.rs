//! The inventory by name: ids are indices that mean nothing outside the process.

use engine::inventory;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Inventory: all that exists.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// Machine rooms.
    pub sites: Vec<Site>,
    /// Egress ports.
    pub links: Vec<Link>,
    /// Billing contracts.
    pub meters: Vec<Meter>,
    /// Service clusters with their nodes.
    pub groups: Vec<Group>,
    /// Services.
    pub services: Vec<Service>,
}

/// A machine room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Name.
    pub name: String,
    /// Region.
    pub region: String,
    /// ISO 3166 country code, lower-case.
    pub country: String,
    /// Province; may be empty.
    pub province: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// An egress port.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// Name, such as `gz1/ct`.
    pub name: String,
    /// Site of the link.
    pub site: String,
    /// ISP of the link.
    pub isp: String,
    /// Hard limit, Mbps.
    pub capacity_mbps: f64,
    /// Soft limit, Mbps.
    pub watermark_mbps: f64,
    /// Contract that bills the link.
    pub meter: String,
}

/// A billing contract.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Meter {
    /// Name.
    pub name: String,
    /// `month-95`, `daily-peak-mean`, `daily-95-mean`, `flat` or `per-gb`.
    pub model: String,
    /// CNY per Mbps and month, for models billed by bandwidth.
    pub price_cny_per_mbps_month: f64,
    /// CNY per gigabyte, for `per-gb`.
    pub price_cny_per_gb: f64,
    /// Bandwidth that is paid for in any case, Mbps.
    pub commit_mbps: f64,
}

/// A service cluster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Site of the group.
    pub site: String,
    /// Services it may serve.
    pub services: Vec<String>,
    /// Links that it is reached over.
    pub links: Vec<String>,
    /// Hosts of the group.
    pub nodes: Vec<Node>,
}

/// An edge host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Traffic that it can serve, Mbps.
    pub capacity_mbps: f64,
    /// Requests that it can answer, per second; absent when that is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_rps: Option<f64>,
}

/// A service.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Name.
    pub name: String,
    /// Domain names answered by DNS.
    pub domains: Vec<String>,
    /// Hosts redirected by HTTP 302.
    pub redirect_hosts: Vec<String>,
    /// TTL of tailored answers, s.
    pub ttl_s: u32,
    /// Quality above which an answer is below the floor, equivalent ms.
    pub floor_ms: f64,
}

impl Inventory {
    /// An inventory by name.
    #[must_use]
    pub fn of(known: &inventory::Inventory) -> Self {
        let site = |id: coverage::SiteId| known.sites[id.index()].name.clone();
        Self {
            sites: known.sites.iter().map(Site::of).collect(),
            links: known
                .links
                .iter()
                .map(|link| Link {
                    name: link.name.clone(),
                    site: site(link.site),
                    isp: link.isp.clone(),
                    capacity_mbps: link.capacity_mbps,
                    watermark_mbps: link.watermark_mbps,
                    meter: known.contracts[link.contract].name.clone(),
                })
                .collect(),
            meters: known.contracts.iter().map(Meter::of).collect(),
            groups: known
                .groups
                .iter()
                .enumerate()
                .map(|(index, group)| Group::of(known, index, group))
                .collect(),
            services: known.services.iter().map(Service::of).collect(),
        }
    }
}

impl Site {
    fn of(site: &inventory::Site) -> Self {
        Self {
            name: site.name.clone(),
            region: site.region.clone(),
            country: site.country.clone(),
            province: site.province.clone(),
            latitude: site.latitude,
            longitude: site.longitude,
        }
    }
}

impl Meter {
    fn of(meter: &inventory::Contract) -> Self {
        Self {
            name: meter.name.clone(),
            model: meter.model.as_str().to_owned(),
            price_cny_per_mbps_month: meter.price_cny_per_mbps_month,
            price_cny_per_gb: meter.price_cny_per_gb,
            commit_mbps: meter.commit_mbps,
        }
    }
}

impl Group {
    fn of(known: &inventory::Inventory, index: usize, group: &inventory::Group) -> Self {
        let services = group
            .services
            .iter()
            .map(|id| known.services[id.index()].served.name.clone());
        let mine = known
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.group.index() == index);
        let nodes = group.nodes.iter().map(|id| &known.nodes[id.index()]);
        Self {
            name: group.name.clone(),
            site: known.sites[group.site.index()].name.clone(),
            services: services.collect(),
            links: mine
                .map(|endpoint| known.links[endpoint.link.index()].name.clone())
                .collect(),
            nodes: nodes
                .map(|node| Node {
                    name: node.name.clone(),
                    capacity_mbps: node.capacity_mbps,
                    capacity_rps: node.capacity_rps,
                })
                .collect(),
        }
    }
}

impl Service {
    fn of(service: &inventory::Service) -> Self {
        Self {
            name: service.served.name.clone(),
            domains: service.served.domains.clone(),
            redirect_hosts: service.served.redirect_hosts.clone(),
            ttl_s: service.served.ttl_s,
            floor_ms: service.latency_limit_ms,
        }
    }
}
