//! Clients in cities with measured round-trip times between them, and sites at points of presence
//! near those cities.

use super::GenerateError;
use super::colos::{self, Colo};
use super::draw::log_normal;
use super::ground::{Client, Ground};
use crate::geography::{Place, Reach, distance_km, idle_path};
use crate::random::Random;
use std::collections::BTreeSet;

/// Half the circumference of the Earth as a round-trip time: what a pair without measurement counts
/// as, ms.
const UNMEASURED_MS: f64 = 400.0;
/// A server answers its own city in this many ms.
const SAME_CITY_MS: f64 = 2.0;

/// One client per city that the measurements start from, one site per point of presence. What is
/// measured to the city nearest to a site, and the way from there, is what the site is away.
pub(super) fn measured(csv: &str, seed: u64) -> Result<Ground, GenerateError> {
    let rows = csv
        .lines()
        .enumerate()
        .skip(1)
        .map(|(index, line)| read(index + 1, line));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let between = Between::of(&rows)?;
    let colos = colos::colos();
    let places = colos::locate(&between.cities, &between.km, &colos);
    let mut random = Random::new(seed);
    let client = |(home, city): (usize, &&str)| Client {
        name: (*city).to_owned(),
        place: places[home],
        country: String::new(),
        isp: String::new(),
        home,
        weight: log_normal(&mut random, 1.2),
    };
    let clients = between.cities.iter().enumerate().map(client).collect();
    Ok(Ground {
        clients,
        sites: colos::sites(&colos),
        measured_ms: between.to_colos(&places, &colos),
        homes: places,
    })
}

/// Measurements between cities.
struct Between<'a> {
    /// Cities that measurements start from, by name.
    cities: Vec<&'a str>,
    /// `[from][to]`, ms.
    avg_ms: Vec<Vec<f64>>,
    /// `[from][to]`, great-circle km.
    km: Vec<Vec<Option<f64>>>,
}

impl<'a> Between<'a> {
    fn of(rows: &'a [Row]) -> Result<Self, GenerateError> {
        let names: BTreeSet<&str> = rows.iter().map(|row| row.from.as_str()).collect();
        let cities: Vec<&str> = names.into_iter().collect();
        if cities.is_empty() {
            return Err(GenerateError::RoundTrips {
                line: 1,
                why: "no measurement at all",
            });
        }
        let spoken: Vec<String> = cities.iter().map(|city| city.replace('+', " ")).collect();
        let mut found = Self {
            avg_ms: vec![vec![UNMEASURED_MS; cities.len()]; cities.len()],
            km: vec![vec![None; cities.len()]; cities.len()],
            cities,
        };
        for row in rows {
            // Targets are written as "City Country, Continent"; the longest city that it begins
            // with is meant.
            let begins = |city: &usize| row.to.starts_with(&spoken[*city]);
            let to = (0..spoken.len())
                .filter(begins)
                .max_by_key(|city| spoken[*city].len());
            let from = found.cities.binary_search(&row.from.as_str());
            let (Ok(from), Some(to)) = (from, to) else {
                continue;
            };
            found.avg_ms[from][to] = row.avg_ms;
            found.km[from][to] = Some(row.km);
        }
        for (city, row) in found.avg_ms.iter_mut().enumerate() {
            row[city] = SAME_CITY_MS;
        }
        Ok(found)
    }

    /// `[city][colo]`, ms.
    fn to_colos(&self, places: &[Place], colos: &[Colo]) -> Vec<Vec<f64>> {
        let still_ms = idle_path(0.0, Reach::Direct).rtt_ms;
        let nearest = |colo: &Colo| {
            let away = |(city, place): (usize, &Place)| (distance_km(*place, colo.place), city);
            let (km, city) = places
                .iter()
                .enumerate()
                .map(away)
                .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
                .unwrap_or((0.0, 0));
            (city, idle_path(km, Reach::Direct).rtt_ms - still_ms)
        };
        let ways: Vec<(usize, f64)> = colos.iter().map(nearest).collect();
        let row = |row: &Vec<f64>| ways.iter().map(|&(city, way)| row[city] + way).collect();
        self.avg_ms.iter().map(row).collect()
    }
}

/// One measurement.
struct Row {
    from: String,
    to: String,
    km: f64,
    avg_ms: f64,
}

/// Reads `from,to,km,avg_ms,...`; `to` may stand in quotes and then hold commas.
fn read(line: usize, text: &str) -> Result<Row, GenerateError> {
    let fault = |why| GenerateError::RoundTrips { line, why };
    let (from, rest) = text
        .split_once(',')
        .ok_or_else(|| fault("no second column"))?;
    let (to, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted
            .split_once("\",")
            .ok_or_else(|| fault("a quote without end"))?,
        None => rest
            .split_once(',')
            .ok_or_else(|| fault("no third column"))?,
    };
    let (km, rest) = rest
        .split_once(',')
        .ok_or_else(|| fault("no fourth column"))?;
    let mean = rest.split(',').next().unwrap_or_default();
    let number = |text: &str, why| {
        let number: f64 = text.parse().map_err(|_| fault(why))?;
        if number.is_finite() && number >= 0.0 {
            Ok(number)
        } else {
            Err(fault(why))
        }
    };
    Ok(Row {
        from: from.to_owned(),
        to: to.to_owned(),
        km: number(km, "the distance is no length")?,
        avg_ms: number(mean, "the mean is no time")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_line_is_named() {
        let head = "from,to,km,avg_ms\n";
        for bad in ["x", "x,\"y", "x,y,1", "x,y,1,z", "x,y,1,-4", "x,y,1,nan"] {
            let fault = measured(&format!("{head}a,b,1,2\n{bad}"), 1).unwrap_err();
            assert!(fault.to_string().contains("line 3"), "{fault}");
        }
        assert!(measured(head, 1).is_err());
    }

    #[test]
    fn targets_are_matched_by_their_city() {
        let csv = "from,to,km,avg_ms\nYork,\"New York United States, North America\",5300,80\n\
                   New+York,\"York United Kingdom, Eurasia\",5300,81\n";
        let rows: Vec<Row> = csv.lines().skip(1).map(|l| read(1, l).unwrap()).collect();
        let between = Between::of(&rows).unwrap();
        assert_eq!(between.cities, ["New+York", "York"]);
        assert!((between.avg_ms[0][1] - 81.0).abs() < 1e-9);
        assert!((between.avg_ms[1][0] - 80.0).abs() < 1e-9);
    }

    #[test]
    fn a_site_is_as_far_as_its_nearest_city_and_the_way_from_there() {
        let csv = "from,to,km,avg_ms\nOslo,Madrid Spain,2390,50\nMadrid,Oslo Norway,2390,52\n";
        let ground = measured(csv, 1).unwrap();
        let site = |code: &str| ground.sites.iter().position(|s| s.name == code).unwrap();
        let (oslo, madrid) = (1, 0);
        assert_eq!(ground.clients[oslo].name, "Oslo");
        // The airports lie outside the cities; nothing is nearer than the same city.
        assert!((2.0..4.0).contains(&ground.measured_ms[madrid][site("mad")]));
        assert!((50.0..53.0).contains(&ground.measured_ms[oslo][site("mad")]));
        assert!(ground.measured_ms[oslo][site("syd")] > 150.0);
    }
}
