//! Clients and sites on the map that the area table draws.

use super::GenerateError;
use super::colos;
use super::draw::{log_normal, normal, running, weighted};
use crate::geography::{Place, Reach, distance_km, idle_path};
use crate::random::Random;
use crate::weights::area_shares;
use coverage::AreaTable;
use coverage::area::Area;
use coverage::split::mix;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Part of the world's demand that is Chinese.
const HOME_SHARE: f64 = 0.6;
/// Distance of clients of an area from its coordinates, degrees.
const CLIENT_SPREAD_DEGREES: f64 = 1.5;
/// The same for sites.
const SITE_SPREAD_DEGREES: f64 = 2.5;
/// ISPs with which a Chinese site may have ports, most frequent first.
const ISPS: [&str; 3] = ["ct", "cm", "cu"];
/// Spread (of the logarithm) of what a path measures around what its length says.
const PATH_SPREAD: f64 = 0.15;
/// East of this many degrees a Chinese province counts as the east.
const EAST_DEGREES: f64 = 116.0;

/// Clients that are placed together.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) country: String,
    pub(super) isp: String,
    /// Index of the area, or of the city: clients with equal home see the same sites near them.
    pub(super) home: usize,
    /// Expected demand, in any unit.
    pub(super) weight: f64,
}

/// A machine room.
#[derive(Clone, Debug)]
pub(super) struct SiteDraft {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) country: String,
    pub(super) place: Place,
    /// ISP of each port.
    pub(super) ports: Vec<String>,
}

/// Places of sites and clients.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub(super) clients: Vec<Client>,
    pub(super) sites: Vec<SiteDraft>,
    /// `[home]` -> where it is.
    pub(super) homes: Vec<Place>,
    /// `[home][site]` -> measured round-trip time in ms; empty where distance tells.
    pub(super) measured_ms: Vec<Vec<f64>>,
}

impl Ground {
    /// Quality of the path from a client to a port, in equivalent ms with two decimals; a function
    /// of its arguments.
    pub(super) fn quality_ms(&self, seed: u64, client: usize, site: usize, port: usize) -> f64 {
        let (from, to) = (&self.clients[client], &self.sites[site]);
        let noise = mix(seed ^ mix(client as u64) ^ (site as u64) << 32 ^ (port as u64) << 24);
        let reach = Reach::of((&to.ports[port], &to.country), (&from.isp, &from.country));
        let idle_ms = match self.measured_ms.get(from.home) {
            Some(row) => row[site],
            None => idle_path(distance_km(from.place, to.place), reach).rtt_ms,
        };
        let measured = idle_ms * log_normal(&mut Random::new(noise), PATH_SPREAD);
        (measured * 100.0).round() / 100.0
    }
}

/// Client subnets of /24, drawn where the addresses are; an area's demand is what its people ask
/// for.
pub(super) fn subnets(
    table: &AreaTable,
    units: usize,
    sites: usize,
    seed: u64,
) -> Result<Ground, GenerateError> {
    let shares = area_shares(table.areas(), "cn", HOME_SHARE);
    let starts: Vec<(u32, usize)> = table
        .ranges_v4()
        .map(|(start, area)| (start, area.0 as usize))
        .collect();
    let size = |index: usize| -> f64 {
        let end = starts
            .get(index + 1)
            .map_or(1 << 32, |next| u64::from(next.0));
        f64::from(u32::try_from(end - u64::from(starts[index].0)).unwrap_or(u32::MAX))
    };
    // The square root evens out: large ranges would otherwise be all there is.
    let weight = |index: usize| {
        let area = starts[index].1;
        if shares[area] > 0.0 {
            size(index).sqrt()
        } else {
            0.0
        }
    };
    let sums = running((0..starts.len()).map(weight));
    if sums.last().is_none_or(|total| *total <= 0.0) {
        return Err(GenerateError::Table("IPv4 ranges"));
    }
    let mut random = Random::new(seed);
    let mut taken = BTreeSet::new();
    let mut per_area = vec![0.0; table.areas().len()];
    let mut drawn = Vec::with_capacity(units);
    while drawn.len() < units {
        let index = weighted(&mut random, &sums);
        let (start, area) = starts[index];
        let offset = random.unit() * size(index);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below 2^32"
        )]
        let prefix = start.wrapping_add(offset as u32) >> 8;
        if taken.insert(prefix) {
            per_area[area] += 1.0;
            drawn.push((prefix << 8, area));
        }
    }
    let clients = drawn.into_iter().map(|(prefix, area)| {
        let weight = shares[area] / per_area[area] * log_normal(&mut random, 1.2);
        let name = format!("{}/24", Ipv4Addr::from(prefix));
        client(&table.areas()[area], area, name, weight, &mut random)
    });
    let clients = clients.collect();
    Ok(Ground {
        clients,
        sites: draw_sites(table, sites, seed, |_| true)?,
        homes: table.areas().iter().map(place).collect(),
        measured_ms: Vec::new(),
    })
}

/// Clients at the `count` places with the most addresses, and sites where a real CDN has its points
/// of presence.
pub(super) fn cities(table: &AreaTable, count: usize) -> Result<Ground, GenerateError> {
    let mut order: Vec<usize> = (0..table.areas().len())
        .filter(|&index| table.areas()[index].attrs.latitude.is_some())
        .collect();
    order.sort_by_key(|&index| {
        (
            std::cmp::Reverse(table.areas()[index].ipv4_addresses),
            index,
        )
    });
    order.truncate(count);
    if order.is_empty() {
        return Err(GenerateError::Table("coordinates"));
    }
    let shares = area_shares(table.areas(), "cn", 0.2);
    let mut random = Random::new(0);
    let of = |&index: &usize| &table.areas()[index];
    let clients = order.iter().enumerate().map(|(home, index)| Client {
        home,
        ..client(
            of(index),
            *index,
            of(index).name.clone(),
            shares[*index],
            &mut random,
        )
    });
    let clients = clients.collect();
    Ok(Ground {
        clients,
        sites: colos::sites(&colos::colos()),
        homes: order.iter().map(of).map(place).collect(),
        measured_ms: Vec::new(),
    })
}

/// Sites near where the demand is.
pub(super) fn draw_sites(
    table: &AreaTable,
    count: usize,
    seed: u64,
    wanted: impl Fn(&Area) -> bool,
) -> Result<Vec<SiteDraft>, GenerateError> {
    let shares = area_shares(table.areas(), "cn", HOME_SHARE);
    let weight = |(area, share): (&Area, &f64)| {
        if wanted(area) && area.attrs.latitude.is_some() {
            share.sqrt()
        } else {
            0.0
        }
    };
    let sums = running(table.areas().iter().zip(&shares).map(weight));
    if sums.last().is_none_or(|total| *total <= 0.0) {
        return Err(GenerateError::Table("coordinates"));
    }
    let mut random = Random::new(seed ^ 1);
    let site = |index: usize| {
        let area = &table.areas()[weighted(&mut random, &sums)];
        let country = area.attrs.country.clone();
        let ports = if country == "cn" {
            let mut ports: Vec<String> = ISPS
                .iter()
                .filter(|_| random.unit() < 0.5)
                .map(|isp| (*isp).to_owned())
                .collect();
            if ports.is_empty() {
                ports.push("bgp".to_owned());
            }
            ports
        } else {
            vec!["bgp".to_owned()]
        };
        SiteDraft {
            name: format!("{country}{index}"),
            region: region(area),
            country,
            place: near(place(area), SITE_SPREAD_DEGREES, &mut random),
            ports,
        }
    };
    Ok((0..count).map(site).collect())
}

/// A client of `area`.
pub(super) fn client(
    area: &Area,
    home: usize,
    name: String,
    weight: f64,
    random: &mut Random,
) -> Client {
    Client {
        name,
        place: near(place(area), CLIENT_SPREAD_DEGREES, random),
        country: area.attrs.country.clone(),
        isp: area.attrs.isp.clone(),
        home,
        weight,
    }
}

/// Returns where an area is.
pub(super) fn place(area: &Area) -> Place {
    Place {
        latitude: area.attrs.latitude.map_or(0.0, f64::from),
        longitude: area.attrs.longitude.map_or(0.0, f64::from),
    }
}

fn near(centre: Place, spread_degrees: f64, random: &mut Random) -> Place {
    Place {
        latitude: (spread_degrees.mul_add(normal(random), centre.latitude)).clamp(-89.0, 89.0),
        longitude: spread_degrees.mul_add(normal(random), centre.longitude),
    }
}

/// China in two halves, other countries by the first letter of their code: regions of similar size.
fn region(area: &Area) -> String {
    if area.attrs.country == "cn" {
        let east = area
            .attrs
            .longitude
            .is_some_and(|degrees| f64::from(degrees) > EAST_DEGREES);
        return if east { "east" } else { "west" }.to_owned();
    }
    format!(
        "abroad-{}",
        area.attrs.country.chars().next().unwrap_or('z')
    )
}
