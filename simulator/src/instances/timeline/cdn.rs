//! The CDN of a story: a small inventory at real places, and what clients there ask for.

use super::Size;
use crate::instances::GenerateError;
use crate::instances::draw::log_normal;
use crate::instances::ground::{SiteDraft, draw_sites};
use crate::random::Random;
use crate::weights::area_shares;
use coverage::area::AreaTableBuilder;
use coverage::catalog::Service as ServedService;
use coverage::{AreaTable, GroupId, LinkId, NodeId, ServiceId, SiteId};
use engine::billing::UtcOffset;
use engine::inventory::{
    Contract, Endpoint, Front, Group, Inventory, Link, Node, NodePort, Service, Site,
};
use instance::ContractModel;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Demand as a share of the capacity of all links.
const LOAD: f64 = 0.6;
/// Demand of all areas, Mbps.
const DEMAND_MBPS: f64 = 1_000_000.0;
/// Sites that stand in for one another.
const SITES_PER_REGION: usize = 6;
/// Nodes of a group.
const NODES: usize = 4;
/// Nodes can serve this much more than links carry.
const NODE_SLACK: f64 = 1.1;
/// Soft limits as a share of hard ones.
const WATERMARK_SHARE: f64 = 0.9;

/// A CDN and its clients.
pub(super) struct Cdn {
    pub(super) inventory: Arc<Inventory>,
    pub(super) table: Arc<AreaTable>,
    /// `[area]`, Mbps; nothing for area 0.
    pub(super) demand_mbps: Vec<f64>,
}

impl Cdn {
    /// The largest areas of `table`, and sites near them.
    pub(super) fn of(table: &AreaTable, size: Size, seed: u64) -> Result<Self, GenerateError> {
        let (table, demand_mbps) = shrink(table, size.areas)?;
        let mut drafts = draw_sites(&table, size.sites, seed, |area| area.ipv4_addresses > 0)?;
        // Neighbours from west to east are a region.
        drafts.sort_by(|a, b| a.place.longitude.total_cmp(&b.place.longitude));
        let mut random = Random::new(seed ^ 4);
        let sizes: Vec<f64> = drafts
            .iter()
            .map(|_| log_normal(&mut random, 0.5))
            .collect();
        let scale = DEMAND_MBPS / LOAD / sizes.iter().sum::<f64>();
        let mut inventory = Inventory::default();
        inventory.services.push(Service {
            served: ServedService {
                name: "live".to_owned(),
                domains: vec!["live.example.".to_owned()],
                redirect_hosts: Vec::new(),
                ttl_s: 30,
                addresses_max: 2,
            },
            latency_limit_ms: 120.0,
            initial_mbps: 0.0,
            rps_per_mbps: 0.0,
        });
        for (draft, size) in drafts.iter().zip(&sizes) {
            add_site(&mut inventory, draft, size * scale);
        }
        Ok(Self {
            inventory: Arc::new(inventory),
            table,
            demand_mbps,
        })
    }
}

/// A table of the largest areas, one /16 each, and what they ask for.
fn shrink(table: &AreaTable, areas: usize) -> Result<(Arc<AreaTable>, Vec<f64>), GenerateError> {
    let shares = area_shares(table.areas(), "cn", 0.8);
    let mut order: Vec<usize> = (0..shares.len())
        .filter(|area| table.areas()[*area].attrs.latitude.is_some())
        .collect();
    order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]).then(a.cmp(&b)));
    let mut builder = AreaTableBuilder::new();
    for (&area, second) in order.iter().take(areas).zip(0..=249_u8) {
        let start = u32::from_be_bytes([10, second, 0, 0]);
        builder.add_v4(start, start | 0xffff, &table.areas()[area].attrs);
    }
    let small = builder
        .finish()
        .map_err(|_| GenerateError::Table("areas that can be told apart"))?;
    let share = |area: &coverage::area::Area| {
        table
            .by_name(&area.name)
            .map_or(0.0, |id| shares[id.0 as usize])
    };
    let kept: Vec<f64> = small.areas().iter().map(share).collect();
    let total: f64 = kept.iter().sum();
    if total <= 0.0 {
        return Err(GenerateError::Table("clients"));
    }
    let demand = kept.iter().map(|share| DEMAND_MBPS * share / total);
    Ok((Arc::new(small), demand.collect()))
}

/// A site of `mbps` with one group behind balancers on all its links.
fn add_site(inventory: &mut Inventory, draft: &SiteDraft, mbps: f64) {
    let site = SiteId::from_index(inventory.sites.len());
    let group = GroupId::from_index(inventory.groups.len());
    let ports = f64::from(u32::try_from(draft.ports.len()).unwrap_or(1));
    inventory.sites.push(Site {
        name: draft.name.clone(),
        region: format!("r{}", site.index() / SITES_PER_REGION),
        country: draft.country.clone(),
        province: String::new(),
        latitude: draft.place.latitude,
        longitude: draft.place.longitude,
    });
    let nodes: Vec<NodeId> = (0..NODES)
        .map(|number| {
            let id = NodeId::from_index(inventory.nodes.len());
            inventory.nodes.push(Node {
                name: format!("{}-a-{number}", draft.name),
                group,
                capacity_mbps: NODE_SLACK * mbps / f64::from(u32::try_from(NODES).unwrap_or(1)),
                capacity_rps: None,
            });
            id
        })
        .collect();
    for isp in &draft.ports {
        let link = LinkId::from_index(inventory.links.len());
        let name = format!("{}/{isp}", draft.name);
        inventory.contracts.push(Contract {
            name: name.clone(),
            model: ContractModel::Flat,
            price_cny_per_mbps_month: 0.0,
            price_cny_per_gb: 0.0,
            commit_mbps: 0.0,
            utc_offset: UtcOffset::UTC,
        });
        inventory.links.push(Link {
            name,
            site,
            isp: isp.clone(),
            capacity_mbps: mbps / ports,
            watermark_mbps: WATERMARK_SHARE * mbps / ports,
            contract: link.index(),
        });
        let address = |last: u16| {
            let [high, low] = u16::try_from(link.index())
                .unwrap_or(u16::MAX)
                .to_be_bytes();
            let [_, last] = last.to_be_bytes();
            Ipv4Addr::new(100, 64 + high, low, last)
        };
        let port = |number: u16| NodePort {
            ipv4: address(10 + number),
            ipv6: None,
            authority: format!("n{number}.{}.example", draft.name),
        };
        inventory.endpoints.push(Endpoint {
            group,
            link,
            ipv4: vec![address(1)],
            ipv6: Vec::new(),
            nodes: (0..4).map(port).collect(),
        });
    }
    inventory.groups.push(Group {
        name: format!("{}-a", draft.name),
        site,
        front: Front::Vip,
        services: vec![ServiceId(0)],
        nodes,
    });
}
