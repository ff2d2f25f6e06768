//! China by province and ISP: every pair that the shipped count of addresses knows.

use super::GenerateError;
use super::ground::{Client, Ground, client, draw_sites, place};
use crate::random::Random;
use crate::weights::area_shares;
use coverage::AreaTable;
use coverage::area::{Area, AreaAttrs};
use std::collections::BTreeMap;

/// Columns `province,isp,addresses`: GB/T 2260 code, short name of the ISP, IPv4 addresses; derived
/// from ip2region.
const PAIRS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../data/geo/pairs.csv"
));
/// Place where clients of no known province are: about the middle of the people of China (Henan).
const MIDDLE: (f32, f32) = (33.0, 113.5);
/// Beyond the provinces that the area table places: code, degrees north and east.
const BEYOND: [(&str, (f32, f32)); 3] = [
    ("71", (25.04, 121.56)),
    ("81", (22.30, 114.17)),
    ("82", (22.19, 113.54)),
];

/// One client per province and ISP of China, and sites in its provinces.
pub(super) fn provinces(
    table: &AreaTable,
    sites: usize,
    seed: u64,
) -> Result<Ground, GenerateError> {
    let pairs = pairs(table)?;
    let shares = area_shares(&pairs, "cn", 1.0);
    let mut random = Random::new(seed);
    let clients: Vec<Client> = pairs
        .iter()
        .enumerate()
        .map(|(home, area)| client(area, home, area.name.clone(), shares[home], &mut random))
        .collect();
    let home = |area: &Area| area.attrs.country == "cn" && !area.attrs.province.is_empty();
    Ok(Ground {
        clients,
        sites: draw_sites(table, sites, seed, home)?,
        homes: pairs.iter().map(place).collect(),
        measured_ms: Vec::new(),
    })
}

/// The pairs as areas. What one company runs under several names counts as one ISP, as in the area
/// table, but stays apart.
fn pairs(table: &AreaTable) -> Result<Vec<Area>, GenerateError> {
    let mut places: BTreeMap<&str, (f32, f32)> = BEYOND.into_iter().collect();
    for area in table.areas().iter().filter(|a| a.attrs.country == "cn") {
        if let Some(place) = area.attrs.latitude.zip(area.attrs.longitude) {
            places.entry(&area.attrs.province).or_insert(place);
        }
    }
    let read = |line: &str| {
        let mut fields = line.split(',');
        let (province, name) = (fields.next()?, fields.next()?);
        let addresses: u64 = fields.next()?.parse().ok()?;
        let (latitude, longitude) = match province {
            "" => MIDDLE,
            code => *places.get(code)?,
        };
        let isp = name.split_once('-').map_or(name, |(company, _)| company);
        Some(Area {
            name: format!("cn/{}/{}", known(province), known(name)),
            attrs: AreaAttrs {
                country: "cn".to_owned(),
                province: province.to_owned(),
                isp: isp.to_owned(),
                latitude: Some(latitude),
                longitude: Some(longitude),
                ..AreaAttrs::default()
            },
            ipv4_addresses: addresses,
            ipv6_subnets_48: 0,
        })
    };
    let pairs: Option<Vec<Area>> = PAIRS.lines().skip(1).map(read).collect();
    pairs.ok_or(GenerateError::Table("coordinates of Chinese provinces"))
}

/// A part of a name, `-` for what is unknown.
const fn known(part: &str) -> &str {
    if part.is_empty() { "-" } else { part }
}
