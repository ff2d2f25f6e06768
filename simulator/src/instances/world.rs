//! Cities with measured round-trip times between them.

use super::GenerateError;
use super::draw::log_normal;
use super::ground::{Client, Ground, SiteDraft};
use crate::geography::Place;
use crate::random::Random;
use std::collections::BTreeMap;

/// Half the circumference of the Earth as a round-trip time: what a pair without measurement counts as, ms.
const UNMEASURED_MS: f64 = 400.0;
/// A server answers its own city in this many ms.
const SAME_CITY_MS: f64 = 2.0;

/// One client and one site per city that the measurements start from.
pub(super) fn measured(csv: &str, seed: u64) -> Result<Ground, GenerateError> {
    let rows = csv
        .lines()
        .enumerate()
        .skip(1)
        .map(|(index, line)| read(index + 1, line));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut cities: BTreeMap<&str, usize> = rows.iter().map(|row| (row.from.as_str(), 0)).collect();
    for (index, city) in cities.values_mut().enumerate() {
        *city = index;
    }
    if cities.is_empty() {
        return Err(GenerateError::RoundTrips {
            line: 1,
            why: "no measurement at all",
        });
    }
    let mut measured_ms = vec![vec![UNMEASURED_MS; cities.len()]; cities.len()];
    let mut continents = vec![String::from("zz"); cities.len()];
    for row in &rows {
        // Targets are written as "City Country, Continent"; the longest city that it begins with is meant.
        let begins = |(city, _): &(&&str, &usize)| row.to.starts_with(&city.replace('+', " "));
        let Some((_, &to)) = cities
            .iter()
            .filter(begins)
            .max_by_key(|(city, _)| city.len())
        else {
            continue;
        };
        measured_ms[cities[row.from.as_str()]][to] = row.avg_ms;
        if let Some((_, continent)) = row.to.rsplit_once(", ") {
            continents[to] = continent.to_lowercase().replace(' ', "-");
        }
    }
    for (city, row) in measured_ms.iter_mut().enumerate() {
        row[city] = SAME_CITY_MS;
    }
    let mut random = Random::new(seed);
    let place = Place {
        latitude: 0.0,
        longitude: 0.0,
    };
    let clients = cities.iter().map(|(city, &home)| Client {
        name: (*city).to_owned(),
        place,
        country: String::new(),
        isp: String::new(),
        home,
        weight: log_normal(&mut random, 1.2),
    });
    let clients: Vec<Client> = clients.collect();
    let site = |(city, &home): (&&str, &usize)| SiteDraft {
        name: format!("site-{city}"),
        region: continents[home].clone(),
        country: String::new(),
        place,
        ports: vec!["bgp".to_owned()],
    };
    Ok(Ground {
        sites: cities.iter().map(site).collect(),
        homes: vec![place; clients.len()],
        clients,
        measured_ms,
    })
}

/// One measurement.
struct Row {
    from: String,
    to: String,
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
    let avg_ms = rest
        .split(',')
        .nth(1)
        .ok_or_else(|| fault("no fourth column"))?;
    let avg_ms: f64 = avg_ms.parse().map_err(|_| fault("the mean is no number"))?;
    if !(avg_ms.is_finite() && avg_ms >= 0.0) {
        return Err(fault("the mean is no time"));
    }
    Ok(Row {
        from: from.to_owned(),
        to: to.to_owned(),
        avg_ms,
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
        let csv = "from,to,km,avg_ms\nYork,\"New York United States, North America\",1,80\n\
                   New+York,\"York United Kingdom, Eurasia\",1,81\n";
        let ground = measured(csv, 1).unwrap();
        assert_eq!(ground.clients[0].name, "New+York");
        assert!((ground.measured_ms[0][1] - 81.0).abs() < 1e-9);
        assert!((ground.measured_ms[1][0] - 80.0).abs() < 1e-9);
        assert_eq!(ground.sites[1].region, "eurasia");
    }
}
