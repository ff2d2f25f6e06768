//! The instance `month-95`: a national CDN with mixed contracts at public list prices, made from a
//! seed.

use super::MonthOptions;
use super::scenario::{Scenario, UnitShape};
use crate::curve::Shape;
use crate::geography::{Place, Reach, distance_km, idle_path};
use crate::random::Random;
use coverage::LinkId;
use coverage::SiteId;
use engine::billing::UtcOffset;
use engine::inventory::{self, Inventory};
use instance::{Contract, ContractModel, INSTANCE_VERSION, Instance, Link, Shares, Site, Unit};

/// Province: code, latitude and longitude of its largest city, millions of people (census of 2020,
/// rounded).
const PROVINCES: [(&str, f64, f64, f64); 31] = [
    ("bj", 39.9, 116.4, 22.0),
    ("tj", 39.1, 117.2, 14.0),
    ("he", 38.0, 114.5, 75.0),
    ("sx", 37.9, 112.6, 35.0),
    ("nm", 40.8, 111.7, 24.0),
    ("ln", 41.8, 123.4, 43.0),
    ("jl", 43.9, 125.3, 24.0),
    ("hl", 45.8, 126.5, 32.0),
    ("sh", 31.2, 121.5, 25.0),
    ("js", 32.1, 118.8, 85.0),
    ("zj", 30.3, 120.2, 65.0),
    ("ah", 31.8, 117.2, 61.0),
    ("fj", 26.1, 119.3, 42.0),
    ("jx", 28.7, 115.9, 45.0),
    ("sd", 36.7, 117.1, 102.0),
    ("ha", 34.8, 113.6, 99.0),
    ("hb", 30.6, 114.3, 58.0),
    ("hn", 28.2, 112.9, 66.0),
    ("gd", 23.1, 113.3, 126.0),
    ("gx", 22.8, 108.4, 50.0),
    ("hi", 20.0, 110.3, 10.0),
    ("cq", 29.6, 106.6, 32.0),
    ("sc", 30.7, 104.1, 84.0),
    ("gz", 26.6, 106.7, 39.0),
    ("yn", 25.0, 102.7, 47.0),
    ("xz", 29.7, 91.1, 4.0),
    ("sn", 34.3, 108.9, 40.0),
    ("gs", 36.1, 103.8, 25.0),
    ("qh", 36.6, 101.8, 6.0),
    ("nx", 38.5, 106.3, 7.0),
    ("xj", 43.8, 87.6, 26.0),
];
/// Provinces that have a site.
const SITES: [&str; 20] = [
    "bj", "he", "ln", "hl", "sh", "js", "zj", "ah", "fj", "sd", "ha", "hb", "hn", "gd", "gx", "cq",
    "sc", "yn", "sn", "xj",
];
/// Operators and their shares of clients.
const ISPS: [(&str, f64); 3] = [("ct", 0.42), ("cm", 0.38), ("cu", 0.20)];
/// Services: name, share of traffic, shape, floor in ms.
const SERVICES: [(&str, f64, Shape, f64); 2] = [
    ("live", 0.6, Shape::Evening, 70.0),
    ("static", 0.4, Shape::Daytime, 150.0),
];
/// Busiest hour of everybody at once, Mbps.
const PEAK_MBPS: f64 = 2_000_000.0;
/// Of an operator's capacity, how much its clients ask for then.
const LOAD_SHARE: f64 = 0.45;
/// Candidates of a unit: nearest links of its own operator, and nearest of others.
const OWN_CANDIDATES: usize = 9;
/// Nearest links of other operators.
const OTHER_CANDIDATES: usize = 3;
/// Soft limit of a link.
const WATERMARK_SHARE: f64 = 0.9;
/// Share of the capacity that is paid in any case.
const COMMIT_SHARE: f64 = 0.1;
/// Worth of one ms for one Gbps during one slot, CNY.
const VALUE_CNY: f64 = 0.02;

/// The instance, its month drawn from the seed.
#[must_use]
pub fn month_95(options: &MonthOptions) -> Scenario {
    let mut random = Random::new(options.seed ^ 0x95);
    let zone = UtcOffset::from_minutes(480).unwrap_or_default();
    let mut inventory = Inventory::default();
    let places: Vec<usize> = (0..PROVINCES.len())
        .filter(|index| SITES.contains(&PROVINCES[*index].0))
        .collect();
    for &place in &places {
        let (code, latitude, longitude, _) = PROVINCES[place];
        inventory.sites.push(inventory::Site {
            name: code.to_owned(),
            region: "cn".to_owned(),
            country: "cn".to_owned(),
            province: code.to_owned(),
            latitude,
            longitude,
        });
    }
    for (isp, share) in ISPS {
        let weights: Vec<f64> = places
            .iter()
            .map(|place| PROVINCES[*place].3.sqrt() * (0.6 + 0.8 * random.unit()))
            .collect();
        let total: f64 = weights.iter().sum();
        for (site, weight) in weights.iter().enumerate() {
            let capacity =
                (PEAK_MBPS * share / LOAD_SHARE * weight / total / 1000.0).ceil() * 1000.0;
            add_link(&mut inventory, (site, isp), capacity, zone, &mut random);
        }
    }
    let (units, shapes) = units(&inventory);
    let instance = template(&inventory, units);
    Scenario::draw("month-95", (instance, inventory), &shapes, options)
}

/// A link with a contract of its own: seven of ten by month-95, the others of all kinds.
fn add_link(
    inventory: &mut Inventory,
    (site, isp): (usize, &str),
    capacity_mbps: f64,
    zone: UtcOffset,
    random: &mut Random,
) {
    let (model, price) = match random.below(20) {
        0..14 => (ContractModel::Month95, 12.0 + 4.0 * random.unit()),
        14..16 => (
            ContractModel::DailyPeakMean,
            [15.6, 15.3, 14.4, 14.1][usize::try_from(random.below(4)).unwrap_or(0)],
        ),
        16..18 => (ContractModel::Daily95Mean, 14.1),
        18 => (ContractModel::PerGb, 0.0),
        _ => (ContractModel::Flat, 13.0),
    };
    let name = format!("{}/{isp}", inventory.sites[site].name);
    // A port that is paid as a whole is a small one.
    let capacity_mbps = if model == ContractModel::Flat {
        capacity_mbps / 2.0
    } else {
        capacity_mbps
    };
    inventory.contracts.push(inventory::Contract {
        name: name.clone(),
        model,
        price_cny_per_mbps_month: price,
        price_cny_per_gb: if model == ContractModel::PerGb {
            0.1
        } else {
            0.0
        },
        commit_mbps: match model {
            ContractModel::Flat => capacity_mbps,
            ContractModel::PerGb => 0.0,
            _ => COMMIT_SHARE * capacity_mbps,
        },
        utc_offset: zone,
    });
    inventory.links.push(inventory::Link {
        name,
        site: SiteId::from_index(site),
        isp: isp.to_owned(),
        capacity_mbps,
        watermark_mbps: WATERMARK_SHARE * capacity_mbps,
        contract: inventory.contracts.len() - 1,
    });
}

/// Demand by province, operator and service, with its candidates.
fn units(inventory: &Inventory) -> (Vec<Unit>, Vec<UnitShape>) {
    let people: f64 = PROVINCES.iter().map(|province| province.3).sum();
    let mut units = Vec::new();
    let mut shapes = Vec::new();
    for (service, (name, part, shape, latency_limit_ms)) in SERVICES.into_iter().enumerate() {
        for (province, (code, latitude, longitude, millions)) in PROVINCES.into_iter().enumerate() {
            for (number, (isp, share)) in ISPS.into_iter().enumerate() {
                let place = Place {
                    latitude,
                    longitude,
                };
                units.push(Unit {
                    area: format!("cn/{code}/{isp}"),
                    service: name.to_owned(),
                    mbps: 0.0,
                    rps: 0.0,
                    latency_limit_ms: Some(latency_limit_ms),
                    incumbent: Shares::new(),
                    cand: candidates(inventory, place, isp),
                });
                shapes.push(UnitShape {
                    peak_mbps: PEAK_MBPS * part * share * millions / people,
                    longitude,
                    shape,
                    service,
                    area: province * ISPS.len() + number,
                });
            }
        }
    }
    (units, shapes)
}

fn candidates(inventory: &Inventory, place: Place, isp: &str) -> Vec<(LinkId, f64)> {
    let quality = |(index, link): (usize, &inventory::Link)| {
        let site = &inventory.sites[link.site.index()];
        let there = Place {
            latitude: site.latitude,
            longitude: site.longitude,
        };
        let reach = Reach::of((&link.isp, "cn"), (isp, "cn"));
        (
            LinkId::from_index(index),
            idle_path(distance_km(place, there), reach).rtt_ms,
        )
    };
    let mut all: Vec<(LinkId, f64)> = inventory.links.iter().enumerate().map(quality).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let own = |link: &(LinkId, f64)| inventory.links[link.0.index()].isp == isp;
    let mut kept: Vec<(LinkId, f64)> = all
        .iter()
        .copied()
        .filter(own)
        .take(OWN_CANDIDATES)
        .collect();
    kept.extend(
        all.iter()
            .copied()
            .filter(|link| !own(link))
            .take(OTHER_CANDIDATES),
    );
    kept
}

/// Links, sites and contracts of an inventory as the optimizer reads them.
pub(super) fn template(inventory: &Inventory, units: Vec<Unit>) -> Instance {
    let site_mbps = |site: usize| -> f64 {
        inventory
            .links
            .iter()
            .filter(|link| link.site.index() == site)
            .map(|link| link.capacity_mbps)
            .sum()
    };
    let model = |model| match model {
        ContractModel::Month95 => ContractModel::Month95,
        ContractModel::DailyPeakMean => ContractModel::DailyPeakMean,
        ContractModel::Daily95Mean => ContractModel::Daily95Mean,
        ContractModel::Flat => ContractModel::Flat,
        ContractModel::PerGb => ContractModel::PerGb,
    };
    Instance {
        version: INSTANCE_VERSION,
        slot_seconds: 300,
        value_cny_per_gbps_ms_slot: VALUE_CNY,
        move_cost_ms: 0.0,
        regions: Vec::new(),
        links: inventory
            .links
            .iter()
            .map(|link| Link {
                id: link.name.clone(),
                site: inventory.sites[link.site.index()].name.clone(),
                capacity_mbps: link.capacity_mbps,
                watermark_mbps: Some(link.watermark_mbps),
                contract: inventory.contracts[link.contract].name.clone(),
            })
            .collect(),
        sites: inventory
            .sites
            .iter()
            .enumerate()
            .map(|(index, site)| Site {
                id: site.name.clone(),
                region: site.region.clone(),
                capacity_mbps: site_mbps(index),
                watermark_mbps: None,
                capacity_rps: None,
            })
            .collect(),
        contracts: inventory
            .contracts
            .iter()
            .map(|contract| Contract {
                id: contract.name.clone(),
                model: model(contract.model),
                price_cny_per_mbps: (!matches!(
                    contract.model,
                    ContractModel::Flat | ContractModel::PerGb
                ))
                .then_some(0.0),
                price_cny_per_gb: (contract.model == ContractModel::PerGb)
                    .then_some(contract.price_cny_per_gb),
                free_below_mbps: 0.0,
                burst: false,
            })
            .collect(),
        units: units.into(),
    }
}
