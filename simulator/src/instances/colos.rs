//! Points of presence of a real CDN, as sites; and where cities are that only their distances tell.

use super::ground::SiteDraft;
use crate::geography::{Place, distance_km};
use std::collections::BTreeMap;

/// Columns `colo,city,country,region,latitude,longitude`: 339 points of presence.
const COLOS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../data/geo/colos.csv"
));
/// Cities of known place that an unknown one is located by.
const ANCHORS: usize = 40;
/// Distances that tell a place; with fewer, its name is believed.
const DISTANCES_MIN: usize = 3;
/// Steps of the search for a place, and how it shrinks: from ten degrees to some hundredths.
const STEPS: usize = 40;
const STEP_DEGREES: f64 = 10.0;
const SHRINK: f64 = 0.85;

/// A point of presence.
#[derive(Clone, Debug)]
pub(super) struct Colo {
    pub(super) code: &'static str,
    pub(super) city: &'static str,
    pub(super) country: &'static str,
    pub(super) region: &'static str,
    pub(super) place: Place,
}

/// All of them, by code. Lines that are no colo would be a fault of the shipped file; a test counts
/// them.
pub(super) fn colos() -> Vec<Colo> {
    let read = |line: &'static str| {
        let mut fields = line.split(',');
        let (code, city) = (fields.next()?, fields.next()?);
        let (country, region) = (fields.next()?, fields.next()?);
        let place = Place {
            latitude: fields.next()?.parse().ok()?,
            longitude: fields.next()?.parse().ok()?,
        };
        Some(Colo {
            code,
            city,
            country,
            region,
            place,
        })
    };
    COLOS.lines().skip(1).filter_map(read).collect()
}

/// One site per point of presence, with one port that all ISPs reach alike.
pub(super) fn sites(colos: &[Colo]) -> Vec<SiteDraft> {
    let site = |colo: &Colo| SiteDraft {
        name: colo.code.to_owned(),
        region: colo.region.to_owned(),
        country: colo.country.to_owned(),
        place: colo.place,
        ports: vec!["bgp".to_owned()],
    };
    colos.iter().map(site).collect()
}

/// Places of `cities`, given their pairwise distances in km (`None`: unknown).
///
/// Cities whose name only one colo has are anchors. Every city, anchors too, is put where the sum
/// of absolute differences between true and known distances is least: a few anchors that share
/// nothing but a name do not bend it.
pub(super) fn locate(cities: &[&str], km: &[Vec<Option<f64>>], colos: &[Colo]) -> Vec<Place> {
    let mut named: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for colo in colos {
        let places = named.entry(colo.city.to_lowercase()).or_default();
        places.push(colo.place);
    }
    let unique = |(index, city): (usize, &&str)| {
        let places = named.get(&city.replace('+', " ").to_lowercase())?;
        (places.len() == 1).then(|| (index, places[0]))
    };
    let all: Vec<(usize, Place)> = cities.iter().enumerate().filter_map(unique).collect();
    let every = all.len().div_ceil(ANCHORS).max(1);
    let anchors: Vec<(usize, Place)> = all.into_iter().step_by(every).collect();
    let located = |city: usize| {
        let known: Vec<(Place, f64)> = anchors
            .iter()
            .filter(|(other, _)| *other != city)
            .filter_map(|&(other, place)| Some((place, km[city][other].or(km[other][city])?)))
            .collect();
        let own = anchors.iter().find(|(anchor, _)| *anchor == city);
        match own {
            Some((_, place)) if known.len() < DISTANCES_MIN => *place,
            _ => search(&known, colos),
        }
    };
    (0..cities.len()).map(located).collect()
}

/// The place that fits the known distances best: from the best colo outwards, in shrinking steps.
fn search(known: &[(Place, f64)], colos: &[Colo]) -> Place {
    let misfit = |place: Place| -> f64 {
        let off = known
            .iter()
            .map(|&(anchor, km)| (distance_km(place, anchor) - km).abs());
        off.sum()
    };
    let starts = colos.iter().map(|colo| (misfit(colo.place), colo.place));
    let nowhere = Place {
        latitude: 0.0,
        longitude: 0.0,
    };
    let mut best = starts
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((f64::INFINITY, nowhere));
    let mut step = STEP_DEGREES;
    for _ in 0..STEPS {
        for (north, east) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
            let place = Place {
                latitude: step.mul_add(north, best.1.latitude).clamp(-89.0, 89.0),
                longitude: step.mul_add(east, best.1.longitude),
            };
            let off = misfit(place);
            if off < best.0 {
                best = (off, place);
            }
        }
        step *= SHRINK;
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_colo() {
        assert_eq!(colos().len(), 339);
    }

    #[test]
    fn cities_are_found_by_their_distances() {
        let colos = colos();
        // Real names, one of them hidden, one of them misleading.
        let names = [
            "Amsterdam",
            "Madrid",
            "Oslo",
            "Athens",
            "Cairo",
            "Moscow",
            "Singapore",
            "Tokyo",
        ];
        let mut places: Vec<Place> = names
            .iter()
            .map(|name| colos.iter().find(|c| c.city == *name).unwrap().place)
            .collect();
        let mut cities = names.to_vec();
        let hidden = Place {
            latitude: 50.11,
            longitude: 8.68,
        };
        cities.push("Frankfurt under another name");
        places.push(hidden);
        cities.push("Lima");
        places.push(Place {
            latitude: 40.74,
            longitude: -84.11,
        });
        let km: Vec<Vec<Option<f64>>> = places
            .iter()
            .map(|a| places.iter().map(|b| Some(distance_km(*a, *b))).collect())
            .collect();
        let found = locate(&cities, &km, &colos);
        for (found, place) in found.iter().zip(&places) {
            let off = distance_km(*found, *place);
            assert!(off < 60.0, "{found:?} is {off} km from {place:?}");
        }
    }
}
