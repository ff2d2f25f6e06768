//! The inventory file: contracts, services, and sites with their links, groups and endpoints.

use super::section::Section;
use super::served::{self, Claimed};
use super::zones;
use coverage::{GroupId, LinkId, NodeId, ServiceId, SiteId};
use engine::inventory::{
    Contract, Endpoint, Front, Group, Inventory, Link, Node, NodePort, Service, Site,
};
use instance::ContractModel;
use instance::RPS_PER_MBPS_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Largest believable traffic or capacity: 1 Pbps.
const MBPS_MAX: f64 = 1e9;
/// Largest believable number of requests per second.
const RPS_MAX: f64 = 1e12;
/// Least capacity that means anything.
const MBPS_MIN: f64 = 1e-3;
/// TTL of the names of nodes, which redirects lead to.
const NODE_TTL_S: u32 = 60;
/// Most nodes of one group.
const NODES_MAX: u32 = 4096;

/// Reads an inventory file into `inventory`, whose zones are already there.
pub(super) fn read(root: &Section<'_>, inventory: &mut Inventory, claimed: &mut Claimed) {
    let nodes_domain = root.text_or_none("nodes-domain").unwrap_or_default();
    let mut reader = Reader {
        inventory: &mut *inventory,
        claimed,
        nodes_domain,
        names: Names::default(),
        addresses: BTreeSet::new(),
    };
    for contract in root.sections("contracts") {
        reader.contract(&contract);
        contract.finish();
    }
    for service in root.sections("services") {
        reader.service(&service);
        service.finish();
    }
    for site in root.sections("sites") {
        reader.site(&site);
        site.finish();
    }
    reader.check_contracts(root);
    for (empty, key) in [
        (inventory.sites.is_empty(), "sites"),
        (inventory.services.is_empty(), "services"),
    ] {
        if empty {
            root.fault(key, "there is none; add at least one");
        }
    }
    inventory
        .endpoints
        .sort_by_key(|endpoint| (endpoint.group, endpoint.link));
    zones::add_nodes(inventory, NODE_TTL_S);
}

/// Names that were given, by kind.
#[derive(Default)]
struct Names {
    contracts: BTreeMap<String, usize>,
    services: BTreeMap<String, ServiceId>,
    sites: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// First link and first group of a site in the lists of all.
struct Start {
    link: usize,
    group: usize,
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    claimed: &'a mut Claimed,
    nodes_domain: String,
    names: Names,
    addresses: BTreeSet<IpAddr>,
}

impl Reader<'_> {
    fn contract(&mut self, section: &Section<'_>) {
        let models = ContractModel::ALL.map(|model| (model.as_str(), model));
        let name = section.name("name");
        let model = section
            .choice("model", None, &models)
            .unwrap_or(ContractModel::Flat);
        let by_bandwidth = !matches!(model, ContractModel::Flat | ContractModel::PerGb);
        let monthly = section.number_or_none("price-cny-per-mbps-month", 0.0..=1e6);
        let volume = section.number_or_none("price-cny-per-gb", 0.0..=1e4);
        let wants = |key, given: bool, wanted: bool| match (given, wanted) {
            (false, true) => section.fault(key, "is missing, but this model is billed by it"),
            (true, false) => section.fault(key, "does not go with this model"),
            _ => {}
        };
        wants("price-cny-per-mbps-month", monthly.is_some(), by_bandwidth);
        wants(
            "price-cny-per-gb",
            volume.is_some(),
            model == ContractModel::PerGb,
        );
        let commit_mbps = section
            .number_or_none("commit-mbps", 0.0..=MBPS_MAX)
            .unwrap_or(0.0);
        if self
            .names
            .contracts
            .insert(name.clone(), self.inventory.contracts.len())
            .is_some()
        {
            section.fault("name", format!("{name:?} is given to two contracts"));
        }
        self.inventory.contracts.push(Contract {
            name,
            model,
            price_cny_per_mbps_month: monthly.unwrap_or(0.0),
            price_cny_per_gb: volume.unwrap_or(0.0),
            commit_mbps,
            utc_offset: section.parsed("utc-offset").unwrap_or_default(),
        });
    }

    fn service(&mut self, section: &Section<'_>) {
        let served = served::read(section, &self.inventory.zones, self.claimed, 2);
        let name = served.name.clone();
        let id = ServiceId::from_index(self.inventory.services.len());
        self.names.services.insert(name, id);
        let latency_limit_ms = section.number("latency-limit-ms", 1.0..=1e5);
        let initial_mbps = section
            .number_or_none("initial-mbps", 0.0..=MBPS_MAX)
            .unwrap_or(0.0);
        let rps_per_mbps = section
            .number_or_none("requests-per-mbps", 0.0..=RPS_PER_MBPS_MAX)
            .unwrap_or(0.0);
        self.inventory.services.push(Service {
            served,
            latency_limit_ms,
            initial_mbps,
            rps_per_mbps,
        });
    }

    fn site(&mut self, section: &Section<'_>) {
        let name = section.name("name");
        if !self.names.sites.insert(name.clone()) {
            section.fault("name", format!("{name:?} is given to two sites"));
        }
        let _ = section.text_or_none("city");
        let site = SiteId::from_index(self.inventory.sites.len());
        self.inventory.sites.push(Site {
            name: name.clone(),
            region: section.name("region"),
            country: section.name("country"),
            province: section.text_or_none("province").unwrap_or_default(),
            latitude: section.number("latitude", -90.0..=90.0),
            longitude: section.number("longitude", -180.0..=180.0),
        });
        let start = Start {
            link: self.inventory.links.len(),
            group: self.inventory.groups.len(),
        };
        for link in section.sections("links") {
            self.link(&link, site, &name);
            link.finish();
        }
        for group in section.sections("groups") {
            self.group(&group, site, &start);
            group.finish();
        }
        for endpoint in section.sections("endpoints") {
            self.endpoint(&endpoint, &name, &start);
            endpoint.finish();
        }
        self.check_site(section, &start);
    }

    fn link(&mut self, section: &Section<'_>, site: SiteId, site_name: &str) {
        let isp = section.name("isp");
        let name = format!("{site_name}/{isp}");
        if self.inventory.links.iter().any(|link| link.name == name) {
            section.fault("isp", format!("the site has two links to {isp:?}"));
        }
        let capacity_mbps = section.number("capacity-mbps", MBPS_MIN..=MBPS_MAX);
        let watermark_mbps = section.number_or_none("watermark-mbps", MBPS_MIN..=MBPS_MAX);
        let watermark_mbps = watermark_mbps.unwrap_or(capacity_mbps * 0.9);
        if watermark_mbps > capacity_mbps {
            section.fault(
                "watermark-mbps",
                format!("{watermark_mbps} is above capacity-mbps {capacity_mbps}"),
            );
        }
        let billed_by = section.text("contract");
        let contract = self.names.contracts.get(&billed_by).copied();
        if contract.is_none() && !billed_by.is_empty() {
            section.fault(
                "contract",
                format!("there is no contract {billed_by:?}; add it under [[contracts]]"),
            );
        }
        self.inventory.links.push(Link {
            name,
            site,
            isp,
            capacity_mbps,
            watermark_mbps,
            contract: contract.unwrap_or(0),
        });
    }

    fn group(&mut self, section: &Section<'_>, site: SiteId, start: &Start) {
        let name = section.name("name");
        if !self.names.groups.insert(name.clone()) {
            section.fault("name", format!("{name:?} is given to two groups"));
        }
        let fronts = [("vip", Front::Vip), ("nodes", Front::Nodes)];
        let front = section
            .choice("front", Some(Front::Vip), &fronts)
            .unwrap_or(Front::Vip);
        let mut services: Vec<ServiceId> = Vec::new();
        for service in section.texts("services") {
            match self.names.services.get(&service) {
                Some(id) => services.push(*id),
                None => section.fault(
                    "services",
                    format!("there is no service {service:?}; add it under [[services]]"),
                ),
            }
        }
        services.sort_unstable();
        services.dedup();
        if services.is_empty() {
            section.fault("services", "the group serves nothing");
        }
        let other = self
            .inventory
            .groups
            .get(start.group)
            .map(|group| &group.services);
        if other.is_some_and(|other| *other != services) {
            section.fault("services", "groups of one site must serve the same services: what a site carries is the sum of its groups; make it two sites");
        }
        let count = section.whole("nodes", 0, 1..=NODES_MAX);
        if count == 0 {
            section.fault("nodes", "the group has no node");
        }
        let capacity_mbps = section.number("node-capacity-mbps", MBPS_MIN..=MBPS_MAX);
        let capacity_rps = section.number_or_none("node-capacity-rps", 1.0..=RPS_MAX);
        let group = GroupId::from_index(self.inventory.groups.len());
        let first_node = self.inventory.nodes.len();
        let node = |number| Node {
            name: format!("{name}-{number}"),
            group,
            capacity_mbps,
            capacity_rps,
        };
        self.inventory.nodes.extend((1..=count).map(node));
        let nodes = (first_node..self.inventory.nodes.len())
            .map(NodeId::from_index)
            .collect();
        self.inventory.groups.push(Group {
            name,
            site,
            front,
            services,
            nodes,
        });
    }

    /// One endpoint: VIPs, and the addresses of the first node, from which those of the others
    /// count up.
    fn endpoint(&mut self, section: &Section<'_>, site: &str, start: &Start) {
        let group_name = section.text("group");
        let isp = section.text("isp");
        let link_name = format!("{site}/{isp}");
        let here = |first: usize, found: Option<usize>| found.map(|index| first + index);
        let group = here(
            start.group,
            self.inventory.groups[start.group..]
                .iter()
                .position(|g| g.name == group_name),
        );
        let link = here(
            start.link,
            self.inventory.links[start.link..]
                .iter()
                .position(|l| l.name == link_name),
        );
        let vips = section.list::<IpAddr>("vips");
        let first = section.list::<IpAddr>("first-node");
        let (Some(group), Some(link)) = (group, link) else {
            if group.is_none() {
                section.fault("group", format!("this site has no group {group_name:?}"));
            }
            if link.is_none() {
                section.fault("isp", format!("this site has no link to {isp:?}"));
            }
            return;
        };
        let id = GroupId::from_index(group);
        if self
            .inventory
            .endpoints
            .iter()
            .any(|e| e.group == id && e.link.index() == link)
        {
            section.fault(
                "isp",
                format!("{group_name} has two endpoints on {link_name}"),
            );
        }
        let is_vip = self.inventory.groups[group].front == Front::Vip;
        if is_vip && !vips.iter().any(IpAddr::is_ipv4) {
            section.fault(
                "vips",
                "a group with a balancer needs an IPv4 VIP on each of its links",
            );
        }
        if !is_vip && !vips.is_empty() {
            section.fault(
                "vips",
                "a group that answers its nodes one by one has no VIPs",
            );
        }
        let nodes = self.node_ports(section, group, &isp, &first);
        let ports = nodes
            .iter()
            .flat_map(|port| [Some(IpAddr::V4(port.ipv4)), port.ipv6.map(IpAddr::V6)]);
        for addr in vips.iter().copied().chain(ports.flatten()) {
            if !self.addresses.insert(addr) {
                section.fault("", format!("{addr} is given to two endpoints or nodes"));
            }
        }
        let (ipv4, ipv6) = by_family(&vips);
        self.inventory.endpoints.push(Endpoint {
            group: id,
            link: LinkId::from_index(link),
            ipv4,
            ipv6,
            nodes,
        });
    }

    fn node_ports(
        &self,
        section: &Section<'_>,
        group: usize,
        isp: &str,
        first: &[IpAddr],
    ) -> Vec<NodePort> {
        let (ipv4, ipv6) = by_family(first);
        let Some(first_v4) = ipv4.first() else {
            section.fault(
                "first-node",
                "must hold the IPv4 address of the first node; the others count up from it",
            );
            return Vec::new();
        };
        let port = |(step, node): (u32, &NodeId)| {
            let name = &self.inventory.nodes[node.index()].name;
            let domain = self.nodes_domain.trim_matches('.');
            NodePort {
                ipv4: Ipv4Addr::from(u32::from(*first_v4).wrapping_add(step)),
                ipv6: ipv6
                    .first()
                    .map(|first| Ipv6Addr::from(u128::from(*first).wrapping_add(u128::from(step)))),
                authority: format!("{name}.{isp}.{domain}"),
            }
        };
        (0..)
            .zip(&self.inventory.groups[group].nodes)
            .map(port)
            .collect()
    }

    /// Checks what can only be said of a whole site.
    fn check_site(&self, section: &Section<'_>, start: &Start) {
        for (rest, key) in [
            (self.inventory.links[start.link..].is_empty(), "links"),
            (self.inventory.groups[start.group..].is_empty(), "groups"),
        ] {
            if rest {
                section.fault(key, "the site has none");
            }
        }
        for (index, group) in self.inventory.groups.iter().enumerate().skip(start.group) {
            for (link_index, link) in self.inventory.links.iter().enumerate().skip(start.link) {
                let here = |e: &&Endpoint| e.group.index() == index && e.link.index() == link_index;
                if !self.inventory.endpoints.iter().any(|e| here(&e)) {
                    section.fault(
                        "endpoints",
                        format!("group {} has no endpoint on link {}", group.name, link.name),
                    );
                }
            }
        }
    }

    /// A contract must have links, and one that spans sites must cover them whole, so that
    /// contracts nest over sites.
    fn check_contracts(&self, root: &Section<'_>) {
        for (index, contract) in self.inventory.contracts.iter().enumerate() {
            let links = || {
                self.inventory
                    .links
                    .iter()
                    .filter(|link| link.contract == index)
            };
            let sites: BTreeSet<SiteId> = links().map(|link| link.site).collect();
            let whole = || {
                self.inventory
                    .links
                    .iter()
                    .filter(|l| sites.contains(&l.site))
                    .all(|l| l.contract == index)
            };
            if sites.is_empty() {
                root.fault(
                    "contracts",
                    format!("contract {:?} bills no link", contract.name),
                );
            } else if sites.len() > 1 && !whole() {
                let why = "spans sites but not all links of them: a contract over sites must cover them whole";
                root.fault("contracts", format!("contract {:?} {why}", contract.name));
            }
        }
    }
}

/// Addresses by family.
fn by_family(addresses: &[IpAddr]) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let v4 = addresses.iter().filter_map(|addr| {
        if let IpAddr::V4(v4) = addr {
            Some(*v4)
        } else {
            None
        }
    });
    let v6 = addresses.iter().filter_map(|addr| {
        if let IpAddr::V6(v6) = addr {
            Some(*v6)
        } else {
            None
        }
    });
    (v4.collect(), v6.collect())
}
